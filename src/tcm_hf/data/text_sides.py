"""The two long sides of a text outline and the band around its centre line."""

import numpy as np

__all__ = ["center_band", "text_sides"]

_TINY = 1e-8
_VERTICAL_ASPECT = 2.0  # a quad more than twice as high as wide is read downwards


def text_sides(polygon_xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower side of a text: its outline without the two edges at which the text begins and ends.

    Quads: the text runs along the flatter pair of edges, unless the quad is more than twice as high as wide.
    Other polygons: the pair of edges with the sharpest turns, far from the middle and about half an outline
    apart. Source: TextSnake, arXiv 1807.01544, section "Label generation", with the scores that MMOCR
    (Apache 2.0) made of it and FCENet was trained with.

    Args:
        polygon_xy: (P >= 3, 2), any direction, no point equal to the next one. The longest edge of a triangle
            counts as two.

    Returns:
        Upper and lower side, (P', 2) and (P'', 2) with at least 2 points each, both in the order of the
        polygon, so in opposite directions. Upper is the side whose points have the smaller mean y.
    """
    points = _with_four_corners(polygon_xy)
    ends = _quad_ends(points) if len(points) == 4 else _polygon_ends(points)
    first, second = sorted((end + 1) % len(points) for end in ends)
    side = points[first:second]
    other = np.concatenate([points[second:], points[:first]])
    return (other, side) if side[:, 1].mean() > other[:, 1].mean() else (side, other)


def center_band(
    upper: np.ndarray, lower: np.ndarray, shrink_ratio: float = 0.3, step_px: float = 4.0
) -> np.ndarray:
    """Cells of the band around a text's centre line.

    Both sides are cut into equally many steps, 2 or more, of about `step_px`; the centre line runs through
    the middles. A quarter of the text's height is left out at its beginning and end, in whole steps, where
    enough remains.

    Args:
        upper: upper side from `text_sides`, (P, 2).
        lower: lower side, in the opposite direction, (P, 2).
        shrink_ratio: height of the band in heights of the text, 0..1.
        step_px: length of a step in the unit of the sides.

    Returns:
        (N >= 2, 4, 2): corners of the cells, upper start, upper end, lower end, lower start.
    """
    lengths = [float(np.hypot(*np.diff(side, axis=0).T).sum()) for side in (upper, lower)]
    steps = max(int(sum(lengths) / 2 / step_px), 2)
    upper, lower = _in_equal_steps(upper, steps), _in_equal_steps(lower[::-1], steps)
    heights = np.hypot(*(upper - lower)[[0, -1]].T)
    head, tail = (int(height / 4 // step_px) for height in heights)
    if steps + 1 > head + tail + 2:
        kept = slice(head, steps + 1 - tail)
        upper, lower = upper[kept], lower[kept]
    center = (upper + lower) / 2
    upper = center + (upper - center) * shrink_ratio
    lower = center + (lower - center) * shrink_ratio
    return np.stack([upper[:-1], upper[1:], lower[1:], lower[:-1]], axis=1)


def _with_four_corners(polygon_xy: np.ndarray) -> np.ndarray:
    if len(polygon_xy) > 3:
        return polygon_xy
    following = np.roll(polygon_xy, -1, axis=0)
    longest = int(np.argmax(((following - polygon_xy) ** 2).sum(axis=1)))
    middle = (polygon_xy[longest] + following[longest]) / 2
    return np.insert(polygon_xy, longest + 1, middle, axis=0)


def _quad_ends(quad: np.ndarray) -> tuple[int, int]:
    """The two edges where a quad's text begins and ends; edge i goes from point i to the next one."""
    edges = np.roll(quad, -1, axis=0) - quad
    slopes = np.abs(edges[:, 1] / (edges[:, 0] + _TINY))
    flat, steep = (0, 1) if slopes[0] + slopes[2] < slopes[1] + slopes[3] else (1, 0)
    lengths = np.hypot(*edges.T)
    widths, heights = lengths[flat::2].sum(), lengths[steep::2].sum()
    end = flat if heights > _VERTICAL_ASPECT * widths else steep
    return end, end + 2


def _polygon_ends(points: np.ndarray) -> tuple[int, int]:
    """The two edges where the text of a polygon of 5 or more points begins and ends."""
    score = _end_scores(points)
    count = len(points)
    apart = np.arange(2, count - 1)
    # Of two ends half an outline apart the second counts 0.3, of other pairs less.
    position = (apart - 2) / (count - 4)
    weight = 0.3 * np.exp(-((position - 0.5) ** 2) / 0.5)
    weight /= np.exp(-(np.abs(position - 0.5).min() ** 2) / 0.5)
    partner = (np.arange(count)[:, None] + apart) % count
    pairs = score[:, None] + score[partner] * weight
    start, column = np.unravel_index(np.argmax(pairs), pairs.shape)
    return int(start), int(partner[start, column])


def _end_scores(points: np.ndarray) -> np.ndarray:
    """How much each edge looks like the beginning or end of a text, (P,)."""
    following = np.roll(points, -1, axis=0)
    edges = following - points
    units = edges / (np.hypot(*edges.T)[:, None] + _TINY)
    next_units = np.roll(units, -1, axis=0)
    turns = _angles(units, next_units)  # at the end of each edge
    across = _angles(np.roll(units, 1, axis=0), next_units)
    center = points.mean(axis=0)
    distances = np.maximum(np.hypot(*(points - center).T), np.hypot(*(following - center).T))
    score = 0.5 * (turns + np.roll(turns, 1)) / np.pi + 0.15 * across / np.pi
    score += 0.35 * distances / distances.max()
    if len(points) % 2 == 0:  # the usual order: upper side, then lower side with as many points
        score[[len(points) // 2 - 1, -1]] += 0.1
    return score


def _angles(units: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.arccos(np.clip((units * others).sum(axis=1), -1, 1))


def _in_equal_steps(line: np.ndarray, steps: int) -> np.ndarray:
    """Points along a line, `steps` + 1 of them at equal distances."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    # Parity: the divisor keeps points that fall on whole pixels just below them (they are truncated later).
    where = np.arange(steps) * (lengths[-1] / (steps + _TINY))
    inner = np.stack([np.interp(where, lengths, line[:, axis]) for axis in (0, 1)], axis=1)
    return np.concatenate([inner, line[-1:]])
