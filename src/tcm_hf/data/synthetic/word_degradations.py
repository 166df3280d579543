"""What a camera, a screen and a file do to the picture of one small word.

The same causes as in `degradations`, in proportion to the letters' height and cheap on a small picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from tcm_hf.data.synthetic.degradations import motion_kernel, recompress
from tcm_hf.data.synthetic.textures import cloud
from tcm_hf.data.synthetic.word_backgrounds import noise_piece

FAINTEST = 22.0
"""The contrast that letters keep, grey levels of 255."""


def expose(
    rng: np.random.Generator, image: np.ndarray, strength: float, contrast: float
) -> tuple[np.ndarray, float]:
    """Gamma, contrast, brightness and colour cast; now and then hardly any contrast is left.

    Returns:
        The image, and about what is left of the letters' `contrast`.
    """
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = float(np.exp(rng.normal(0, 0.3 * strength)))
    factor = float(np.clip(rng.normal(0.95, 0.18 * strength), 0.4, 1.6))
    shift = float(rng.normal(0, 0.07 * strength))
    draw = rng.random()
    if draw < 0.12 * strength:  # dusk, fog, a dirty pane
        factor = float(rng.uniform(0.2, 0.5))
        shift = float(rng.uniform(-0.3, 0.3))
    elif draw < 0.18 * strength:  # letters of light, burnt out
        factor = float(rng.uniform(1.3, 2.2))
        shift = float(rng.uniform(-0.1, 0.2))
    # How steep the curve is at the picture's own brightness, and where that brightness ends up.
    level = float(np.clip(image.mean() / 255, 0.05, 0.95))
    slope = gamma * level ** (gamma - 1)
    factor = max(factor, min(1.0 / slope, FAINTEST / max(contrast * slope, 1.0)))
    middle = (level**gamma - 0.5) * factor + 0.5 + shift
    shift += float(np.clip(middle, 0.12, 0.88)) - middle
    cast = 1 + rng.normal(0, 0.05 * strength, 3)
    table = np.clip((levels**gamma - 0.5) * factor + 0.5 + shift, 0, 1)
    tables = np.clip(table[:, None] * cast * 255, 0, 255).astype(np.uint8)
    return cv2.LUT(image, tables.reshape(1, 256, 3)), contrast * min(factor * slope, 1.0)


def light(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A shadow edge, slow changes of brightness, or a highlight on a part of the word."""
    height, width = image.shape[:2]
    draw = rng.random()
    if draw < 0.45:
        gain = 1 + float(rng.uniform(0.2, 0.9)) * (cloud(rng, (height, width), 2, 2) - 0.6)
        return cv2.multiply(image, cv2.merge([gain.astype(np.float32)] * 3), dtype=cv2.CV_8U)
    x = np.arange(width, dtype=np.float32)[None] / width - np.float32(rng.uniform(-0.1, 1.1))
    y = np.arange(height, dtype=np.float32)[:, None] / height - np.float32(rng.uniform(-0.1, 1.1))
    if draw < 0.75:
        slant = x + y * np.float32(rng.uniform(-0.5, 0.5))
        side = 1 / (1 + np.exp(-slant * np.float32(rng.choice([6.0, 40.0]))))
        gain = 1 - float(rng.uniform(0.2, 0.6)) * side
        return cv2.multiply(image, cv2.merge([gain.astype(np.float32)] * 3), dtype=cv2.CV_8U)
    spot = np.exp(-(x * x * np.float32(rng.uniform(8, 60)) + y * y * np.float32(rng.uniform(1, 8))))
    bright = (spot * float(rng.uniform(40, 150))).astype(np.float32)
    return cv2.add(image, cv2.merge([bright] * 3), dtype=cv2.CV_8U)


def blur(rng: np.random.Generator, image: np.ndarray, letter_px: float, strength: float) -> np.ndarray:
    """Out of focus or shaken, never so much that letters of this height are gone."""
    draw = rng.random()
    if draw < 0.50:
        share = float(rng.uniform(0.01, 0.05) if draw < 0.28 else rng.uniform(0.05, 0.10))
        sigma = letter_px * strength * share
        return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.25 else image
    if draw < 0.66:
        length = 1 + letter_px * strength * float(rng.uniform(0.05, 0.28))
        return cv2.filter2D(image, -1, motion_kernel(length, rng.random() * np.pi))
    return image


def sharpen(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The halo of a camera's or a scanner's sharpening."""
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 2.0)))
    amount = float(rng.uniform(0.4, 1.6))
    return cv2.addWeighted(image, 1 + amount, soft, -amount, 0)


def add_noise(rng: np.random.Generator, image: np.ndarray, sigma: float) -> np.ndarray:
    """Sensor noise of a standard deviation in grey levels, grey or coloured."""
    size_hw = image.shape[:2]
    if rng.random() < 0.5:
        grain = cv2.merge([noise_piece(rng, size_hw)] * 3)
    else:
        grain = cv2.merge([noise_piece(rng, size_hw) for _ in range(3)])
    return cv2.add(image, grain * np.float32(sigma), dtype=cv2.CV_8U)


def degrade_word(
    rng: np.random.Generator, image: np.ndarray, letter_px: float, contrast: float, strength: float
) -> np.ndarray:
    """Photograph a word badly, but so that it can still be read.

    Args:
        rng: Source of randomness.
        image: (H, W, 3) uint8 RGB, in the resolution of the sensor.
        letter_px: Height of the letters in it.
        contrast: Of the letters with what is around them, grey levels of 255.
        strength: 0 leaves the picture as it is, 1 is the usual mixture.

    Returns:
        The picture, the same size.
    """
    if strength <= 0:
        return image
    if rng.random() < 0.25 * strength and contrast > 2 * FAINTEST:
        image = light(rng, image)
    image, contrast = expose(rng, image, strength, contrast)
    image = blur(rng, image, letter_px, strength * min(1.0, contrast / (2 * FAINTEST)))
    if rng.random() < 0.16:
        image = sharpen(rng, image)
    if rng.random() < 0.45 * strength:
        image = add_noise(rng, image, min(strength * float(rng.gamma(1.6, 4.5)), 0.35 * contrast))
    if rng.random() < 0.6:
        lowest = 20 if contrast > 2 * FAINTEST else 50
        image = recompress(image, int(np.clip(rng.normal(72, 20), lowest, 98)))
    return image
