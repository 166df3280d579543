"""Photos and crops, decoded by OpenCV, and as a network takes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tcm_hf.processing.pixel_arrays import array_to_rgb, has_channels_last, to_8_bits
from tcm_hf.processing.resampling import resize_smoothly

_JPEG = b"\xff\xd8"


def load_rgb_image(image: Any) -> np.ndarray:
    """Load, turn upright and convert a photo.

    Args:
        image: a path, the bytes of an image file, or an array `(H, W)` or `(H, W, C)` of 1 to 4 channels in
            the order of RGB. EXIF orientation is applied, but for files with transparency, which becomes
            white.

    Returns:
        `(H, W, 3)` uint8 RGB.

    Raises:
        ValueError: if there is no such file, or OpenCV cannot read it.
        TypeError: for an object of another kind.
    """
    if isinstance(image, np.ndarray):
        return np.ascontiguousarray(to_8_bits(array_to_rgb(image, has_channels_last(image))))
    if isinstance(image, str | Path):
        name = str(image)
        try:
            content = Path(image).read_bytes()
        except OSError as error:
            raise ValueError(f"Could not read {image}: {error.strerror or error}.") from error
    elif isinstance(image, bytes | bytearray | memoryview):
        name, content = "The byte string", bytes(image)
    else:
        raise TypeError(f"An image must be a path, bytes or a numpy array: got {type(image).__name__}.")
    return _decoded(content, name)


def _decoded(content: bytes, name: str) -> np.ndarray:
    encoded = np.frombuffer(content, dtype=np.uint8)
    try:
        # Only this keeps what is transparent, and only the other turns by EXIF; a JPEG has no transparency.
        raw = None
        if not content.startswith(_JPEG):
            raw = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
            return to_8_bits(array_to_rgb(cv2.cvtColor(raw, cv2.COLOR_BGRA2RGBA), channels_last=True))
        pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"Could not read {name}: {error.err or error}.") from error
    if pixels is None:
        raise ValueError(f"{name} is not an image, or of a format that OpenCV cannot read.")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


class Preparation:
    """From pictures to what a network takes.

    Args:
        settings: of the image processor, as saved with the model.

    Raises:
        ValueError: if a setting is missing, or the pictures would be cropped or padded.
    """

    def __init__(self, settings: Mapping[str, Any]):
        if settings.get("do_center_crop") or settings.get("do_pad"):
            raise ValueError("`do_center_crop` and `do_pad` must be off in the image processor's settings.")
        try:
            self.size: dict[str, int] = dict(settings["size"])
            self.resample = int(settings["resample"])
            mean = np.array(settings["image_mean"] if settings["do_normalize"] else [0, 0, 0], np.float64)
            std = np.array(settings["image_std"] if settings["do_normalize"] else [1, 1, 1], np.float64)
            factor = settings["rescale_factor"] if settings["do_rescale"] else 1
        except KeyError as error:
            raise ValueError(
                f"The image processor's settings lack {error}: export the model again with its processor."
            ) from error
        self._scale = (factor / std).astype(np.float32)
        self._shift = (-mean / std).astype(np.float32)

    def pixel_values(self, images: Sequence[np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
        """A batch.

        Args:
            images: `(H, W, 3)` uint8 each.
            size_hw: (height, width) that they are stretched to.

        Returns:
            `(B, 3, h, w)` float32.
        """
        batch = np.empty((len(images), 3, *size_hw), dtype=np.float32)
        for place, image in enumerate(images):
            pixels = resize_smoothly(image, size_hw, self.resample)
            for channel, (scale, shift) in enumerate(zip(self._scale, self._shift, strict=True)):
                np.multiply(pixels[..., channel], scale, out=batch[place, channel])
                batch[place, channel] += shift
        return batch
