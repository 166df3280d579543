"""Sizes, normalisation and thresholds: ours and in the original's configuration, one table for both ways."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcm_hf.conversion.tcm_sizes import part_of
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.processing.any_pictures import AnyPictureProcessing
from tcm_hf.processing.decoding_settings import check_settings
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

DEFAULT_PRESETS = {
    "dbnet": "tcm-dbnet-r50-ic15",
    "pan": "tcm-pan-r50-ic15",
    "fcenet": "tcm-fcenet-r50-ic15",
    "segnet": "tcm-segnet-r50",
}
"""By our `head_type`."""
DEFAULT_VIT_PRESET = "tcm-dbnet-vit-b16"

_KERNELS: dict[str, tuple[str, ...]] = {
    "mask_thr": ("binarize_threshold",),
    "min_text_score": ("threshold",),
    "unclip_ratio": ("unclip_ratio",),
    "max_candidates": ("max_candidates",),
}
DECODING: dict[str, dict[str, tuple[str, ...]]] = {
    "dbnet": _KERNELS,
    "segnet": _KERNELS,
    "pan": {
        "min_text_confidence": ("binarize_threshold",),
        "min_kernel_confidence": ("kernel_threshold",),
        # Parity: the original has one number for both.
        "min_text_avg_confidence": ("threshold", "embedding_distance"),
        "min_text_area": ("min_area_px",),
    },
    "fcenet": {
        "score_thr": ("threshold",),
        "alpha": ("region_exponent",),
        "beta": ("center_exponent",),
        "num_reconstr_points": ("num_contour_points",),
        "nms_thr": ("nms_threshold",),
    },
}
"""By our `head_type`: the original's name of a number -> the settings of our image processor that it is."""
POSTPROCESSORS = {
    "dbnet": "DBVisPostprocessor",
    "segnet": "TextSegPostprocessor",
    "pan": "PANPostprocessor",
    "fcenet": "FCEPostprocessor",
}
MMOCR_DEFAULTS = {
    "DBPostprocessor": {
        "text_repr_type": "poly",
        "mask_thr": 0.3,
        "min_text_score": 0.3,
        "min_text_width": 5,
        "unclip_ratio": 1.5,
        "arcLength_ratio": 0.01,
        "max_candidates": 3000,
    }
}
"""What a post-processor of the original takes for what its configuration does not say."""
POLYGON_MODES = {"quad": "quad", "poly": "polygon"}
_UNBOUNDED_PX = 10**6
LEVELS = 255
"""The original normalises pixels of 0..255."""


class ToldProcessing(NamedTuple):
    """An image processor for a converted detector, and where its settings come from."""

    processor: Any
    note: str


def told_processing(
    config: TCMConfig, configuration: Mapping[str, Any], preset: str | None = None
) -> ToldProcessing:
    """The image processor of a converted detector.

    Every setting that the original's configuration says is taken; the published detector that agrees with
    most of them gives the rest. A preset that was asked for gives all.

    Args:
        config: of the converted detector.
        configuration: the original's (`model`, `data`), or nothing.
        preset: the preset that was asked for; one without image processing counts for nothing.

    Raises:
        ValueError: if the configuration says something impossible.
    """
    head = config.head_config.head_type
    told = _told_decoding(part_of(part_of(configuration, "model"), "bbox_head"), head)
    told |= _told_pictures(part_of(part_of(configuration, "data"), "test"))
    start, likely = f"tcm-{head}-r50", DEFAULT_PRESETS[head]
    if config.image_tower_config.tower_type == "clip_vit" and head == "dbnet":
        start, likely = "tcm-dbnet-vit", DEFAULT_VIT_PRESET
    names = [likely, *(name for name in TCMImageProcessor.presets if name.startswith(start))]
    return chosen_processing(TCMImageProcessor, told, names, preset)


