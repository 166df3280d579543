"""Corpus readers: what a file says is what the record holds; a bad file is named with line and reason."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora import load_icdar2015, load_metadata_jsonl, read_icdar2015_labels

SHARED = Path(os.environ.get("TCM_HF_DATA") or Path(__file__).parents[3] / "shared" / "data")
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


def test_icdar2015_labels_keep_commas_and_skip_the_byte_order_mark(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    lines = "377,117,463,117,465,130,378,130,Genaxis, Theatre", "", "374,155,409,155,409,170,374,170,###", ""
    path.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    first, second = read_icdar2015_labels(path)
    np.testing.assert_array_equal(first.polygon_xy, [[377, 117], [463, 117], [465, 130], [378, 130]])
    assert (first.text, first.ignore) == ("Genaxis, Theatre", False)
    assert (second.text, second.ignore) == ("###", True)


def test_anticlockwise_labels_are_turned_round_and_keep_their_first_corner(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    path.write_text("10,5,10,20,60,20,60,5,word\n")
    (instance,) = read_icdar2015_labels(path)
    np.testing.assert_array_equal(instance.polygon_xy, [[10, 5], [60, 5], [60, 20], [10, 20]])


def test_icdar2015_pairs_labels_with_images_in_the_order_of_their_numbers(tmp_path):
    for number, suffix in ((10, "jpg"), (2, "png"), (1, "JPG")):
        Image.new("RGB", (64, 32)).save(tmp_path / f"img_{number}.{suffix}", "PNG")
        (tmp_path / f"gt_img_{number}.txt").write_text(f"1,1,9,1,9,5,1,5,word {number}")
    records = load_icdar2015(tmp_path, tmp_path)
    assert [record.name for record in records] == ["img_1.JPG", "img_2.png", "img_10.jpg"]
    assert [record.texts for record in records] == [["word 1"], ["word 2"], ["word 10"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3,4,5,6,7,8", "expected 8 coordinates and a text, got 8"),
        ("1,2,3,4,5,6,7,x,word", "could not convert"),
        ("hello", "got 1 values"),
    ],
)
def test_a_bad_icdar_line_is_named(tmp_path, line, reason):
    path = tmp_path / "gt_img_7.txt"
    path.write_text(f"1,1,9,1,9,5,1,5,word\n{line}\n")
    with pytest.raises(ValueError, match=rf"gt_img_7\.txt, line 2: .*{reason}"):
        read_icdar2015_labels(path)


def test_missing_icdar_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        load_icdar2015(tmp_path, tmp_path)
    (tmp_path / "gt_img_3.txt").write_text("")
    with pytest.raises(ValueError, match=r"gt_img_3\.txt: expected its image img_3\.jpg"):
        load_icdar2015(tmp_path, tmp_path)


def test_a_label_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    path.write_bytes(b"1,1,9,1,9,5,1,5,caf\xe9\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_icdar2015_labels(path)


@pytest.mark.skipif(not (SHARED / "ic15-train").is_dir(), reason=f"{SHARED}/ic15-train is not here")
def test_ic15_train_has_its_known_size():
    records = load_metadata_jsonl(SHARED / "ic15-train")
    assert len(records) == 1000
    assert sum(len(record.instances) for record in records) == 11886
    assert sum(int(record.ignore.sum()) for record in records) == 7418
    assert records[0].load_image().shape == (720, 1280, 3)
