import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from stub_server import image_file
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.serving.pictures import decode, open_picture
from tcm_hf.serving.refusals import Refusal

MAX_PIXELS = 1_000_000


def opened(content):
    return open_picture(content, MAX_PIXELS)


def refusal(work, *arguments):
    with pytest.raises(Refusal) as caught:
        work(*arguments)
    return caught.value


def animation(format, **options):
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    file = io.BytesIO()
    frames[0].save(file, format, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def png_of_size(width, height):
    """A PNG file of a few bytes that says it is so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_of_scans(count):
    """A progressive JPEG whose last scan comes again and again."""
    jpeg = image_file("JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * count + jpeg[-2:]


def zip_archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", image_file())
    return file.getvalue()


SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
OTHER_FILES = {
    "zip": (zip_archive(), "a ZIP archive"),
    "gzip": (gzip.compress(b"photo"), "an archive"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF document"),
    "svg": (SVG, "an SVG drawing"),
    "svg at once": (b"\xef\xbb\xbf<SVG>", "an SVG drawing"),
    "html": (b"<!DOCTYPE html><html></html>", "a web page"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200, "a HEIC picture"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + b"\0" * 200, "a video"),
    "jpeg xl": (b"\xff\x0a" + b"\0" * 200, "a JPEG XL picture"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
    "photoshop": (b"8BPS\0\1" + b"\0" * 200, "a Photoshop file"),
    "icon": (b"\0\0\1\0\1\0" + b"\0" * 200, "an icon"),
    "program": (b"\x7fELF\2\1\1" + b"\0" * 200, "a program"),
    "address": (b"http://169.254.169.254/latest/meta-data", "a web address"),
    "base64": (b"data:image/png;base64,iVBORw0KGgo=", "base64 text"),
}


@pytest.mark.parametrize(("content", "what"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_a_file_of_another_kind_is_told_by_its_bytes(content, what):
    error = refusal(opened, content)
    assert (error.status, error.code) == (415, "unsupported_format")
    assert error.detail.startswith(f"The file is {what}: expected a picture (JPEG, PNG,")
    assert error.detail.endswith((".", ")"))


@pytest.mark.parametrize("content", [b"hello", b"\0" * 500, b"\xff" * 500, bytes(range(256))])
def test_what_is_of_no_known_kind_is_no_picture(content):
    error = refusal(opened, content)
    assert (error.status, error.code) == (415, "not_an_image")


def test_nothing_is_no_picture():
    error = refusal(opened, b"")
    assert (error.status, error.code) == (422, "empty")


@pytest.mark.parametrize("format", ["PSD", "ICO", "TGA", "PCX", "SGI", "EPS", "DDS", "ICNS", "XBM"])
def test_formats_that_no_photo_comes_in_are_not_even_tried(format):
    try:
        content = image_file(format, size=(64, 64), mode="1" if format == "XBM" else "RGB")
    except (KeyError, OSError) as error:
        pytest.skip(f"Pillow does not write it: {error}")
    assert refusal(opened, content).status == 415


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM"])
def test_a_still_picture_of_every_format_is_read(format):
    content = image_file(format)
    pixels = decode(opened(content))
    assert (pixels.shape, pixels.dtype) == ((200, 320, 3), np.uint8)
    np.testing.assert_array_equal(pixels, np.array(load_rgb_image(content)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pixels_of_every_mode_are_those_that_the_command_line_reads(mode):
    content = image_file("PNG", mode=mode)
    np.testing.assert_array_equal(decode(opened(content)), np.array(load_rgb_image(content)))


def test_a_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    assert decode(opened(image_file(exif=exif))).shape == (320, 200, 3)


def test_a_photo_with_a_preview_behind_it_is_no_animation():
    content = animation("MPO")
    assert decode(opened(content)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("format", "options"),
    [("GIF", {}), ("PNG", {}), ("WEBP", {"duration": 40}), ("TIFF", {}), ("AVIF", {})],
    ids=["GIF", "PNG", "WEBP", "TIFF", "AVIF"],
)
def test_an_animation_or_several_pages_are_refused(format, options):
    error = refusal(opened, animation(format, **options))
    assert (error.status, error.code) == (422, "animated")


@pytest.mark.parametrize("size", [(1001, 1000), (100_000, 100_000), (2**31 - 1, 2**31 - 1), (1, 2_000_000)])
def test_a_picture_too_large_is_refused_by_its_header(size):
    error = refusal(opened, png_of_size(*size))
    assert (error.status, error.code) == (413, "too_many_pixels")
    assert "at most 1 million" in error.detail


def test_a_picture_of_exactly_the_limit_is_read():
    assert opened(image_file("PNG", size=(1000, 1000))).size == (1000, 1000)


@pytest.mark.parametrize("size", [(0, 100), (100, 0), (0, 0)])
def test_a_picture_without_pixels_is_broken(size):
    error = refusal(opened, png_of_size(*size))
    assert (error.status, error.code) == (422, "broken_image")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_ends_early_is_broken(format, share):
    mode = "L" if format == "GIF" else "RGB"
    content = image_file(format, mode=mode, **({"lossless": True} if format == "WEBP" else {}))
    error = refusal(lambda: decode(opened(content[: int(share * len(content))])))
    # Of some formats the first bytes do not say yet what they are.
    assert (error.status, error.code) in {(422, "broken_image"), (415, "not_an_image")}
    assert share < 0.5 or error.status == 422


def test_a_picture_with_damaged_data_is_broken():
    content = bytearray(image_file("PNG"))
    content[len(content) // 2] ^= 0xFF
    error = refusal(lambda: decode(opened(bytes(content))))
    assert (error.status, error.code) == (422, "broken_image")
    assert error.detail.count(".") == 2


def test_a_photo_with_another_file_behind_it_is_a_photo():
    content = image_file()
    pixels = decode(opened(content + zip_archive()))
    np.testing.assert_array_equal(pixels, decode(opened(content)))


def test_scans_without_end_are_refused_before_the_first():
    assert decode(opened(jpeg_of_scans(20))).shape == (200, 320, 3)
    error = refusal(opened, jpeg_of_scans(200))
    assert (error.status, error.code) == (422, "broken_image")


@pytest.mark.parametrize("end", [b"\x21", b"\x21\xf9\x01", b"\x21\xf9\x02\0\0", b"\x2c\0\0"])
def test_a_gif_that_breaks_off_behind_its_first_frame_is_broken_and_no_error_of_ours(end):
    file = io.BytesIO()
    Image.new("P", (12, 7)).save(file, "GIF")
    found = refusal(opened, file.getvalue()[:-1] + end)
    assert (found.status, found.code) == (422, "broken_image")
