import json

import cv2
import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.words import WordRecord, write_lmdb
from tcm_hf.training.recognition_words import WordSpec, load_pixels, spelled_in, usable_words

LETTERS = "abc123"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (12, 40, 3), np.uint8)


@pytest.fixture
def database(tmp_path):
    pytest.importorskip("lmdb")
    write_lmdb(tmp_path / "words.lmdb", [WordRecord(picture(n), f"w{n}") for n in range(1, 6)])
    return tmp_path / "words.lmdb"


@pytest.fixture
def photos(tmp_path):
    """Two photos: the first with a word and a "do not care", the second with a word."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for number, texts in ((7, ["Exit", "###"]), (8, ["42"])):
        Image.fromarray(np.full((60, 120, 3), 90, np.uint8)).save(folder / f"img_{number}.png")
        polygons = [
            [[10 + 50 * n, 10], [50 + 50 * n, 10], [50 + 50 * n, 30], [10 + 50 * n, 30]] for n in (0, 1)
        ]
        ignore = [text == "###" for text in texts]
        row = {"file_name": f"img_{number}.png", "polygons": polygons[: len(texts)]}
        rows.append(json.dumps(row | {"texts": texts, "ignore": ignore}))
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize(
    ("suffix", "numbers", "weight"),
    [
        ("", None, None),
        (":2-4", (2, 4), None),
        ("=0.85", None, 0.85),
        (":2-4=3", (2, 4), 3.0),
        ("=.5", None, 0.5),
    ],
)
def test_a_spec_is_path_range_and_weight(tmp_path, suffix, numbers, weight):
    (tmp_path / "gt.txt").write_text("word_1.png, A\n")
    assert WordSpec.parse(f"{tmp_path}{suffix}") == WordSpec(tmp_path, numbers, weight=weight)
    named = WordSpec.parse(f"words:{tmp_path}{suffix}")
    assert named == WordSpec(tmp_path, numbers, "words", None, weight)


@pytest.mark.parametrize(("text", "message"), [("nowhere=1", "nowhere is not there"), (".:9-2", "backwards")])
def test_a_wrong_spec_says_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        WordSpec.parse(text)


def test_the_range_of_a_database_counts_samples_from_1(database):
    words = WordSpec(database, (2, 3)).records()
    assert [words.text(index) for index in range(len(words))] == ["w2", "w3"]
    assert [record.text for record in words] == ["w2", "w3"]
    assert len(WordSpec(database, (4, 99)).records()) == 2


def test_the_words_of_photos_are_cut_out_but_not_those_nobody_reads(photos):
    assert [record.text for record in WordSpec(photos).records()] == ["Exit", "42"]
    (only,) = WordSpec(photos, (8, 8)).records()
    height, width = only.load_image().shape[:2]
    assert (20 <= height <= 24, 40 <= width <= 44) == (True, True)


def test_labelled_crops_are_taken_by_the_number_in_their_name(tmp_path):
    rows = []
    for number in (1, 2, 3):
        Image.fromarray(picture(number)).save(tmp_path / f"word_{number}.png")
        rows.append(json.dumps({"file_name": f"word_{number}.png", "text": f"w{number}"}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    assert [record.text for record in WordSpec(tmp_path, (2, 3)).records()] == ["w2", "w3"]


def test_a_range_without_words_is_an_error(database):
    with pytest.raises(ValueError, match="No word of"):
        WordSpec(database, (50, 60)).records()


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("abc", "abc"),
        ("aBc 12\t3", "abc123"),
        ("", ""),
        ("  ", ""),
        ("abcd", None),
        ("é", None),
    ],
)
def test_a_label_is_spelled_in_the_charset_or_not_used(text, spelled):
    assert spelled_in(text, LETTERS) == spelled


def test_words_that_cannot_be_taught_are_left_out(database):
    texts = ["abc", "", "abcabc1", "wow", "A 1"]
    words = usable_words([WordRecord(picture(0), text) for text in texts], LETTERS, max_length=6)
    assert [record.text for record in words] == ["abc", "a1"]
    assert [record.text for record in words[1:]] == ["a1"]
    of_database = usable_words(WordSpec(database).records(), "w24", max_length=5)
    assert [of_database.text(index) for index in range(len(of_database))] == ["w2", "w4"]
    assert of_database[1].name.endswith("000000004")


def test_encoded_and_plain_pixels_are_the_same(tmp_path):
    image = picture(3)
    encoded = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    for kind in (image, encoded, Image.fromarray(image)):
        assert np.array_equal(load_pixels(WordRecord(kind, "w")), image)


def test_bytes_that_are_no_picture_are_named():
    with pytest.raises(ValueError, match="cannot be decoded"):
        load_pixels(WordRecord(b"nothing", "w", "word 9"))
