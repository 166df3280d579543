"""Rotated boxes `(cx, cy, w, h, angle)`: ways to write them, polygons, exact overlaps; whole arrays at once.

Frame: pixels, x right, y down; the angle in radians turns the box's width axis from x towards y (clockwise on
screen). One box can be written in many ways; an angle version names the one that is meant:

| version | width | angle |
|--|--|--|
| `le90` | the longer side | [-π/2, π/2) |
| `le135` | the longer side | [-π/4, 3π/4) |
| `oc` | the side whose direction is in the range (OpenCV's old convention) | [-π/2, 0) |
"""

import math
from typing import Literal

import numpy as np

AngleVersion = Literal["le90", "le135", "oc"]

_FIRST_ANGLES = {"le90": -math.pi / 2, "le135": -math.pi / 4, "oc": -math.pi / 2}
_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
# Two sides nearer than this part of the polygon's size are one line.
_COINCIDENT = 1e-9
# Pairs of boxes whose overlap is computed in one go, so that the intermediate arrays stay in the cache.
_PAIRS_AT_ONCE = 1 << 12


def _check_boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"Rotated boxes must be (N, 5), cx, cy, w, h, angle: got {boxes.shape}.")
    return boxes


def first_angle(version: str) -> float:
    """The smallest angle of a version, radians.

    Raises:
        ValueError: for an unknown version.
    """
    if version not in _FIRST_ANGLES:
        raise ValueError(f"The angle version must be one of {sorted(_FIRST_ANGLES)}: got {version!r}.")
    return _FIRST_ANGLES[version]


def norm_angle(angles: np.ndarray, version: AngleVersion = "le90") -> np.ndarray:
    """Angles moved by whole half turns into the range of a version; width and height stay what they are.

    `# Parity:` under `oc`, whose range is a quarter turn, an angle is left alone, as MMRotate does.

    Args:
        angles: any shape, radians.
        version: the angle version.
    """
    start = first_angle(version)
    return angles if version == "oc" else (angles - start) % math.pi + start


def regularize_boxes(boxes: np.ndarray, version: AngleVersion = "le90") -> np.ndarray:
    """The same boxes as an angle version writes them.

    A square has two directions; the longer-side versions take the one that is a quarter turn on from the
    angle that is given.

    Args:
        boxes: (N, 5), sides not negative, any angle.
        version: the angle version.

    Returns:
        (N, 5) float64.

    Raises:
        ValueError: for another shape or an unknown version.
    """
    boxes, start = _check_boxes(boxes), first_angle(version)
    centers, sizes, angles = boxes[:, :2], boxes[:, 2:4], boxes[:, 4]
    if version == "oc":
        angles = (angles - start) % math.pi
        swapped = angles >= math.pi / 2
        angles = angles % (math.pi / 2) + start
    else:
        swapped = sizes[:, 0] <= sizes[:, 1]
        angles = norm_angle(angles + swapped * (math.pi / 2), version)
    sizes = np.where(swapped[:, None], sizes[:, ::-1], sizes)
    return np.concatenate([centers, sizes, angles[:, None]], axis=1)


def boxes_to_polygons(boxes: np.ndarray) -> np.ndarray:
    """Corners of rotated boxes.

    Args:
        boxes: (N, 5), any angle.

    Returns:
        (N, 4, 2) float64, x, y, clockwise on screen; at angle 0 the first is the top left one.
    """
    boxes = _check_boxes(boxes)
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    axes = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)  # (N, 2 axes, 2)
    return boxes[:, None, :2] + (_CORNERS * boxes[:, None, 2:4]) @ axes


