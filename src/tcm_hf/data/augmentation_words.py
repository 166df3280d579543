"""Training augmentation of word crops: a small change of view, then a few changes of the pixels.

Crops are tiny, so all of it costs some tenths of a millisecond: OpenCV and numpy, nothing larger than
`MAX_SIZE_HW` on the way. Every part is a callable `(image (H, W, 3) uint8 RGB, generator) -> image`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

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

__all__ = [
    "MAX_SIZE_HW",
    "ChannelMix",
    "Invert",
    "WordAugmentation",
    "WordWarp",
    "default_word_augmentation",
    "light_word_augmentation",
]

MAX_SIZE_HW = (64, 256)
"""Larger crops are shrunk to this first: twice the 32 x 128 that the small recognizer reads."""


@dataclass(frozen=True)
class WordWarp:
    """See the word from elsewhere: cut closer or wider, turned, sheared, in perspective; one warp in all.

    Every length is a part of the height of the crop, so that a long word loses no more than a short one.

    Attributes:
        margin: each of the four sides moves in or out by up to this.
        rotation_deg: largest turn.
        shear: largest shift of the upper side against the lower one.
        perspective: each corner moves by up to this in x and y.
    """

    margin: float = 0.06
    rotation_deg: float = 3.0
    shear: float = 0.2
    perspective: float = 0.05

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        height, width = image.shape[:2]
        draws = generator.uniform(-1, 1, 14)
        left, top, right, bottom = self.margin * height * draws[:4]
        shift = self.shear * height * draws[4] / 2
        quad_xy = np.array(
            [
                [left + shift, top],
                [width + right + shift, top],
                [width + right - shift, height + bottom],
                [left - shift, height + bottom],
            ]
        )
        angle_rad = np.deg2rad(self.rotation_deg * draws[5])
        # A long word leaves its crop at a small angle already.
        angle_rad *= min(1.0, 4 * height / width)
        cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
        center = np.array([width / 2, height / 2])
        quad_xy = (quad_xy - center) @ np.array([[cosine, sine], [-sine, cosine]]) + center
        quad_xy += self.perspective * height * draws[6:].reshape(4, 2)
        # Corners are pixel edges, OpenCV counts from pixel centres.
        target_xy = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform((quad_xy - 0.5).astype(np.float32), target_xy)
        return cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


@dataclass(frozen=True)
class Invert:
    """The negative: light letters on dark become dark letters on light."""

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        return cv2.bitwise_not(image)


@dataclass(frozen=True)
class ChannelMix:
    """Other colours with the same shapes: the channels in another order, or their grey alone."""

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        if generator.random() < 0.5:
            return np.ascontiguousarray(image[:, :, generator.permutation(3)])
        return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


@dataclass(frozen=True)
class WordAugmentation:
    """Shrink what is large, warp, then apply each pixel part with its probability, in order.

    Attributes:
        warp: the change of view.
        parts: (probability, part) of each change of the pixels.
    """

    warp: PixelPart
    parts: Sequence[tuple[float, PixelPart]]

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        height, width = (min(side, most) for side, most in zip(image.shape[:2], MAX_SIZE_HW, strict=True))
        if (height, width) != image.shape[:2]:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        image = self.warp(image, generator)
        chances = generator.random(len(self.parts))
        for chance, (probability, part) in zip(chances, self.parts, strict=True):
            if chance < probability:
                image = part(image, generator)
        return image


def light_word_augmentation() -> WordAugmentation:
    """For generated words, which come distorted already; each is still never seen twice the same."""
    return WordAugmentation(
        WordWarp(margin=0.06, rotation_deg=2.0, shear=0.1, perspective=0.03),
        (
            (0.5, ColorJitter()),
            (0.1, Gamma()),
            (0.05, Invert()),
            (0.05, ChannelMix()),
            (0.1, LowResolution((0.5, 0.9))),
            (0.08, Blur((0.4, 1.2))),
            (0.04, MotionBlur()),
            (0.08, Noise()),
            (0.08, JpegCompression((25, 90))),
        ),
    )


def default_word_augmentation() -> WordAugmentation:
    """For photographed words, which are few and repeat: like the three random operations of PARSeq.

    PARSeq (arXiv 2207.06966, section 4.1) and CLIP4STR apply three random operations of magnitude 5 out of
    view, blur, noise and colour; here each has its own probability, three on the average.
    """
    return WordAugmentation(
        WordWarp(margin=0.1, rotation_deg=6.0, shear=0.3, perspective=0.08),
        (
            (0.8, ColorJitter(brightness=0.15, contrast=0.5, saturation=0.7, hue_deg=40.0)),
            (0.3, Gamma(2.0)),
            (0.15, Invert()),
            (0.15, ChannelMix()),
            (0.3, LowResolution((0.35, 0.9))),
            (0.2, Blur((0.4, 1.6))),
            (0.12, MotionBlur((2.0, 6.0))),
            (0.25, Noise((2.0, 16.0))),
            (0.2, JpegCompression((15, 85))),
        ),
    )
