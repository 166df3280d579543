"""What `inspect_corpus` counts, and what it thinks is hardly meant so."""

import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import recognise
from tcm_hf.data.inspection import inspect_corpus, spread_places
from tcm_hf.data.inspection_labels import ObjectTally, TextTally, WordTally, spread, text_height_px
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.words import WordRecord, write_lmdb

SIZE_HW = (60, 120)


def box(x, y, width=40, height=10):
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def write_photos(folder, *rows, size_wh=(120, 60)):
    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        name = row.setdefault("file_name", f"{number}.png")
        Image.new("RGB", size_wh, (number, 0, 0)).save(folder / name)
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def inspected(folder, **options):
    corpus = recognise(folder)
    return inspect_corpus(corpus, folder, corpus.splits(folder) or [None], **options)


def test_pictures_and_texts_are_counted(tmp_path):
    first = {
        "polygons": [box(5, 5), box(5, 25), box(5, 45, height=6)],
        "texts": ["Café", "###", "a b"],
        "ignore": [False, True, False],
        "languages": ["fr", None, "en"],
        "width": 120,
        "height": 60,
    }
    inspection = inspected(write_photos(tmp_path, first, {"polygons": []}))
    assert inspection.is_sound and not inspection.copies
    (part,) = inspection.parts
    assert (len(part.records), part.problems, part.lost, part.doubts) == (2, [], [], [])
    counts = part.counts
    assert counts["pictures"]["readable"] == 2
    assert counts["pictures"]["width_px"]["median"] == 120
    texts = counts["texts"]
    assert (texts["all"], texts["ignored"], texts["transcribed"]) == (3, 1, 2)
    assert (texts["pictures_without"], texts["languages"]) == (1, {"fr": 1, "en": 1})
    assert counts["outlines"]["points"] == {"4": 3}
    assert counts["outlines"]["lower_than_8_px"] == 1
    assert counts["transcriptions"]["length"]["max"] == 4
    assert counts["transcriptions"]["beyond_ascii"] == "é"
    assert json.loads(json.dumps(inspection.to_dict()))["parts"][0]["looked_at"] == 2


def test_broken_rows_and_lost_pictures_make_a_corpus_unsound(tmp_path):
    write_photos(tmp_path, {"polygons": [box(5, 5)]}, {"polygons": [[[1, 2]]]}, {"polygons": [box(5, 5)]})
    assert not inspected(tmp_path).is_sound
    (tmp_path / "0.png").unlink()
    (tmp_path / "2.png").write_bytes(b"no picture")
    (part,) = inspected(tmp_path).parts
    assert [problem.line for problem in part.problems] == [2]
    assert [doubt.image for doubt in part.lost] == ["0.png", "2.png"]
    assert "there is no picture" in part.lost[0].reason
    assert part.counts["pictures"] == {"readable": 0, "lost": 2, "width_px": None, "height_px": None}
    assert part.counts["texts"]["all"] == 2  # annotations count all the same


def test_a_size_that_the_annotation_tells_otherwise_is_a_doubt(tmp_path):
    rows = [
        {"polygons": [], "width": 120, "height": 60},
        {"polygons": [], "width": 60, "height": 120},
        {"polygons": [], "width": 240, "height": 120},
    ]
    inspection = inspected(write_photos(tmp_path, *rows))
    assert inspection.is_sound
    assert [str(doubt) for doubt in inspection.parts[0].doubts] == [
        "1.png: annotated as 60x120, it is 120x60 (turned by its EXIF tag?)",
        "2.png: annotated as 240x120, it is 120x60",
    ]
    assert inspection.parts[0].doubtful == [1, 2]


def test_pictures_that_lie_there_twice_are_found_over_parts_too(tmp_path):
    for split in ("train", "test"):
        write_photos(tmp_path / split, {"polygons": []}, {"polygons": []})
    Image.new("RGB", (9, 9)).save(tmp_path / "test" / "1.png")
    inspection = inspected(tmp_path)
    assert {part.split for part in inspection.parts} == {"train", "test"}
    assert [{path.relative_to(tmp_path).as_posix() for path in group} for group in inspection.copies] == [
        {"train/0.png", "test/0.png"}
    ]


def test_a_picture_that_is_listed_twice_is_a_doubt(tmp_path):
    row = {"file_name": "a.png", "polygons": []}
    (part,) = inspected(write_photos(tmp_path, row, dict(row))).parts
    assert [str(doubt) for doubt in part.doubts] == ["a.png: it is listed twice"]


