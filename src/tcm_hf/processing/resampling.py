"""Pictures at another size, smoothed where they shrink: the pixels that torchvision makes. Pure numpy.

Every pixel of the result is a mean of the pixels below it, weighted by a kernel that is as wide as the
result's pixels are; first along the rows, then along the columns, rounded to 8 bits after each. The weights
are rounded as in the 16-bit arithmetic of torchvision, and of Pillow before it, so that the sums are, too.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_ROWS_AT_ONCE = 16  # of the result: more multiply more zeros, fewer ask numpy more often


class _Filter(NamedTuple):
    """A kernel, and how far it reaches on either side, in pixels of the result."""

    weights: Callable[[np.ndarray], np.ndarray]
    reach: int


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -1/2 at distances from 0 on."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


# By the numbers that Pillow gives them and image processors save.
_FILTERS = {2: _Filter(_triangle, 1), 3: _Filter(_cubic, 2)}


def resize_smoothly(image: np.ndarray, size_hw: tuple[int, int], resample: int) -> np.ndarray:
    """A picture at another size, as torchvision's antialiased `resize` makes it of 8-bit pixels.

    Pillow's is at most two grey levels away.

    Args:
        image: `(H, W, C)` uint8.
        size_hw: (height, width) of the result in pixels.
        resample: 2 for bilinear, 3 for bicubic, as Pillow counts.

    Returns:
        `(h, w, C)` uint8.

    Raises:
        ValueError: for another kind of resampling.
    """
    if resample not in _FILTERS:
        raise ValueError(
            f"`resample` must be one of {sorted(_FILTERS)}, bilinear and bicubic: got {resample}."
        )
    if image.shape[1] != size_hw[1]:
        turned = _rows_resized(np.ascontiguousarray(image.swapaxes(0, 1)), size_hw[1], resample)
        image = np.ascontiguousarray(turned.swapaxes(0, 1))
    return image if image.shape[0] == size_hw[0] else _rows_resized(image, size_hw[0], resample)


def _rows_resized(image: np.ndarray, count: int, resample: int) -> np.ndarray:
    rows = image.reshape(len(image), -1)
    resized = np.empty((count, rows.shape[1]), dtype=np.uint8)
    for start, first, weights in _blocks(len(image), count, resample):
        means = weights @ rows[first : first + weights.shape[1]].astype(np.float32)
        means += 0.5
        np.clip(np.floor(means, out=means), 0, 255, out=means)
        resized[start : start + len(weights)] = means
    return resized.reshape(count, *image.shape[1:])


@lru_cache(maxsize=16)
def _blocks(length: int, count: int, resample: int) -> list[tuple[int, int, np.ndarray]]:
    """Some rows of the result at a time: the first, the first that they are made of, and the weights."""
    kernel = _FILTERS[resample]
    pixels_each = length / count
    width = max(pixels_each, 1.0)
    centres = (np.arange(count) + 0.5) * pixels_each
    first = np.maximum(centres - kernel.reach * width + 0.5, 0).astype(int)
    behind = np.minimum(centres + kernel.reach * width + 0.5, length).astype(int)
    blocks = []
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        places = np.arange(first[start], behind[rows][-1])
        distances = np.abs(places + 0.5 - centres[rows, None]) / width
        is_inside = (places >= first[rows, None]) & (places < behind[rows, None])
        weights = np.where(is_inside, kernel.weights(distances), 0)
        blocks.append((start, int(first[start]), weights / weights.sum(axis=1, keepdims=True)))
    unit = _unit(max(weights.max() for _, _, weights in blocks))
    return [
        (start, place, (np.trunc(weights * unit + np.copysign(0.5, weights)) / unit).astype(np.float32))
        for start, place, weights in blocks
    ]


def _unit(largest: float) -> int:
    """What 1 is among the 16-bit numbers that weights are: the largest power of two for which all fit."""
    bits = 0
    while bits < 22 and int(largest * (2 << bits) + 0.5) < 1 << 15:
        bits += 1
    return 1 << bits


__all__ = ["resize_smoothly"]
