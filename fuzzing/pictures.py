"""Attacks with image files: whatever Pillow would open."""

import io
import warnings
from functools import cache

import numpy as np
from PIL import Image

from fuzzing.target import Fault, Target
from tcm_hf.data.image_files import upright_size_hw
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.jpeg_scans import count_scans
from tcm_hf.serving.pictures import decode, open_picture
from tcm_hf.serving.refusals import Refusal

__all__ = ["TARGETS"]

_MOST_PIXELS = 1 << 20  # a bomb above twice of this is refused by Pillow: small, for many inputs a second
_MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK", "F", "YCbCr")


Image.init()  # all formats at once: a file may claim to be of any


@cache
def picture_seeds() -> list[bytes]:
    """A small picture in every format that Pillow writes, in the modes that it takes, and with EXIF."""
    pixels = np.random.default_rng(0).integers(0, 256, (7, 12, 4), np.uint8)
    seeds = []
    for kind in sorted(set(Image.SAVE) - {"PDF"}):
        for mode in _MODES:
            image = Image.fromarray(pixels).convert("RGB" if mode in ("I;16", "CMYK", "F", "YCbCr") else mode)
            image = image if image.mode == mode else image.convert("L" if mode == "I;16" else mode)
            stream = io.BytesIO()
            try:
                image.save(stream, kind)
            except Exception:  # this format has no such mode, or its library is not there
                continue
            seeds.append(stream.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({"exif": exif}, {"exif": exif, "progressive": True}):
        stream = io.BytesIO()
        Image.fromarray(pixels[..., :3]).save(stream, "JPEG", **options)
        seeds.append(stream.getvalue())
    frames = [Image.fromarray(pixels[..., :3]), Image.fromarray(pixels[::-1, ..., :3])]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        stream = io.BytesIO()
        frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
        seeds.append(stream.getvalue())
    return seeds


def load(content: bytes) -> None:
    """A picture comes upright, in RGB, with pixels; or a ValueError."""
    try:
        image = load_rgb_image(content)
    except ValueError:
        return
    if image.mode != "RGB" or not image.width or not image.height or image.width * image.height > 1 << 28:
        raise Fault(f"a picture of {image.mode}, {image.size}")
    if np.asarray(image).shape != (image.height, image.width, 3):
        raise Fault("its pixels are not there")


def measure(content: bytes) -> None:
    """The size is told without decoding; or a ValueError."""
    count_scans(content)
    try:
        height, width = upright_size_hw(content)
    except ValueError:
        return
    if height < 0 or width < 0:
        raise Fault(f"a picture of {width} x {height}")


def upload(content: bytes) -> None:
    """The server decodes it, or refuses with a status and words."""
    try:
        pixels = decode(open_picture(content, _MOST_PIXELS))
    except Refusal as refusal:
        if refusal.status not in (413, 415, 422) or not refusal.detail:
            raise Fault(f"refused with {refusal.status}") from refusal
        return
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,) or pixels.size > 3 * _MOST_PIXELS:
        raise Fault(f"a picture of {pixels.shape}")


def _in_small_and_quiet() -> None:
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    warnings.simplefilter("ignore")  # Pillow's, of bombs and odd tags


TARGETS = (
    Target("pictures", load, picture_seeds, _in_small_and_quiet),
    Target("uploads", upload, picture_seeds, _in_small_and_quiet),
    Target("picture-headers", measure, picture_seeds, _in_small_and_quiet),
)
