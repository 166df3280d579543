import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.records import TextInstance, TextRecord, record_from_row, row_from_record

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


def test_a_record_reads_no_pixel_before_it_is_asked(tmp_path):
    record = TextRecord(tmp_path / "not_there.png")
    assert record.name == "not_there.png"
    with pytest.raises(ValueError, match=r"not_there\.png"):
        record.load_image()


def test_pixels_come_upright(tmp_path):
    image = Image.new("RGB", (60, 20), "white")
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert TextRecord(tmp_path / "turned.jpg").load_image().shape == (60, 20, 3)


def test_pixels_are_those_that_the_image_processor_sees(tmp_path):
    Image.fromarray(np.full((5, 9), 32768, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (9, 5), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert np.unique(TextRecord(tmp_path / "deep.png").load_image()) == [128]
    assert np.unique(TextRecord(tmp_path / "clear.png").load_image()) == [255]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_any_mode_becomes_rgb(mode):
    pixels = TextRecord(Image.new(mode, (7, 5))).load_image()
    assert pixels.shape == (5, 7, 3)
    assert pixels.dtype == np.uint8


def test_lists_of_instances_are_parallel():
    record = TextRecord(
        np.zeros((5, 9, 3), np.uint8), [TextInstance(SQUARE, "a"), TextInstance(SQUARE, None, ignore=True)]
    )
    assert record.texts == ["a", None]
    assert record.ignore.tolist() == [False, True]
    assert [polygon.dtype for polygon in record.polygons_xy] == [np.float32, np.float32]


def test_a_record_without_text_has_empty_lists():
    record = TextRecord(np.zeros((5, 9, 3), np.uint8))
    assert record.polygons_xy == []
    assert record.ignore.shape == (0,)


@pytest.mark.parametrize("languages", [(None, None, None), ("fr", None, "ja")])
def test_a_row_and_its_record_describe_the_same(tmp_path, languages):
    texts, ignore = ("word\u2028 two", "x", None), (False, True, False)
    record = TextRecord(tmp_path / "a.png", list(map(TextInstance, [SQUARE] * 3, texts, ignore, languages)))
    row = json.loads(json.dumps(row_from_record(record, "a.png", (20, 30))))
    assert (row["width"], row["height"]) == (30, 20)
    again = record_from_row(row, tmp_path)
    assert again.image == record.image
    assert again.texts == list(texts)
    assert again.ignore.tolist() == list(ignore)
    assert [instance.language for instance in again.instances] == list(languages)
    np.testing.assert_array_equal(again.polygons_xy[0], record.polygons_xy[0])


@pytest.mark.parametrize("polygon", [[0, 0, 4, 0], [[0, 0, 1]], 3.0])
def test_a_polygon_must_be_points(polygon):
    with pytest.raises(ValueError, match="polygon_xy"):
        TextInstance(polygon)


def test_a_float_image_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        TextRecord(np.zeros((5, 9, 3))).load_image()


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *((value, True) for value in (True, 1, np.bool_(True), "yes", "True")),
        *((value, False) for value in (False, 0, None, "false", "no", "0", "")),
    ],
)
def test_flags_as_files_have_them(tmp_path, value, flag):
    row = {"file_name": "a.jpg", "polygons": [[[1, 2], [9, 2], [9, 7]]], "ignore": [value]}
    assert record_from_row(row, tmp_path).ignore.tolist() == [flag]


@pytest.mark.parametrize("value", ["perhaps", 2, [], {}])
def test_what_is_no_flag_is_refused(tmp_path, value):
    row = {"file_name": "a.jpg", "polygons": [[[1, 2], [9, 2], [9, 7]]], "ignore": [value]}
    with pytest.raises(ValueError, match="expected true or false"):
        record_from_row(row, tmp_path)
