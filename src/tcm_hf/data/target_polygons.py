"""What the targets of all detectors do with polygons: check them, shrink them, tell which are too small."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from tcm_hf.processing.polygon_growing import grow_on_pixels
from tcm_hf.processing.polygons import perimeter_px, polygon_area

__all__ = ["checked_polygons", "is_too_small", "shrunk_kernel"]


def checked_polygons(polygons_xy: Sequence[np.ndarray], ignore: Sequence[bool]) -> list[np.ndarray]:
    """Float64 copies of the polygons, so that no target can touch the caller's arrays.

    Args:
        polygons_xy: one (P >= 3, 2) array a text.
        ignore: one flag a polygon.

    Raises:
        ValueError: the lengths of `polygons_xy` and `ignore` differ, or a polygon is not a finite (P >= 3, 2)
            array.
    """
    if len(polygons_xy) != len(ignore):
        raise ValueError(
            f"`ignore` must have one flag per polygon: got {len(ignore)} for {len(polygons_xy)} polygons."
        )
    polygons = [np.array(polygon, dtype=np.float64) for polygon in polygons_xy]
    for index, polygon in enumerate(polygons):
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise ValueError(f"Polygon {index} must have the shape (P >= 3, 2): got {polygon.shape}.")
        if not np.isfinite(polygon).all():
            raise ValueError(
                f"Polygon {index} must be finite: got {polygon.tolist()}. Drop it before building targets."
            )
    return polygons


def is_too_small(polygon_xy: np.ndarray, min_short_side_px: float) -> bool:
    """Whether a polygon has no area or its smallest rectangle is narrower than `min_short_side_px`."""
    if polygon_area(polygon_xy) < 1:
        return True
    # Parity: the sides are measured on the truncated polygon.
    return min(cv2.minAreaRect(polygon_xy.astype(np.int32))[1]) < min_short_side_px


def shrunk_kernel(
    integer_polygon_xy: np.ndarray, shrink_ratio: float, max_shrink_px: float = math.inf
) -> list[np.ndarray]:
    """Kernel outline(s) of a text: the polygon moved inwards by area * (1 - shrink_ratio**2) / perimeter.

    Source: PSENet, arXiv 1903.12473, eq. 1; DBNet, arXiv 1911.08947, eq. 10; the same in PAN, 1908.05900.

    Parity: the distance is rounded to a whole pixel. Upstream paints only the first part of a kernel that
    falls apart; here all parts are given.

    Args:
        integer_polygon_xy: (P, 2) int32.
        shrink_ratio: r, in (0, 1]; 1 leaves the polygon as it is.
        max_shrink_px: the outline moves by no more than this.

    Returns:
        The parts, (P', 2) int32 each; none if the kernel vanishes.
    """
    band_ratio = 1 - shrink_ratio**2
    distance_px = polygon_area(integer_polygon_xy) * band_ratio / (perimeter_px(integer_polygon_xy) + 1e-3)
    return grow_on_pixels(integer_polygon_xy, -min(int(distance_px + 0.5), max_shrink_px))