def boxes_to_bounds(boxes: np.ndarray) -> np.ndarray:
    """Upright boxes around rotated ones: (N, 5) -> (N, 4) left, top, right, bottom."""
    corners = boxes_to_polygons(boxes)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def polygons_to_boxes(polygons_xy: np.ndarray, version: AngleVersion = "le90") -> np.ndarray:
    """The smallest rotated boxes around polygons.

    One side of the smallest box lies on a side of the convex hull, so the directions between all pairs of
    corners are tried, for all polygons at once.

    Args:
        polygons_xy: (N, P, 2), P >= 1; corners in any order.
        version: how to write the boxes.

    Returns:
        (N, 5) float64; a polygon without area gives a box without one.

    Raises:
        ValueError: for another shape or an unknown version.
    """
    polygons_xy = np.asarray(polygons_xy, dtype=np.float64)
    if polygons_xy.ndim != 3 or polygons_xy.shape[1] < 1 or polygons_xy.shape[2] != 2:
        raise ValueError(f"Polygons must be (N, P, 2) with P >= 1: got {polygons_xy.shape}.")
    first, second = np.triu_indices(polygons_xy.shape[1], k=1)
    ways = polygons_xy[:, second] - polygons_xy[:, first]  # (N, D, 2)
    # All corners in one place have no direction: any will do.
    ways = np.concatenate([ways, np.broadcast_to([1.0, 0.0], (len(ways), 1, 2))], axis=1)
    lengths = np.hypot(ways[..., 0], ways[..., 1])
    x_axes = np.divide(ways, lengths[..., None], out=np.zeros_like(ways), where=lengths[..., None] > 0)
    x_axes[lengths == 0] = (1.0, 0.0)
    axes = np.stack([x_axes, np.stack([-x_axes[..., 1], x_axes[..., 0]], -1)], axis=2)  # (N, D, 2 axes, 2)
    origin = polygons_xy[:, :1]
    projected = np.einsum("ndax,npx->ndap", axes, polygons_xy - origin)
    low, high = projected.min(axis=-1), projected.max(axis=-1)  # (N, D, 2 axes)
    best = np.arange(len(ways)), np.prod(high - low, axis=-1).argmin(axis=1)
    low, high, axes = low[best], high[best], axes[best]
    centers = origin[:, 0] + np.einsum("nax,na->nx", axes, (low + high) / 2)
    angles = np.arctan2(axes[:, 0, 1], axes[:, 0, 0])
    return regularize_boxes(np.concatenate([centers, high - low, angles[:, None]], axis=1), version)


def convex_intersections(first_xy: np.ndarray, second_xy: np.ndarray) -> np.ndarray:
    """Areas that pairs of convex polygons share, exact and without a loop over pairs.

    The outline of the shared region consists of the sides of the first polygon, as far as they are inside the
    second, and the other way round. Every side is cut to that part (Cyrus and Beck, 1978) and Green's theorem
    sums the area; nothing needs to be sorted. Where two sides lie on one line, the first polygon's counts.

    Args:
        first_xy: (N, P, 2), corners in order.
        second_xy: (N, Q, 2), corners in the same sense of rotation as the first.

    Returns:
        (N,) float64, not negative.
    """
    first_xy = np.asarray(first_xy, dtype=np.float64)
    origin = first_xy.mean(axis=1, keepdims=True)  # near the polygons, where floats are fine
    first_xy, second_xy = first_xy - origin, np.asarray(second_xy, dtype=np.float64) - origin
    first_ways, second_ways = (np.roll(xy, -1, axis=1) - xy for xy in (first_xy, second_xy))
    sense = np.sign(_cross(first_xy, np.roll(first_xy, -1, axis=1)).sum(axis=1))[:, None, None]
    # [n, i, j]: how far inside side j of the other polygon the corner i is
    first_inside = sense * _distances(first_xy, second_xy, second_ways)
    second_inside = sense * _distances(second_xy, first_xy, first_ways)
    tolerance = _COINCIDENT * np.abs(first_ways).max(axis=(1, 2), initial=0)[:, None, None]
    first_on = np.maximum(*(np.abs(d) for d in _ends(first_inside))) <= tolerance
    second_on = np.maximum(*(np.abs(d) for d in _ends(second_inside))) <= tolerance
    on_one_line = first_on | second_on.transpose(0, 2, 1)  # side i of the first, side j of the second
    same_way = np.einsum("nix,njx->nij", first_ways, second_ways) > 0
    shared = _cut_area(first_xy, first_ways, first_inside, ignored=on_one_line & same_way,
                       outside=on_one_line & ~same_way)  # fmt: skip
    shared += _cut_area(second_xy, second_ways, second_inside, ignored=np.zeros(1, bool),
                        outside=on_one_line.transpose(0, 2, 1))  # fmt: skip
    return np.maximum(sense[:, 0, 0] * shared, 0)