def chosen_processing(
    processor_class: type[AnyPictureProcessing],
    told: Mapping[str, Any],
    names: Sequence[str],
    preset: str | None = None,
    **own: Any,
) -> ToldProcessing:
    """An image processor with the settings of a preset and of a configuration.

    Args:
        processor_class: its class.
        told: what the configuration says, by our names.
        names: presets that it may be, the likeliest first; that which agrees with most of `told` gives what
            is not told.
        preset: the preset that was asked for, which gives all; one without image processing counts for
            nothing.
        **own: settings of this model alone.
    """
    presets = processor_class.presets
    if preset is not None and preset in presets:
        other = {name: value for name, value in told.items() if presets[preset].get(name, value) != value}
        note = f"{preset} (as asked for)" + _listed("of its configuration and not taken", other)
        return ToldProcessing(processor_class.from_preset(preset, **own), note)
    names = [name for name in names if name in presets]
    nearest = max(names, key=lambda name: len([1 for item in told.items() if item in presets[name].items()]))
    if not told:
        return ToldProcessing(processor_class.from_preset(nearest, **own), f"{nearest} (assumed)")
    rest = sorted(presets[nearest].keys() - told.keys())
    note = f"{nearest} (the nearest preset)" + _listed("of its configuration", told)
    note += f"; of the preset: {', '.join(rest)}" if rest else ""
    return ToldProcessing(processor_class.from_preset(nearest, **told, **own), note)


def _listed(title: str, settings: Mapping[str, Any]) -> str:
    entries = ", ".join(f"{name} {_in_words(value)}" for name, value in settings.items())
    return f"; {title}: {entries}" if entries else ""


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " x ".join(map(str, value.values()))
    return " ".join(f"{one:.4f}" for one in value) if isinstance(value, list) else str(value)


def _told_decoding(bbox_head: Mapping[str, Any], head: str) -> dict[str, Any]:
    """What a stored configuration says of the decoding, by our names."""
    stored = part_of(bbox_head, "postprocessor")
    if not stored:
        return {}
    kind = stored.get("type")
    stored = {**(MMOCR_DEFAULTS.get(kind, {}) if isinstance(kind, str) else {}), **stored}
    if "nms_thr" in bbox_head:
        stored = {"nms_thr": bbox_head["nms_thr"], **stored}
    told: dict[str, Any] = {}
    for theirs, ours in DECODING[head].items():
        if theirs in stored:
            told |= dict.fromkeys(ours, _number(stored[theirs], theirs))
    if "text_repr_type" in stored:
        mode = stored["text_repr_type"]
        if not isinstance(mode, str) or mode not in POLYGON_MODES:
            raise ValueError(f"its configuration must say `text_repr_type` as one of {[*POLYGON_MODES]}")
        told["polygon_mode"] = POLYGON_MODES[mode]
    if head in ("dbnet", "segnet"):
        if told.get("polygon_mode") == "polygon" and not stored.get("filter_min_text_poly"):
            told["min_side_px"] = 0  # Parity: see presets_image_processing.py
        elif "min_text_width" in stored:
            told["min_side_px"] = _number(stored["min_text_width"], "min_text_width")
        if stored.get("use_approxPolyDP") is False:
            told["arc_length_ratio"] = 0
        elif "arcLength_ratio" in stored:
            told["arc_length_ratio"] = _number(stored["arcLength_ratio"], "arcLength_ratio")
    try:
        check_settings(told)
    except ValueError as error:
        raise ValueError(f"its configuration says an impossible setting: {error}") from error
    return told


def _number(value: Any, name: str, least: float = 0) -> float | int:
    if type(value) not in (int, float) or not least <= value < 1e9:
        raise ValueError(f"its configuration must say `{name}` as a number of at least {least}")
    return value


def _told_pictures(test: Mapping[str, Any]) -> dict[str, Any]:
    """Size and normalisation of a test pipeline (`data.test`), by our names."""
    told: dict[str, Any] = {}
    wrapper = _step(_pipeline(test), "MultiScaleFlipAug")
    inner = wrapper.get("transforms")
    scale = wrapper.get("img_scale")
    if isinstance(scale, list) and len(scale) == 1:
        scale = scale[0]
    if isinstance(scale, tuple | list) and len(scale) == 2:
        sides = [int(_number(side, "img_scale", least=1)) for side in scale]
        if _step(inner, "Resize").get("keep_ratio", True):
            told["size"] = {"shortest_edge": min(sides), "longest_edge": max(sides)}
        else:
            told["size"] = {"height": sides[1], "width": sides[0]}
    normalize = _step(inner, "Normalize")
    for theirs, ours in (("mean", "image_mean"), ("std", "image_std")):
        values = normalize.get(theirs)
        if isinstance(values, tuple | list) and len(values) == 3:
            if normalize.get("to_rgb", True) is not True:
                raise ValueError("its configuration must say `to_rgb=True`: its pictures are not RGB")
            told[ours] = [_number(value, theirs) / LEVELS for value in values]
    return told


