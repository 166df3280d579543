"""`tcm-hf data list` and `data inspect`: what is said, what is drawn, and how they end."""

import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.cli import data
from tcm_hf.cli.arguments import OneLineParser
from tcm_hf.cli.contact_sheet import COUNTED
from tcm_hf.cli.errors import CommandError
from tcm_hf.data.corpora.table import CORPORA

BOX = [[10, 10], [90, 10], [90, 30], [10, 30]]
OUTSIDE = [[400, 10], [440, 10], [440, 30], [400, 30]]


def run(*words):
    parser = OneLineParser(prog="tcm-hf")
    data.add_parser(parser.add_subparsers(dest="verb"))
    return data.run(parser.parse_args(["data", *map(str, words)]))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photos, of which one has a doubtful text; the working directory is theirs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = [
        {"file_name": "img_1.png", "polygons": [BOX], "texts": ["exit"]},
        {"file_name": "img_2.png", "polygons": [BOX, OUTSIDE], "texts": ["###", "far"]},
    ]
    for row in rows:
        Image.new("RGB", (160, 90), (20, 20, int(row["file_name"][4]))).save(folder / row["file_name"])
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.chdir(tmp_path)
    return folder


def break_row(folder):
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('\n{"file_name": "img_3.png"}\n')


def test_every_corpus_is_listed_with_its_layout(capsys):
    assert run("list") == 0
    text = capsys.readouterr().out
    assert all(f"  {corpus.name} " in text and corpus.homepage in text for corpus in CORPORA)
    assert "photos with outlines of texts" in text and "crops of words" in text
    assert "in capitals) (read only)\n" in text and "  coco            COCO's json" in text
    assert "COCO's json (texts as polygons or boxes)\n" in text
    assert run("list", "svt", "DOTA", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["written"]) for row in rows] == [("svt", False), ("dota", True)]


def test_a_name_that_is_none_is_answered_with_its_like():
    with pytest.raises(CommandError, match="no corpus 'icdar2051': expected one of icdar2015"):
        run("list", "icdar2051")


def test_the_report_says_what_lies_there(photos, capsys):
    assert run("inspect", photos) == 0
    text = capsys.readouterr().out
    for line in (
        "imagefolder: Photos with",
        "all of it: 2 records",
        "2 readable; width 160, height 90 px",
        "3: 2 with a transcription, 1 do not care (33 %)",
        "doubts: 1",
        "img_2.png: text 2 ('far'): it lies outside of the picture (160x90)",
        "contact sheet: contact-sheet.jpg",
    ):
        assert line in text
    assert Image.open("contact-sheet.jpg").width > 2 * 480


def test_broken_rows_are_shown_and_end_with_3(photos, capsys):
    break_row(photos)
    assert run("inspect", photos, "--no-sheet") == 3
    text = capsys.readouterr().out
    assert "broken rows: 1" in text and "metadata.jsonl, line 3: " in text
    assert "contact sheet" not in text and not list(photos.parent.glob("*.jpg"))


def test_the_document_has_all_of_it(photos, capsys):
    break_row(photos)
    assert run("inspect", f"imagefolder:{photos}:2-9", "--json", "--sheet", "sheets/a.png") == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["corpus"], document["sound"]) == ("imagefolder", False)
    assert document["contact_sheet"] == "sheets/a.png" and Image.open("sheets/a.png")
    (part,) = document["parts"]
    assert (part["records"], part["texts"]["all"]) == (1, 2)
    assert [row["line"] for row in part["broken_rows"]] == [3]


def test_many_doubts_are_shown_one_by_one_only_with_all(photos, capsys):
    row = {"file_name": "img_1.png", "polygons": [OUTSIDE] * 8}
    (photos / "metadata.jsonl").write_text(json.dumps(row))
    run("inspect", photos, "--no-sheet")
    assert "doubts: 15, the first 5 (all of them with --all)" in capsys.readouterr().out
    run("inspect", photos, "--no-sheet", "--all")
    assert capsys.readouterr().out.count("it lies outside") == 8


def test_all_parts_are_looked_at_unless_one_is_named(photos, capsys):
    parts = photos.parent / "parts"
    parts.mkdir()
    for split in ("train", "test"):
        (parts / split).mkdir()
        for file in photos.iterdir():
            (parts / split / file.name).write_bytes(file.read_bytes())
    assert run("inspect", parts, "--no-sheet") == 0
    text = capsys.readouterr().out
    assert "part train: 2 records" in text and "part test: 2 records" in text
    assert "pictures that lie there twice: 2" in text
    assert run("inspect", f"{parts}@test", "--no-sheet", "--limit", "1") == 0
    text = capsys.readouterr().out
    assert "part test: 2 records, 1 looked at" in text and "train" not in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere is not there"),
        (".", "no corpus that we know: it holds 1 folder such as photos. `tcm-hf data list` says how"),
        ("photos@train", "no part 'train': it has one part only"),
        ("svt:photos", "Expected train.xml or test.xml of Street View Text in photos"),
    ],
)
def test_what_is_no_corpus_is_a_mistake_of_the_user(photos, source, message):
    with pytest.raises(CommandError, match=message):
        run("inspect", source)


def test_a_sheet_that_no_picture_can_be_is_refused(photos):
    with pytest.raises(CommandError, match=r"--sheet sheet\.xyz: .* give a \.jpg or \.png file"):
        run("inspect", photos, "--sheet", "sheet.xyz")
    assert not list(photos.parent.glob("*xyz"))


def test_without_a_readable_picture_there_is_no_sheet(photos, capsys):
    for file in photos.glob("*.png"):
        file.unlink()
    assert run("inspect", photos) == 3
    text = capsys.readouterr().out
    assert "0 readable, 2 lost" in text and "lost pictures: 2" in text and "contact sheet" not in text


def test_words_and_objects_have_sheets_of_their_own(photos, capsys):
    (photos / "metadata.jsonl").write_text('{"file_name": "img_1.png", "text": "exit"}\n')
    assert run("inspect", photos, "--sheet", "words.png") == 0
    assert "words        1, 0 empty" in capsys.readouterr().out
    assert Image.open("words.png").width == 180 + 2 * 10
    row = {"file_name": "img_2.png", "polygons": [BOX], "classes": ["ship"]}
    (photos / "metadata.jsonl").write_text(json.dumps(row))
    assert run("inspect", photos, "--sheet", "objects.png") == 0
    assert "classes      ship: 1" in capsys.readouterr().out
    assert (np.asarray(Image.open("objects.png")) == COUNTED).all(axis=2).any()


def test_a_range_without_a_file_is_a_mistake_of_the_user(photos):
    with pytest.raises(CommandError, match=r"No file of photos is in the range \(5, 9\)"):
        run("inspect", f"{photos.name}:5-9", "--no-sheet")


def test_the_document_is_json_whatever_the_coordinates(photos, capsys):
    rows = [{"file_name": "img_1.png", "polygons": [[[3e38, 2], [90, 10], [90, 30]]]}]
    rows.append({"file_name": "img_2.png", "polygons": [[[9e6, 2], [-9e6, 10], [90, 9e6]]]})
    (photos / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run("inspect", photos, "--json") == 3
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["parts"][0]["broken_rows"][0]["line"] == 1
