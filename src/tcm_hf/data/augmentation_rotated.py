"""Training augmentation of photos with rotated objects: classes go along, what is cut is painted out."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.random import Generator

from tcm_hf.data.augmentation import (
    Augmentation,
    Compose,
    Flags,
    Polygons,
    RandomWarpCrop,
    pixel_parts,
    transformed,
    warp_image,
)
from tcm_hf.data.augmentation_spotting import paint_out
from tcm_hf.processing.rotated_boxes import polygons_to_boxes, rotated_overlaps

__all__ = [
    "AnyWayUp",
    "RotatedAugmentation",
    "RotatedSample",
    "aerial_augmentation",
    "upright_augmentation",
    "visible_parts",
]


class RotatedSample(NamedTuple):
    """A picture with its objects."""

    image: np.ndarray
    """(H, W, 3) uint8."""
    polygons_xy: np.ndarray
    """(N, 4, 2) float32, pixels of the image; corners may leave it."""
    class_labels: np.ndarray
    """(N,) int64."""


class Window(Protocol):
    """Draws which part of a photo is seen."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the window in pixels."""

    def draw_matrix(
        self, image_hw: tuple[int, int], polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> np.ndarray:
        """(2, 3), maps (x, y, 1) of the photo to the window; see `RandomWarpCrop.draw_matrix`."""


@dataclass(frozen=True)
class AnyWayUp:
    """A window on the photo after a random mirroring and quarter turn: from above there is no up.

    Attributes:
        window: drawn on the turned photo.
    """

    window: RandomWarpCrop

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the window in pixels."""
        return self.window.size_hw

    def draw_matrix(
        self, image_hw: tuple[int, int], polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> np.ndarray:
        """See `RandomWarpCrop.draw_matrix`."""
        mirrored, quarters = generator.random() < 0.5, int(generator.integers(4))
        turn, turned_hw = _turned(image_hw, mirrored, quarters)
        inner = self.window.draw_matrix(
            turned_hw, [transformed(polygon, turn) for polygon in polygons_xy], ignore, generator
        )
        return _after(turn, inner)


@dataclass(frozen=True)
class RotatedAugmentation:
    """Draw a window, then change pixels.

    An object of which less than `min_visible` is in the window could neither be learned nor be called
    background: it is painted over in the colour around it, and is gone. Of the others the whole box is
    learned, also what is outside, as in DOTA's tiles.

    Attributes:
        window: draws which part of the photo is seen.
        parts: change pixel values only.
        min_visible: part of an object's box that must be in the window.
    """

    window: Window
    parts: tuple[Augmentation, ...] = ()
    min_visible: float = 0.7

    def __call__(
        self,
        image: np.ndarray,
        polygons_xy: np.ndarray,
        class_labels: np.ndarray,
        generator: Generator,
        shown_hw: tuple[int, int] | None = None,
    ) -> RotatedSample:
        """Changed copy of an annotated photo.

        Args:
            image: (H, W, 3) uint8 RGB.
            polygons_xy: (N, 4, 2) pixels of `image`.
            class_labels: (N,).
            generator: the only source of chance.
            shown_hw: height and width that the whole photo has before the network when it is not trained,
                which is what zooms are against; its own size when None.
        """
        shown_hw = image.shape[:2] if shown_hw is None else shown_hw
        shown = np.diag(np.divide(shown_hw, image.shape[:2])[::-1])
        flags = np.zeros(len(polygons_xy), dtype=bool)
        drawn = self.window.draw_matrix(shown_hw, list(polygons_xy @ shown), flags, generator)
        matrix = _after(np.column_stack([shown, [0, 0]]), drawn)
        moved = transformed(np.asarray(polygons_xy, dtype=np.float32).reshape(-1, 2), matrix).reshape(
            -1, 4, 2
        )
        visible = visible_parts(moved, self.window.size_hw)
        kept = visible >= self.min_visible
        window = warp_image(image, matrix, self.window.size_hw)
        window = paint_out(window, list(moved[(visible > 0) & ~kept]))
        window, _, _ = Compose(self.parts)(window, [], [], generator)
        return RotatedSample(window, moved[kept], np.asarray(class_labels, dtype=np.int64)[kept])


def aerial_augmentation(
    size_hw: tuple[int, int], scale: tuple[float, float] = (1.0, 1.0)
) -> RotatedAugmentation:
    """For photos from above: any way up, at their own scale as in the released recipes; colours change.

    Args:
        size_hw: height and width of the samples in pixels.
        scale: smallest and largest zoom against the photo.
    """
    window = RandomWarpCrop(
        size_hw, scale=scale, max_stretch=1.0, max_angle_deg=0.0, wide_angle_probability=0.0
    )
    return RotatedAugmentation(AnyWayUp(window), pixel_parts())


def upright_augmentation(
    size_hw: tuple[int, int], scale: tuple[float, float] = (0.6, 1.6)
) -> RotatedAugmentation:
    """For photos that have an up, of text for instance: tilted a little, never mirrored; colours change.

    Args:
        size_hw: height and width of the samples in pixels.
        scale: smallest and largest zoom against the photo.
    """
    return RotatedAugmentation(RandomWarpCrop(size_hw, scale=scale, keep_text_probability=0.9), pixel_parts())


def visible_parts(polygons_xy: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Which part of each object's smallest box lies in an image.

    Args:
        polygons_xy: (N, 4, 2) pixels of the image.
        size_hw: height and width of the image.

    Returns:
        (N,) in [0, 1].
    """
    height, width = size_hw
    image = np.array([[width / 2, height / 2, width, height, 0.0]])
    return rotated_overlaps(polygons_to_boxes(polygons_xy), image, "iof")[:, 0]


def _turned(image_hw: tuple[int, int], mirrored: bool, quarters: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Matrix (2, 3) of a mirroring followed by quarter turns clockwise, and the size of what comes out."""
    height, width = image_hw
    matrix = np.array([[-1.0, 0, width], [0, 1, 0]]) if mirrored else np.array([[1.0, 0, 0], [0, 1, 0]])
    for _ in range(quarters):
        matrix = _after(matrix, np.array([[0.0, -1, height], [1, 0, 0]]))  # (x, y) -> (height - y, x)
        height, width = width, height
    return matrix, (height, width)


def _after(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(2, 3) of one affine map after another."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])
