"""The reader without torch says what the pipeline says, and tells in words what it cannot read."""

import io
import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image
from transformers import pipeline

from planted_exports import planted_export
from planted_words import painted_photo
from tcm_hf.onnx_reader import Reader, checkpoint_files, reader
from tcm_hf.onnx_reader.__main__ import main
from tcm_hf.onnx_reader.pictures import Preparation, load_rgb_image
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

PHOTO = painted_photo(("abc", 40, 30, 0), ("cab", 220, 30, 0), ("bca", 60, 100, 1), ("acb", 230, 150, 2))
WORDS = ["abc", "cab", "acb", "bca"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return planted_export(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def small_reader(exported):
    return Reader(exported, num_threads=1)


@pytest.fixture(scope="module")
def whole_reader(exported):
    return pipeline("text-spotting", model=exported)


@pytest.fixture
def photo_file(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("output", ["words", "lines", "paragraphs"])
@pytest.mark.parametrize(
    "settings", [{}, {"tile": 160}, {"sort": "score"}, {"return_characters": True}], ids=str
)
def test_it_says_what_the_pipeline_says(whole_reader, small_reader, output, settings):
    found = small_reader(PHOTO, output=output, **settings)
    expected = whole_reader(PHOTO, output=output, **settings)
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys() and one["text"] == other["text"]
        np.testing.assert_allclose(one["polygon"], other["polygon"], atol=1)
        assert one["score"] == pytest.approx(other["score"], abs=0.02)


def test_settings_reach_detector_and_recogniser(small_reader):
    assert len(small_reader(PHOTO, max_detections=1)) == 1
    assert small_reader(PHOTO, threshold=1.0) == []
    texts = [w["text"] for w in small_reader(PHOTO, lexicon=["ABC"], recognition_batch_size=1)]
    assert texts == ["ABC"] * 4
    kept = small_reader(PHOTO, lexicon=["ABC"], max_lexicon_distance=0.3)
    assert kept[0]["text"] == "ABC" and kept[0]["edit_distance"] == 0


def test_a_photo_without_words_has_none(small_reader):
    assert small_reader(np.zeros((60, 100, 3), np.uint8), output="lines") == []


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"refine_iterations": 1}, TypeError),
        ({"thresold": 0.5}, TypeError),
        ({"output": "letters"}, ValueError),
        ({"sort": "size"}, ValueError),
        ({"threshold": 2}, ValueError),
        ({"tile": "big"}, ValueError),
        ({"tile": 8}, ValueError),
        ({"charset": "xyz"}, ValueError),
        ({"lexicon": []}, ValueError),
        ({"recognition_threshold": 5}, ValueError),
        ({"recognition_batch_size": -1}, ValueError),
        ({"crop_margin": 9}, ValueError),
        ({"max_lexicon_distance": 2}, ValueError),
        ({"max_detections": -1}, ValueError),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(small_reader, settings, error):
    with pytest.raises(error, match=next(iter(settings))):
        small_reader(np.zeros((60, 100, 3), np.uint8), **settings)


def test_a_lexicon_that_can_be_gone_through_once_holds_for_all_words(small_reader):
    found = small_reader(PHOTO, lexicon=(word for word in ["ABC"]), recognition_batch_size=1)
    assert [word["text"] for word in found] == ["ABC"] * 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_files_are_decoded_as_pillow_decodes_them(kind):
    image = Image.fromarray(cv2.GaussianBlur(PHOTO, (0, 0), 3))
    content = encoded(image, kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(load_rgb_image(content) - expected).max() <= 2


def test_pictures_are_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side
    content = encoded(Image.fromarray(PHOTO), "JPEG", exif=exif, quality=100)
    found = load_rgb_image(content)
    assert found.shape == (480, 240, 3)
    assert np.abs(found.astype(int) - np.rot90(PHOTO, -1)).mean() < 2


def test_what_is_transparent_becomes_white():
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:2] = (255, 0, 0, 255)
    found = load_rgb_image(encoded(Image.fromarray(pixels), "PNG"))
    assert found[0, 0].tolist() == [255, 0, 0] and found[3, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 7), np.uint8),
        np.zeros((5, 7, 1)),
        np.zeros((5, 7, 4), np.uint8),
        np.ones((5, 7, 3), bool),
    ],
    ids=["grey", "floats", "with alpha", "bools"],
)
def test_arrays_of_any_kind_are_taken(image):
    found = load_rgb_image(image)
    assert found.shape == (5, 7, 3) and found.dtype == np.uint8


