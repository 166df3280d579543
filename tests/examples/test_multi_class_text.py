"""Text of several kinds, as the example trains a detector for it."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from tcm_hf.processing.rotated_boxes import rotated_overlaps

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "multi_class_text.py"))


def test_photos_have_text_of_every_kind_which_lies_apart():
    photos = [EXAMPLE["photo"](seed) for seed in range(12)]
    assert {name for photo in photos for name in photo.class_names} == set(EXAMPLE["CLASSES"])
    for photo in photos:
        boxes = photo.boxes()
        assert photo.load_image().shape == (*EXAMPLE["SIZE_HW"], 3)
        np.testing.assert_allclose(rotated_overlaps(boxes, boxes), np.eye(len(boxes)), atol=1e-4)
    np.testing.assert_array_equal(photos[3].image, EXAMPLE["photo"](3).image)


def test_the_example_trains_scores_and_draws(tmp_path, capsys):
    pytest.importorskip("open_clip", reason="CLIP's vocabulary is not installed")
    words = f"--output {tmp_path} --steps 2 --batch-size 2 --photos 6".split()
    ap50 = EXAMPLE["main"](words)
    assert set(ap50) == set(EXAMPLE["CLASSES"])
    assert '"map50"' in capsys.readouterr().out
    assert (tmp_path / "example.png").is_file()
    config = json.loads((tmp_path / "config.json").read_text())
    assert list(config["id2label"].values()) == list(EXAMPLE["CLASSES"])
