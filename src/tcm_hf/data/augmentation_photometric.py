"""Training augmentation, the parts that change pixel values and leave polygons alone.

Every part is a callable `(image (H, W, 3) uint8 RGB, generator) -> image`; it returns a new array.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np

__all__ = [
    "Blur",
    "ColorJitter",
    "Gamma",
    "JpegCompression",
    "LowResolution",
    "MotionBlur",
    "Noise",
    "PixelPart",
]

PixelPart = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_LUMA = np.array([0.299, 0.587, 0.114])
_RGB_TO_YIQ = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)
# 256 equally likely values of the normal distribution: random bytes cost a tenth of random normal numbers.
_NORMAL_BY_BYTE = np.array(
    [NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)], dtype=np.float32
)


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue, each drawn uniformly around "no change".

    Attributes:
        brightness: largest shift as a part of the full range.
        contrast: the contrast factor is in 1 ± this; the mean level of the image stays.
        saturation: the saturation factor is in 1 ± this.
        hue_deg: largest turn of the hue circle in degrees.
    """

    brightness: float = 0.125
    contrast: float = 0.4
    saturation: float = 0.5
    hue_deg: float = 20.0

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        shift, contrast, saturation, turn = generator.uniform(-1, 1, 4)
        contrast = 1 + self.contrast * contrast
        offset = float(_LUMA @ cv2.mean(image)[:3]) * (1 - contrast) + 255 * self.brightness * shift
        saturation = 1 + self.saturation * saturation
        angle_rad = np.deg2rad(self.hue_deg * turn)
        cosine, sine = saturation * np.cos(angle_rad), saturation * np.sin(angle_rad)
        chroma = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        color = contrast * (_YIQ_TO_RGB @ chroma @ _RGB_TO_YIQ)
        return cv2.transform(image, np.column_stack([color, np.full(3, offset)]))


@dataclass(frozen=True)
class Gamma:
    """Bend the tone curve: value ** gamma, gamma log-uniform in [1 / limit, limit]."""

    limit: float = 1.8

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        gamma = self.limit ** generator.uniform(-1, 1)
        return cv2.LUT(image, np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))


@dataclass(frozen=True)
class Blur:
    """Gaussian blur (out of focus), sigma uniform in `sigma_px`."""

    sigma_px: tuple[float, float] = (0.4, 1.6)

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        return cv2.GaussianBlur(image, (0, 0), generator.uniform(*self.sigma_px))


@dataclass(frozen=True)
class MotionBlur:
    """Blur along a line of random direction, its length uniform in `length_px`."""

    length_px: tuple[float, float] = (3.0, 7.0)

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        length = generator.uniform(*self.length_px)
        angle_rad = generator.uniform(0, np.pi)
        side = int(np.ceil(length)) | 1
        kernel = np.zeros((side, side), np.float32)
        steps = np.linspace(-(length - 1) / 2, (length - 1) / 2, 4 * side)
        columns = np.round(steps * np.cos(angle_rad) + side // 2).astype(int)
        rows = np.round(steps * np.sin(angle_rad) + side // 2).astype(int)
        np.add.at(kernel, (rows, columns), 1 / len(steps))
        return cv2.filter2D(image, -1, kernel)


@dataclass(frozen=True)
class LowResolution:
    """Shrink and enlarge again: a small or upscaled photo. The shrink factor is uniform in `scale`."""

    scale: tuple[float, float] = (0.4, 0.9)

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        height, width = image.shape[:2]
        scale = generator.uniform(*self.scale)
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        enlarge = cv2.INTER_CUBIC if generator.random() < 0.5 else cv2.INTER_LINEAR
        return cv2.resize(
            cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), (width, height), interpolation=enlarge
        )


@dataclass(frozen=True)
class Noise:
    """Gaussian noise, independent per pixel and channel, standard deviation uniform in `sigma` (of 255)."""

    sigma: tuple[float, float] = (2.0, 12.0)

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        levels = np.round(_NORMAL_BY_BYTE * generator.uniform(*self.sigma)).astype(np.int16)
        noise = levels[np.frombuffer(generator.bytes(image.size), np.uint8)].reshape(image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class JpegCompression:
    """Encode as JPEG and decode again, the quality uniform in `quality` (1..100)."""

    quality: tuple[int, int] = (30, 90)

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See the module."""
        quality = int(generator.integers(self.quality[0], self.quality[1], endpoint=True))
        _, encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        return np.ascontiguousarray(decoded[:, :, ::-1])