@pytest.mark.parametrize(
    ("image", "error"),
    [
        ("none.jpg", ValueError),
        (b"", ValueError),
        (b"%PDF-1.7", ValueError),
        (encoded(Image.fromarray(PHOTO), "PNG")[:60], ValueError),
        (np.zeros((0, 4, 3)), ValueError),
        (7, TypeError),
    ],
    ids=["no file", "empty", "pdf", "broken", "no pixels", "a number"],
)
def test_what_is_no_picture_is_told(image, error):
    with pytest.raises(error):
        load_rgb_image(image)


def test_pixels_are_those_of_the_image_processor():
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 200})
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (131, 257, 3), dtype=np.uint8), (0, 0), 1)
    expected = processor(image, return_tensors="np")["pixel_values"]
    found = Preparation(processor.to_dict()).pixel_values([image], expected.shape[-2:])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_folders_that_hold_something_else_are_told(exported, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"There is no .*config\.json"):
        Reader(tmp_path)
    with pytest.raises(ValueError, match="expected a text detector, found a text recogniser"):
        Reader(exported / "recognizer")
    with pytest.raises(ValueError, match="expected a text recogniser, found a text detector"):
        Reader(exported, recognizer=exported)
    with pytest.raises(ValueError, match=r"No such ONNX file: .*model_int8"):
        Reader(exported, backend="onnx-int8")
    monkeypatch.setattr(reader, "OWN_MODEL", tmp_path / "model")
    with pytest.raises(ValueError, match="No model came with this installation"):
        Reader()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="Could not read"):
        Reader(tmp_path)


def test_outlines_that_need_more_libraries_are_told_before_a_photo_comes(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint_files, "find_spec", lambda name: None)
    folder = planted_export(tmp_path, polygon_mode="polygon")
    with pytest.raises(ImportError, match=r"pyclipper and shapely: pip install \"tcm_hf_reader\[curved\]\""):
        Reader(folder)
    with pytest.raises(ImportError, match="FCENet"):
        checkpoint_files.check_libraries("fcenet", "quad")
    checkpoint_files.check_libraries("pan", "quad")


def test_curved_outlines_are_read_where_the_libraries_are(tmp_path):
    found = Reader(planted_export(tmp_path, polygon_mode="polygon"), num_threads=1)(PHOTO)
    assert [word["text"] for word in found] == WORDS


def test_the_command_prints_text_or_json(exported, photo_file, capsys):
    assert main([str(photo_file), "--model", str(exported)]) == 0
    assert capsys.readouterr().out.split() == WORDS
    assert main([str(photo_file), "--model", str(exported), "--json", "--tile", "160", "--threads", "1"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["path"] == str(photo_file) and sorted(w["text"] for w in record["words"]) == sorted(WORDS)


def test_a_name_that_is_no_text_is_told_as_json_can(exported, photo_file, capsys):
    odd = photo_file.rename(photo_file.with_name(os.fsdecode(b"caf\xe9.png")))
    assert main([str(odd), "--model", str(exported), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(odd)


def test_the_command_goes_on_after_a_broken_photo(exported, photo_file, capsys):
    broken = photo_file.with_name("broken.jpg")
    broken.write_bytes(b"no photo")
    assert main([str(broken), str(photo_file), "--model", str(exported)]) == 3
    output = capsys.readouterr()
    assert output.out.startswith(f"==> {photo_file} <==") and f"skipped {broken}" in output.err


def test_the_command_tells_wrong_use_in_one_line(exported, photo_file, capsys, tmp_path):
    for options in (["--model", str(tmp_path)], ["--model", str(exported), "--backend", "onnx-int8"]):
        with pytest.raises(SystemExit) as exited:
            main([str(photo_file), *options])
        assert exited.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
