"""The order in which a reader meets the words of a picture: words to lines, lines to paragraphs. Pure numpy.

Words are given by their corners `(N, 4, 2)`: `(x, y)` in pixels, clockwise from the corner where reading
starts, so that each word brings its own direction; skewed, rotated and curved lines need no common one. This
suits scripts that are written from left to right in lines that follow one another downwards.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_RELIABLE_ASPECT = 1.5  # the direction of shorter words is a guess
_MAX_TURN_COS = np.cos(np.radians(30))  # from one word to the next, as in curved lines
_MAX_SPACE = 1.0  # between words of a line, in heights; the gap between signs or columns is wider
_MAX_WORD_RATIO = 2.5  # of heights in one line: "9.99" with small cents
_MAX_LEADING = 0.8  # between the lines of a paragraph, in heights
_MAX_LINE_RATIO = 1.8  # of heights in one paragraph; "on" is lower than "fly"
_MIN_OVERLAP = 0.5  # of the lower word's height with its neighbour in a line
_MIN_COLUMN_OVERLAP = 0.3  # of the shorter line's length with the line above
_CORE = 0.25  # texts may overlap by this part of their height at each side and still be apart


class _Neighbours(NamedTuple):
    """How the quads near one of them lie to it, in the common direction of each pair; all `(M,)`.

    `which` says which they are. `gap` is the distance to the other's nearer side, negative where they
    overlap, and `shared` is the overlap as a part of the shorter of the two extents; `ahead` tells whether
    the other's centre comes later. `height` is the mean of the two, `ratio` how many times the higher one is
    as high.
    """

    which: np.ndarray
    gap_along: np.ndarray
    gap_across: np.ndarray
    shared_along: np.ndarray
    shared_across: np.ndarray
    ahead_along: np.ndarray
    ahead_across: np.ndarray
    is_parallel: np.ndarray
    height: np.ndarray
    ratio: np.ndarray


class _Quads:
    """Oriented rectangles, words or lines, and what is needed of them."""

    def __init__(self, corners_xy: np.ndarray, heights: np.ndarray | None = None):
        self.corners = corners_xy
        # As long as the quad is, so that of two added directions the longer word's counts more.
        self.directions = (corners_xy[:, 1] + corners_xy[:, 2] - corners_xy[:, 0] - corners_xy[:, 3]) / 2
        self.widths = np.linalg.norm(self.directions, axis=1)
        if heights is None:
            heights = np.linalg.norm(corners_xy[:, [3, 2]] - corners_xy[:, [0, 1]], axis=2).mean(axis=1)
        self.heights = np.maximum(heights, 1e-3)
        self.is_reliable = self.widths >= _RELIABLE_ASPECT * self.heights
        self.centres = corners_xy.mean(axis=1)
        # Nothing that is further apart than two of these can be linked.
        self.reaches = np.linalg.norm(corners_xy - self.centres[:, None], axis=2).max(axis=1) + self.heights

    def neighbours_of(self, i: int) -> _Neighbours:
        """All quads that may be linked to one."""
        distances = np.linalg.norm(self.centres - self.centres[i], axis=1)
        which = np.flatnonzero(distances <= self.reaches + self.reaches[i])
        directions, heights = self.directions[which], self.heights[which]
        along = _unit(directions + self.directions[i])
        frames = np.stack([along, _downwards(along)], axis=1)  # (M, 2 axes, 2)
        own = np.einsum("kc,mac->mak", self.corners[i], frames)
        other = np.einsum("mkc,mac->mak", self.corners[which], frames)
        low, high, own_low, own_high = other.min(2), other.max(2), own.min(2), own.max(2)
        shared = np.minimum(high, own_high) - np.maximum(low, own_low)
        shared = shared / np.maximum(np.minimum(high - low, own_high - own_low), 1e-3)
        ahead = low + high > own_low + own_high
        gap = np.maximum(low - own_high, own_low - high)
        gap_along, gap_across = gap.T
        shared_along, shared_across = shared.T
        ahead_along, ahead_across = ahead.T
        cosines = directions @ self.directions[i] / np.maximum(self.widths[which] * self.widths[i], 1e-6)
        is_guess = ~(self.is_reliable[which] & self.is_reliable[i])
        ratio = np.maximum(heights / self.heights[i], self.heights[i] / heights)
        return _Neighbours(
            which,
            gap_along,
            gap_across,
            shared_along,
            shared_across,
            ahead_along,
            ahead_across,
            is_parallel=is_guess | (cosines >= _MAX_TURN_COS),
            height=(heights + self.heights[i]) / 2,
            ratio=ratio,
        )


def reading_order(corners_xy: np.ndarray) -> list[int]:
    """The order of words, see `group_words`.

    Args:
        corners_xy: `(N, 4, 2)` in pixels, clockwise from the corner where reading starts.

    Returns:
        A permutation of `range(N)`.
    """
    return [word for lines in group_words(corners_xy) for line in lines for word in line]


def group_words(corners_xy: np.ndarray) -> list[list[list[int]]]:
    """Group words to lines and lines to paragraphs, all in the order of reading.

    A word continues the line of the word on its left if it lies in its row, not further than its height
    away, and is of similar height. A line continues the paragraph of the line above it if it is parallel, of
    similar height, below it and not further than its height away. Paragraphs are read row by row where a
    straight gap runs between them, else column by column.

    Args:
        corners_xy: `(N, 4, 2)` in pixels, clockwise from the corner where reading starts.

    Returns:
        Paragraphs, each a list of lines, each a list of indices of words. Every word comes once.
    """
    corners = np.asarray(corners_xy, dtype=np.float64).reshape(-1, 4, 2)
    if not len(corners):
        return []
    words = _Quads(corners)
    lines = _chains(len(corners), _line_links(words))
    # Around words of slightly different directions the rectangle is higher than the line.
    line_heights = np.array([np.median(words.heights[line]) for line in lines])
    quads = _Quads(np.stack([bounding_quad(corners[line]) for line in lines]), line_heights)
    paragraphs = _chains(len(lines), _paragraph_links(quads))
    blocks = [np.concatenate([quads.corners[line] for line in paragraph]) for paragraph in paragraphs]
    heights = np.array([np.median(quads.heights[paragraph]) for paragraph in paragraphs])
    order = _order_blocks(blocks, heights, _unit(words.directions.sum(axis=0)[None])[0])
    return [[lines[line] for line in paragraphs[block]] for block in order]


def bounding_quad(corners_xy: np.ndarray) -> np.ndarray:
    """The rectangle around words, in their common direction.

    Args:
        corners_xy: `(N, 4, 2)`, N at least 1, clockwise from the corner where reading starts.

    Returns:
        `(4, 2)`, clockwise from the corner where reading starts.
    """
    corners = np.asarray(corners_xy, dtype=np.float64)
    along = _unit(_Quads(corners).directions.sum(axis=0)[None])
    frame = np.concatenate([along, _downwards(along)])
    points = corners.reshape(-1, 2) @ frame.T
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ frame


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1; to the right where they have none."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), [1.0, 0.0])


def _downwards(along: np.ndarray) -> np.ndarray:
    """Directions from the top to the bottom of letters, for directions of reading."""
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def _line_links(words: _Quads) -> Iterable[tuple[float, int, int]]:
    """(cost, word, word that may follow it in its line)."""
    for i in range(len(words.corners)):
        near = words.neighbours_of(i)
        is_next = near.ahead_along & near.is_parallel & (near.shared_across >= _MIN_OVERLAP)
        is_next &= near.gap_along <= _MAX_SPACE * near.height
        is_next &= near.gap_along >= -0.5 * np.minimum(words.widths[near.which], words.widths[i])
        is_next &= near.ratio <= _MAX_WORD_RATIO
        # Of two words at the same distance the one that lies more exactly in the row.
        costs = near.gap_along - near.height * near.shared_across
        for j, cost in zip(near.which[is_next].tolist(), costs[is_next].tolist(), strict=True):
            yield cost, i, j


def _paragraph_links(lines: _Quads) -> Iterable[tuple[float, int, int]]:
    """(cost, line, line that may follow it in its paragraph)."""
    for i in range(len(lines.corners)):
        near = lines.neighbours_of(i)
        is_next = near.ahead_across & near.is_parallel & (near.shared_along >= _MIN_COLUMN_OVERLAP)
        is_next &= (near.gap_across <= _MAX_LEADING * near.height) & (near.gap_across >= -0.5 * near.height)
        is_next &= near.ratio <= _MAX_LINE_RATIO
        costs = near.gap_across - near.height * near.shared_along
        for j, cost in zip(near.which[is_next].tolist(), costs[is_next].tolist(), strict=True):
            yield cost, i, j


def _chains(count: int, links: Iterable[tuple[float, int, int]]) -> list[list[int]]:
    """Join items to chains, cheapest links first; each item has one follower and follows one at most."""
    following: dict[int, int] = {}
    first_of = list(range(count))  # of the chain that ends with the item
    last_of = list(range(count))  # of the chain that begins with the item
    is_followed, is_follower = [False] * count, [False] * count
    for _, i, j in sorted(links):
        if is_followed[i] or is_follower[j] or first_of[i] == j:
            continue
        following[i] = j
        is_followed[i] = is_follower[j] = True
        first, last = first_of[i], last_of[j]
        last_of[first], first_of[last] = last, first
    chains = []
    for start in (i for i in range(count) if not is_follower[i]):
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        chains.append(chain)
    return chains


def _order_blocks(blocks: list[np.ndarray], heights: np.ndarray, along: np.ndarray) -> list[int]:
    """Order blocks, each given by points `(M, 2)`, on a page that is read in the direction `along`."""
    frame = np.stack([along, _downwards(along[None])[0]])
    extents = np.stack([[(points @ frame.T).min(0), (points @ frame.T).max(0)] for points in blocks])
    centres = extents.mean(axis=1)
    margin = np.minimum(_CORE * heights[:, None], (extents[:, 1] - extents[:, 0]) / 2)
    low, high = np.minimum(extents[:, 0] + margin, centres), np.maximum(extents[:, 1] - margin, centres)
    return _cut(list(range(len(blocks))), low, high)


def _cut(blocks: list[int], low: np.ndarray, high: np.ndarray) -> list[int]:
    """Divide blocks at straight gaps, rows before columns, again and again; `low` and `high` are `(N, 2)`."""
    if len(blocks) < 2:
        return blocks
    for axis in (1, 0):
        parts: list[list[int]] = []
        end = -np.inf
        for block in sorted(blocks, key=lambda block: low[block, axis]):
            if low[block, axis] >= end:
                parts.append([])
            parts[-1].append(block)
            end = max(end, high[block, axis])
        if len(parts) > 1:
            return [block for part in parts for block in _cut(part, low, high)]
    return sorted(blocks, key=lambda block: (low[block, 1], low[block, 0]))
