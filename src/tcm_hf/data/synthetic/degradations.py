"""What a hand-held camera does to a scene: uneven light, colour cast, blur, low resolution, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tcm_hf.data.synthetic.textures import cloud


@dataclass(frozen=True)
class Damage:
    """How much was lost, for the decision which words stay legible.

    Args:
        blur_px: Standard deviation of the whole blur, pixels.
        noise_levels: Standard deviation of the noise, grey levels of 255.
    """

    blur_px: float
    noise_levels: float


def degrade(rng: np.random.Generator, image: np.ndarray, strength: float = 1.0) -> tuple[np.ndarray, Damage]:
    """Photograph the scene badly.

    Args:
        rng: Source of randomness.
        image: (H, W, 3) uint8 RGB.
        strength: 0 leaves the image as it is, 1 is the usual mixture, more is worse.

    Returns:
        The image, same shape and type, and the damage done.
    """
    if strength <= 0:
        return image, Damage(0.0, 0.0)
    image = _light(rng, image, strength)
    image, blur_px = _blur(rng, image, strength)
    image, noise_levels = _noise(rng, image, strength)
    if rng.random() < 0.75:
        image = recompress(image, int(np.clip(rng.normal(75, 18) / max(strength, 0.3) ** 0.3, 18, 98)))
    return image, Damage(blur_px, noise_levels)


def _light(rng: np.random.Generator, image: np.ndarray, strength: float) -> np.ndarray:
    """Exposure, gamma, colour cast and slow changes of brightness across the frame."""
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = float(np.exp(rng.normal(0, 0.22 * strength)))
    contrast = float(np.clip(rng.normal(0.95, 0.15 * strength), 0.45, 1.4))
    shift = float(rng.normal(0, 0.06 * strength))
    cast = 1 + rng.normal(0, 0.04 * strength, 3)
    table = np.clip((levels**gamma - 0.5) * contrast + 0.5 + shift, 0, 1)
    tables = np.clip(table[:, None] * cast * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, tables.reshape(1, 256, 3))
    if rng.random() < 0.45 * strength:
        height, width = image.shape[:2]
        depth = float(rng.uniform(0.15, 0.7))
        small = 1 + depth * (cloud(rng, (max(2, height // 4), max(2, width // 4)), 2, 2) - 0.6)
        gain = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        image = cv2.multiply(image, cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    return image


def _blur(rng: np.random.Generator, image: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Out of focus, shaken, or upscaled from fewer pixels; returns the equivalent standard deviation."""
    variance = 0.0
    draw = rng.random()
    if draw < 0.55:
        sigma = strength * float(rng.uniform(0.3, 0.9) if draw < 0.35 else rng.uniform(0.9, 2.2))
        image = cv2.GaussianBlur(image, (0, 0), sigma)
        variance += sigma**2
    elif draw < 0.72:
        length = 1 + strength * float(rng.uniform(1, 7))
        image = cv2.filter2D(image, -1, motion_kernel(length, rng.random() * np.pi))
        variance += length**2 / 12
    if rng.random() < 0.2 * strength:
        height, width = image.shape[:2]
        factor = float(rng.uniform(0.45, 0.85))
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        method = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        image = cv2.resize(small, (width, height), interpolation=method)
        variance += (0.45 / factor) ** 2
    if rng.random() < 0.15:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        amount = float(rng.uniform(0.3, 1.0))
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    return image, float(np.sqrt(variance))


def motion_kernel(length_px: float, angle_rad: float) -> np.ndarray:
    """The filter kernel of a straight shake, (K, K) float32 with sum 1."""
    size = 2 * int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((size, size), dtype=np.float32)
    middle = np.array([size // 2, size // 2], dtype=np.float32)
    reach = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * length_px / 2
    for step in np.linspace(-1, 1, 4 * size):
        x, y = middle + reach * step
        kernel[round(float(y)), round(float(x))] += 1
    return kernel / kernel.sum()


def _noise(rng: np.random.Generator, image: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    if rng.random() > 0.55:
        return image, 0.0
    sigma = strength * float(rng.gamma(1.6, 4.0))
    height, width = image.shape[:2]
    # One tile, shifted at random for each channel, is as good as fresh noise and ten times cheaper.
    tile = rng.standard_normal((256, 320), dtype=np.float32) * sigma
    grain = np.tile(tile, (height // 256 + 1, width // 320 + 1))[:height, :width]
    if rng.random() < 0.5:
        channels = [grain] * 3
    else:
        channels = [np.roll(grain, shift, (0, 1)) for shift in ((0, 0), (37, 91), (119, 53))]
    return cv2.add(image, cv2.merge(channels), dtype=cv2.CV_8U), sigma


def recompress(image: np.ndarray, quality: int) -> np.ndarray:
    """The image (H, W, 3) uint8 RGB after JPEG of this quality, 1..100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