def test_some_may_be_looked_at(tmp_path):
    write_photos(tmp_path, *({"polygons": []} for _ in range(10)))
    (part,) = inspected(tmp_path, limit=3).parts
    assert (list(part.looked_at), part.counts["pictures"]["readable"], len(part.records)) == (
        [0, 3, 6],
        3,
        10,
    )
    (part,) = inspected(tmp_path, chosen=lambda name: name >= "7").parts
    assert [record.name for record in part.records] == ["7.png", "8.png", "9.png"]
    assert list(spread_places(3, None)) == list(spread_places(3, 5)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("instances", "reasons"),
    [
        ([([[5, 5], [45, 15], [45, 5], [5, 15]], "x")], ["text 1 ('x'): its outline crosses itself"]),
        ([([[5, 5], [45, 5], [5, 5]], None)], ["text 1: it has no area"]),
        ([(box(130, 5), None)], ["text 1: it lies outside of the picture (120x60)"]),
        ([(box(119, 5), None), (box(-38, 55), None)], []),
        ([(box(5, 5), "a"), (box(5, 5), "a")], ["text 2 ('a'): it has the outline of text 1"]),
        ([(box(5, 5), " a")], ["text 1 (' a'): white space around ' a'"]),
        ([(box(5, 5), "Caf\ufffd")], ["text 1 ('Caf\ufffd'): 'Caf\ufffd' holds '\ufffd': a wrong encoding?"]),
        ([(box(5, 5), "a\nb")], ["text 1 ('a\\nb'): 'a\\nb' holds '\\n': a wrong encoding?"]),
    ],
)
def test_what_is_hardly_meant_so_is_said(instances, reasons):
    record = TextRecord("a.jpg", [TextInstance(np.array(polygon), text) for polygon, text in instances])
    assert list(TextTally().add(record, SIZE_HW)) == reasons


def test_without_the_picture_no_outline_is_outside():
    record = TextRecord("a.jpg", [TextInstance(np.array(box(500, 5)))])
    tally = TextTally()
    assert list(tally.add(record, None)) == []
    assert tally.counts()["outlines"]["beyond_the_border"] == 0


def test_words_are_counted(tmp_path):
    tally = WordTally()
    assert list(tally.add(WordRecord("1.png", "tall"), (40, 20))) == []
    assert list(tally.add(WordRecord("2.png", ""), (10, 20))) == ["its text is empty"]
    assert list(tally.add(WordRecord("3.png", "x" * 26), None)) == []
    counts = tally.counts()
    assert counts["texts"] == {"all": 3, "empty": 1, "in_tall_crops": 1}
    assert counts["transcriptions"]["longer_than_25"] == 1


def test_a_data_base_with_holes_is_told_word_by_word(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    write_lmdb(tmp_path / "w", [WordRecord(np.zeros((8, 20, 3), np.uint8), f"w{n}") for n in range(3)])
    with lmdb.open(str(tmp_path / "w")) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b"label-000000002")
        transaction.put(b"image-000000003", b"no picture")
    inspection = inspected(tmp_path / "w")
    (part,) = inspection.parts
    assert not inspection.is_sound
    assert ["label-000000002 is missing" in problem.reason for problem in part.problems] == [True]
    assert [doubt.image for doubt in part.lost] == ["w/000000003"]
    assert part.counts["pictures"]["readable"] == 1


def test_objects_are_counted():
    tally = ObjectTally()
    polygons = np.array([box(5, 5), box(200, 5)], np.float32)
    record = RotatedRecord("1.jpg", polygons, ["ship", "plane"], np.array([False, True]))
    assert list(tally.add(record, SIZE_HW)) == ["object 2 (plane): it lies outside of the picture (120x60)"]
    counts = tally.counts()
    assert counts["objects"]["classes"] == {"ship": 1, "plane": 1}
    assert (counts["objects"]["difficult"], counts["outlines"]["beyond_the_border"]) == (1, 1)


def arc(height=10.0, radius=100.0, points=20):
    """A band around a quarter of a circle."""
    angles = np.linspace(0, np.pi / 2, points)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.concatenate([radius * circle, (radius + height) * circle[::-1]])


@pytest.mark.parametrize(
    ("polygon", "height"),
    [
        (np.array(box(0, 0, 200, 12)), 12),
        (np.array(box(0, 0, 12, 200)), 12),
        (np.array(box(0, 0, 20, 20)), 20),
        (arc(), 10),
        (np.array([[0, 0], [10, 0], [20, 0]]), 0),
        (10 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]), 200**0.5),
    ],
)
def test_the_height_of_a_text_straight_or_curved(polygon, height):
    assert text_height_px(polygon) == pytest.approx(height, abs=0.05)


def test_a_spread_of_nothing_is_nothing():
    assert spread([]) is None
    assert spread([3]) == {"min": 3, "p5": 3, "median": 3, "p95": 3, "max": 3}
