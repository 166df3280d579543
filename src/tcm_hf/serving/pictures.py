"""From the bytes that came to a picture, or to a clear reason why not; limits come before decoding."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.jpeg_scans import MOST_SCANS, count_scans
from tcm_hf.results.records import Record, RecordKind
from tcm_hf.serving.file_signs import is_picture_file, other_file
from tcm_hf.serving.refusals import Refusal

# Of all that Pillow reads: what photos come in. Others have decoders that few look after, or start programs.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000", "PPM")
# A photo with a preview or a gain map behind it; its first picture is the photo.
_PHOTO_WITH_MORE = "MPO"


@dataclass(frozen=True)
class Photo:
    """A picture as a reader gets it.

    Attributes:
        kind: What is looked for: `DETECTIONS`, or `READINGS` with their "lines".
        name: Of its file, without folders.
        pixels: Upright, RGB, uint8 (H, W, 3).
    """

    kind: RecordKind
    name: str
    pixels: np.ndarray


Reader = Callable[[Sequence[Photo]], Sequence[Record]]
"""Gives the record of every photo, in order. It is called from one thread only."""


def open_picture(content: bytes, max_pixels: int) -> Image.Image:
    """Look at the header of a file; its pixels are not decoded.

    Args:
        content: The file.
        max_pixels: Largest width times height.

    Raises:
        Refusal: If it is empty, no picture, broken, animated, or too large.
    """
    if not content:
        raise Refusal(422, "empty", "The file is empty: expected a picture. Send it again.")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels("far too many", max_pixels) from error
    except Exception as error:  # Pillow's readers let anything through that a broken header leads to
        raise _unreadable(content) from error
    # Before anything that walks through the file, like counting its frames.
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(f"{image.width} x {image.height}", max_pixels)
    if image.width * image.height == 0:
        raise _broken(f"its size is {image.width} x {image.height}")
    if image.format in ("JPEG", _PHOTO_WITH_MORE) and count_scans(content) > MOST_SCANS:
        raise _broken(f"it has more than {MOST_SCANS} scans")
    if image.format != _PHOTO_WITH_MORE and _has_more_frames(image):
        detail = "The file holds several pictures, as frames or pages: expected one. Send one of them."
        raise Refusal(422, "animated", detail)
    return image


def _has_more_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception as error:  # to find a second frame Pillow reads on, and stumbles over anything
        raise _broken("what lies behind its first frame cannot be read") from error


def decode(image: Image.Image) -> np.ndarray:
    """The upright picture, RGB uint8 (H, W, 3), as `tcm-hf read` sees it.

    Args:
        image: From `open_picture`.

    Raises:
        Refusal: If its data are broken, or end before the picture does.
    """
    try:
        return np.array(load_rgb_image(image))
    except ValueError as error:
        raise _broken(str(error.__cause__ or error).rstrip(".")) from error


def _unreadable(content: bytes) -> Refusal:
    if is_picture_file(content):
        return _broken("its header cannot be read")
    known = other_file(content)
    expected = f"expected a picture ({', '.join(FORMATS)})."
    if known:
        detail = f"The file is {known.name}: {expected} {known.advice}".strip()
        return Refusal(415, "unsupported_format", detail)
    return Refusal(415, "not_an_image", f"The file is no picture: {expected}")


def _broken(reason: str) -> Refusal:
    return Refusal(422, "broken_image", f"The picture is broken or was cut off: {reason}. Send it again.")


def _too_many_pixels(came: str, max_pixels: int) -> Refusal:
    limit = f"{max_pixels / 1e6:.3g} million"
    detail = f"The picture has {came} pixels: at most {limit} are read. Send a smaller one."
    return Refusal(413, "too_many_pixels", detail)
