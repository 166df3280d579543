import runpy
import sys
from pathlib import Path

import numpy as np

from tcm_hf.data.corpora.metadata import load_metadata_jsonl

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_script_makes_the_committed_scenes_again(tmp_path, monkeypatch):
    """The words are the same on every machine; their shapes depend on the fonts installed."""
    monkeypatch.setattr(sys, "argv", ["make_example_images.py", "--output", str(tmp_path)])
    runpy.run_path(str(EXAMPLES / "make_example_images.py"), run_name="__main__")
    made, committed = load_metadata_jsonl(tmp_path), load_metadata_jsonl(EXAMPLES / "images")
    assert [record.texts for record in made] == [record.texts for record in committed]


def test_the_committed_scenes_are_small_landscape_pictures_with_their_words_inside():
    for record in load_metadata_jsonl(EXAMPLES / "images"):
        assert record.image.stat().st_size < 400_000
        height, width = record.load_image().shape[:2]
        assert width > height
        points = np.concatenate(record.polygons_xy)
        assert (points >= 0).all() and (points <= (width, height)).all()
