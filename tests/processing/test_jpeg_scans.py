"""Scans of a JPEG are counted as a decoder would go through them, and a file of very many is not decoded."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.jpeg_scans import MOST_SCANS, count_scans

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 64, 3), np.uint8))


def jpeg(image=PICTURE, **options):
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", **options)
    return buffer.getvalue()


def with_scans(content, more):
    """A progressive JPEG whose last scan comes so many times more."""
    start = content.rindex(b"\xff\xda")
    return content[:-2] + content[start:-2] * more + content[-2:]


PROGRESSIVE = jpeg(progressive=True)
EXIF_WITH_MARKERS = b"Exif\0\0" + b"\xff\xda" * 300


@pytest.mark.parametrize(
    ("content", "scans"),
    [
        (jpeg(), 1),
        (jpeg(PICTURE.convert("L")), 1),
        (PROGRESSIVE, 10),
        (jpeg(PICTURE.convert("L"), progressive=True), 6),
        (with_scans(PROGRESSIVE, 500), 510),
        (jpeg(exif=EXIF_WITH_MARKERS), 1),
        (jpeg(progressive=True, exif=EXIF_WITH_MARKERS), 10),
        (jpeg() + b"\xff\xda" * 300, 1),  # a film behind the photo, as phones write it
        (PROGRESSIVE + b"\xff\xda" * 300, 10),
        (jpeg(restart_marker_blocks=1), 1),
        (b"", 0),
        (b"\xff\xd8", 0),
        (b"\xff\xd8\xff\xda", 1),
        (b"\xff\xd8\xff\xc2", 0),
        (b"\xff\xd8" + b"\xff\xda" + struct.pack(">H", 0) + b"\xff\xda" + struct.pack(">H", 65535), 2),
    ],
)
def test_scans_are_counted_up_to_the_end_of_the_picture(content, scans):
    assert count_scans(content) == scans


def test_a_file_that_is_decoded_over_and_over_is_refused():
    assert load_rgb_image(with_scans(PROGRESSIVE, 20)).size == PICTURE.size
    with pytest.raises(ValueError, match=rf"more than {MOST_SCANS} times"):
        load_rgb_image(with_scans(PROGRESSIVE, MOST_SCANS))
