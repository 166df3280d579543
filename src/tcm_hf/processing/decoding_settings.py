"""Which values the settings of decoding may have, told once for the image processor and the decoders."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

_SHARE = (0, 1)
_NOT_NEGATIVE = (0, math.inf)
_MANY = 1_000_000  # settings come with checkpoints: none may ask for all memory
_RANGES: dict[str, tuple[float, float]] = {
    "threshold": _SHARE,
    "score_threshold": _SHARE,
    "binarize_threshold": _SHARE,
    "kernel_threshold": _SHARE,
    "nms_threshold": _SHARE,
    "unclip_ratio": _NOT_NEGATIVE,
    "min_side_px": _NOT_NEGATIVE,
    "min_area_px": _NOT_NEGATIVE,
    "region_exponent": _NOT_NEGATIVE,
    "center_exponent": _NOT_NEGATIVE,
    "embedding_distance": _NOT_NEGATIVE,
    "shrink_ratio": _SHARE,
    "arc_length_ratio": _SHARE,
    "max_candidates": (0, _MANY),
    "num_contour_points": (3, _MANY),
    "points_per_curve": (2, _MANY),
    "recognition_threshold": _SHARE,
}
_MORE_THAN_LEAST = ("embedding_distance",)
_WHOLE = ("max_candidates", "num_contour_points", "points_per_curve")
_MAY_BE_NONE = ("shrink_ratio", "arc_length_ratio")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse values that a decoder cannot go by; settings that are not known here may have any.

    Raises:
        ValueError: for something else than a number, NaN, a number out of range, or a `polygon_mode` that is
            unknown.
    """
    mode = settings.get("polygon_mode", "quad")
    if mode not in ("quad", "polygon"):
        raise ValueError(f'`polygon_mode` must be "quad" or "polygon": got {mode!r}.')
    for name, (least, most) in _RANGES.items():
        if name not in settings:
            continue
        value = settings[name]
        if value is None and name in _MAY_BE_NONE:
            continue
        fits = isinstance(value, Real) and least <= float(value) <= most
        if not fits or (name in _MORE_THAN_LEAST and value == least) or (name in _WHOLE and value % 1):
            raise ValueError(
                f"`{name}` must be {_range_in_words(name, least, most)}: got {value!r}. Change it on the "
                "image processor or in the call."
            )


def _range_in_words(name: str, least: float, most: float) -> str:
    kind = "an integer" if name in _WHOLE else "a number"
    if name in _MORE_THAN_LEAST:
        return f"{kind} above {least}"
    return f"{kind} from {least} to {most}" if most < math.inf else f"{kind} of at least {least}"
