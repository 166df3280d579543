"""The top and the bottom edge of a word, found on polygons of any kind: pure functions.

The outline of a word has `2n` points `(x, y)`: the top edge from left to right in the direction of reading,
then the bottom edge from right to left. It starts at the corner where reading starts and runs clockwise on
the screen. A quad is the outline with n = 2.
"""

import math

import cv2
import numpy as np

from .polygons import as_polygon, bounding_box, min_area_quad, polygon_area, short_side_px, signed_area

_ELONGATED = 1.5  # a word that is longer than this is read along its long side, if that is not steep
_STEEP_RAD = math.radians(60)  # from here on, tall words are taken for upright letters below one another
_STRAIGHT_FILL = 0.88  # the part of its convex hull that a straight word fills
_CONTOUR_POINTS = 96
_RUNGS = np.linspace(0.15, 0.85, 9)  # near the ends of a word the distance of its edges says nothing


def word_outline(polygon_xy: np.ndarray) -> np.ndarray:
    """The outline of a word whose polygon begins where reading begins, as in labels.

    Args:
        polygon_xy: `(P, 2)`; points that run anticlockwise are turned round, the first one stays.

    Returns:
        `(2n, 2)` float32. Convex quads and polygons whose first half faces the second half come back as they
        are; for others see `reading_outline`, of whose two directions the one that starts nearer to the first
        point is taken.

    Raises:
        ValueError: for a polygon without area.
    """
    polygon = _tidy(polygon_xy)
    if _is_convex(polygon) if len(polygon) == 4 else _is_ladder(polygon):
        return polygon
    outline = reading_outline(polygon)
    turns = [np.roll(outline, shift, axis=0) for shift in _shifts(outline)]
    return min(turns, key=lambda turn: float(np.linalg.norm(turn[0] - polygon[0])))


