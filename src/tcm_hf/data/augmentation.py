"""Training augmentation of annotated text images: composition and geometry.

Every part is a callable `(image, polygons_xy, ignore, generator) -> (image, polygons_xy, ignore)`; nothing is
modified in place and all chance comes from the `numpy.random.Generator` passed in, so that a seed gives a
sample back. The parts that only change pixel values are in `tcm_hf.data.augmentation_photometric`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.random import Generator

from tcm_hf.data.augmentation_photometric import (
    Blur,
    ColorJitter,
    Gamma,
    JpegCompression,
    LowResolution,
    MotionBlur,
    Noise,
    PixelPart,
)
from tcm_hf.processing.polygon_overlaps import clip_to_image
from tcm_hf.processing.polygons import perimeter_px, polygon_area

__all__ = [
    "Augmentation",
    "Compose",
    "HorizontalFlip",
    "IgnoreSmallText",
    "Photometric",
    "RandomWarpCrop",
    "Sometimes",
    "as_sample",
    "default_training_augmentation",
    "keep_polygons_in_window",
    "pixel_parts",
    "renumbered",
    "text_height_px",
    "transformed",
    "warp_image",
]

Sample = tuple[np.ndarray, list[np.ndarray], np.ndarray]
Polygons = Sequence[np.ndarray]
Flags = Sequence[bool] | np.ndarray


class Augmentation(Protocol):
    """What every part looks like."""

    def __call__(
        self,
        image: np.ndarray,
        polygons_xy: Polygons,
        ignore: Flags,
        generator: Generator,
    ) -> Sample:
        """Changed copy of an annotated image.

        Args:
            image: (H, W, 3) uint8 RGB.
            polygons_xy: (P, 2) arrays in pixels of `image`.
            ignore: one do-not-care flag a polygon.
            generator: the only source of chance.

        Returns:
            Image, float32 polygons and boolean flags; polygons may be dropped, clipped or marked ignore.
        """


@dataclass(frozen=True)
class Compose:
    """Apply the parts one after the other."""

    parts: tuple[Augmentation, ...]

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        sample = as_sample(image, polygons_xy, ignore)
        for part in self.parts:
            sample = part(*sample, generator)
        return sample


@dataclass(frozen=True)
class Sometimes:
    """Apply a part with the given probability, else leave the sample as it is."""

    part: Augmentation
    probability: float

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        if generator.random() >= self.probability:
            return as_sample(image, polygons_xy, ignore)
        return self.part(image, polygons_xy, ignore, generator)


@dataclass(frozen=True)
class Photometric:
    """Lift a part that knows only pixels, `(image, generator) -> image`, to the common signature."""

    part: PixelPart

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        return as_sample(self.part(image, generator), polygons_xy, ignore)


@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror left and right. Mirrored letters do not exist, so the default augmentation leaves it out.

    The corners are renumbered, so that the first one stays at the upper left and the order clockwise.
    """

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        image, polygons, flags = as_sample(image, polygons_xy, ignore)
        mirror = np.array([[-1.0, 0.0, image.shape[1]], [0.0, 1.0, 0.0]])
        mirrored = [renumbered(transformed(polygon, mirror)) for polygon in polygons]
        return np.ascontiguousarray(image[:, ::-1]), mirrored, flags


@dataclass(frozen=True)
class IgnoreSmallText:
    """Mark texts lower than `min_height_px` as do-not-care: nobody could read them at this size."""

    min_height_px: float = 7.0

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        image, polygons, flags = as_sample(image, polygons_xy, ignore)
        small = np.array([text_height_px(polygon) < self.min_height_px for polygon in polygons], dtype=bool)
        return image, polygons, flags | small