def _cross(first_xy: np.ndarray, second_xy: np.ndarray) -> np.ndarray:
    return first_xy[..., 0] * second_xy[..., 1] - first_xy[..., 1] * second_xy[..., 0]


def _distances(points_xy: np.ndarray, starts_xy: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """[n, i, j] distance of point i from the line of side j, positive on its left (clockwise: inside)."""
    lengths = np.maximum(np.hypot(ways[..., 0], ways[..., 1]), np.finfo(np.float64).tiny)[:, None]
    return _cross(ways[:, None], points_xy[:, :, None] - starts_xy[:, None]) / lengths


def _ends(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances at the start and at the end of every side."""
    return inside, np.roll(inside, -1, axis=1)


def _cut_area(
    starts_xy: np.ndarray, ways: np.ndarray, inside: np.ndarray, ignored: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Green's sum over the parts of the sides that are inside the other polygon, (N,)."""
    at_start, at_end = _ends(inside)
    change = at_end - at_start
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = -at_start / change
    entering, leaving = (change > 0) & ~ignored, (change < 0) & ~ignored
    begin = np.where(entering, crossing, 0).max(axis=-1, initial=0)
    end = np.where(leaving, crossing, 1).min(axis=-1, initial=1)
    never = (outside | ((change == 0) & (at_start < 0) & ~ignored)).any(axis=-1)
    part = np.where(never, 0, np.maximum(end - begin, 0))
    # cross(a + s w, a + t w) = (t - s) cross(a, w)
    return (part * _cross(starts_xy, ways)).sum(axis=-1) / 2


def rotated_overlaps(
    boxes: np.ndarray, others: np.ndarray, mode: Literal["iou", "iof"] = "iou", paired: bool = False
) -> np.ndarray:
    """How much rotated boxes overlap, exact to rounding.

    Args:
        boxes: (N, 5).
        others: (M, 5).
        mode: `"iou"`, shared area over the area of both; `"iof"`, over the area of `boxes`.
        paired: compare box i with other i alone; needs N = M.

    Returns:
        (N, M) float64 in [0, 1], `paired` (N,); 0 where a box has no area.

    Raises:
        ValueError: for another shape or an unknown mode.
    """
    boxes, others = _check_boxes(boxes), _check_boxes(others)
    if mode not in ("iou", "iof"):
        raise ValueError(f"`mode` must be 'iou' or 'iof': got {mode!r}.")
    if paired:
        if len(boxes) != len(others):
            raise ValueError(f"Pairs need as many boxes as others: got {len(boxes)} and {len(others)}.")
        return _pair_overlaps(boxes, others, mode)
    overlaps = np.zeros((len(boxes), len(others)))
    near = np.nonzero(_may_touch(boxes, others))
    overlaps[near] = _pair_overlaps(boxes[near[0]], others[near[1]], mode)
    return overlaps


def _may_touch(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M): whether the upright boxes around two boxes overlap."""
    bounds, other_bounds = boxes_to_bounds(boxes)[:, None], boxes_to_bounds(others)[None]
    lows = np.maximum(bounds[..., :2], other_bounds[..., :2])
    highs = np.minimum(bounds[..., 2:], other_bounds[..., 2:])
    return (highs > lows).all(axis=-1)


def _pair_overlaps(boxes: np.ndarray, others: np.ndarray, mode: str) -> np.ndarray:
    overlaps = np.zeros(len(boxes))
    for start in range(0, len(boxes), _PAIRS_AT_ONCE):
        some, some_others = (each[start : start + _PAIRS_AT_ONCE] for each in (boxes, others))
        areas, other_areas = (each[:, 2] * each[:, 3] for each in (some, some_others))
        shared = convex_intersections(boxes_to_polygons(some), boxes_to_polygons(some_others))
        whole = areas if mode == "iof" else areas + other_areas - shared
        solid = (areas > 0) & (other_areas > 0)
        np.divide(shared, whole, out=overlaps[start : start + len(some)], where=solid)
    return overlaps.clip(0, 1)
