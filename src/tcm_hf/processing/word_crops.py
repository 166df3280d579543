"""Straight, upright pictures of single words, cut out of a photo along polygons.

Frame: `(x, y)` in pixels at pixel *edges*, x right, y down. What the outline of a word is: word_outlines.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .polygons import clamp_to_image
from .word_outlines import outline_corners, reading_outline, smooth_curve, word_outline

_MAX_ASPECT = 64  # no word is longer; keeps the crop of a sliver small
_PAD_PX = 3  # bicubic interpolation looks two pixels further


class WordCrop(NamedTuple):
    """One word, cut out.

    Attributes:
        image: `(h, w, 3)` uint8 RGB, at least one pixel.
        outline_xy: `(2n, 2)` float32: where the crop's top edge, from left to right, and its bottom edge,
            from right to left, lie in the photo; without the margin, and inside the photo.
    """

    image: np.ndarray
    outline_xy: np.ndarray

    @property
    def corners_xy(self) -> np.ndarray:
        """`(4, 2)`: where the corners of the crop lie in the photo, clockwise from its top left."""
        return outline_corners(self.outline_xy)


class WordCropping:
    """Methods of an image processor: from polygons to crops of words, for pipelines."""

    def crop_words(
        self,
        image_rgb: np.ndarray,
        polygons: Sequence[np.ndarray],
        short_side_px: int | None = None,
        margin: float = 0.0,
    ) -> list[WordCrop]:
        """Cut out words whose reading direction is not known, as a detector finds them.

        Args:
            image_rgb: `(H, W, 3)` uint8.
            polygons: `(P, 2)` each, any order of points, with area and inside the image at least in part.
            short_side_px: the shorter side of every crop, which is the height of its letters unless they
                stand below one another; None for the size that the word has in the photo.
            margin: how much more than the polygon is shown on every side, in heights of the word.

        Returns:
            One crop per polygon. The direction is a guess, see `reading_outline`: upright for tall words,
            else along the word towards the right.

        Raises:
            ValueError: for a polygon without area or outside of the image.
        """
        crops = []
        for polygon in polygons:
            outline = reading_outline(polygon)
            height_px = None if short_side_px is None else _height_px(outline, short_side_px)
            crop = _rectified(image_rgb, outline, margin, height_px)
            crops.append(WordCrop(crop, clamp_to_image(outline, image_rgb.shape[:2])))
        return crops

    def get_word_corners(self, polygons: Sequence[np.ndarray]) -> np.ndarray:
        """Corners of words in the order of reading, `(N, 4, 2)` float32, as `crop_words` would see them."""
        corners = [outline_corners(reading_outline(polygon)) for polygon in polygons]
        return np.stack(corners) if corners else np.zeros((0, 4, 2), dtype=np.float32)


def _height_px(outline_xy: np.ndarray, short_side_px: int) -> int:
    corners = outline_corners(outline_xy)
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    aspect = (right + left) / max(top + bottom, 1e-6)
    return round(short_side_px * float(np.clip(aspect, 1, _MAX_ASPECT)))


def rectify_word(
    image_rgb: np.ndarray, polygon_xy: np.ndarray, margin: float = 0.0, height_px: int | None = None
) -> np.ndarray:
    """Cut out one word and make it straight, with one interpolation.

    A quad is undone as a perspective view. A polygon of `2n` points is followed strip by strip, along smooth
    curves through its points. Any other polygon is brought to an outline by `reading_outline`; of the two
    directions the one that starts nearer to the polygon's first point is taken.

    Args:
        image_rgb: `(H, W, 3)` or `(H, W)` uint8.
        polygon_xy: `(P, 2)` in pixels at pixel edges, beginning where reading begins, as in labels. Points
            that run anticlockwise are turned round. Parts outside of the image show its border pixels.
        margin: how much more than the polygon is shown on every side, in heights of the word; negative cuts.
        height_px: height of the result; None for the height that the word has in the photo.

    Returns:
        `(h, w, 3)` or `(h, w)` uint8, at least one pixel, at most 64 times as wide as high.

    Raises:
        ValueError: for a polygon without area or without any pixel of the image, or a size below one pixel.
    """
    if height_px is not None and height_px < 1:
        raise ValueError(f"`height_px` must be at least 1, or None: got {height_px}.")
    if margin <= -0.5:
        raise ValueError(f"`margin` must be above -0.5 heights, else nothing is left: got {margin}.")
    return _rectified(image_rgb, word_outline(polygon_xy), margin, height_px)


def _rectified(
    image_rgb: np.ndarray, outline: np.ndarray, margin: float, height_px: int | None
) -> np.ndarray:
    _check_in_image(outline, image_rgb.shape[:2])
    surface = _Plane(outline) if len(outline) == 4 else _Ribbon(outline)
    border_px = margin * surface.height_px
    height, width = (max(side + 2 * border_px, 1.0) for side in (surface.height_px, surface.width_px))
    rows = round(height) if height_px is None else height_px
    scale = 1.0 if height_px is None else rows / height
    columns = min(max(round(width * scale), 1), _MAX_ASPECT * rows)
    return _sample(image_rgb, *surface.grid(rows, columns, border_px), scale)


def _check_in_image(outline_xy: np.ndarray, size_hw: tuple[int, int]) -> None:
    lowest, highest = outline_xy.min(axis=0), outline_xy.max(axis=0)
    if (highest <= 0).any() or (lowest >= size_hw[::-1]).any():
        raise ValueError(
            f"The polygon lies outside of the image of {size_hw[1]} x {size_hw[0]} pixels: it spans "
            f"x {lowest[0]:.1f}..{highest[0]:.1f}, y {lowest[1]:.1f}..{highest[1]:.1f}. Leave it out."
        )


class _Plane:
    """A flat sign that the camera sees at an angle: its four corners are all that there is to know."""

    def __init__(self, quad_xy: np.ndarray):
        self.quad = quad_xy.astype(np.float64)
        top, right, bottom, left = np.linalg.norm(np.roll(self.quad, -1, axis=0) - self.quad, axis=1)
        self.width_px, self.height_px = (top + bottom) / 2, (right + left) / 2

    def grid(self, rows: int, columns: int, border_px: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the centres of the crop's pixels lie in the photo: x and y, `(rows, columns)` each."""
        # The border is added in the photo: further out, the plane of a strong perspective may turn over.
        u, v = border_px / self.width_px, border_px / self.height_px
        corners = self._bilinear(np.array([-u, 1 + u, 1 + u, -u]), np.array([-v, -v, 1 + v, 1 + v]))
        middle = corners.mean(axis=0)  # near the origin 32-bit numbers are exact enough
        unit_square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
        matrix = cv2.getPerspectiveTransform(unit_square, (corners - middle).astype(np.float32))
        # What belongs to columns and to rows apart, so that only sums are made for every pixel.
        of_columns = matrix[:, :1] * _centres(columns)
        of_rows = matrix[:, 1:2] * _centres(rows) + matrix[:, 2:]
        x, y, depth = (row[:, None] + column for row, column in zip(of_rows, of_columns, strict=True))
        return x / depth + middle[0], y / depth + middle[1]

    def _bilinear(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        top_left, top_right, bottom_right, bottom_left = self.quad
        top = top_left + u[:, None] * (top_right - top_left)
        bottom = bottom_left + u[:, None] * (bottom_right - bottom_left)
        return top + v[:, None] * (bottom - top)


class _Ribbon:
    """A curved word: smooth curves through the points of its edges, straight lines from edge to edge."""

    def __init__(self, outline_xy: np.ndarray):
        half = len(outline_xy) // 2
        edges = np.stack([outline_xy[:half], outline_xy[half:][::-1]], axis=1).astype(np.float64)  # (n, 2, 2)
        steps = np.linalg.norm(np.diff(edges, axis=0), axis=-1).mean(axis=1)
        self.edges = edges
        self.along_px = np.concatenate([[0], np.cumsum(steps)])
        self.width_px = float(self.along_px[-1])
        self.height_px = float(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=-1).mean())

    def grid(self, rows: int, columns: int, border_px: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the centres of the crop's pixels lie in the photo: x and y, `(rows, columns)` each."""
        along_px = _centres(columns) * (self.width_px + 2 * border_px) - border_px
        across = _centres(rows) * (1 + 2 * border_px / self.height_px) - border_px / self.height_px
        inside = along_px.clip(0, self.width_px)
        points, directions = smooth_curve(self.along_px, self.edges, inside)
        points = points + directions * (along_px - inside)[:, None, None]
        top, down = points[:, 0].T, (points[:, 1] - points[:, 0]).T  # (2, columns)
        x, y = top[:, None] + across[:, None] * down[:, None]
        return x, y


def _centres(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _sample(image: np.ndarray, x: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    """Pixels of the image at points; `scale` is how many of these come to one pixel."""
    size_wh = np.array(image.shape[1::-1])
    # From the first row to the last the points of a column go straight, so the outermost are in these two.
    ends = np.stack([x[[0, -1]], y[[0, -1]]])
    low = np.floor(ends.min(axis=(1, 2)) - _PAD_PX).clip(0, size_wh - 1).astype(int)
    high = np.ceil(ends.max(axis=(1, 2)) + _PAD_PX).clip(low + 1, size_wh).astype(int)
    region = image[low[1] : high[1], low[0] : high[0]]
    if scale < 1:  # means of areas first, else what lies between the points would be lost
        size = np.ceil((high - low) * scale).astype(int)
        region = cv2.resize(region, size.tolist(), interpolation=cv2.INTER_AREA)
    factor = np.array(region.shape[1::-1]) / (high - low)
    # OpenCV counts from the centre of the first pixel.
    columns, rows = (
        ((points - start) * step - 0.5).astype(np.float32)
        for points, start, step in zip((x, y), low, factor, strict=True)
    )
    return cv2.remap(region, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
