"""Arrays of pixels of any kind -> RGB with 8 bits a channel. Pure numpy."""

from typing import Any

import numpy as np

_CHANNELS = (1, 2, 3, 4)  # grey, grey with alpha, RGB, RGBA
_VALUES_AT_ONCE = 1 << 20


def has_channels_last(array: Any) -> bool:
    """Guess where the channels of an image array are: numpy has them last, torch first, if both would fit."""
    shape = tuple(array.shape)
    if len(shape) < 2:
        return True  # `array_to_rgb` says what is wrong
    first, last = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
    return last and not (first and hasattr(array, "detach"))


def array_to_rgb(array: np.ndarray, channels_last: bool) -> np.ndarray:
    """Bring an array of pixels to three channels, channels last. The number type stays.

    Args:
        array: `(H, W)` grey, or with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels, last or first.
        channels_last: where the channels are; without meaning for `(H, W)`.

    Returns:
        `(H, W, 3)`, transparency blended onto white.

    Raises:
        ValueError: for another number of axes or channels, an array without pixels, or one that does not hold
            real numbers.
    """
    if array.dtype.kind not in "biuf":
        raise ValueError(f"An image array must hold real numbers: got dtype {array.dtype}. Convert it first.")
    if array.ndim not in (2, 3):
        raise ValueError(
            f"An image array must have shape (H, W), (H, W, C) or (C, H, W): got {array.shape}. "
            "Give a batch as a list of images."
        )
    if array.size == 0:
        raise ValueError(f"The image has no pixels: its array has shape {array.shape}. Leave it out.")
    pixels = np.atleast_3d(array)
    if array.ndim == 3 and not channels_last:
        pixels = np.moveaxis(array, 0, -1)
    channels = pixels.shape[-1]
    if channels not in _CHANNELS:
        raise ValueError(f"An image has 1, 2, 3 or 4 channels: got {channels} in an array of {array.shape}.")
    if channels in (2, 4):
        pixels = _on_white(pixels)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def as_numpy(array: Any) -> np.ndarray:
    """A numpy array of an array-like; tensors may live on any device, bfloat16 becomes float32."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float() if array.is_floating_point() else array
    return np.asarray(array)


def to_8_bits(array: np.ndarray) -> np.ndarray:
    """Scale pixel values to 0..255 uint8.

    The range they come in is told by their type, and by their largest value where the type leaves it open:
    bool 0..1; uint16 0..65535; other integers 0..255 or, if one is larger, 0..65535; floats 0..1, else as
    integers. Beyond 65535 the largest value becomes white. Negative values and NaN become black.
    """
    if array.dtype == np.uint8:
        return array
    peak = array.max(initial=0, where=np.isfinite(array))
    if array.dtype == bool or (array.dtype.kind == "f" and peak <= 1):
        white = 1.0
    elif peak <= 255 and array.dtype != np.uint16:
        white = 255.0
    else:
        white = max(65535.0, float(peak))
    result = np.empty(array.shape, dtype=np.uint8)
    rows = max(1, _VALUES_AT_ONCE * len(array) // max(array.size, 1))  # a small file may hold a huge picture
    for start in range(0, len(array), rows):
        values = np.nan_to_num(array[start : start + rows].astype(np.float64), nan=0.0, posinf=white)
        result[start : start + rows] = np.rint((values / white).clip(0, 1) * 255)
    return result


def _on_white(array: np.ndarray) -> np.ndarray:
    """Blend all but the last channel onto white with the last as the alpha."""
    if array.dtype.kind in "iu":
        white = float(np.iinfo(array.dtype).max) if array.dtype in (np.uint8, np.uint16) else 255.0
    else:
        white = 1.0 if array.max() <= 1 else 255.0
    alpha = array[..., -1:].astype(np.float64) / white
    blended = alpha * array[..., :-1] + (1 - alpha) * white
    return (np.rint(blended) if array.dtype.kind in "iu" else blended).astype(array.dtype)
