import os

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.records import TextRecord
from tcm_hf.training.image_cache import ImageCache


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 255, (40, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return TextRecord(path)


def test_the_cache_gives_the_decoded_pixels_again_and_again(photo, tmp_path):
    cache = ImageCache(tmp_path / "cache")
    for _ in range(2):
        np.testing.assert_array_equal(cache.load(photo), photo.load_image())
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_photo_is_decoded_once(photo, tmp_path, monkeypatch):
    cache = ImageCache(tmp_path / "cache")
    cache.build([photo, photo])
    monkeypatch.setattr(TextRecord, "load_image", lambda self: pytest.fail("decoded again"))
    assert cache.load(photo).shape == (40, 70, 3)


def test_a_changed_photo_is_decoded_anew(photo, tmp_path):
    cache = ImageCache(tmp_path / "cache")
    cache.load(photo)
    Image.fromarray(np.zeros((40, 70, 3), np.uint8)).save(photo.image)
    os.utime(photo.image, (1, 1))
    assert cache.load(photo).sum() == 0


def test_cached_pixels_cannot_be_changed_by_accident(photo, tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        ImageCache(tmp_path / "cache").load(photo)[0, 0] = 0


def test_an_unreadable_photo_leaves_nothing_behind(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png"):
        ImageCache(tmp_path / "cache").load(TextRecord(broken))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_record_with_pixels_is_passed_through(tmp_path):
    pixels = np.ones((4, 5, 3), np.uint8)
    assert ImageCache(tmp_path / "cache").load(TextRecord(pixels)) is pixels