def reading_outline(polygon_xy: np.ndarray) -> np.ndarray:
    """The outline of a word whose reading direction is not known, as a detector finds it.

    Words are read along their long side and towards the right. Words whose long side is steep come upright,
    as letters below one another, and so do short ones (up to 1.5 times as long as high); whoever reads tall
    ones should try quarter turns as well.

    Args:
        polygon_xy: `(P, 2)`, in any order. Convex quads keep their corners. Of more points, those of straight
            words become their smallest rectangle; along others the two ends are found as the places between
            which the two ways round the polygon run closest to each other.

    Returns:
        `(2n, 2)` float32, n = 2 for straight words.

    Raises:
        ValueError: for a polygon without area.
    """
    polygon = _tidy(polygon_xy)
    if len(polygon) == 4 and _is_convex(polygon):
        return _turned_for_reading(polygon)
    quad = min_area_quad(polygon)
    area = polygon_area(quad)
    if area == 0:  # thinner than 32-bit numbers tell
        margin = np.array([-0.5, -0.5, 0.5, 0.5], dtype=np.float32)
        xmin, ymin, xmax, ymax = bounding_box(polygon) + margin
        return np.array([[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]], dtype=np.float32)
    is_short = area < _ELONGATED * short_side_px(quad) ** 2
    if is_short or polygon_area(polygon) >= _STRAIGHT_FILL * polygon_area(cv2.convexHull(polygon)[:, 0]):
        # A quad of the polygon's own sides would follow letters that lean as on a sign seen at an angle, but
        # on photos (ICDAR 2015, our small detector) what it follows is noise, and fewer words are read.
        return _turned_for_reading(quad)
    outline = _curved_outline(polygon)
    along = outline[len(outline) // 2 - 1] + outline[len(outline) // 2] - outline[0] - outline[-1]
    points_back = along[0] < 0 if abs(along[0]) > 1e-3 * abs(along[1]) else along[1] < 0
    return np.roll(outline, len(outline) // 2, axis=0) if points_back else outline


def outline_corners(outline_xy: np.ndarray) -> np.ndarray:
    """The four corners `(4, 2)` of an outline of `2n` points, clockwise from the start of reading."""
    half = len(outline_xy) // 2
    return outline_xy[[0, half - 1, half, -1]]


def smooth_curve(at: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve through given values: cubic pieces whose slopes are those of parabolas.

    Args:
        at: `(n,)`, increasing, n at least 2.
        values: `(n, …)`, what the curve passes through.
        wanted: `(m,)`, within `at`.

    Returns:
        `(m, …)` the curve, and `(m, …)` its slope.
    """
    shape = (-1, *[1] * (values.ndim - 1))
    steps = np.diff(at).reshape(shape)
    secants = np.diff(values, axis=0) / steps
    slopes = np.empty_like(values)
    slopes[1:-1] = (steps[1:] * secants[:-1] + steps[:-1] * secants[1:]) / (steps[1:] + steps[:-1])
    slopes[0], slopes[-1] = secants[0], secants[-1]
    if len(at) > 2:
        slopes[0], slopes[-1] = 2 * secants[0] - slopes[1], 2 * secants[-1] - slopes[-2]
    piece = (np.searchsorted(at, wanted, side="right") - 1).clip(0, len(at) - 2)
    step, rise, first, last = steps[piece], secants[piece], slopes[piece], slopes[piece + 1]
    t = (wanted - at[piece]).reshape(shape) / step
    quadratic, cubic = 3 * rise - 2 * first - last, first + last - 2 * rise
    curve = values[piece] + step * t * (first + t * (quadratic + t * cubic))
    return curve, first + t * (2 * quadratic + 3 * t * cubic)


def _tidy(polygon_xy: np.ndarray) -> np.ndarray:
    """Clockwise, no point twice in a row; the first point stays."""
    polygon = as_polygon(polygon_xy)
    polygon = polygon[(polygon != np.roll(polygon, 1, axis=0)).any(axis=1)]
    if polygon_area(polygon) == 0:
        raise ValueError(
            f"The outline of a word needs an area: got {len(as_polygon(polygon_xy))} points without. "
            "Leave it out."
        )
    return np.roll(polygon[::-1], 1, axis=0) if signed_area(polygon) < 0 else polygon


def _corner_areas(polygon: np.ndarray) -> np.ndarray:
    """Positive where a clockwise polygon turns to the right."""
    before, after = polygon - np.roll(polygon, 1, axis=0), np.roll(polygon, -1, axis=0) - polygon
    return before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]


def _is_convex(polygon: np.ndarray) -> bool:
    return bool((_corner_areas(polygon) > 1e-3 * polygon_area(polygon)).all())


def _is_ladder(polygon: np.ndarray) -> bool:
    """Whether the points of the first half face those of the second half, so that they can be its rungs."""
    half = len(polygon) // 2
    if len(polygon) % 2 or half < 3:
        return False
    top, bottom = polygon[:half], polygon[half:][::-1]
    strips = np.stack([top[:-1], top[1:], bottom[1:], bottom[:-1]], axis=1)
    if any(signed_area(strip) <= 0 for strip in strips):
        return False
    lengths = np.linalg.norm(bottom - top, axis=1)
    ways = [np.linalg.norm(np.diff(edge, axis=0), axis=1).sum() for edge in (top, bottom)]
    # Wherever it is cut in two, an outline has some rungs; those of a word are short and alike.
    return bool(lengths.max() < max(ways) and lengths.max() < 4 * lengths.min())


def _turned_for_reading(quad: np.ndarray) -> np.ndarray:
    """Begin a clockwise quad at the corner where reading most likely begins."""
    sides = np.roll(quad, -1, axis=0) - quad
    along = sides - np.roll(sides, -2, axis=0)  # the direction of a side and of the one that faces it
    lengths = np.linalg.norm(along, axis=1)
    tilts = np.abs(np.arctan2(along[:, 1], along[:, 0]))
    is_long = lengths >= _ELONGATED * np.roll(lengths, -1)
    flat_and_long = is_long & (tilts <= _STEEP_RAD)
    start = int(np.where(flat_and_long, tilts - math.tau, tilts).argmin())
    return np.roll(quad, -start, axis=0)


def _shifts(outline: np.ndarray) -> range:
    """By how many points an outline can be rolled: corner by corner for quads, end for end for others."""
    return range(4) if len(outline) == 4 else range(0, len(outline), len(outline) // 2)


class _Contour:
    """A closed line, walked along in pixels from its first point; distances wrap around."""

    def __init__(self, polygon: np.ndarray):
        self.points = np.concatenate([polygon, polygon[:1]]).astype(np.float64)
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self.at_px = np.concatenate([[0], np.cumsum(steps)])
        self.length_px = float(self.at_px[-1])

    def points_at(self, distance_px: np.ndarray) -> np.ndarray:
        wrapped = np.mod(distance_px, self.length_px)
        x, y = (np.interp(wrapped, self.at_px, self.points[:, axis]) for axis in (0, 1))
        return np.stack([x, y], axis=-1)


def _curved_outline(polygon: np.ndarray) -> np.ndarray:
    """Find the two ends of a long polygon and divide its edges evenly between them."""
    contour = _Contour(polygon)
    start_px, end_px, height_px = _find_ends(contour)
    half_px = min(height_px / 2, (end_px - start_px) / 4, (contour.length_px - end_px + start_px) / 4)
    count = int(np.clip(round((end_px - start_px) / height_px), 4, 12))
    share = np.linspace(0, 1, count)
    top_px = start_px + half_px + share * (end_px - start_px - 2 * half_px)
    bottom_px = start_px - half_px - share * (contour.length_px - (end_px - start_px) - 2 * half_px)
    top, bottom = contour.points_at(top_px), contour.points_at(bottom_px)
    for end, next_, near_px in ((0, 1, start_px), (-1, -2, end_px)):
        cap = contour.points_at(near_px + np.linspace(-half_px, half_px, 9))
        _square_off(top, bottom, end, next_, cap)
    return np.concatenate([top, bottom[::-1]]).astype(np.float32)


def _find_ends(contour: _Contour) -> tuple[float, float, float]:
    """The two places between which both ways round a contour run closest side by side, and how close."""
    places = np.arange(_CONTOUR_POINTS) * contour.length_px / _CONTOUR_POINTS
    first, second = np.triu_indices(_CONTOUR_POINTS, k=_CONTOUR_POINTS // 4)
    near = second - first <= 3 * _CONTOUR_POINTS // 4
    start_px, end_px = places[first[near]][:, None], places[second[near]][:, None]
    top = contour.points_at(start_px + _RUNGS * (end_px - start_px))
    bottom = contour.points_at(start_px - _RUNGS * (contour.length_px - end_px + start_px))
    distances = np.linalg.norm(top - bottom, axis=-1)
    best = int(distances.mean(axis=1).argmin())
    return float(start_px[best, 0]), float(end_px[best, 0]), float(np.median(distances[best]))


def _square_off(top: np.ndarray, bottom: np.ndarray, end: int, next_: int, cap: np.ndarray) -> None:
    """Move an end of the two edges outwards, in place, so that the round cap of the polygon is inside too."""
    middle, next_middle = (top[end] + bottom[end]) / 2, (top[next_] + bottom[next_]) / 2
    rung, next_rung = bottom[end] - top[end], bottom[next_] - top[next_]
    outwards = (middle - next_middle) / np.maximum(np.linalg.norm(middle - next_middle), 1e-6)
    further_px = max(float(((cap - middle) @ outwards).max()), 0.0)
    grown = np.maximum(1.0, np.linalg.norm(next_rung) / np.maximum(np.linalg.norm(rung), 1e-6))
    middle = middle + further_px * outwards
    top[end], bottom[end] = middle - grown * rung / 2, middle + grown * rung / 2
