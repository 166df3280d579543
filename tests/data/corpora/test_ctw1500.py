"""CTW1500: the first annotation has offsets, the second XML for training, points and texts for testing."""

import numpy as np
import pytest

from corpus_files import place
from tcm_hf.data.corpora.ctw1500 import read_ctw1500_labels
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

# Over the text from left to right, below it back.
POINTS = [(100 + 20 * i, 50) for i in range(7)] + [(220 - 20 * i, 80) for i in range(7)]
FLAT = ",".join(f"{x},{y}" for x, y in POINTS)
OFFSETS = "100,50,220,80," + ",".join(f"{x - 100},{y - 50}" for x, y in POINTS)
BOX = """<box height="30" left="100" top="50" width="120">
<label>{}</label>
<segs>{}</segs>
<pts x="183" y="95" />
</box>
"""


def xml(*boxes):
    return f'<Annotations>\n<image file="0001.jpg">\n{"".join(boxes)}</image>\n</Annotations>\n'


def test_offsets_are_added_to_the_corner_of_the_box(tmp_path):
    path = place(tmp_path, {"0001.txt": OFFSETS + "\n"}) / "0001.txt"
    (instance,) = read_ctw1500_labels(path)
    np.testing.assert_array_equal(instance.polygon_xy, POINTS)
    assert (instance.text, instance.ignore) == (None, False)


def test_the_first_annotation_in_its_folders(tmp_path):
    place(
        tmp_path,
        {
            "train/text_label_curve/0001.txt": f"{OFFSETS}\n{OFFSETS},\n1,2,3\n",
            "train/text_image/0001.jpg": "",
            "test/text_label_curve/1001.txt": OFFSETS,
        },
    )
    assert recognise(tmp_path).name == "ctw1500"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "test"]
    problems = Problems()
    (record,) = load_corpus(f"{tmp_path}@train", problems=problems)
    assert record.image == tmp_path / "train" / "text_image" / "0001.jpg"
    assert (record.level, len(record.instances)) == ("line", 2)
    assert [problem.line for problem in problems] == [3]
    assert "expected 32 numbers" in problems[0].reason


def test_the_second_annotation_in_its_folders(tmp_path):
    place(
        tmp_path,
        {
            "ctw1500_train_labels/0001.xml": xml(
                BOX.format("OLATHE &amp; SONS", FLAT), BOX.format("###", FLAT)
            ),
            "train_images/0001.jpg": "",
            "gt_ctw1500/0001001.txt": f"\ufeff{FLAT},####Latin, 9\n{FLAT},#######\n",
            "test_images/1001.jpg": "",
        },
    )
    assert recognise(tmp_path).name == "ctw1500"
    (train,) = load_corpus(f"{tmp_path}@train")
    assert train.image == tmp_path / "train_images" / "0001.jpg"
    assert train.texts == ["OLATHE & SONS", "###"]
    assert train.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(train.polygons_xy[0], POINTS)
    (test,) = load_corpus(f"{tmp_path}@test")
    assert test.image == tmp_path / "test_images" / "1001.jpg"
    assert test.texts == ["Latin, 9", "###"]
    assert test.ignore.tolist() == [False, True]


def test_a_broken_box_has_its_line(tmp_path):
    place(tmp_path, {"0001.xml": xml(BOX.format("good", FLAT), BOX.format("bad", "1,2,x"), "<box></box>\n")})
    problems = Problems()
    (record,) = load_corpus(f"ctw1500:{tmp_path}", problems=problems)
    assert record.texts == ["good"]
    assert [problem.line for problem in problems] == [8, 13]
    assert "expected a number, got 'x'" in problems[0].reason


@pytest.mark.parametrize("content", ["<Annotations><image>", "", "no xml"])
def test_a_file_that_is_no_xml_is_a_problem_and_not_the_end(tmp_path, content):
    place(tmp_path, {"0001.xml": content, "0002.xml": xml(BOX.format("good", FLAT))})
    problems = Problems()
    (record,) = load_corpus(f"ctw1500:{tmp_path}", problems=problems)
    assert record.name == "0002.jpg"
    assert [problem.path.name for problem in problems] == ["0001.xml"]
