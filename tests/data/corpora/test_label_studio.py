"""Label Studio's exports: per cent become pixels, regions and their texts find one another."""

import json

import numpy as np
import pytest

from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import Problems

BOX = {"x": 10, "y": 25, "width": 30, "height": 12.5, "rotation": 0}  # of 200 x 80 pixels
CORNERS = [[20, 20], [80, 20], [80, 30], [20, 30]]
SIZE = {"original_width": 200, "original_height": 80, "image_rotation": 0}


def region(name="r1", kind="rectanglelabels", value=BOX, labels=("Text",), **known):
    value = {**value, kind: list(labels)} if kind.endswith("labels") else value
    return {
        "id": name,
        "type": kind,
        "from_name": "bbox",
        "to_name": "image",
        **SIZE,
        "value": value,
        **known,
    }


def said(text, name="r1", **known):
    value = {**BOX, "text": text}
    return {"id": name, "type": "textarea", "from_name": "transcription", **SIZE, "value": value, **known}


def task(*result, name=1, image="/data/upload/1/0a1b2c3d-a.jpg", **annotation):
    return {
        "id": name,
        "file_upload": "0a1b2c3d-a.jpg",
        "annotations": [{"id": 5, "result": list(result), **annotation}],
        "data": {"ocr": image},
        "project": 1,
    }


def write(folder, *tasks):
    (folder / "project-1-at-2024-05-01.json").write_text(json.dumps(tasks, ensure_ascii=False))
    return folder


def test_a_rectangle_and_what_was_written_about_it_are_a_text(tmp_path):
    (tmp_path / "a.jpg").touch()
    result = [
        region(),
        said(["Straße\n\f"]),
        region("r2", "rectangle"),
        region("r2", "labels", labels=["Ignore"]),
    ]
    (record,) = load_corpus(write(tmp_path, task(*result)))
    assert record.image == tmp_path / "a.jpg" and record.size_hw == (80, 200)
    assert record.texts == ["Straße", None]
    assert record.ignore.tolist() == [False, True]
    np.testing.assert_allclose(record.polygons_xy[0], CORNERS, atol=1e-4)


def test_a_rectangle_turns_clockwise_about_its_top_left_in_pixels(tmp_path):
    turned = region(value={**BOX, "rotation": 90})
    (record,) = load_corpus(write(tmp_path, task(turned)))
    np.testing.assert_allclose(record.polygons_xy[0], [[20, 20], [20, 80], [10, 80], [10, 20]], atol=1e-4)


def test_polygons_keep_their_first_point(tmp_path):
    value = {"points": [[10, 25], [40, 20], [40, 50], [10, 55]], "closed": True}
    (record,) = load_corpus(write(tmp_path, task(region("p", "polygonlabels", value), said("b", "p"))))
    np.testing.assert_allclose(record.polygons_xy[0], [[20, 20], [80, 16], [80, 40], [20, 44]], atol=1e-4)
    assert record.texts == ["b"]


def test_several_annotators_the_ground_truth_counts_else_the_last_change(tmp_path):
    def by(text, updated_at, **known):
        return {"result": [region(), said([text])], "updated_at": updated_at, **known}

    tasks = [task(name=number) for number in (1, 2, 3, 4)]
    tasks[0]["annotations"] = [by("old", "2024-01-02"), by("new", "2024-02-01")]
    tasks[1]["annotations"] = [by("true", "2024-01-02", ground_truth=True), by("new", "2024-02-01")]
    tasks[2]["annotations"] = [by("kept", "2024-01-02"), by("skipped", "2024-02-01", was_cancelled=True)]
    tasks[3]["annotations"] = []
    problems = Problems()
    records = load_corpus(write(tmp_path, *tasks), problems=problems)
    assert [record.texts for record in records] == [["new"], ["true"], ["kept"]]
    assert problems == [] and problems.notes == {"tasks without an annotation are left out": 1}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (
            [region(kind="ellipselabels", value={"x": 1, "y": 1, "radiusX": 3})],
            "task 1, region r1: a region of type",
        ),
        ([region(kind="brushlabels", value={"format": "rle"})], "no outline"),
        ([region(image_rotation=90)], "turned by 90 degrees"),
        ([region(original_width=None)], "expected original_width"),
        ([said(["lost"]) | {"value": {"text": ["lost"]}}], "its text has no outline"),
        ([region(value={"x": 1, "y": 2, "width": 3})], "'height' is missing"),
    ],
)
def test_regions_that_are_no_texts_are_named(tmp_path, result, reason):
    problems = Problems()
    (record,) = load_corpus(write(tmp_path, task(*result)), problems=problems)
    assert record.instances == [] and len(problems) == 1
    assert reason in problems[0].reason


def test_what_is_said_of_the_whole_picture_is_no_text(tmp_path):
    comment = {"id": "c", "type": "textarea", "from_name": "comment", "value": {"text": ["blurred"]}}
    choice = {"id": "d", "type": "choices", "from_name": "quality", "value": {"choices": ["Ignore"]}}
    relation = {"type": "relation", "from_id": "r1", "to_id": "r1", "direction": "right"}
    (record,) = load_corpus(write(tmp_path, task(region(), said("a"), comment, choice, relation)))
    assert record.texts == ["a"] and not record.ignore.any()


def min_row(**columns):
    shape = {**BOX, "original_width": 200, "original_height": 80}
    other = {**shape, "x": 50}
    row = {"ocr": "/data/local-files/?d=photos/b%20c.jpg", "id": 3, "annotator": 1, "annotation_id": 2}
    return {**row, "bbox": [shape, other], **columns}


def test_json_min_joins_texts_by_their_order(tmp_path):
    row = min_row(transcription=["one", "two"])
    row["label"] = [{**shape, "labels": ["Text"]} for shape in row["bbox"]]
    (record,) = load_corpus(write(tmp_path, row))
    assert record.texts == ["one", "two"]
    assert record.image == tmp_path / "photos" / "b c.jpg"
    np.testing.assert_allclose(record.polygons_xy[0], CORNERS, atol=1e-4)


def test_json_min_a_region_without_text_stands_in_the_list_of_texts(tmp_path):
    row = min_row()
    (record,) = load_corpus(write(tmp_path, {**row, "transcription": ["one", row["bbox"][1]]}))
    assert record.texts == ["one", None]


def test_json_min_of_uncertain_order_is_refused(tmp_path):
    problems = Problems()
    records = load_corpus(write(tmp_path, min_row(transcription=["one"])), problems=problems)
    assert records == []
    assert "which of 1 texts belongs to which of 2 regions: export as JSON" in problems[0].reason


def test_json_min_has_a_row_an_annotation_the_last_counts(tmp_path):
    old = min_row(transcription=["old", "old"], updated_at="2024-01-01")
    new = min_row(transcription=["a", "b"], updated_at="2024-01-02")
    (record,) = load_corpus(write(tmp_path, new, old))
    assert record.texts == ["a", "b"]
