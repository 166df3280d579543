"""Training augmentation of photos whose words are read: texts go along, cut words are painted out.

Parts are those of `tcm_hf.data.augmentation`; there is no mirroring anywhere, mirrored letters do not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from tcm_hf.data.augmentation import (
    Augmentation,
    Compose,
    Flags,
    Polygons,
    RandomWarpCrop,
    pixel_parts,
    text_height_px,
    transformed,
    warp_image,
)
from tcm_hf.processing.polygon_overlaps import clip_to_image
from tcm_hf.processing.polygons import polygon_area

__all__ = ["SpottingAugmentation", "SpottingSample", "default_spotting_augmentation", "paint_out"]


class SpottingSample(NamedTuple):
    """A picture with its words."""

    image: np.ndarray
    """(H, W, 3) uint8."""
    polygons_xy: list[np.ndarray]
    """(P, 2) float32 each, pixels of the image; first point and order as annotated."""
    texts: list[str | None]
    """One a polygon."""
    ignore: np.ndarray
    """One flag a polygon, bool."""


@dataclass(frozen=True)
class SpottingAugmentation:
    """Crop, then change pixels; every word that is left is whole.

    A word of which less than `min_kept_area` is in the window could neither be read nor be called
    background: it is painted over in the colour around it, and is gone. Words outside are dropped. Words that
    are ignored, have no text or are too small to be read stay in the picture with their flag.

    Attributes:
        crop: draws the window.
        parts: change pixel values only.
        min_text_height_px: words that are lower in the window are marked ignore.
        min_kept_area: part of a word's area that must be in the window.
    """

    crop: RandomWarpCrop
    parts: tuple[Augmentation, ...] = ()
    min_text_height_px: float = 7.0
    min_kept_area: float = 0.95

    def __call__(
        self,
        image: np.ndarray,
        polygons_xy: Polygons,
        texts: Sequence[str | None],
        ignore: Flags,
        generator: Generator,
    ) -> SpottingSample:
        """Changed copy of an annotated photo.

        Args:
            image: (H, W, 3) uint8 RGB.
            polygons_xy: (P, 2) arrays in pixels of `image`.
            texts: one a polygon, None where it is not known.
            ignore: one do-not-care flag a polygon.
            generator: the only source of chance.
        """
        unread = np.array([skip or not text for skip, text in zip(ignore, texts, strict=True)], dtype=bool)
        polygons = [np.asarray(polygon, np.float32) for polygon in polygons_xy]
        matrix = self.crop.draw_matrix(image.shape[:2], polygons, unread, generator)
        window = warp_image(image, matrix, self.crop.size_hw)
        kept: list[np.ndarray] = []
        kept_texts: list[str | None] = []
        flags, cut = [], []
        for polygon, text, skip in zip(polygons, texts, unread, strict=True):
            moved = transformed(polygon, matrix)
            share = share_inside(moved, self.crop.size_hw)
            if share >= self.min_kept_area:
                kept.append(moved)
                kept_texts.append(text)
                flags.append(bool(skip) or text_height_px(moved) < self.min_text_height_px)
            elif share > 0 and not skip:
                cut.append(moved)
        window = paint_out(window, cut)
        window, _, _ = Compose(self.parts)(window, [], [], generator)
        return SpottingSample(window, kept, kept_texts, np.array(flags, dtype=bool))


def default_spotting_augmentation(
    size_hw: tuple[int, int],
    min_text_height_px: float = 7.0,
    scale: tuple[float, float] = (0.6, 2.0),
) -> SpottingAugmentation:
    """The augmentation that spotters are trained with.

    Args:
        size_hw: height and width of the samples in pixels.
        min_text_height_px: lower words are marked ignore.
        scale: smallest and largest zoom of the window against the photo.
    """
    crop = RandomWarpCrop(
        size_hw, scale=scale, keep_text_probability=0.95, max_angle_deg=8.0, wide_angle_probability=0.05
    )
    return SpottingAugmentation(crop, pixel_parts(), min_text_height_px)


def share_inside(polygon_xy: np.ndarray, size_hw: tuple[int, int]) -> float:
    """Which part of a polygon's area lies in an image, 0..1."""
    low, high = polygon_xy.min(axis=0), polygon_xy.max(axis=0)
    size_wh = np.array(size_hw[::-1])
    if (low >= 0).all() and (high <= size_wh).all():
        return 1.0
    if (high <= 0).any() or (low >= size_wh).any():
        return 0.0
    area = polygon_area(polygon_xy)
    return polygon_area(clip_to_image(polygon_xy, size_hw)) / area if area else 0.0


def paint_out(image: np.ndarray, polygons_xy: Sequence[np.ndarray]) -> np.ndarray:
    """Copy of an image with polygons filled in the mean colour around them.

    Args:
        image: (H, W, 3) uint8.
        polygons_xy: (P, 2) arrays, free to leave the image.
    """
    if not polygons_xy:
        return image
    painted = image.copy()
    for polygon in polygons_xy:
        points = [np.round(polygon).astype(np.int32)]
        around = np.zeros(image.shape[:2], np.uint8)
        cv2.polylines(around, points, True, 1, thickness=5)
        cv2.fillPoly(around, points, 0)
        colour = cv2.mean(image, around)[:3]
        cv2.fillPoly(painted, points, colour)
        cv2.polylines(painted, points, True, colour, thickness=3)
    return painted
