"""The usual, straightforward DBNet loops, as the open detectors write them; what the benchmarks compare with.

Written for this project after the description of the method, not copied: one polygon at a time, shapely for
area and length, pyclipper for the offset, and for the threshold map the distance of every pixel of the window
to every edge.
"""

import cv2
import numpy as np
import pyclipper
from shapely.geometry import Polygon


def plain_decode(
    probability_map: np.ndarray,
    *,
    binarize_threshold: float,
    score_threshold: float,
    unclip_ratio: float,
    polygon_mode: str,
    min_side_px: float,
    arc_length_ratio: float | None,
) -> list[tuple[np.ndarray, float]]:
    """Probability map -> (outline, score) pairs."""
    kernels = (probability_map > binarize_threshold).astype(np.uint8) * 255
    contours, _ = cv2.findContours(kernels, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        if arc_length_ratio is not None:
            contour = cv2.approxPolyDP(contour, arc_length_ratio * cv2.arcLength(contour, True), True)
        points = contour.reshape(-1, 2)
        if len(points) < 4:
            continue
        score = _mean_inside(probability_map, points)
        if score < score_threshold:
            continue
        shape = Polygon(points)
        grown = _offset(points, shape.area * unclip_ratio / shape.length)
        if len(grown) != 1:
            continue
        outline = np.array(grown[0])
        if polygon_mode == "quad":
            rectangle = cv2.minAreaRect(outline)
            if min(rectangle[1]) < min_side_px:
                continue
            outline = cv2.boxPoints(rectangle)
        found.append((outline, score))
    return found


def plain_targets(
    polygons_xy: list[np.ndarray], size_hw: tuple[int, int], shrink_ratio: float = 0.4
) -> dict[str, np.ndarray]:
    """Polygons, all readable -> the four target maps."""
    kernels, mask = np.zeros(size_hw, np.float32), np.ones(size_hw, np.float32)
    nearness, band_mask = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.float32)
    for polygon in polygons_xy:
        shape = Polygon(polygon)
        distance_px = shape.area * (1 - shrink_ratio**2) / shape.length
        shrunk, padded = _offset(polygon, -distance_px), _offset(polygon, distance_px)
        if not shrunk or not padded:
            cv2.fillPoly(mask, [polygon.astype(np.int32)], 0)
            continue
        cv2.fillPoly(kernels, [np.array(shrunk[0], np.int32)], 1)
        band = np.array(padded[0], np.int32)
        cv2.fillPoly(band_mask, [band], 1)
        left, top = np.maximum(band.min(axis=0), 0)
        right, bottom = np.minimum(band.max(axis=0) + 1, size_hw[::-1])
        distance = _distance_to_edges(polygon - (left, top), (bottom - top, right - left))
        window = nearness[top:bottom, left:right]
        np.maximum(window, 1 - np.clip(distance / distance_px, 0, 1), out=window)
    return {
        "probability_map": kernels,
        "probability_mask": mask,
        "threshold_map": 0.3 + 0.4 * nearness,
        "threshold_mask": band_mask,
    }


def _offset(polygon: np.ndarray, distance_px: float) -> list:
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(polygon.astype(int).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return offset.Execute(distance_px)


def _mean_inside(probability_map: np.ndarray, points: np.ndarray) -> float:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0) + 1
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [(points - (left, top)).astype(np.int32)], 1)
    return cv2.mean(probability_map[top:bottom, left:right], mask)[0]


def _distance_to_edges(polygon: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Distance of every pixel to the nearest edge, by the law of cosines (all edges, all pixels)."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    nearest = np.full(size_hw, np.inf)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        to_start = (x - start[0]) ** 2 + (y - start[1]) ** 2
        to_end = (x - end[0]) ** 2 + (y - end[1]) ** 2
        length = ((end - start) ** 2).sum()
        cosine = (length - to_start - to_end) / (2 * np.sqrt(to_start * to_end) + 1e-9)
        sine_squared = np.nan_to_num(1 - np.square(cosine))
        across = np.sqrt(np.maximum(to_start * to_end * sine_squared / max(length, 1e-9), 0))
        beside = cosine >= 0
        distance = np.where(beside, across, np.sqrt(np.minimum(to_start, to_end)))
        nearest = np.minimum(nearest, distance)
    return nearest
