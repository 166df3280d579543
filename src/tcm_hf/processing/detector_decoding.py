"""Outputs of any detector -> outlines: which decoder reads which maps, with which settings.

The fields of the outputs tell the detector, so one image processor serves all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .decode_dbnet import decode_dbnet
from .decode_pan import decode_pan
from .float_arrays import float_array
from .tiling import Tile, merge_tile_maps

Maps = dict[str, Any]
"""Outputs for one image: float32 arrays, or a list of one array a level, by field name."""

_CENTRE = 0.5  # index i of a map names the pixel between the edges i and i + 1
_PAN_STRIDE = 4
_FCENET_STRIDE = 8  # of the finest level
# Parity: PAN learns labels sampled at every fourth pixel (nearest), as the published program trains it, see
# `PANHead.loss`. So cell i of its maps speaks of the input's pixel 4 i, whose centre lies at 4 i + 0.5, not
# of the middle of the four pixels that it covers.
_PAN_CENTRE = _CENTRE / _PAN_STRIDE


class Outlines(NamedTuple):
    """Instances on the map of one image."""

    polygons_xy: list[np.ndarray]
    """(P, 2) each, pixels of the map at pixel edges; may leave the map."""
    scores: np.ndarray
    """(N,) float32."""
    map_hw: tuple[int, int]
    """Size of the map that the coordinates refer to."""


class DetectorDecoding(ABC):
    """How the outputs of one detector become outlines."""

    head_types: ClassVar[tuple[str, ...]]
    """The heads whose outputs these are, as the model's `head_config` calls them."""
    fields: ClassVar[tuple[str, ...]]
    """Fields of the model's outputs that are read; the first tells this detector from the others."""
    dimensions: ClassVar[tuple[int, ...]]
    """Of each field, or of each of its levels, the batch included."""
    settings: ClassVar[tuple[str, ...]]
    """Attributes of the image processor that are read."""
    size_divisor: ClassVar[int] = 1
    """Both sides of the network's input must be multiples of this, or the maps do not tell its size."""
    outline_tolerance_px: ClassVar[float] = 0.75
    """How far simplifying may move the outlines of polygon mode, in pixels of the map."""
    seam_px: ClassVar[float] = 1.5
    """How near to a seam between tiles the outline of a text that it cuts comes, in pixels of the map."""

    @abstractmethod
    def decode(self, maps: Maps, settings: Mapping[str, Any]) -> Outlines:
        """Find the instances of one image."""

    def join_tiles(
        self, tile_maps: Sequence[Maps], tiles: Sequence[Tile], size_hw: tuple[int, int]
    ) -> Maps | None:
        """The maps of the whole image; None where tiles must be decoded one by one."""
        return None


class DBNetDecoding(DetectorDecoding):
    """DBNet and SegNet: one map of shrunk kernels."""

    head_types = ("dbnet", "segnet")
    fields = ("probability_map",)
    dimensions = (3,)
    settings = (
        "threshold",
        "polygon_mode",
        "binarize_threshold",
        "unclip_ratio",
        "shrink_ratio",
        "min_side_px",
        "max_candidates",
        "arc_length_ratio",
    )

    def decode(self, maps: Maps, settings: Mapping[str, Any]) -> Outlines:
        """See `decode_dbnet`."""
        probability_map = maps["probability_map"]
        polygons, scores = decode_dbnet(
            probability_map,
            **_as_arguments(settings) | {"arc_length_ratio": settings["arc_length_ratio"] or None},
        )
        return Outlines([polygon + _CENTRE for polygon in polygons], scores, probability_map.shape)

    def join_tiles(
        self, tile_maps: Sequence[Maps], tiles: Sequence[Tile], size_hw: tuple[int, int]
    ) -> Maps | None:
        """Joined before decoding, a word that a seam cuts is one blob like any other."""
        maps = [one["probability_map"] for one in tile_maps]
        return {"probability_map": merge_tile_maps(maps, tiles, size_hw)}


class PANDecoding(DetectorDecoding):
    """PAN: text, kernels and pixel embeddings at a quarter of the size."""

    head_types = ("pan",)
    fields = ("kernel_logits", "text_logits", "pixel_embeddings")
    dimensions = (3, 3, 4)
    settings = (
        "threshold",
        "polygon_mode",
        "binarize_threshold",
        "kernel_threshold",
        "embedding_distance",
        "min_area_px",
    )
    size_divisor = _PAN_STRIDE
    outline_tolerance_px = 0.5

    def decode(self, maps: Maps, settings: Mapping[str, Any]) -> Outlines:
        """See `decode_pan`."""
        polygons, scores = decode_pan(
            maps["text_logits"],
            maps["kernel_logits"],
            maps["pixel_embeddings"],
            **_as_arguments(settings),
        )
        return Outlines([polygon + _PAN_CENTRE for polygon in polygons], scores, maps["text_logits"].shape)


