"""DOTA in the layouts of its downloads, and folders of photos with a metadata.jsonl of classes."""

import json

import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

LABEL = "imagesource:GoogleEarth\ngsd:0.15\n10 10 50 10 50 30 10 30 storage-tank 0\n"


def part(folder, labels="labelTxt", images="images", content=LABEL):
    for path in (folder / labels, folder / images):
        path.mkdir(parents=True, exist_ok=True)
    (folder / labels / "P0001.txt").write_text(content)
    Image.new("RGB", (60, 40)).save(folder / images / "P0001.png")


@pytest.mark.parametrize(
    ("labels", "images"),
    [
        ("labelTxt", "images"),
        ("annfiles", "images"),
        ("labelTxt-v1.0/labelTxt", "images"),
        ("labelTxt-v1.5/DOTA-v1.5_train", "images/part1/images"),
        ("labels", "images"),
    ],
)
def test_the_layouts_of_the_downloads_are_known(tmp_path, labels, images):
    part(tmp_path / "train", labels, images)
    if "v1.5" in labels:
        (tmp_path / "train" / "labelTxt-v1.5" / "DOTA-v1.5_train_hbb").mkdir()
    assert recognise(tmp_path).name == recognise(tmp_path / "train").name == "dota"
    (record,) = load_corpus(tmp_path / "train")
    assert (record.name, record.class_names) == ("P0001", ["storage tank"])
    assert load_corpus(tmp_path)[0].image == record.image  # there is but one part


def test_photos_of_the_test_part_have_no_annotations(tmp_path):
    part(tmp_path / "train")
    (tmp_path / "test" / "images").mkdir(parents=True)
    Image.new("RGB", (60, 40)).save(tmp_path / "test" / "images" / "P0006.png")
    with pytest.raises(ValueError, match="has the parts train, test: name one"):
        load_corpus(tmp_path)
    (record,) = load_corpus(f"dota:{tmp_path}@test")
    assert (record.name, record.class_names) == ("P0006", [])


def test_broken_lines_and_missing_files_are_named(tmp_path):
    part(tmp_path, content=LABEL + "1 2 3 ship\n1 1 5 1 5 3 1 3 ship 0\n")
    Image.new("RGB", (60, 40)).save(tmp_path / "images" / "P0002.png")
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.class_names == ["storage tank", "ship"]
    assert [(problem.path.name, problem.line) for problem in problems] == [
        ("P0001.txt", 4),
        ("P0002.txt", None),
    ]
    with pytest.raises(ValueError, match=r"P0001\.txt, line 4: expected eight coordinates"):
        load_corpus(tmp_path)


def test_yolos_labels_are_not_dotas(tmp_path):
    part(tmp_path, "labels", content="0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n")
    with pytest.raises(ValueError, match="no corpus that we know: it holds 2 folders"):
        recognise(tmp_path)


def test_classes_tell_objects_from_texts(tmp_path):
    box = [[1, 1], [9, 1], [9, 5], [1, 5]]
    rows = [{"file_name": "1.jpg", "polygons": [box], "classes": ["ship"]}, {"file_name": "2.jpg"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert recognise(tmp_path).name == "objects"
    assert recognise(tmp_path / "metadata.jsonl").name == "objects"
    assert len(load_corpus(tmp_path / "metadata.jsonl", problems=Problems())) == 1
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.class_names == ["ship"] and record.image == tmp_path / "1.jpg"
    assert [(problem.line, problem.reason) for problem in problems] == [
        (2, "not an annotation: 'polygons' is missing")
    ]
