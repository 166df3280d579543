"""Non-maximum suppression of contours by their exact overlap, fast because few pairs need it."""

import numpy as np
import shapely

_MOST_TOGETHER = 32  # contours that are compared with all others at once


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
    if len(contours_xy) < 2 or iou_threshold >= 1:  # nothing overlaps by more than all
        return np.argsort(-scores, kind="stable")
    contours = _Contours(contours_xy)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[np.ndarray] = []
    size = 1
    while len(waiting):
        best, waiting = waiting[:size], waiting[size:]
        if len(best) > 1:
            best = best[_first_come(contours.overlap(best, best, iou_threshold))]
        kept.append(best)
        if len(waiting):
            waiting = waiting[~contours.overlap(best, waiting, iou_threshold).any(axis=0)]
        # The best contour of a blob mostly leaves none; where many stay, to take them together is faster.
        size = min(2 * size, _MOST_TOGETHER)
    return np.concatenate(kept)


def _first_come(rivals: np.ndarray) -> list[int]:
    """Places of those that are no rival of one kept before them; `rivals` is `(N, N)` bool."""
    kept: list[int] = []
    for place in range(len(rivals)):
        if not rivals[kept, place].any():
            kept.append(place)
    return kept


class _Contours:
    """What is known of contours `(N, P, 2)` that are compared in pairs."""

    def __init__(self, contours_xy: np.ndarray):
        self.points = np.asarray(contours_xy, dtype=np.float64)
        self.lows, self.highs = self.points.min(axis=1), self.points.max(axis=1)
        self.edges = np.roll(self.points, -1, axis=1) - self.points
        self.areas = np.abs(_cross(self.points, self.edges).sum(axis=1)) / 2
        self.shapes = np.full(len(self.points), None, dtype=object)  # made when the first pair asks for one

    def overlap(self, first: np.ndarray, second: np.ndarray, iou_threshold: float) -> np.ndarray:
        """Whether the intersection over union is above the threshold: `(F, S)` bool for two lists of indices.

        Of one and the same list, only pairs with the first place before the second are looked at.
        """
        result = np.zeros((len(first), len(second)), bool)
        sides = [
            np.minimum(self.highs[first, None, axis], self.highs[None, second, axis])
            - np.maximum(self.lows[first, None, axis], self.lows[None, second, axis])
            for axis in (0, 1)
        ]
        shared_boxes = sides[0].clip(min=0) * sides[1].clip(min=0)
        near = shared_boxes > iou_threshold * np.maximum(self.areas[first, None], self.areas[None, second])
        rows, columns = np.nonzero(np.triu(near, 1) if first is second else near)
        one, other = first[rows], second[columns]
        swept = _swept_area(self.points[other] - self.points[one], self.edges[one], self.edges[other])
        both = self.areas[one] + self.areas[other]
        same = both - swept > iou_threshold * (both + swept)
        same[~same] = self._exact_iou(one[~same], other[~same]) > iou_threshold
        result[rows, columns] = same
        return result

    def _exact_iou(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        wanted = np.unique(np.concatenate([one, other]))
        missing = wanted[shapely.is_missing(self.shapes[wanted])]
        made = shapely.polygons(self.points[missing])
        crossed = ~shapely.is_valid(made)
        made[crossed] = shapely.buffer(made[crossed], 0)
        self.shapes[missing] = made
        shared = shapely.area(shapely.intersection(self.shapes[one], self.shapes[other]))
        union = shapely.area(self.shapes[one]) + shapely.area(self.shapes[other]) - shared
        return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _cross(first_xy: np.ndarray, second_xy: np.ndarray) -> np.ndarray:
    return first_xy[..., 0] * second_xy[..., 1] - first_xy[..., 1] * second_xy[..., 0]


def _swept_area(ways: np.ndarray, edges: np.ndarray, other_edges: np.ndarray) -> np.ndarray:
    """What contours pass over when their points move straight to those of others, `(N,)`.

    The two outlines differ at most by this area. An edge sweeps a bilinear patch; its Jacobian is linear in
    both parameters, so that the mean of its magnitude at the four corners is at least the area.

    Args:
        ways: `(N, P, 2)`, from the points of N contours to those of N others.
        edges: `(N, P, 2)`, from every point of the contours to the next.
        other_edges: `(N, P, 2)`, the same for the others.
    """
    next_ways = ways + other_edges - edges
    corners = (_cross(sides, way) for sides in (edges, other_edges) for way in (ways, next_ways))
    return sum(np.abs(corner) for corner in corners).sum(axis=-1) / 4
