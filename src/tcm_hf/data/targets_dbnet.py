"""DBNet training targets: polygons -> probability map, threshold map and their masks."""

from collections.abc import Sequence

import cv2
import numpy as np

from tcm_hf.data.target_polygons import checked_polygons, is_too_small, shrunk_kernel
from tcm_hf.processing.polygon_growing import grow_on_pixels
from tcm_hf.processing.polygons import perimeter_px, polygon_area

__all__ = ["dbnet_targets"]


def dbnet_targets(
    polygons_xy: Sequence[np.ndarray],
    ignore: Sequence[bool],
    size_hw: tuple[int, int],
    *,
    shrink_ratio: float = 0.4,
    threshold_min: float = 0.3,
    threshold_max: float = 0.7,
    min_short_side_px: float = 8,
) -> dict[str, np.ndarray]:
    """Maps that the DBNet head learns from one annotated image.

    Every readable text is shrunk into a kernel (probability map, 1 inside) and surrounded by a band in which
    the threshold map falls from `threshold_max` on the outline to `threshold_min` at the distance
    D = area * (1 - shrink_ratio**2) / perimeter on either side. Source: DBNet, arXiv 1911.08947, section
    "Label generation", eq. 10.

    Ignored texts, texts whose short side is below `min_short_side_px` and texts whose kernel vanishes are not
    supervised (`probability_mask` is 0 inside them); they have no band in the threshold map.

    Args:
        polygons_xy: one (P >= 3, 2) array a text, any orientation, pixels of the map; may leave the map.
            Not modified.
        ignore: one flag a polygon, true = do not care.
        size_hw: height and width of the maps in pixels.
        shrink_ratio: r of the paper, in (0, 1); a smaller one gives a thinner kernel.
        threshold_min: value of the threshold map far from any outline.
        threshold_max: value of the threshold map on an outline.
        min_short_side_px: texts with a shorter short side (of the minimum-area rectangle) are not supervised.

    Returns:
        `probability_map`, `probability_mask`, `threshold_map`, `threshold_mask`: (H, W) float32 each; masks
        are 1 where the map is supervised, maps are {0, 1} and [threshold_min, threshold_max].

    Raises:
        ValueError: the lengths of `polygons_xy` and `ignore` differ, or a polygon is not a finite (P >= 3, 2)
            array.
    """
    polygons = checked_polygons(polygons_xy, ignore)
    kernels = np.zeros(size_hw, np.uint8)
    kernel_mask = np.ones(size_hw, np.uint8)
    nearness = np.zeros(size_hw, np.float32)
    band_mask = np.zeros(size_hw, np.uint8)
    band_ratio = 1 - shrink_ratio**2
    for polygon, ignored in zip(polygons, ignore, strict=True):
        # Parity: upstream truncates coordinates toward zero for kernels, masks and pyclipper, but measures
        # the distances of the threshold map on the exact polygon (golden E_*).
        integer_polygon = polygon.astype(np.int32)
        shrunk = (
            []
            if ignored or is_too_small(polygon, min_short_side_px)
            else shrunk_kernel(integer_polygon, shrink_ratio)
        )
        if not shrunk:
            cv2.fillPoly(kernel_mask, [integer_polygon], 0)
            continue
        cv2.fillPoly(kernels, shrunk, 1)
        _draw_band(polygon, band_ratio, nearness, band_mask)
    nearness *= threshold_max - threshold_min
    nearness += threshold_min
    np.minimum(nearness, threshold_max, out=nearness)  # float32 rounding must not leave the range
    return {
        "probability_map": kernels.astype(np.float32),
        "probability_mask": kernel_mask.astype(np.float32),
        "threshold_map": nearness,
        "threshold_mask": band_mask.astype(np.float32),
    }


def _draw_band(polygon: np.ndarray, band_ratio: float, nearness: np.ndarray, band_mask: np.ndarray) -> None:
    """Raise `nearness` to 1 - distance / D near the outline, mark the padded polygon in `band_mask`."""
    distance_px = polygon_area(polygon) * band_ratio / perimeter_px(polygon)
    padded = grow_on_pixels(polygon.astype(np.int32), distance_px)
    if not padded:
        return
    cv2.fillPoly(band_mask, padded[:1], 1)
    height, width = nearness.shape
    left, top = np.maximum(padded[0].min(axis=0), 0)
    right, bottom = np.minimum(padded[0].max(axis=0) + 1, (width, height))
    if left >= right or top >= bottom:
        return
    window = nearness[top:bottom, left:right]
    squared = _squared_distance_to_outline(polygon - (left, top), window.shape, distance_px)
    np.sqrt(squared, out=squared)
    squared *= -1 / distance_px
    squared += 1
    np.maximum(window, squared, out=window)


def _squared_distance_to_outline(
    polygon: np.ndarray, size_hw: tuple[int, int], limit_px: float
) -> np.ndarray:
    """Squared distance of every pixel to the nearest edge of the outline, cut at `limit_px` squared.

    Every edge only visits the window that can be nearer than the limit; inside it the distance splits into
    the part across the edge and the part beyond its nearer end, each a sum of a row and a column vector.

    Parity: as in every DBNet code since the first, a pixel beside an edge but outside the circle over it
    counts as beyond its end: it is given the (larger) distance to the nearer end point, near short edges.
    """
    height, width = size_hw
    squared = np.full(size_hw, limit_px * limit_px, np.float32)
    following = np.roll(polygon, -1, axis=0)
    lows = np.ceil(np.minimum(polygon, following) - limit_px).astype(int)
    highs = np.floor(np.maximum(polygon, following) + limit_px).astype(int) + 1
    lows = np.maximum(lows, 0)
    highs = np.minimum(highs, (width, height))
    for start, end, (left, top), (right, bottom) in zip(polygon, following, lows, highs, strict=True):
        if left >= right or top >= bottom:
            continue
        edge = end - start
        length = float(np.hypot(*edge))
        unit_x, unit_y = edge / length if length > 0 else (1.0, 0.0)
        x = np.arange(left, right) - (start[0] + end[0]) / 2
        y = np.arange(top, bottom)[:, None] - (start[1] + end[1]) / 2
        across = (x * unit_y).astype(np.float32) - (y * unit_x).astype(np.float32)
        beyond = (x * unit_x).astype(np.float32) + (y * unit_y).astype(np.float32)
        outside_circle = x * x + y * y > (edge @ edge) / 4  # in float64: whole-pixel corners give exact ties
        np.abs(beyond, out=beyond)
        beyond -= length / 2
        beyond *= beyond
        beyond *= outside_circle
        across *= across
        across += beyond
        window = squared[top:bottom, left:right]
        np.minimum(window, across, out=window)
    return squared
