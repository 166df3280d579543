"""The accuracy scripts on painted words, and the other readers: asked once, read in order."""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from planted_spotter import painted_one_model
from planted_words import colour_pipeline, painted_photo, painted_spotter, painted_word

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORDS = ("cab", "abc", "bbb")


@pytest.fixture(autouse=True)
def import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


class Parrot:
    """A reader that counts what it is asked."""

    def __init__(self, name: str = "parrot"):
        self.identity = name
        self.asked = 0

    def read_words(self, crops):
        self.asked += len(crops)
        return [f"{self.identity} {crop.shape[1]}" for crop in crops]


def test_a_reader_is_asked_once_for_a_picture(tmp_path):
    from peers import PeerCache

    path, parrot = tmp_path / "new" / "cache.json", Parrot()
    crops = [np.full((8, width, 3), 9, np.uint8) for width in (20, 30, 20)]
    expected = ["parrot 20", "parrot 30", "parrot 20"]
    assert PeerCache(path).ask(parrot, "words", crops) == expected
    assert PeerCache(path).ask(parrot, "words", crops) == expected
    assert parrot.asked == 2
    assert PeerCache(path).knows(parrot, "words", crops)
    assert not PeerCache(path).knows(parrot, "photos", crops)
    assert PeerCache(path).ask(Parrot("other"), "words", crops[:1]) == ["other 20"]


def lettered(word: str) -> np.ndarray:
    """A landscape crop with a word in block letters."""
    crop = np.full((60, 60 + 32 * len(word), 3), 235, np.uint8)
    cv2.putText(crop, word, (25, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.3, (20, 20, 60), 3, cv2.LINE_AA)
    return crop


def readers():
    has_tesseract = shutil.which("tesseract") is not None
    has_rapidocr = importlib.util.find_spec("rapidocr") is not None
    return [
        pytest.param(
            "tesseract", marks=pytest.mark.skipif(not has_tesseract, reason="tesseract is not installed")
        ),
        pytest.param(
            "rapidocr", marks=pytest.mark.skipif(not has_rapidocr, reason="rapidocr is not installed")
        ),
    ]


@pytest.mark.parametrize("name", readers())
def test_readers_give_the_words_in_order_and_say_where_they_are(name):
    from peers import PHOTO_READERS, WORD_READERS

    words = ["MARKET", "ROAD", "Parking"]
    found = WORD_READERS[name]().read_words([lettered(word) for word in words])
    assert [re.sub(r"\W", "", text) for text in found] == words  # Tesseract sees dashes at the borders
    photo = np.full((240, 480, 3), 235, np.uint8)
    photo[100:160, 100:352] = lettered("MARKET")
    (pages,) = PHOTO_READERS[name]().read_photos([photo])
    (word,) = [word for word in pages if word["text"] == "MARKET"]
    left, top = np.min(word["polygon"], axis=0)
    assert 100 < left < 160
    assert 100 < top < 140


def cells(output: str) -> list[list[str]]:
    """The rows of the tables in what a script printed."""
    lines = [line for line in output.splitlines() if line.startswith("|") and "--" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_recognisers(tmp_path, monkeypatch, capsys):
    import recognition_accuracy

    for number, word in enumerate(WORDS):
        Image.fromarray(painted_word(word)).save(tmp_path / f"{number}.png")
    rows = [{"file_name": f"{number}.png", "text": word} for number, word in enumerate(WORDS)]
    rows[2]["text"] = "Abb"
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    made = []

    def pipeline(task, model, **options):
        made.append((task, model))
        return colour_pipeline()

    monkeypatch.setattr(recognition_accuracy, "pipeline", pipeline)
    monkeypatch.setattr(
        sys, "argv", ["recognition_accuracy.py", "--words", str(tmp_path), "--model", "runs/a"]
    )
    recognition_accuracy.main()
    table = cells(capsys.readouterr().out)
    assert made == [("text-recognition", "runs/a")]
    assert [row[:2] for row in table[1:3]] == [
        ["a", "with cross branch, 1 refinement(s)"],
        ["a", "with cross branch, 0 refinement(s)"],
    ]
    assert [row[2:6] for row in table[1:]] == [["0.667", "0.667", "0.667", "0.889"]] * 4


def test_the_table_of_photo_readers(tmp_path, monkeypatch, capsys):
    import reading_accuracy

    Image.fromarray(painted_photo(("cab", 60, 80, 0), ("abc", 300, 150, 0))).save(tmp_path / "1.png")
    boxes = [[[x, y], [x + 120, y], [x + 120, y + 32], [x, y + 32]] for x, y in ((60, 80), (300, 150))]
    row = {"file_name": "1.png", "polygons": boxes, "texts": ["CAB", "aba"]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    monkeypatch.setattr(reading_accuracy, "pipeline", lambda task, **where: painted_spotter())
    arguments = ["--photos", str(tmp_path), "--recognizer", "runs/a", "--recognition-threshold", "0", "1.1"]
    monkeypatch.setattr(sys, "argv", ["reading_accuracy.py", *arguments])
    reading_accuracy.main()
    table = cells(capsys.readouterr().out)
    assert table[1][2:7] == ["0.500", "0.500", "0.500", "0.500", "1.000"]
    assert table[2][2:7] == ["0.000", "0.000", "0.000", "0.000", "0.000"]


def test_the_table_of_spotters_and_of_the_reader_of_two_models(tmp_path, monkeypatch, capsys):
    import spotting_accuracy

    Image.fromarray(painted_photo(("cab", 60, 80, 0))).save(tmp_path / "1.png")
    box = [[60, 80], [180, 80], [180, 112], [60, 112]]
    row = {"file_name": "1.png", "polygons": [box], "texts": ["CAB"]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    readers = iter([painted_one_model(), painted_spotter()])
    monkeypatch.setattr(spotting_accuracy, "pipeline", lambda task, **where: next(readers))
    arguments = ["--photos", str(tmp_path), "--model", "runs/a"]
    monkeypatch.setattr(sys, "argv", ["spotting_accuracy.py", *arguments])
    spotting_accuracy.main()
    table = cells(capsys.readouterr().out)
    assert [row[0] for row in table[1:]] == ["a", "fasttcm-dbnet-tiny + clip4str-tiny"]
    assert [row[1:6] for row in table[1:]] == [["1.000"] * 5] * 2
