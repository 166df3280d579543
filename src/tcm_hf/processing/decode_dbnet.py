"""Probability map of DBNet -> text outlines with scores. Undoes what `dbnet.py` predicts; needs no torch."""

import math
from typing import Literal

import cv2
import numpy as np

from .polygon_growing import grow_on_pixels
from .polygons import order_clockwise, unclip_distance_px, unshrink_distance_px

PolygonMode = Literal["quad", "polygon"]


def decode_dbnet(
    probability_map: np.ndarray,
    *,
    binarize_threshold: float = 0.3,
    score_threshold: float = 0.3,
    unclip_ratio: float = 1.5,
    polygon_mode: PolygonMode = "quad",
    min_side_px: float = 5,
    max_candidates: int = 3000,
    arc_length_ratio: float | None = 0.001,
    shrink_ratio: float | None = None,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the text instances of one image: DBNet, arXiv 1911.08947, section 3.4.

    Threshold the map; follow the outline of every blob (a shrunk text kernel); keep it if the mean
    probability inside is high enough; grow it back by the unclip ratio; in quad mode take the smallest
    rectangle around it.

    Args:
        probability_map: `(H, W)` float32, 0..1.
        binarize_threshold: a pixel belongs to a kernel if its probability is above this.
        score_threshold: an instance is kept if the mean probability in its kernel is at least this.
        unclip_ratio: how far kernels grow, see `unclip_distance_px`.
        polygon_mode: "quad" gives rectangles of any angle, "polygon" outlines of any shape.
        min_side_px: least short side of the smallest rectangle around the grown outline; 0 keeps all.
        max_candidates: at most so many outlines are looked at.
        arc_length_ratio: outlines are simplified (Douglas-Peucker) with this part of their length as the
            tolerance; None takes every corner of the blob. 0.01, as in mmocr, flattens long thin lines to
            nothing.
        shrink_ratio: if given, kernels grow as far as targets of this ratio were shrunk, which fits long
            words as well as short ones (`unshrink_distance_px`), and `unclip_ratio` is not used.

    Returns:
        The outlines and their scores, in no particular order. Outlines are `(P, 2)` float32 in map pixels,
        clockwise from the top left, and may leave the map; scores `(N,)` float32. A point sits on the
        *centre* of the pixel that it is named after: add 0.5 for the frame of pixel edges.

    Raises:
        ValueError: for a map that is not `(H, W)`, or an unknown `polygon_mode`.
    """
    if probability_map.ndim != 2:
        raise ValueError(
            f"`probability_map` must have shape (H, W): got {probability_map.shape}. Decode image by image."
        )
    if polygon_mode not in ("quad", "polygon"):
        raise ValueError(f'`polygon_mode` must be "quad" or "polygon": got {polygon_mode!r}.')
    probability_map = np.ascontiguousarray(probability_map, dtype=np.float32)
    farthest_px = sum(probability_map.shape)  # from anywhere to everywhere: farther, only the work would grow
    polygons, scores = [], []
    for contour in _contours(probability_map > binarize_threshold, max_candidates):
        kernel = _simplified(contour, arc_length_ratio)
        if len(kernel) < 4:  # Parity: triangles, bars and dots are no text (papers' released code)
            continue
        score = mean_inside(probability_map, kernel)
        if not score_threshold <= score < math.inf:  # a hole of a blob may hold what is no number
            continue
        if shrink_ratio is None:
            distance_px = unclip_distance_px(kernel, unclip_ratio)
        else:
            distance_px = unshrink_distance_px(kernel, shrink_ratio)
        distance_px = min(farthest_px, distance_px)
        polygon = _grown_outline(kernel, distance_px, polygon_mode, min_side_px)
        if polygon is not None:
            polygons.append(order_clockwise(polygon))
            scores.append(min(score, 1.0))
    return polygons, np.array(scores, dtype=np.float32)


def _contours(kernels: np.ndarray, max_candidates: int) -> list[np.ndarray]:
    """Outlines of the blobs, `(P, 1, 2)` int32 pixel indices each."""
    # Parity: RETR_LIST also follows the holes of a blob, which the score mostly sorts out, and starts with
    # the bottom-most outline, so that is where `max_candidates` begins to count. Upstream looks at one
    # outline more than `max_candidates` says.
    contours, _ = cv2.findContours(kernels.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return list(contours[: int(max_candidates)])


def _simplified(contour: np.ndarray, arc_length_ratio: float | None) -> np.ndarray:
    if arc_length_ratio is not None and len(contour) >= 4:
        contour = cv2.approxPolyDP(contour, arc_length_ratio * cv2.arcLength(contour, True), True)
    return contour.reshape(-1, 2)


def mean_inside(probability_map: np.ndarray, kernel_xy: np.ndarray) -> float:
    """Mean of the map over a polygon, its outline included. Only the window around it is touched.

    Args:
        probability_map: `(H, W)` float32.
        kernel_xy: `(P, 2)` int32 pixel indices inside the map.
    """
    x, y, width, height = cv2.boundingRect(kernel_xy)
    mask = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(mask, [kernel_xy], 1, offset=(-x, -y))
    return cv2.mean(probability_map[y : y + height, x : x + width], mask)[0]


def _grown_outline(
    kernel_xy: np.ndarray, distance_px: float, polygon_mode: PolygonMode, min_side_px: float
) -> np.ndarray | None:
    """The outline that the kernel grows to; None if it has no area, falls apart or is too small."""
    parts = grow_on_pixels(kernel_xy, distance_px)
    if len(parts) != 1:  # Parity: a kernel whose outline crosses itself may give several parts: skipped
        return None
    # Parity: upstream asks for the least side in quad mode only; give `min_side_px=0` for its polygon mode.
    if polygon_mode == "polygon" and min_side_px <= 0:
        return parts[0]
    rectangle = cv2.minAreaRect(parts[0])
    if min(rectangle[1]) < min_side_px:
        return None
    return cv2.boxPoints(rectangle) if polygon_mode == "quad" else parts[0]
