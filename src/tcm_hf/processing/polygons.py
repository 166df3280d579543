"""Plane geometry of text outlines: pure functions on numpy arrays.

Moving outlines outwards is in polygon_growing.py, what they share in polygon_overlaps.py.

One frame everywhere: `(x, y)` in pixels, x to the right, y down, measured at pixel *edges* (an image of
width W spans 0..W). A polygon is an array `(P, 2)`, closed without repeating its first point. The order
we hand out is clockwise as seen on the screen, starting at the top-left-most corner.
"""

import math

import cv2
import numpy as np

_TIE_PX = 0.01  # corners whose x + y differ by less are equally far to the top left


def as_polygon(points_xy: np.ndarray | list) -> np.ndarray:
    """Bring points into the one shape that this module works on.

    Args:
        points_xy: `(P, 2)`, or flat `x0, y0, x1, y1, …`, or OpenCV's `(P, 1, 2)`; any real type.

    Returns:
        `(P, 2)` float32.

    Raises:
        ValueError: if the values do not come in pairs, or one of them is not finite.
    """
    points = np.asarray(points_xy, dtype=np.float32)
    if points.size % 2:
        raise ValueError(f"A polygon needs (x, y) pairs: got {points.size} values. Give shape (P, 2).")
    points = points.reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("A polygon needs finite coordinates: got NaN or infinity. Drop that instance first.")
    return points


def signed_area(polygon_xy: np.ndarray) -> float:
    """Area in square pixels, positive when the points run clockwise on the screen (y down)."""
    points = np.asarray(polygon_xy).reshape(-1, 2)
    if len(points) < 3:
        return 0.0
    # OpenCV takes float32; relative to the first point, far from the origin loses no precision.
    return cv2.contourArea((points - points[0]).astype(np.float32), oriented=True)


def polygon_area(polygon_xy: np.ndarray) -> float:
    """Area in square pixels, whatever the direction of the points."""
    return abs(signed_area(polygon_xy))


def perimeter_px(polygon_xy: np.ndarray) -> float:
    """Length of the closed outline in pixels."""
    points = np.asarray(polygon_xy).reshape(-1, 2)
    if len(points) < 2:
        return 0.0
    return cv2.arcLength((points - points[0]).astype(np.float32), closed=True)


def order_clockwise(polygon_xy: np.ndarray) -> np.ndarray:
    """Turn and rotate the list of points: clockwise on the screen, from the top-left-most corner.

    The top-left-most corner has the smallest `x + y`; among equals (a square standing on its tip) the
    higher one. Only the order changes, so crossing outlines stay as they are.

    Args:
        polygon_xy: `(P, 2)`, any order.

    Returns:
        `(P, 2)` float32.
    """
    points = as_polygon(polygon_xy)
    if len(points) < 2:
        return points
    if signed_area(points) < 0:
        points = points[::-1]
    # Plain numbers: for the four corners of a quad this is several times faster than arrays.
    ys = points[:, 1].tolist()
    depths = [x + y for x, y in zip(points[:, 0].tolist(), ys, strict=True)]
    limit = min(depths) + _TIE_PX
    start = min((index for index, depth in enumerate(depths) if depth <= limit), key=ys.__getitem__)
    return np.concatenate([points[start:], points[:start]])


def bounding_box(polygon_xy: np.ndarray) -> np.ndarray:
    """Upright box around a polygon: `(xmin, ymin, xmax, ymax)` float32."""
    points = as_polygon(polygon_xy)
    if len(points) == 0:
        raise ValueError("A bounding box needs at least one point: got an empty polygon.")
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def min_area_quad(points_xy: np.ndarray) -> np.ndarray:
    """Smallest rectangle, of any angle, around the points.

    Only the set of corners is taken from OpenCV: 4.13 changed the angle and the corner order of
    `minAreaRect` and `boxPoints`.

    Args:
        points_xy: `(P, 2)`, at least one point.

    Returns:
        `(4, 2)` float32, clockwise from the top left. Collinear points give a rectangle without area.

    Raises:
        ValueError: without points.
    """
    points = as_polygon(points_xy)
    if len(points) == 0:
        raise ValueError("A rectangle needs at least one point: got an empty polygon.")
    return order_clockwise(cv2.boxPoints(cv2.minAreaRect(points)))


