"""Night pictures: darker, noisier, nothing moved, the same whenever they are made."""

import json

import numpy as np
import pytest

from tcm_hf.experiments.night import night_photo, write_night
from tcm_hf.training.corpus_spec import CorpusSpec


def test_a_night_picture_is_darker_and_noisier_and_keeps_its_shape():
    image = np.full((60, 100, 3), 180, np.uint8)
    for seed in range(5):
        night = night_photo(image, np.random.default_rng(seed))
        assert (night.shape, night.dtype) == (image.shape, np.uint8)
        assert night.mean() < 0.75 * image.mean()
        assert night.astype(float).std() > 2


def test_edges_stay_where_they_are():
    image = np.full((60, 100, 3), 30, np.uint8)
    image[:, 50:] = 220
    columns = night_photo(image, np.random.default_rng(3)).mean(axis=(0, 2))
    assert abs(int(np.argmax(np.diff(columns))) - 49) <= 1


@pytest.mark.parametrize("value", [0, 255])
def test_a_photo_of_one_colour_is_no_trouble(value):
    night = night_photo(np.full((33, 50, 3), value, np.uint8), np.random.default_rng(0))
    assert np.isfinite(night).all()


def test_the_night_corpus_has_the_annotations_of_the_day_and_is_made_once(corpus, tmp_path):
    day = CorpusSpec.parse(str(corpus(count=3))).records()
    folder = write_night(day, tmp_path / "night")
    night = CorpusSpec.parse(str(folder)).records()
    for before, after in zip(day, night, strict=True):
        assert after.load_image().shape == before.load_image().shape
        np.testing.assert_array_equal(after.polygons_xy[0], before.polygons_xy[0])
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_night(day, folder)
    assert times == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    # Of one photo alone the same picture comes out.
    alone = write_night(day[1:2], tmp_path / "alone")
    assert (alone / "img_2.png").read_bytes() == (folder / "img_2.png").read_bytes()
    assert len(json.loads((folder / "night.json").read_text())["photos"]) == 3
    with pytest.raises(ValueError, match="other photos"):
        write_night(day[:1], folder)
