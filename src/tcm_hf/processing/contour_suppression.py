"""Non-maximum suppression of contours by their exact overlap, fast because few pairs need it."""

import numpy as np
import shapely


def suppress_overlaps(contours_xy: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """From the best score downwards, keep a contour unless it overlaps one that is kept already.

    For most pairs the intersection over union need not be computed. Boxes around two contours bound it from
    above; the area that one contour sweeps on its way to the other, point by point, bounds it from below,
    which settles almost all pairs of contours that neighbouring cells predict for one text. The rest goes
    through shapely, where outlines that cross themselves are repaired by `buffer(0)`.

    Args:
        contours_xy: `(N, P, 2)`, finite, N closed contours of P points each.
        scores: `(N,)`.
        iou_threshold: contours that overlap more than this are one text.

    Returns:
        `(M,)` indices of the kept contours, the best first.
    """
    if len(contours_xy) < 2:
        return np.arange(len(contours_xy))
    contours_xy = np.asarray(contours_xy, dtype=np.float64)
    lows, highs = contours_xy.min(axis=1), contours_xy.max(axis=1)
    edges = np.roll(contours_xy, -1, axis=1) - contours_xy
    areas = np.abs(_cross(contours_xy, edges).sum(axis=1)) / 2
    shapes = np.full(len(contours_xy), None, dtype=object)
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        shared_sides = np.minimum(highs[best], highs[waiting]) - np.maximum(lows[best], lows[waiting])
        shared_box = shared_sides.clip(min=0).prod(axis=1)
        rivals = waiting[shared_box > iou_threshold * np.maximum(areas[best], areas[waiting])]
        if not len(rivals):
            continue
        swept = _swept_area(contours_xy[rivals] - contours_xy[best], edges[best], edges[rivals])
        both = areas[best] + areas[rivals]
        same = both - swept > iou_threshold * (both + swept)
        unsettled = rivals[~same]
        overlapping = _exact_iou(contours_xy, shapes, best, unsettled) > iou_threshold
        suppressed = np.concatenate([rivals[same], unsettled[overlapping]])
        waiting = waiting[~np.isin(waiting, suppressed)]
    return np.array(kept, dtype=np.int64)


def _cross(first_xy: np.ndarray, second_xy: np.ndarray) -> np.ndarray:
    return first_xy[..., 0] * second_xy[..., 1] - first_xy[..., 1] * second_xy[..., 0]


def _swept_area(ways: np.ndarray, edge: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """What a contour passes over when its points move straight to those of others, `(N,)`.

    The two outlines differ at most by this area. An edge sweeps a bilinear patch; its Jacobian is linear in
    both parameters, so that the mean of its magnitude at the four corners is at least the area.

    Args:
        ways: `(N, P, 2)`, from the points of the contour to those of the others.
        edge: `(P, 2)`, from every point of the contour to the next.
        edges: `(N, P, 2)`, the same for the others.
    """
    next_ways = ways + edges - edge
    corners = (_cross(sides, way) for sides in (edge, edges) for way in (ways, next_ways))
    return sum(np.abs(corner) for corner in corners).sum(axis=-1) / 4


def _exact_iou(contours_xy: np.ndarray, shapes: np.ndarray, first: int, others: np.ndarray) -> np.ndarray:
    """IoU of one contour with others; `shapes` caches the geometries made so far."""
    if not len(others):
        return np.zeros(0)
    wanted = np.append(others, first)
    missing = wanted[shapely.is_missing(shapes[wanted])]
    made = shapely.polygons(contours_xy[missing])
    crossed = ~shapely.is_valid(made)
    made[crossed] = shapely.buffer(made[crossed], 0)
    shapes[missing] = made
    shared = shapely.area(shapely.intersection(shapes[first], shapes[others]))
    union = shapely.area(shapes[first]) + shapely.area(shapes[others]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