class FCENetDecoding(DetectorDecoding):
    """FCENet: a contour at every cell of three levels, in pixels of the network's input."""

    head_types = ("fcenet",)
    fields = ("fourier_coefficients", "region_logits", "center_logits")
    dimensions = (4, 4, 4)
    settings = (
        "threshold",
        "polygon_mode",
        "region_exponent",
        "center_exponent",
        "num_contour_points",
        "nms_threshold",
    )
    size_divisor = _FCENET_STRIDE
    seam_px = 8.0  # a few coefficients round the corners off

    def decode(self, maps: Maps, settings: Mapping[str, Any]) -> Outlines:
        """See `decode_fcenet`."""
        from .decode_fcenet import decode_fcenet  # with shapely, which the other detectors do without

        polygons, scores = decode_fcenet(
            maps["region_logits"],
            maps["center_logits"],
            maps["fourier_coefficients"],
            **_as_arguments(settings),
        )
        height, width = maps["region_logits"][0].shape[-2:]
        return Outlines(polygons, scores, (height * _FCENET_STRIDE, width * _FCENET_STRIDE))


DECODINGS: tuple[DetectorDecoding, ...] = (DBNetDecoding(), PANDecoding(), FCENetDecoding())


def _as_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the decoders call them: theirs is the score's threshold among others."""
    return {"score_threshold" if name == "threshold" else name: value for name, value in settings.items()}


def decoding_of(outputs: Any) -> DetectorDecoding:
    """The decoding that fits the outputs of a model.

    Raises:
        ValueError: if they hold the maps of no detector.
    """
    present = [name for name in outputs if outputs[name] is not None]
    for decoding in DECODINGS:
        if decoding.fields[0] in present:
            return decoding
    raise ValueError(
        f"The outputs hold the maps of no text detector: expected one of "
        f"{[decoding.fields[0] for decoding in DECODINGS]}, got {present}."
    )


def split_images(outputs: Any) -> list[Maps]:
    """The outputs of a batch as float32 arrays on the CPU, image by image.

    Args:
        outputs: a mapping whose fields hold `(B, …)` each, or a tuple of one `(B, …)` a level;
            `"probability_map"` may be a list of one `(H, W)` an image.

    Raises:
        ValueError: if they hold the maps of no detector, a field of its maps is missing, a map has another
            number of dimensions, or the maps are not of one number of images.
    """
    decoding = decoding_of(outputs)
    if decoding.fields == ("probability_map",):
        maps = outputs["probability_map"]
        if hasattr(maps, "ndim") and maps.ndim != 3:
            raise ValueError(f"`probability_map` must have shape (B, H, W): got {tuple(maps.shape)}.")
        return [{"probability_map": float_array(one)} for one in maps]
    by_field = {name: _checked_levels(outputs, name, decoding) for name in decoding.fields}
    counts = {name: [len(level) for level in levels] for name, levels in by_field.items()}
    if len(distinct := {count for of_levels in counts.values() for count in of_levels}) != 1:
        raise ValueError(
            f"The maps must be of one number of images, the first dimension: got {counts}. Take all fields "
            "from one call of the model."
        )
    return [
        {
            name: [level[index] for level in levels]
            if isinstance(outputs[name], (tuple, list))
            else levels[0][index]
            for name, levels in by_field.items()
        }
        for index in range(distinct.pop())
    ]


def _checked_levels(outputs: Any, name: str, decoding: DetectorDecoding) -> list[np.ndarray]:
    """The arrays of a field, one a level, a list of one where it has no levels."""
    value = outputs.get(name)
    has_levels = isinstance(value, (tuple, list))
    if value is None or (has_levels and not value):
        raise ValueError(
            f"The outputs of this detector must hold {list(decoding.fields)}: `{name}` is missing. Give all "
            "that the model returned."
        )
    levels = [float_array(level) for level in (value if has_levels else [value])]
    dimensions = decoding.dimensions[decoding.fields.index(name)]
    for level in levels:
        if level.ndim != dimensions:
            raise ValueError(
                f"`{name}` must have {dimensions} dimensions, the first that of the batch: got shape "
                f"{level.shape}. Of one image give `maps[None]`."
            )
    return levels
