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

from .jpeg_scans import MOST_SCANS, count_scans
from .pixel_arrays import array_to_rgb, as_numpy, has_channels_last, to_8_bits

_DEEP_GREY_MODES = ("I", "F")  # besides all that begin with "I;16"
_PROGRAMS = ("EPS",)  # formats that are programs: Pillow has Ghostscript run them
_MOST_BYTES = 1 << 29  # of what an address sends; no photo is larger


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
    headers = {"User-Agent": "tcm_hf", "Accept": "image/*,*/*;q=0.5"}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            status, content = response.status, response.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{error.code} for {url}: {error.reason}. Check the address.") from error
    except TimeoutError as error:
        raise ValueError(f"No answer within {timeout} s from {url}. Give a longer `timeout`.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(f"Could not fetch {url}: {reason}. Check the address and the network.") from error
    if status != 200:
        raise ValueError(f"{status} for {url}: expected status 200 and an image.")
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{url} sends more than {_MOST_BYTES} bytes: expected an image. Check the address.")
    return content


def _decoded_bytes(content: bytes, name: str) -> Image.Image:
    if not content:
        raise ValueError(f"{name} is empty: expected the bytes of an image file.")
    if content.startswith(b"\xff\xd8") and count_scans(content) > MOST_SCANS:
        raise ValueError(
            f"{name} wants its picture decoded more than {MOST_SCANS} times: no program writes such a JPEG. "
            "Leave it out."
        )
    return _decoded(lambda: Image.open(io.BytesIO(content)), name)


def _decoded(open_image: Callable[[], Image.Image], name: str) -> Image.Image:
    """Open and convert; whatever goes wrong in between is told as one ValueError with the name."""
    try:
        image = open_image()
        if image.format in _PROGRAMS:
            raise ValueError(f"{image.format} files are programs, which are not run: convert it to PNG first")
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
        return Image.fromarray(to_8_bits(_deep_grey_array(image))).convert("RGB")
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
