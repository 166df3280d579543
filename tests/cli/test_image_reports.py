"""`tcm-hf evaluate … --per-image` and `--draw-worst`: tables of all images, pictures of the worst."""

import argparse
import csv
import json

import pytest
from PIL import Image

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluate import add_parser, run
from tcm_hf.cli.worst_images import _FALSE_ALARM, _FOUND, _LEFT_OUT, _MISREAD, _MISSED

WORD = [[20, 20], [120, 20], [120, 50], [20, 50]]
OTHER = [[200, 20], [300, 20], [300, 50], [200, 50]]
BELOW = [[20, 120], [120, 120], [120, 150], [20, 150]]


def evaluate(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(["evaluate", *map(str, words)]))


@pytest.fixture
def corpus(tmp_path):
    """Two landscape photos with their texts: one of three texts, one of a single text."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for name, polygons, texts in (
        ("img_1.png", [WORD, OTHER, BELOW], ["exit", "shop", "###"]),
        ("img_2.png", [WORD], ["exit"]),
    ):
        Image.new("RGB", (320, 180), "white").save(folder / name)
        rows.append({"file_name": name, "polygons": polygons, "texts": texts})
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture
def read(tmp_path):
    """The first photo: one text misread, one missed, one found beside, one left out; the second all right."""
    beside = [[x, y + 80] for x, y in OTHER]
    found = {
        "img_1.png": [(WORD, "ex1t", 0.9), (beside, "shop", 0.4), (BELOW, "?", 0.8)],
        "img_2.png": [(WORD, "exit", 0.7)],
    }
    rows = [
        {
            "source": {"path": f"elsewhere/{name}"},
            "instances": [
                {"polygon": polygon, "text": text, "score": score} for polygon, text, score in instances
            ],
        }
        for name, instances in found.items()
    ]
    path = tmp_path / "read.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_every_image_is_a_row_with_its_numbers_and_mistakes(tmp_path, read, corpus):
    evaluate("spotting", read, corpus, "--per-image", tmp_path / "images.jsonl")
    first, second = map(json.loads, (tmp_path / "images.jsonl").read_text().splitlines())
    assert (first["image"], first["hmean"], first["misses"], first["false_alarms"]) == ("img_1", 0, 2, 2)
    assert first["missed"] == [{"index": 0, "text": "exit"}, {"index": 1, "text": "shop"}]
    assert first["false"] == [
        {"index": 0, "text": "ex1t", "score": 0.9},
        {"index": 1, "text": "shop", "score": 0.4},
    ]
    assert (second["image"], second["hmean"], second["missed"], second["false"]) == ("img_2", 1, [], [])


def test_a_table_for_a_spreadsheet_has_no_lists(tmp_path, read, corpus):
    evaluate("detection", read, corpus, "--protocol", "tiou", "--per-image", tmp_path / "images.csv")
    with (tmp_path / "images.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["image"], first["num_predictions"], first["misses"]) == ("img_1", "2", "1")
    assert float(second["hmean"]) == 1
    assert "missed" not in first


def test_the_report_holds_what_the_threshold_left(tmp_path, read, corpus):
    evaluate("detection", read, corpus, "--threshold", 0.5, "--per-image", tmp_path / "images.jsonl")
    first = json.loads((tmp_path / "images.jsonl").read_text().splitlines()[0])
    assert (first["misses"], first["false_alarms"]) == (1, 0)


def colors_on(path) -> set[tuple[int, int, int]]:
    with Image.open(path) as drawn:
        assert drawn.width == 320
        assert drawn.height > 180  # the legend stands below
        return {color for _, color in drawn.crop((0, 0, 320, 180)).getcolors(100_000)}


def test_the_worst_image_is_drawn_in_the_colours_of_its_mistakes(tmp_path, capsys, read, corpus):
    evaluate("spotting", read, corpus, "--draw-worst", 5, "--output", tmp_path / "worst")
    drawings = sorted(path.name for path in (tmp_path / "worst").glob("*.png"))
    assert drawings == ["01_img_1.png"]  # the other has no mistake
    assert {_MISREAD, _FALSE_ALARM, _MISSED, _LEFT_OUT} <= colors_on(tmp_path / "worst" / "01_img_1.png")
    assert "1 of 2 images drawn" in capsys.readouterr().err


def test_what_is_found_is_green_and_what_is_left_out_grey(tmp_path, read, corpus):
    evaluate("detection", read, corpus, "--draw-worst", 1, "--output", tmp_path / "worst")
    colors = colors_on(tmp_path / "worst" / "01_img_1.png")
    assert {_FOUND, _FALSE_ALARM, _MISSED, _LEFT_OUT} <= colors
    assert _MISREAD not in colors


def test_photos_that_lie_elsewhere_are_named_by_their_folder(tmp_path, read, corpus):
    moved = tmp_path / "moved"
    moved.mkdir()
    (corpus / "img_1.png").rename(moved / "img_1.png")
    draw = ["detection", read, corpus, "--draw-worst", 1, "--output", tmp_path / "worst"]
    with pytest.raises(CommandError, match=r"photo .*img_1\.png is not there; --photos DIR"):
        evaluate(*draw)
    assert not (tmp_path / "worst").exists()
    evaluate(*draw, "--photos", moved)
    assert (tmp_path / "worst" / "01_img_1.png").is_file()


def test_two_photos_of_one_name_are_both_named(tmp_path, read, corpus):
    for folder in "ab":
        (tmp_path / "moved" / folder).mkdir(parents=True)
        Image.new("RGB", (320, 180)).save(tmp_path / "moved" / folder / "img_1.png")
    draw = ["detection", read, corpus, "--draw-worst", 1, "--output", tmp_path / "worst"]
    with pytest.raises(CommandError, match=r"a/img_1\.png and .*b/img_1\.png may both be img_1"):
        evaluate(*draw, "--photos", tmp_path / "moved")


def test_photos_are_looked_for_before_anything_is_scored(tmp_path, read, corpus):
    (corpus / "img_2.png").unlink()  # has no mistake, and would not be drawn
    draw = ["--draw-worst", 1, "--output", tmp_path / "worst", "--per-image", tmp_path / "images.csv"]
    with pytest.raises(CommandError, match=r"photo .*img_2\.png is not there"):
        evaluate("detection", read, corpus, *draw)
    assert not (tmp_path / "images.csv").exists()


def test_protocols_that_need_texts_name_the_image_without(tmp_path, read, corpus):
    row = {"file_name": "img_1.png", "polygons": [WORD]}
    (corpus / "metadata.jsonl").write_text(f"{json.dumps(row)}\n")
    evaluate("detection", read, corpus)
    for kind, protocol in (("detection", "cleval"), ("spotting", "end-to-end")):
        with pytest.raises(CommandError, match=f"{protocol} needs what every text says: .* of img_1 has no"):
            evaluate(kind, read, corpus, "--protocol", protocol)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--draw-worst", 2], "--output DIR is needed"),
        (["--output", "x"], "--draw-worst N is needed"),
        (["--per-image", "x.txt"], r"writes \.jsonl or \.csv: got x\.txt"),
        (["--draw-worst", 2, "--output", "x", "--photos", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_options_that_do_not_fit(read, corpus, options, message):
    with pytest.raises(CommandError, match=message):
        evaluate("detection", read, corpus, *options)