def short_side_px(quad_xy: np.ndarray) -> float:
    """Length of the shorter of the two first sides of a quad, in pixels."""
    quad = as_polygon(quad_xy)
    if len(quad) != 4:
        raise ValueError(f"A quad has 4 corners: got {len(quad)}. Use min_area_quad first.")
    return float(np.hypot(*(quad[1:3] - quad[:2]).T).min())


def unclip_distance_px(kernel_xy: np.ndarray, unclip_ratio: float) -> float:
    """How far a shrunk text kernel has to grow: `area * unclip_ratio / perimeter`.

    DBNet, arXiv 1911.08947, eq. 10. No ratio fits every shape: rectangles four times as long as high want
    2.25, longer ones more, see `unshrink_distance_px`.

    Args:
        kernel_xy: `(P, 2)`.
        unclip_ratio: the paper's r', usually 1.5..2.

    Returns:
        A distance in pixels; 0 for a kernel without area.
    """
    perimeter = perimeter_px(kernel_xy)
    return polygon_area(kernel_xy) * unclip_ratio / perimeter if perimeter > 0 else 0.0


def unshrink_distance_px(kernel_xy: np.ndarray, shrink_ratio: float) -> float:
    """How far a rectangle was shrunk to make this kernel, whatever its shape.

    Targets are shrunk by `D = A (1 - r^2) / L` (DBNet, arXiv 1911.08947, eq. 1), area and perimeter before
    shrinking. A rectangular kernel with `A'` and `L'` had `A = A' + L' D + 4 D^2` and `L = L' + 8 D`; this
    solves the three for D.

    Args:
        kernel_xy: `(P, 2)`.
        shrink_ratio: r, 0..1; the papers' targets use 0.4.

    Returns:
        A distance in pixels; 0 for a kernel without area.
    """
    taken = 1 - shrink_ratio**2
    a = 8 - 4 * taken
    b = (1 - taken) * perimeter_px(kernel_xy)
    return (math.sqrt(b * b + 4 * a * taken * polygon_area(kernel_xy)) - b) / (2 * a)


def clamp_to_image(polygon_xy: np.ndarray, size_hw: tuple[float, float]) -> np.ndarray:
    """Pull outside points onto the image border; the number of points stays (a quad remains a quad).

    Args:
        polygon_xy: `(P, 2)`.
        size_hw: (height, width) of the image in pixels.

    Returns:
        `(P, 2)` float32 with x in 0..width and y in 0..height.
    """
    height, width = size_hw
    return as_polygon(polygon_xy).clip(0, np.array([width, height], dtype=np.float32))


def rasterise_polygon(polygon_xy: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre lies in the polygon, exactly (OpenCV's `fillPoly` also paints the outline).

    Args:
        polygon_xy: `(P, 2)`, pixel edges. Where the outline crosses itself, the even-odd rule holds.
        size_hw: (height, width) of the mask.

    Returns:
        `(height, width)` bool.
    """
    height, width = size_hw
    flips = np.zeros((height, width + 1), dtype=bool)
    ends = as_polygon(polygon_xy).astype(np.float64)
    for (x0, y0), (x1, y1) in zip(np.roll(ends, 1, axis=0), ends, strict=True):
        top, bottom = np.ceil(np.clip([min(y0, y1) - 0.5, max(y0, y1) - 0.5], 0, height)).astype(int)
        rows = np.arange(top, bottom)  # the rows whose centre line this side crosses
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            flips[rows, np.ceil(np.clip(x - 0.5, 0, width)).astype(int)] ^= True
    return np.logical_xor.accumulate(flips, axis=1)[:, :width]


def simplify_polygon(polygon_xy: np.ndarray, tolerance_px: float) -> np.ndarray:
    """Leave out points that change the outline by no more than `tolerance_px` (Douglas-Peucker).

    Returns:
        `(P', 2)` float32 with at least 3 points where the input had them, clockwise from the top left.
    """
    points = as_polygon(polygon_xy)
    kept = cv2.approxPolyDP(points, tolerance_px, True).reshape(-1, 2) if len(points) > 3 else points
    return order_clockwise(kept if len(kept) >= 3 else points)