def _pipeline(test: Mapping[str, Any]) -> Any:
    """The steps of a data set, or of the first of several."""
    pipeline = test.get("pipeline")
    if pipeline is None and isinstance(data_sets := test.get("datasets"), list) and data_sets:
        pipeline = part_of({"first": data_sets[0]}, "first").get("pipeline")
    return (
        pipeline[0] if isinstance(pipeline, list) and pipeline and isinstance(pipeline[0], list) else pipeline
    )


def _step(pipeline: Any, kind: str) -> Mapping[str, Any]:
    steps = pipeline if isinstance(pipeline, list) else []
    return next((one for one in steps if isinstance(one, Mapping) and one.get("type") == kind), {})


def upstream_postprocessor(processor: TCMImageProcessor, head: str) -> dict[str, Any]:
    """The original's settings of the decoding, `bbox_head.postprocessor`.

    Args:
        processor: of the detector.
        head: its `head_type`.
    """
    modes = {ours: theirs for theirs, ours in POLYGON_MODES.items()}
    settings: dict[str, Any] = {
        "type": POSTPROCESSORS[head],
        "text_repr_type": modes[processor.polygon_mode],
    }
    settings |= {theirs: getattr(processor, ours[0]) for theirs, ours in DECODING[head].items()}
    if head in ("dbnet", "segnet"):
        settings |= {
            "use_approxPolyDP": bool(processor.arc_length_ratio),
            "min_text_width": processor.min_side_px,
        }
        if processor.arc_length_ratio:
            settings["arcLength_ratio"] = processor.arc_length_ratio
        if processor.polygon_mode == "polygon" and processor.min_side_px:
            settings["filter_min_text_poly"] = True
    return settings


def without_counterpart(processor: TCMImageProcessor, head: str) -> list[str]:
    """What the original's configuration cannot say of an image processor, one sentence each."""
    notes = [
        f"`{name}` {value} of the image processor has no counterpart in the original's configuration."
        for name in ("shrink_ratio", "max_detections")
        if (value := getattr(processor, name)) is not None and (name != "shrink_ratio" or head == "dbnet")
    ]
    for theirs, ours in DECODING[head].items():
        if (
            len(values := {name: getattr(processor, name) for name in ours}) > 1
            and len({*values.values()}) > 1
        ):
            notes.append(f"The original has one number for {' and '.join(values)}: `{theirs}` is the first.")
    return notes


def upstream_test_data(processor: TCMImageProcessor) -> dict[str, Any]:
    """The original's test pipeline, `data.test`, data sets apart."""
    size = {name: value for name, value in dict(processor.size).items() if value is not None}
    keep_ratio = not size.keys() & {"height", "width"}
    if keep_ratio:
        sides = [size.get("longest_edge", _UNBOUNDED_PX), size.get("shortest_edge", _UNBOUNDED_PX)]
    else:
        sides = [size["width"], size["height"]]
    steps = [
        {"type": "Resize", "img_scale": tuple(sides), "keep_ratio": keep_ratio},
        {
            "type": "Normalize",
            "mean": [round(value * LEVELS, 8) for value in processor.image_mean],
            "std": [round(value * LEVELS, 8) for value in processor.image_std],
            "to_rgb": True,
        },
        {"type": "Pad", "size_divisor": processor.size_divisor},
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "Collect", "keys": ["img"]},
    ]
    wrapper = {"type": "MultiScaleFlipAug", "img_scale": tuple(sides), "flip": False, "transforms": steps}
    return {"pipeline": [{"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"}, wrapper]}


__all__ = [
    "LEVELS",
    "ToldProcessing",
    "chosen_processing",
    "told_processing",
    "upstream_postprocessor",
    "upstream_test_data",
    "without_counterpart",
]
