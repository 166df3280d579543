"""COCO-Text and TextOCR: `imgs`, `anns`, `imgToAnns`."""

import json

import numpy as np
import pytest

from corpus_files import place
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

MASK = [468.9, 286.7, 493.0, 287.2, 493.0, 295.8, 468.9, 295.2]


def cocotext(key="mask", **more):
    """Two photos of the training part, one each of validation and test."""
    legible = {"bbox": [468.9, 286.7, 24.1, 9.1], "legibility": "legible", "class": "machine printed"}
    anns = {
        "45346": {
            **legible,
            key: MASK,
            "image_id": 9,
            "id": 45346,
            "language": "english",
            "utf8_string": "the",
        },
        "2": {**legible, key: MASK, "image_id": 9, "id": 2, "language": "na", "legibility": "illegible"},
        "3": {**legible, "image_id": 9, "id": 3, "language": "not english", "utf8_string": ""},
        **more,
    }
    names = {"9": "train", "10": "train", "11": "val", "12": "test"}
    return {
        "cats": {},
        "anns": anns,
        "imgs": {
            key: {
                "id": int(key),
                "file_name": f"COCO_train2014_{key}.jpg",
                "set": name,
                "width": 640,
                "height": 476,
            }
            for key, name in names.items()
        },
        "imgToAnns": {"9": [int(number) for number in anns], "10": [], "11": []},
        "info": {},
    }


@pytest.mark.parametrize(("file", "key"), [("cocotext.v2.json", "mask"), ("COCO_Text.json", "polygon")])
def test_both_versions_of_coco_text(tmp_path, file, key):
    place(tmp_path, {file: json.dumps(cocotext(key)), "train2014/COCO_train2014_9.jpg": ""})
    assert recognise(tmp_path).name == recognise(tmp_path / file).name == "cocotext"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "val"]
    first, second = load_corpus(f"{tmp_path}@train")
    assert first.image == tmp_path / "train2014" / "COCO_train2014_9.jpg"
    assert first.size_hw == (476, 640)
    assert [(item.text, item.language, item.ignore) for item in first.instances] == [
        ("the", "english", False),
        ("###", None, True),
        (None, "not english", False),
    ]
    np.testing.assert_allclose(first.polygons_xy[0][0], [468.9, 286.7], rtol=1e-6)
    np.testing.assert_allclose(first.polygons_xy[2][2], [493.0, 295.8], rtol=1e-6)  # of the box
    assert second.instances == []
    assert len(load_corpus(f"{tmp_path}@val")) == 1


def test_a_broken_annotation_is_left_out_and_named(tmp_path):
    document = cocotext(**{"4": {"mask": [1, 2, 3, 4], "bbox": [1, 2, 3, 4]}, "5": {}})
    document["imgToAnns"]["10"] = [99]
    del document["imgs"]["11"]["file_name"]
    place(tmp_path, {"cocotext.v2.json": json.dumps(document)})
    problems = Problems()
    records = load_corpus(f"{tmp_path}@train", problems=problems)
    assert [len(record.instances) for record in records] == [3, 0]
    assert [problem.reason.split(":")[0] for problem in problems] == [
        "annotation 4",
        "annotation 5",
        "annotation 99",
    ]
    assert problems[1].reason.endswith("'bbox' is missing")


def test_textocr_has_a_file_a_part_and_a_dot_for_what_cannot_be_read(tmp_path):
    words = {
        "a_1": ("cafe", [1, 2, 9, 2, 9, 7, 1, 7]),
        "a_2": (".", [1, 2, 9, 2, 12, 5, 9, 7, 1, 7]),
        "a_3": ("x", [1]),
    }
    document = {
        "imgs": {"a": {"id": "a", "width": 1024, "height": 683, "set": "train", "file_name": "train/a.jpg"}},
        "anns": {
            key: {
                "id": key,
                "image_id": "a",
                "bbox": [1, 2, 8, 5],
                "utf8_string": word,
                "points": points,
                "area": 40,
            }
            for key, (word, points) in words.items()
        },
        "imgToAnns": {"a": list(words)},
    }
    place(
        tmp_path,
        {
            "TextOCR_0.1_train.json": json.dumps(document),
            "TextOCR_0.1_val.json": json.dumps(document),
            "train_val_images/train_images/a.jpg": "",
        },
    )
    assert recognise(tmp_path).name == "textocr"
    assert recognise(tmp_path / "TextOCR_0.1_val.json").name == "textocr"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "val"]
    problems = Problems()
    (record,) = load_corpus(f"{tmp_path}@val", problems=problems)
    assert record.image == tmp_path / "train_val_images" / "train_images" / "a.jpg"
    assert record.texts == ["cafe", "###"]
    assert record.ignore.tolist() == [False, True]
    assert [len(polygon) for polygon in record.polygons_xy] == [4, 5]
    assert record.size_hw == (683, 1024)
    assert [problem.reason for problem in problems] == [
        "annotation a_3: expected pairs of coordinates, got 1 numbers"
    ]


def test_a_file_without_its_objects_is_named(tmp_path):
    place(tmp_path, {"TextOCR_0.1_train.json": '{"imgs": {}}'})
    with pytest.raises(ValueError, match="expected an object with the objects imgs, anns, imgToAnns"):
        load_corpus(tmp_path)


def textocr(*names, **broken):
    """Photos with one word each, whose text is the key of the photo."""
    imgs, anns = {}, {}
    for number, name in enumerate(names):
        key = f"p{number}"
        imgs[key] = {"id": key, "file_name": name, "width": 640, "height": 480, **broken.get(key, {})}
        anns[f"{key}_1"] = {"points": MASK, "utf8_string": key}
    return json.dumps({"imgs": imgs, "anns": anns, "imgToAnns": {key: [f"{key}_1"] for key in imgs}})


def test_a_broken_photo_takes_nothing_from_those_around_it(tmp_path):
    names = [f"train/{number}.jpg" for number in range(3)]
    document = textocr(*names, p1={"height": 10**12})
    place(tmp_path, {"TextOCR_0.1_train.json": document})
    problems = Problems()
    records = load_corpus(f"{tmp_path}@train", problems=problems)
    assert [(record.name, record.texts) for record in records] == [("0.jpg", ["p0"]), ("2.jpg", ["p2"])]
    assert len(problems) == 1 and problems[0].reason.startswith("image p1: ")


def test_photos_are_found_where_the_first_ones_are_not_there(tmp_path):
    document = textocr("train/a.jpg", "train/b.jpg", "train/c.jpg")
    there = {f"train_images/{name}.jpg": "" for name in "bc"}
    place(tmp_path, {"TextOCR_0.1_train.json": document, "images/c.jpg": "", **there})
    records = load_corpus(f"{tmp_path}@train")
    assert [record.image.is_file() for record in records] == [False, True, True]
    assert {record.image.parent.name for record in records} == {"train_images"}


@pytest.mark.parametrize("name", ["a" * 3000 + ".jpg", "a/" * 3000 + "b.jpg", "", "a\0b.jpg", None, 3])
def test_a_name_that_no_file_can_have_is_a_problem_of_its_photo(tmp_path, name):
    document = cocotext()
    document["imgs"]["10"]["file_name"] = name
    place(tmp_path, {"cocotext.v2.json": json.dumps(document)})
    problems = Problems()
    records = load_corpus(f"cocotext:{tmp_path}@train", problems=problems)
    assert [record.name for record in records] == ["COCO_train2014_9.jpg"]
    assert len(problems) == 1 and "name" in problems[0].reason
