"""Maps of a detector -> polygons on the original image, in numpy. Needs no torch.

What it takes of shapely is for outlines that have more than four points, and for detectors whose tiles cannot
be joined; it is imported there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .decoding_settings import check_settings
from .detector_decoding import DECODINGS, DetectorDecoding, Maps, Outlines, decoding_of, split_images
from .image_sizes import SizeHW
from .polygons import (
    bounding_box,
    clamp_to_image,
    order_clockwise,
    polygon_area,
    simplify_polygon,
)
from .tiling import Tile


class OutlineDecoding:
    """Decoding: its settings are attributes, and defaults of its methods."""

    size_divisor: int
    threshold = 0.3
    polygon_mode: Literal["quad", "polygon"] = "quad"
    max_detections = None
    # DBNet; PAN reads the first as well
    binarize_threshold = 0.3
    unclip_ratio = 1.5
    shrink_ratio = None
    min_side_px = 3
    max_candidates = 3000
    arc_length_ratio = 0.001
    # PAN
    kernel_threshold = 0.5
    embedding_distance = 0.85
    min_area_px = 16
    # FCENet
    region_exponent = 1.2
    center_exponent = 1.0
    num_contour_points = 50
    nms_threshold = 0.1

    @staticmethod
    def get_decoding_settings(head_type: str | None = None) -> tuple[str, ...]:
        """Names of the settings that decoding goes by.

        Args:
            head_type: of the detector, as in the `head_config` of its model; None or an unknown one for the
                settings of all.
        """
        fitting = [one for one in DECODINGS if head_type in one.head_types] or DECODINGS
        return tuple(dict.fromkeys(name for one in fitting for name in one.settings))

    @staticmethod
    def split_images(outputs: Any) -> list[Maps]:
        """The outputs of a batch, image by image, ready for `post_process_tiles`."""
        return split_images(outputs)

    def decode_image(
        self,
        decoding: DetectorDecoding,
        maps: Maps,
        size_hw: SizeHW | None,
        max_detections: int | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Text instances of one image.

        Args:
            decoding: of the detector, see `decoding_of`.
            maps: of the image, as `split_images` gives them.
            size_hw: (height, width) of the upright original in pixels; None leaves coordinates in pixels of
                the map.
            max_detections: of more instances the best are kept.
            **settings: as the settings of `post_process_text_detection`.

        Returns:
            As `decode_tiles`.
        """
        best = self.max_detections if max_detections is None else max_detections
        chosen = self._decoding_settings(decoding, **settings)
        return _detections(*_on_photo(decoding, decoding.decode(maps, chosen), size_hw, chosen), best)

    def decode_tiles(
        self,
        tile_maps: Sequence[Maps],
        tiles: Sequence[Tile],
        size_hw: tuple[int, int],
        max_detections: int | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Text instances of one photo that went through the model in tiles.

        Args:
            tile_maps: the maps of each tile, as `split_images` gives them; tiles of one size have maps of
                one size.
            tiles: as from `plan_tiles`.
            size_hw: (height, width) of the upright photo in pixels.
            max_detections: of more instances the best are kept.
            **settings: as the settings of `post_process_text_detection`.

        Returns:
            A dict, best score first: "scores" `(N,)`, "polygons", a list of N `(P, 2)`, and "boxes" `(N, 4)`
            as xmin, ymin, xmax, ymax; all float32, in pixels of the photo at pixel edges.
        """
        decoding = decoding_of(tile_maps[0])
        best = self.max_detections if max_detections is None else max_detections
        chosen = self._decoding_settings(decoding, **settings)
        joined = tile_maps[0] if len(tiles) == 1 else decoding.join_tiles(tile_maps, tiles, size_hw)
        if joined is not None:
            return _detections(*_on_photo(decoding, decoding.decode(joined, chosen), size_hw, chosen), best)
        polygons, scores, seam_px = [], [], 0.0
        for maps, (x0, y0, x1, y1) in zip(tile_maps, tiles, strict=True):
            outlines = decoding.decode(maps, chosen)
            found, found_scores = _on_photo(decoding, outlines, (y1 - y0, x1 - x0), chosen)
            polygons.append([polygon + np.array((x0, y0), np.float32) for polygon in found])
            scores.append(found_scores)
            seam_px = decoding.seam_px * (x1 - x0) / outlines.map_hw[1]
        from .tile_outlines import merge_tile_outlines

        merged = merge_tile_outlines(
            polygons, scores, tiles, size_hw, seam_px=seam_px, polygon_mode=chosen["polygon_mode"]
        )
        return _detections(*merged, best)

    def _decoding_settings(self, decoding: DetectorDecoding, **given: Any) -> dict[str, Any]:
        """Attributes of the processor, replaced by what a call gave; the detector must know the latter."""
        given = {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(set(given) - set(decoding.settings)):
            raise ValueError(
                f"The detector of these outputs ({decoding.fields[0]}) has no settings {unknown}: it knows "
                f"{list(decoding.settings)}."
            )
        if self.size_divisor % decoding.size_divisor:
            raise ValueError(
                f"`size_divisor` must be a multiple of {decoding.size_divisor} for this detector "
                f"({decoding.fields[0]}), or its maps do not tell the size of the image: got "
                f"{self.size_divisor}. Take 32."
            )
        settings = {name: getattr(self, name) for name in decoding.settings} | given
        check_settings(settings)
        if "unclip_ratio" in given:
            settings["shrink_ratio"] = None  # which would decide in its place
        return settings


def _on_photo(
    decoding: DetectorDecoding, found: Outlines, size_hw: SizeHW | None, settings: Mapping[str, Any]
) -> tuple[list[np.ndarray], np.ndarray]:
    """From pixels of the map to those of the photo (None: they stay), cut at its border."""
    size_hw = found.map_hw if size_hw is None else size_hw
    scale_xy = np.array([size_hw[1] / found.map_hw[1], size_hw[0] / found.map_hw[0]])
    if settings["polygon_mode"] == "quad":
        quads = [order_clockwise(clamp_to_image(quad * scale_xy, size_hw)) for quad in found.polygons_xy]
        return quads, found.scores
    from .polygon_overlaps import clip_to_image

    # Growing a kernel rounds its corners with dozens of points that nobody can tell from a few.
    outlines = [
        clip_to_image(simplify_polygon(polygon, decoding.outline_tolerance_px) * scale_xy, size_hw)
        for polygon in found.polygons_xy
    ]
    return outlines, found.scores


def _detections(polygons: list[np.ndarray], scores: np.ndarray, best: int | None) -> dict[str, Any]:
    """Those with an area, best score first."""
    order = [i for i in np.argsort(-scores, kind="stable") if polygon_area(polygons[i]) > 0][:best]
    kept = [np.asarray(polygons[i], np.float32) for i in order]
    boxes = np.stack([bounding_box(polygon) for polygon in kept]) if kept else np.zeros((0, 4), np.float32)
    return {"scores": scores[order], "polygons": kept, "boxes": boxes}