@dataclass(frozen=True)
class RandomWarpCrop:
    """Rotate, scale, stretch and crop to a fixed size in one resampling of the source image.

    A text is drawn first (with `keep_text_probability`) and the window is placed so that this text lies fully
    inside; where the drawn scale would make it longer than the window, the scale is lowered. Texts cut by the
    window are clipped, or marked ignore when too little is left (see `keep_polygons_in_window`). Outside the
    source the window shows the mean colour of the image. The ranges follow TCM's released training recipe
    (rotation ±10°, scale 0.5..3).

    Attributes:
        size_hw: height and width of the result in pixels.
        scale: smallest and largest zoom against the source, drawn log-uniformly.
        max_stretch: largest ratio between the zoom of the two axes.
        max_angle_deg: rotation is uniform in ± this.
        wide_angle_deg: with `wide_angle_probability` the rotation is uniform in ± this instead.
        wide_angle_probability: see above.
        keep_text_probability: how often the window is made to contain a text; the rest are free windows,
            mostly background.
        min_kept_area: see `keep_polygons_in_window`.
    """

    size_hw: tuple[int, int]
    scale: tuple[float, float] = (0.5, 3.0)
    max_stretch: float = 1.25
    max_angle_deg: float = 10.0
    wide_angle_deg: float = 45.0
    wide_angle_probability: float = 0.1
    keep_text_probability: float = 1.0
    min_kept_area: float = 0.7

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        image, polygons, flags = as_sample(image, polygons_xy, ignore)
        matrix = self.draw_matrix(image.shape[:2], polygons, flags, generator)
        warped = warp_image(image, matrix, self.size_hw)
        moved = [transformed(polygon, matrix) for polygon in polygons]
        return warped, *keep_polygons_in_window(moved, flags, self.size_hw, self.min_kept_area)

    def draw_matrix(
        self, image_hw: tuple[int, int], polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> np.ndarray:
        """Draw what the window shows.

        Args:
            image_hw: height and width of the image in pixels.
            polygons_xy: its texts.
            ignore: one flag a polygon; the text that the window is placed around is none of these.
            generator: the only source of chance.

        Returns:
            (2, 3), maps (x, y, 1) of the image to the window; both in pixel edges.
        """
        linear = self._draw_linear(generator)
        wanted = [polygon for polygon, ignored in zip(polygons_xy, ignore, strict=True) if not ignored]
        text = None
        if wanted and generator.random() < self.keep_text_probability:
            text = wanted[generator.integers(len(wanted))]
            extent = np.maximum(np.ptp(text @ linear.T, axis=0), 1e-6)
            linear = linear * min(1.0, 0.9 * self.size_hw[1] / extent[0], 0.9 * self.size_hw[0] / extent[1])
        return np.column_stack([linear, -self._draw_corner(linear, image_hw, text, generator)])

    def _draw_linear(self, generator: Generator) -> np.ndarray:
        """(2, 2) matrix: stretch, then rotation."""
        wide = generator.random() < self.wide_angle_probability
        limit = self.wide_angle_deg if wide else self.max_angle_deg
        angle_rad = np.deg2rad(generator.uniform(-limit, limit))
        zoom = np.exp(generator.uniform(*np.log(self.scale)))
        stretch = np.sqrt(self.max_stretch) ** generator.uniform(-1, 1)
        cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
        return np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([zoom * stretch, zoom / stretch])

    def _draw_corner(
        self, linear: np.ndarray, image_hw: tuple[int, int], text: np.ndarray | None, generator: Generator
    ) -> np.ndarray:
        """Upper left corner (x, y) of the window in the rotated and scaled frame."""
        window = np.array(self.size_hw[::-1], dtype=float)
        corners = _corners(image_hw) @ linear.T
        low, high = corners.min(axis=0), corners.max(axis=0) - window
        # Sorted, because the limits change places for a window larger than the image, which floats around it.
        low, high = np.minimum(low, high), np.maximum(low, high)
        if text is not None:
            points = text @ linear.T
            text_low, text_high = points.max(axis=0) - window, points.min(axis=0)
            low, high = np.clip(low, text_low, text_high), np.clip(high, text_low, text_high)
        return generator.uniform(low, high)


def default_training_augmentation(size_hw: tuple[int, int], min_text_height_px: float = 7.0) -> Compose:
    """The augmentation the shipped checkpoint is trained with.

    Args:
        size_hw: height and width of the samples in pixels.
        min_text_height_px: lower texts are marked ignore.
    """
    crop = RandomWarpCrop(size_hw, scale=(0.35, 2.0), keep_text_probability=0.9)
    return Compose((crop, IgnoreSmallText(min_text_height_px), *pixel_parts()))


def pixel_parts() -> tuple[Augmentation, ...]:
    """The parts of the default augmentation that change pixel values only."""
    return (
        Sometimes(Photometric(ColorJitter()), 0.6),
        Sometimes(Photometric(Gamma()), 0.2),
        Sometimes(Photometric(Blur()), 0.1),
        Sometimes(Photometric(MotionBlur()), 0.05),
        Sometimes(Photometric(LowResolution()), 0.1),
        Sometimes(Photometric(Noise()), 0.15),
        Sometimes(Photometric(JpegCompression()), 0.2),
    )


def warp_image(image: np.ndarray, matrix: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Affine view of an image, free of the aliasing that plain bilinear sampling shows when it shrinks.

    Args:
        image: (H, W, 3) uint8.
        matrix: (2, 3), maps (x, y, 1) of the source to the result; both in pixel edges (0..W).
        size_hw: height and width of the result in pixels.

    Returns:
        (height, width, 3) uint8; the mean colour of the image where the source does not reach.
    """
    fill = cv2.mean(image)[:3]
    matrix = np.asarray(matrix, dtype=float)
    zoom_xy = np.hypot(matrix[0, :2], matrix[1, :2])
    if zoom_xy.min() < 0.75:
        window = _source_bounds(_corners(size_hw), matrix, margin_px=2 / zoom_xy)
        left, top = np.clip(np.floor(window[0]), 0, np.array(image.shape[1::-1]) - 1).astype(int)
        right, bottom = np.clip(np.ceil(window[1]), (left + 1, top + 1), image.shape[1::-1]).astype(int)
        source_wh = np.array([right - left, bottom - top])
        reduced_wh = np.maximum(np.round(source_wh * np.minimum(zoom_xy, 1)), 1).astype(int)
        image = cv2.resize(
            image[top:bottom, left:right], tuple(reduced_wh.tolist()), interpolation=cv2.INTER_AREA
        )
        shift = matrix[:, :2] @ (left, top) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * (source_wh / reduced_wh), shift])
    # OpenCV counts from pixel centres, the package from pixel edges.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(image, centred, size_hw[::-1], flags=cv2.INTER_LINEAR, borderValue=fill)


def keep_polygons_in_window(
    polygons_xy: Polygons,
    ignore: Flags,
    size_hw: tuple[int, int],
    min_kept_area: float = 0.7,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Clip polygons to an image window; what is mostly cut off becomes do-not-care, what is outside goes.

    Args:
        polygons_xy: (P, 2) arrays in pixels of the window, free to leave it.
        ignore: one flag a polygon.
        size_hw: height and width of the window in pixels.
        min_kept_area: a text keeps its flag when at least this part of its area is inside, else it is
            ignored.

    Returns:
        The float32 polygons that remain, clockwise on screen, and their boolean flags.
    """
    height, width = size_hw
    kept, flags = [], []
    for polygon, ignored in zip(polygons_xy, ignore, strict=True):
        polygon = np.asarray(polygon, dtype=np.float32)
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        if (low >= 0).all() and high[0] <= width and high[1] <= height:
            kept.append(polygon)
            flags.append(bool(ignored))
            continue
        if (high <= 0).any() or low[0] >= width or low[1] >= height:
            continue
        clipped = clip_to_image(polygon, size_hw)
        area = polygon_area(clipped)
        if area >= 1:
            kept.append(clipped)
            flags.append(bool(ignored) or area < min_kept_area * polygon_area(polygon))
    return kept, np.array(flags, dtype=bool)


def text_height_px(polygon_xy: np.ndarray) -> float:
    """Height of a text, straight or curved: the short side of the rectangle of equal area and perimeter."""
    half_perimeter = perimeter_px(polygon_xy) / 2
    return (half_perimeter - max(half_perimeter**2 - 4 * polygon_area(polygon_xy), 0.0) ** 0.5) / 2


def _source_bounds(points_xy: np.ndarray, matrix: np.ndarray, margin_px: np.ndarray) -> np.ndarray:
    """Bounds (2, 2) in the source of points given in the result of an affine map, widened by a margin."""
    source = (points_xy - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return np.stack([source.min(axis=0) - margin_px, source.max(axis=0) + margin_px])


def _corners(size_hw: tuple[int, int]) -> np.ndarray:
    height, width = size_hw[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)


def transformed(polygon: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (P, 2) of an image in the window of a (2, 3) matrix, float32."""
    return (polygon @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def renumbered(mirrored_xy: np.ndarray) -> np.ndarray:
    """A mirrored text's points (P, 2) from its upper left again, clockwise: half way round, and back."""
    return np.roll(mirrored_xy[::-1], -(len(mirrored_xy) // 2), axis=0)


def as_sample(image: np.ndarray, polygons_xy: Polygons, ignore: Flags) -> Sample:
    """An annotated image in the types of `Augmentation`.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8, or there is not one flag a polygon.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"The image must be RGB of shape (H, W, 3) and dtype uint8: got {image.shape}, {image.dtype}."
        )
    polygons = [np.asarray(polygon, dtype=np.float32) for polygon in polygons_xy]
    flags = np.asarray(ignore, dtype=bool).reshape(-1)
    if len(flags) != len(polygons):
        raise ValueError(
            f"`ignore` must have one flag per polygon: got {len(flags)} for {len(polygons)} polygons."
        )
    return image, polygons, flags
