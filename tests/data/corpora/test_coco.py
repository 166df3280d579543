"""COCO's json: polygons and boxes become texts; what is no outline of a text is named."""

import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.coco import COCO
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import CorpusError, Problems

QUAD = [10, 5, 60, 8, 59, 20, 9, 17]


def annotation(number=1, **known):
    return {"id": number, "image_id": 7, "category_id": 1, "segmentation": [QUAD], "iscrowd": 0, **known}


def write(folder, annotations, name="annotations/instances_train2017.json", **document):
    image = {"id": 7, "file_name": "a.jpg", "width": 96, "height": 64}
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    category = {"id": 1, "name": "text", "supercategory": "text"}
    parts = {"info": {}, "licenses": [], "categories": [category], "images": [image]}
    path.write_text(json.dumps({**parts, "annotations": annotations, **document}))
    return folder


def test_a_polygon_is_a_text_with_its_attributes(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (96, 64)).save(tmp_path / "images" / "a.jpg")
    attributes = {"transcription": " Straße ", "language": "Latin", "occluded": False}
    write(tmp_path, [annotation(attributes=attributes), annotation(2, iscrowd=1), annotation(3, text="b")])
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "images" / "a.jpg" and record.size_hw == (64, 96)
    assert record.texts == ["Straße", None, "b"]
    assert record.ignore.tolist() == [False, True, False]
    assert record.instances[0].language == "Latin"
    np.testing.assert_array_equal(record.polygons_xy[0], np.reshape(QUAD, (4, 2)))


@pytest.mark.parametrize(
    ("known", "polygon"),
    [
        ({"segmentation": QUAD}, np.reshape(QUAD, (4, 2))),  # flat, as some tools write it
        ({"segmentation": [], "bbox": [10, 5, 20, 8]}, [[10, 5], [30, 5], [30, 13], [10, 13]]),
        # A quarter turn about the centre (20, 9), clockwise: the top left comes to the top right.
        (
            {"segmentation": [], "bbox": [10, 5, 20, 8], "attributes": {"rotation": 90}},
            [[24, -1], [24, 19], [16, 19], [16, -1]],
        ),
        # Anticlockwise points are turned round, the first stays.
        ({"segmentation": [[10, 5, 9, 17, 59, 20, 60, 8]]}, np.reshape(QUAD, (4, 2))),
    ],
)
def test_outlines_in_all_their_forms(tmp_path, known, polygon):
    (record,) = load_corpus(write(tmp_path, [annotation(**known)]))
    np.testing.assert_allclose(record.polygons_xy[0], polygon, atol=1e-4)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (
            {"segmentation": {"counts": "a", "size": [64, 96]}},
            "annotation 1 (id 1): its segmentation is a mask",
        ),
        ({"segmentation": [QUAD, QUAD]}, "has 2 polygons, a text has one"),
        ({"segmentation": [QUAD[:4]]}, "expected 3 points"),
        ({"segmentation": [], "bbox": [1, 2, 3]}, "expected a segmentation, or a bbox of 4 numbers"),
        ({"segmentation": None}, "expected a segmentation, or a bbox of 4 numbers"),
        ({"segmentation": [], "bbox": [10, 5, -20, 8]}, "left <= right"),
        ({"image_id": 8}, "there is no image with the id 8"),
        ({"segmentation": [["a", "b", 3, 4, 5, 6]]}, "expected points"),
    ],
)
def test_what_is_no_outline_of_a_text_is_left_out_and_named(tmp_path, known, reason):
    problems = Problems()
    (record,) = load_corpus(write(tmp_path, [annotation(**known), annotation(2)]), problems=problems)
    assert len(record.instances) == 1
    (problem,) = problems
    assert reason in problem.reason and problem.path.name == "instances_train2017.json"
    with pytest.raises(CorpusError, match=r"instances_train2017\.json"):
        load_corpus(tmp_path)


@pytest.mark.parametrize("document", [{"images": {}}, {"images": [{"file_name": "a.jpg"}, 3]}])
def test_broken_lists_are_told_apart_from_broken_rows(tmp_path, document):
    problems = Problems()
    assert load_corpus(f"coco:{write(tmp_path, [], **document)}", problems=problems) == []
    assert problems


def test_parts_are_files_or_roboflow_folders(tmp_path):
    write(tmp_path / "a", [], "annotations/instances_train.json")
    write(tmp_path / "a", [], "annotations/instances_val.json")
    assert load_corpus(f"{tmp_path / 'a'}@val")[0].name == "a.jpg"
    for place in ("a/train/a.jpg", "a/val/a.jpg", "a/train/b.jpg"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    assert load_corpus(f"{tmp_path / 'a'}@val")[0].image == tmp_path / "a" / "val" / "a.jpg"
    write(tmp_path / "a", [], images=[{"id": 7, "file_name": "b.jpg"}], name="annotations/instances_val.json")
    assert load_corpus(f"{tmp_path / 'a'}@val")[0].image == tmp_path / "a" / "val" / "b.jpg"  # not train's
    write(tmp_path / "b", [], "train/_annotations.coco.json")
    write(tmp_path / "b", [], "valid/_annotations.coco.json")
    assert load_corpus(f"{tmp_path / 'b'}@valid")[0].image == tmp_path / "b" / "valid" / "a.jpg"


def test_files_of_one_name_are_two_parts(tmp_path):
    write(tmp_path, [annotation()], "train.json")
    write(tmp_path, [], "annotations/instances_train.json")
    assert COCO.splits(tmp_path) == ["train", "annotations/instances_train"]
    assert len(load_corpus(f"{tmp_path}@train")[0].instances) == 1
    assert load_corpus(f"{tmp_path}@annotations/instances_train")[0].instances == []


def test_a_size_that_no_picture_has_breaks_one_image(tmp_path):
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 9, "height": 9} for number in (7, 8, 9)]
    images[1]["height"] = 10**12
    problems = Problems()
    records = load_corpus(write(tmp_path, [annotation()], images=images), problems=problems)
    assert [record.name for record in records] == ["7.jpg", "9.jpg"] and len(records[0].instances) == 1
    assert "no picture has the height and width" in problems[0].reason


def test_a_file_is_a_corpus_too_and_bezier_curves_are_another(tmp_path):
    path = write(tmp_path, [annotation()], "mine.json") / "mine.json"
    assert len(load_corpus(path)[0].instances) == 1
    path.write_text(path.read_text().replace('"iscrowd"', '"bezier_pts": [1], "iscrowd"'))
    assert not COCO.recognises(path) and not COCO.recognises(tmp_path)


def test_a_file_that_is_cut_off_is_known_and_named_with_its_line(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text('{"images": [\n{"id": 7, "file_name": "a.jpg"},\n{"id": 8, "file_na')
    problems = Problems()
    assert list(load_corpus(tmp_path, split="instances", problems=problems)) == []
    assert [(problem.path, problem.line) for problem in problems] == [(path, 3)]
    path.write_text('{"images": [')
    assert list(load_corpus(f"coco:{tmp_path}", problems=problems)) == []
    assert problems[1].path == path
