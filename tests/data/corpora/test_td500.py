"""MSRA-TD500 and HUST-TR400: boxes that are turned about their centre."""

import numpy as np
import pytest

from corpus_files import place
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.td500 import read_td500_labels


@pytest.mark.parametrize(
    ("angle", "corners"),
    [
        ("0.0", [[100, 50], [300, 50], [300, 90], [100, 90]]),
        # A quarter clockwise: what was the top left is at the top right, the text runs downwards.
        (str(np.pi / 2), [[220, -30], [220, 170], [180, 170], [180, -30]]),
        (str(-np.pi / 2), [[180, 170], [180, -30], [220, -30], [220, 170]]),
    ],
)
def test_a_box_is_turned_about_its_centre_and_begins_where_the_text_does(tmp_path, angle, corners):
    path = place(tmp_path, {"IMG_1.gt": f"0 0 100 50 200 40 {angle}\n"}) / "IMG_1.gt"
    (instance,) = read_td500_labels(path)
    np.testing.assert_allclose(instance.polygon_xy, corners, atol=1e-4)
    assert (instance.text, instance.ignore) == (None, False)


def test_td500_as_it_is_offered(tmp_path):
    rows = "0 0 100 50 200 40 0.1\r\n1 1 5 5 20 10 -0.2\r\n2 2 5 5 20 10 0\r\n3 0 5 5\r\n4 0 5 5 -20 10 0\r\n"
    place(tmp_path, {"train/IMG_0030.gt": rows, "train/IMG_0030.JPG": "", "test/IMG_0059.gt": rows})
    assert recognise(tmp_path).name == "td500"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "test"]
    problems = Problems()
    (record,) = load_corpus(f"{tmp_path}@train", problems=problems)
    assert record.image == tmp_path / "train" / "IMG_0030.JPG"
    assert record.level == "line"
    assert record.ignore.tolist() == [False, True]
    assert [problem.line for problem in problems] == [3, 4, 5]
    assert "expected 0 or 1" in problems[0].reason


def test_hust_has_other_names_and_what_stands_behind_the_angle_is_not_read(tmp_path):
    place(tmp_path, {"TR_1.gt": '0 0 100 50 200 40 0.1 "a text"\n', "TR_1.jpg": ""})
    assert recognise(tmp_path).name == "hust-tr400"
    (record,) = load_corpus(tmp_path)
    assert (record.name, record.texts) == ("TR_1.jpg", [None])


def test_an_empty_label_file_is_a_photo_without_text(tmp_path):
    place(tmp_path, {"IMG_1.gt": "", "IMG_2.gt": "0 0 100 50 200 40 0.1"})
    assert [len(record.instances) for record in load_corpus(tmp_path)] == [0, 1]
