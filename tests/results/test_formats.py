import json
from pathlib import Path, PurePath

import pytest

from json_schema import assert_follows, shipped_schema
from tcm_hf.results import formats_annotation
from tcm_hf.results import records as record_module
from tcm_hf.results.formats_text import render_headed_text

MODEL = {"id": "fasttcm-dbnet-tiny", "dtype": "float32", "device": "cpu"}
PARAMS = {"threshold": 0.3, "polygon_mode": "quad", "sort": "score", "tile": None}


def instance(score, polygon):
    xs, ys = zip(*polygon, strict=True)
    box = {
        "xmin": int(min(xs)),
        "ymin": int(min(ys)),
        "xmax": -int(-max(xs) // 1),
        "ymax": -int(-max(ys) // 1),
    }
    return {"score": score, "label": "text", "box": box, "polygon": polygon}


def record(path, size_hw, instances):
    source = record_module.image_source(PurePath(path), size_hw)
    return record_module.image_record(record_module.DETECTIONS, source, MODEL, PARAMS, instances)


@pytest.fixture
def records():
    quad = instance(0.93, [[22.0, 12.4], [216.8, 12.0], [217.0, 76.6], [22.1, 77.0]])
    pentagon = instance(0.5, [[0.0, 0.0], [10.0, 0.0], [12.5, 5.0], [10.0, 10.0], [0.0, 10.0]])
    return [
        record("trip/Straße.jpg", (720, 1280), [quad, pentagon]),
        record("empty.jpg", (10, 20), []),
    ]


@pytest.mark.parametrize(
    ("render", "parse"),
    [
        (record_module.render_json_array, record_module.parse_json_array),
        (record_module.render_json_lines, record_module.parse_json_lines),
        (formats_annotation.render_coco, formats_annotation.parse_coco),
    ],
)
def test_files_for_many_images_are_read_back_equal(records, render, parse):
    assert parse(render(records)) == records
    assert parse(render([])) == []


def test_half_a_last_line_does_not_count(records):
    text = record_module.render_json_lines(records)
    assert record_module.parse_json_lines(text[:-5]) == records[:1]


def test_a_last_line_without_its_end_counts(records):
    """Other programs leave the last line end out."""
    assert record_module.parse_json_lines(record_module.render_json_lines(records)[:-1]) == records


def test_a_line_end_of_unicode_in_a_file_name_ends_no_record(records):
    records[0]["source"]["path"] = "a\u2028b.jpg"
    assert record_module.parse_json_lines(record_module.render_json_lines(records)) == records


def test_one_record_is_one_line_of_utf8(records):
    line = record_module.render_json_line(records[0])
    assert line.count("\n") == 1
    assert "Straße" in line


def test_coordinates_are_rounded_to_hundredths():
    found = instance(1 / 3, [[1 / 3, 2 / 3], [9.0, 1.0], [9.0, 9.0]])
    (rounded,) = record("a.jpg", (10, 10), [found])["instances"]
    assert rounded["score"] == 0.333333
    assert rounded["polygon"] == [[0.33, 0.67], [9.0, 1.0], [9.0, 9.0]]


def test_icdar_lines_are_whole_pixels(records):
    assert (
        formats_annotation.render_icdar(records[0]) == "22,12,217,12,217,77,22,77\n0,0,10,0,12,5,10,10,0,10\n"
    )
    assert formats_annotation.render_icdar(records[1]) == ""


def test_coco_has_boxes_areas_and_scores(records):
    document = json.loads(formats_annotation.render_coco(records))
    assert [image["id"] for image in document["images"]] == [1, 2]
    pentagon = document["annotations"][1]
    assert pentagon["bbox"] == [0, 0, 12.5, 10]
    assert pentagon["area"] == pytest.approx(112.5)
    assert pentagon["score"] == 0.5
    assert {annotation["category_id"] for annotation in document["annotations"]} == {1}


def test_labelme_shapes_are_polygons(records):
    document = json.loads(formats_annotation.render_labelme(records[0]))
    assert (document["imageWidth"], document["imageHeight"]) == (1280, 720)
    assert [shape["shape_type"] for shape in document["shapes"]] == ["polygon", "polygon"]
    assert document["shapes"][1]["points"] == records[0]["instances"][1]["polygon"]
    assert Path(document["imagePath"]).is_absolute()


def test_records_follow_the_schema_that_ships(records):
    schema = shipped_schema("detection-1.json")
    for record in records:
        assert_follows(record, schema)
    assert schema["$id"] == record_module.DETECTIONS.schema
    broken = {**records[0], "instances": [{"score": 2, "label": "text"}]}
    with pytest.raises(AssertionError):
        assert_follows(broken, schema)


def test_a_file_name_that_is_no_utf8_is_written_and_read_back(tmp_path):
    # Linux: bytes. Python gives b"caf\xe9.jpg" as a text with half a character in it.
    odd = record("caf\udce9.jpg", (10, 20), [])
    for render, parse in (
        (record_module.render_json_lines, record_module.parse_json_lines),
        (record_module.render_json_array, record_module.parse_json_array),
        (formats_annotation.render_coco, formats_annotation.parse_coco),
    ):
        assert parse(render([odd]).encode().decode()) == [odd]
    assert json.loads(record_module.render_json(odd).encode()) == odd
    json.loads(formats_annotation.render_labelme(odd).encode())
    assert "caf?.jpg" in render_headed_text(odd) and "Stra\u00dfe" in record_module.json_text("Stra\u00dfe")
