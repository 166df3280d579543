"""Outlines moved outwards and inwards, by the Clipper library. Frame and order as in polygons.py."""

import math

import numpy as np

from .polygons import order_clockwise, signed_area

try:
    import pyclipper
except ImportError:  # machines that read with onnxruntime alone
    pyclipper = None

_ARC_TOLERANCE_PX = 0.25


def offset_polygon(polygon_xy: np.ndarray, distance_px: float, units_per_px: int = 256) -> list[np.ndarray]:
    """Move the outline outwards (or inwards) by a distance, with round corners.

    Args:
        polygon_xy: `(P, 2)`.
        distance_px: how far; negative shrinks.
        units_per_px: the grid that the clipping library rounds to; 1 keeps whole pixels.

    Returns:
        The parts that result, `(P', 2)` float32 each, clockwise from the top left: usually one; none if the
        polygon vanished; several if a thin waist broke.
    """
    path = np.rint(np.asarray(polygon_xy, dtype=np.float64).reshape(-1, 2) * units_per_px).astype(np.int64)
    parts = _offset_path(path, distance_px * units_per_px, arc_tolerance=0.25 * units_per_px)
    return [order_clockwise(np.asarray(part, dtype=np.float64) / units_per_px) for part in parts]


def grow_on_pixels(kernel_xy: np.ndarray, distance_px: float) -> list[np.ndarray]:
    """Move an outline outwards with round corners, all coordinates being whole pixels.

    Args:
        kernel_xy: `(P, 2)` integers.
        distance_px: how far.

    Returns:
        The parts that result, `(P', 2)` int32 each, in the order of the clipping library: none without area,
        several if the outline crossed itself. Without that library one: other points of the same convex
        hull, which have the same smallest rectangle around them.
    """
    if pyclipper is None:
        points = _points_around(kernel_xy, distance_px)
        return [points] if len(points) else []
    parts = _offset_path(np.asarray(kernel_xy), distance_px, _ARC_TOLERANCE_PX)
    return [np.asarray(part, dtype=np.int32) for part in parts]


def _offset_path(path: np.ndarray, distance: float, arc_tolerance: float) -> list:
    offset = pyclipper.PyclipperOffset(2.0, arc_tolerance)
    try:
        offset.AddPath(path.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    except pyclipper.ClipperException:  # fewer than three different points
        return []
    return offset.Execute(distance)


def _points_around(kernel_xy: np.ndarray, distance_px: float) -> np.ndarray:
    """The points that Clipper rounds a growing outline's corners with, on whole pixels as there.

    It goes on to unite what lies between them, which their hull has no use for. Source: its algorithm for
    round joins, where an arc is divided so that its chords keep within the tolerance.

    Args:
        kernel_xy: `(P, 2)` integers.
        distance_px: how far, at least 0.

    Returns:
        `(P', 2)` int32 around the outline; none without three different points.
    """
    corners = np.asarray(kernel_xy, dtype=np.int64).reshape(-1, 2)
    corners = corners[(corners != np.roll(corners, -1, axis=0)).any(axis=1)]
    if len(corners) < 3:
        return np.zeros((0, 2), dtype=np.int32)
    if distance_px <= 0:
        return corners.astype(np.int32)
    if signed_area(corners) < 0:
        corners = corners[::-1]
    sides = np.roll(corners, -1, axis=0) - corners
    normals = np.stack([sides[:, 1], -sides[:, 0]], axis=1) / np.linalg.norm(sides, axis=1)[:, None]
    steps_a_turn = min(
        math.pi / math.acos(1 - min(_ARC_TOLERANCE_PX / distance_px, 0.25)), math.pi * distance_px
    )
    directions: list[tuple[float, float]] = []
    owners: list[int] = []
    x, y = normals[-1].tolist()
    for place, (next_x, next_y) in enumerate(normals.tolist()):
        sine, cosine = x * next_y - next_x * y, x * next_x + y * next_y
        if abs(sine * distance_px) < 1 and cosine > 0:  # straight on, as far as pixels tell
            arc = [(x, y)]
        else:
            turn = abs(math.atan2(sine, cosine)) if sine >= 0 else 0.0  # inwards there is nothing to round
            count = max(int(steps_a_turn / math.tau * turn + 0.5), 1)
            turns = [step * math.tau / steps_a_turn for step in range(count)]
            arc = [(x * math.cos(t) - y * math.sin(t), x * math.sin(t) + y * math.cos(t)) for t in turns]
            x, y = next_x, next_y
            arc.append((x, y))
        directions += arc
        owners += [place] * len(arc)
    points = corners[owners] + distance_px * np.array(directions)
    return np.trunc(points + np.copysign(0.5, points)).astype(np.int32)
