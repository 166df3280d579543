"""Anything that people call an image -> an upright RGB picture with 8 bits a channel. Needs no torch."""

import base64
import binascii
import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

_CHANNELS = (1, 2, 3, 4)  # grey, grey with alpha, RGB, RGBA
_DEEP_GREY_MODES = ("I", "F")  # besides all that begin with "I;16"


def load_rgb_image(image: Any, timeout: float | None = None) -> Image.Image:
    """Load, turn upright and convert an image.

    EXIF orientation is applied. What is transparent becomes white, as in a browser. 16-bit and
    floating-point greys are scaled to 8 bits, not cut off at 255. Of several frames the first is taken.

    Args:
        image: a path (str or Path), an http(s) URL, a data URI or base64 text, the bytes of an image file, a
            PIL image of any mode, or an array or tensor, see `array_to_rgb`.
        timeout: seconds to wait for a URL; None waits without end.

    Returns:
        A PIL image of mode RGB, in memory (no file stays open).

    Raises:
        ValueError: if there is no such file, the server does not answer with status 200, or what came is
            not an image, is broken or empty. The message names the source.
        TypeError: for an object of another kind.
    """
    if isinstance(image, Image.Image):
        return _decoded(lambda: image, "The PIL image")
    if isinstance(image, Path):
        return _decoded_bytes(_read(image), str(image))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _decoded_bytes(bytes(image), "The byte string")
    if isinstance(image, str):
        return _load_text(image, timeout)
    if hasattr(image, "__array__"):
        return Image.fromarray(to_8_bits(array_to_rgb(as_numpy(image), has_channels_last(image))))
    raise TypeError(
        "An image must be a path, URL, bytes, PIL image, numpy array or torch tensor: "
        f"got {type(image).__name__}."
    )


def has_channels_last(array: Any) -> bool:
    """Guess where the channels of an image array are: numpy has them last, torch first, if both would fit."""
    shape = tuple(array.shape)
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
        ValueError: for another number of axes or channels, or an array without pixels.
    """
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
    peak = array[np.isfinite(array)].max(initial=0)
    if array.dtype == bool or (array.dtype.kind == "f" and peak <= 1):
        white = 1.0
    elif peak <= 255 and array.dtype != np.uint16:
        white = 255.0
    else:
        white = max(65535.0, float(peak))
    values = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=white)
    return np.rint((values / white).clip(0, 1) * 255).astype(np.uint8)


def _on_white(array: np.ndarray) -> np.ndarray:
    """Blend all but the last channel onto white with the last as the alpha."""
    if array.dtype.kind in "iu":
        white = float(np.iinfo(array.dtype).max) if array.dtype in (np.uint8, np.uint16) else 255.0
    else:
        white = 1.0 if array.max() <= 1 else 255.0
    alpha = array[..., -1:].astype(np.float64) / white
    blended = alpha * array[..., :-1] + (1 - alpha) * white
    return (np.rint(blended) if array.dtype.kind in "iu" else blended).astype(array.dtype)


def _load_text(text: str, timeout: float | None) -> Image.Image:
    if text.startswith(("http://", "https://")):
        return _decoded_bytes(_fetch(text, timeout), text)
    if text.startswith("data:"):
        return _decoded_bytes(_from_base64(text.partition(",")[2]), "The data URI")
    try:
        is_file = Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or not printable
        is_file = False
    if is_file:
        return _decoded_bytes(_read(Path(text)), text)
    content = _from_base64(text) if len(text) >= 64 else b""
    if not content:
        shown = text if len(text) <= 200 else text[:200] + "…"
        raise ValueError(f"No such image file: {shown!r}. Give a path, an http(s) URL or base64 text.")
    return _decoded_bytes(content, "The base64 text")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"No such image file: {path}.") from error
    except OSError as error:
        raise ValueError(f"Could not read {path}: {error.strerror}.") from error


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fetch(url: str, timeout: float | None) -> bytes:
    # Many picture servers refuse a request without a User-Agent of its own.
    request = urllib.request.Request(url, headers={"User-Agent": "tcm_hf", "Accept": "image/*,*/*;q=0.5"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            if response.status != 200:
                raise ValueError(f"{response.status} for {url}: expected status 200 and an image.")
            return response.read()
    except urllib.error.HTTPError as error:
        raise ValueError(f"{error.code} for {url}: {error.reason}. Check the address.") from error
    except TimeoutError as error:
        raise ValueError(f"No answer within {timeout} s from {url}. Give a longer `timeout`.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(f"Could not fetch {url}: {reason}. Check the address and the network.") from error


def _decoded_bytes(content: bytes, name: str) -> Image.Image:
    if not content:
        raise ValueError(f"{name} is empty: expected the bytes of an image file.")
    return _decoded(lambda: Image.open(io.BytesIO(content)), name)


def _decoded(open_image: Callable[[], Image.Image], name: str) -> Image.Image:
    """Open and convert; whatever goes wrong in between is told as one ValueError with the name."""
    try:
        image = open_image()
        image.load()
        if image.width == 0 or image.height == 0:
            raise ValueError(f"the image has no pixels, its size is {image.width} x {image.height}")
        return _upright_rgb(image)
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{name} is not an image, or of a format that Pillow cannot read.") from error
    # Pillow's readers also let SyntaxError, struct.error, EOFError, IndexError, … of a broken file through.
    except Exception as error:
        raise ValueError(f"Could not read {name}: {error}.") from error


def _upright_rgb(image: Image.Image) -> Image.Image:
    image = _upright(image)
    if image.mode.startswith("I;16") or image.mode in _DEEP_GREY_MODES:
        return Image.fromarray(to_8_bits(array_to_rgb(_deep_grey_array(image), channels_last=True)))
    if image.mode == "La":  # Pillow knows no way from here to RGBA
        image = image.convert("LA")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block says nothing about the pixels: take them as they lie
        return image


def _deep_grey_array(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    # "I;16" and its byte orders always mean 0..65535, however dark the picture is.
    return values.astype(np.uint16) if image.mode.startswith("I;16") else values
