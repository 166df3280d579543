"""metadata.jsonl: what a line says is what the record holds; a bad line is named with its reason."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.metadata import load_metadata_jsonl
from tcm_hf.data.corpora.problems import Problems

SHARED = Path(os.environ.get("TCM_HF_DATA") or Path(__file__).parents[4] / "shared" / "data")
QUAD = [[10, 5], [60, 8], [59, 20], [9, 17]]


def write_metadata(folder: Path, *rows: dict) -> Path:
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    return folder


def test_a_metadata_row_becomes_a_record(tmp_path):
    Image.new("RGB", (96, 64), (10, 20, 30)).save(tmp_path / "street.png")
    row = {
        "file_name": "street.png",
        "polygons": [QUAD, QUAD],
        "texts": ["Caf\u00e9\u2028,", "###"],
        "ignore": [False, True],
    }
    (record,) = load_metadata_jsonl(write_metadata(tmp_path, row))
    assert record.name == "street.png" and record.level == "word"
    assert record.texts == ["Caf\u00e9\u2028,", "###"]
    assert record.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(record.polygons_xy[0], QUAD)
    assert record.load_image().shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("extra", "ignore"),
    [
        ({"texts": ["a", "###"]}, [False, True]),
        ({"texts": ["a", "###"], "ignore": [True, False]}, [True, False]),
        ({"texts": [None, None], "ignore": [False, True]}, [False, True]),
        ({}, [False, False]),
    ],
)
def test_hashes_mean_do_not_care_where_no_flags_are_given(tmp_path, extra, ignore):
    row = {"file_name": "a.jpg", "polygons": [QUAD, QUAD], **extra}
    (record,) = load_metadata_jsonl(write_metadata(tmp_path, row), level="line")
    assert record.ignore.tolist() == ignore
    assert record.level == "line"


def test_the_file_can_be_given_itself(tmp_path):
    write_metadata(tmp_path, {"file_name": "a.jpg", "polygons": [QUAD], "texts": ["a"]})
    with (tmp_path / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file_name", "polygons"], ["b.jpg", json.dumps([QUAD, QUAD])]])
    (tmp_path / "gt_a.txt").write_text("1,2,9,2,9,7,1,7,a\n")  # of the folder it could not be told
    for name, image, count in (("metadata.jsonl", "a.jpg", 1), ("metadata.csv", "b.jpg", 2)):
        assert recognise(tmp_path / name).name == "imagefolder"
        (record,) = load_corpus(tmp_path / name)
        assert record.image == tmp_path / image and len(record.instances) == count


def test_an_image_without_text_and_empty_lines_are_fine(tmp_path):
    folder = write_metadata(tmp_path, {"file_name": "a.jpg", "polygons": [], "texts": [], "ignore": []})
    with (folder / "metadata.jsonl").open("a") as stream:
        stream.write("\n\n")
    (record,) = load_metadata_jsonl(folder)
    assert record.instances == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[1]", "expected an object"),
        ('{"polygons": []}', "'file_name' is missing"),
        ('{"file_name": "a.jpg"}', "'polygons' is missing"),
        ('{"file_name": "a.jpg", "polygons": [[1, 2, 3]]}', "polygon_xy"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, 4], [5, 6]]], "texts": []}', "got 0 for 1"),
        ('{"file_name": "a.jpg", "polygons": [], "ignore": [true]}', "got 1 for 0"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, 4]]]}', "polygon 0 needs 3 points or more, got 2"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, NaN], [5, 6]]]}', "no finite number"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, null], [5, 6]]]}', "no finite number"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, 3e38], [5, 6]]]}', "beyond any picture"),
        ('{"file_name": "a.jpg", "polygons": null}', "expected a list of polygons, got 'None'"),
        ('{"file_name": null, "polygons": []}', "expected `file_name` as a string, got None"),
        ('{"file_name": "a.jpg", "polygons": [[[1, 2], [3, 4], [5, 6]]], "texts": "a"}', "a list of `texts`"),
        ('{"file_name": "a.jpg", "polygons": [], "objects": 5, "texts": 5}', "a list of `texts`"),
    ],
)
def test_a_bad_metadata_line_is_named(tmp_path, line, reason):
    write_metadata(tmp_path, {"file_name": "a.jpg", "polygons": []})
    with (tmp_path / "metadata.jsonl").open("a") as stream:
        stream.write(f"\n{line}\n")
    with pytest.raises(ValueError, match=rf"metadata\.jsonl, line 2: .*{reason}"):
        load_metadata_jsonl(tmp_path)


def test_a_folder_without_metadata_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        load_metadata_jsonl(tmp_path)


@pytest.mark.skipif(not (SHARED / "ic15-train").is_dir(), reason=f"{SHARED}/ic15-train is not here")
def test_ic15_train_has_its_known_size():
    records = load_metadata_jsonl(SHARED / "ic15-train")
    assert len(records) == 1000
    assert sum(len(record.instances) for record in records) == 11886
    assert sum(int(record.ignore.sum()) for record in records) == 7418
    assert records[0].load_image().shape == (720, 1280, 3)


def test_a_table_has_its_lists_as_json(tmp_path):
    polygons, texts = json.dumps([QUAD]), json.dumps(["Stra\u00dfe, 1"])
    with (tmp_path / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["file_name", "polygons", "texts", "level"], ["a.jpg", polygons, texts, "line"]])
        writer.writerow(["b.jpg", "[[1, 2", "", ""])
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert (record.image, record.texts, record.level) == (tmp_path / "a.jpg", ["Stra\u00dfe, 1"], "line")
    np.testing.assert_array_equal(record.polygons_xy[0], QUAD)
    assert problems[0].line == 3 and "not an annotation" in problems[0].reason


def test_boxes_of_object_detection_are_outlines(tmp_path):
    objects = {"bbox": [[10, 5, 20, 8]], "categories": [0], "text": ["a"]}
    (record,) = load_corpus(write_metadata(tmp_path, {"file_name": "a.jpg", "objects": objects}))
    np.testing.assert_array_equal(record.polygons_xy[0], [[10, 5], [30, 5], [30, 13], [10, 13]])
    assert record.texts == ["a"]


def test_objects_may_be_listed_one_by_one(tmp_path):
    objects = [{"bbox": [10, 5, 20, 8], "text": "a"}, {"bbox": [1, 2, 3, 4]}]
    (record,) = load_corpus(write_metadata(tmp_path, {"file_name": "a.jpg", "objects": objects}))
    np.testing.assert_array_equal(record.polygons_xy[0], [[10, 5], [30, 5], [30, 13], [10, 13]])
    assert record.texts == ["a", None]


def test_folders_named_as_parts_are_parts_and_others_are_none(tmp_path):
    for part in ("train", "validation", "holiday"):
        (tmp_path / part).mkdir()
        write_metadata(tmp_path / part, {"file_name": f"{part}.jpg", "polygons": []})
    assert load_corpus(f"{tmp_path}@validation")[0].name == "validation.jpg"
    with pytest.raises(ValueError, match="has the parts train, validation: name one"):
        load_corpus(tmp_path)
