"""`tcm-hf evaluate recognition`: what recognize writes and corpora of words in, numbers out."""

import argparse
import json

import pytest
from PIL import Image

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluate import add_parser, run

TEXTS = {"word_1.png": "EXIT", "word_2.png": "1,50", "word_3.png": "of"}


def evaluate(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(["evaluate", "recognition", *map(str, words)]))


@pytest.fixture
def crops(tmp_path):
    """Three landscape crops with their labels as ICDAR writes them."""
    folder = tmp_path / "crops"
    folder.mkdir()
    for name in TEXTS:
        Image.new("RGB", (40, 12)).save(folder / name)
    lines = [f'{name}, "{text}"\n' for name, text in TEXTS.items()]
    (folder / "gt.txt").write_text("".join(lines), "utf-8-sig")
    return folder


def record(path, text) -> dict:
    return {"schema": "tcm_hf.recognition/1", "source": {"path": str(path)}, "text": text, "score": 0.9}


def write_predictions(path, read: dict) -> None:
    """In the format that the suffix says."""
    rows = list(read.items())
    if path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(record(*row))}\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps([record(*row) for row in rows]))
    elif path.suffix == ".csv":
        path.write_text("path,text,score\n" + "".join(f'{name},"{text}",0.9\n' for name, text in rows))
    elif path.suffix == ".tsv":
        path.write_text("path\ttext\tscore\n" + "".join(f"{name}\t{text}\t0.9\n" for name, text in rows))
    else:
        path.write_text("".join(f"{name}\t{text}\n" for name, text in rows))


READ = {"crops/word_1.png": "exit", "crops/word_2.png": "1.50", "elsewhere/word_3.jpg": "of"}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".txt"])
def test_every_format_of_recognize_gives_the_same_numbers(tmp_path, capsys, crops, suffix):
    write_predictions(tmp_path / f"read{suffix}", READ)
    assert evaluate(tmp_path / f"read{suffix}", crops) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["num_words"], result["accuracy_36"]) == (3, 1)
    assert (result["accuracy_62"], result["accuracy_94"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert not captured.err


def test_a_crop_without_a_prediction_is_one_where_nothing_was_read(tmp_path, capsys, crops):
    write_predictions(tmp_path / "read.jsonl", {"word_1.png": "EXIT", "word_9.png": "x"})
    evaluate(tmp_path / "read.jsonl", crops / "gt.txt", "--characters", "94")
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result == {
        "kind": "recognition",
        "predictions": str(tmp_path / "read.jsonl"),
        "ground_truth": str(crops / "gt.txt"),
        "command": "",
        "protocol": "word accuracy",
        "subset": None,
        "num_words": 3,
        "accuracy_94": pytest.approx(1 / 3),
        "one_minus_ned_94": pytest.approx(1 / 3),
        "num_words_94": 3,
    }
    assert "1 crops have no annotation and are left out: word_9.png" in captured.err
    assert "2 crops have no result file: word_2.png, word_3.png" in captured.err


def test_crops_of_one_name_are_told_apart_by_their_paths(tmp_path, capsys):
    for part in "ab":
        (tmp_path / part).mkdir()
        Image.new("RGB", (40, 12)).save(tmp_path / part / "1.png")
    (tmp_path / "gt.txt").write_text("a/1.png\tone\nb/1.png\ttwo\n")
    read = {tmp_path / "b" / "1.png": "two", tmp_path / "a" / "1.png": "one"}
    write_predictions(tmp_path / "read.jsonl", read)
    evaluate(tmp_path / "read.jsonl", tmp_path)
    assert json.loads(capsys.readouterr().out)["accuracy_94"] == 1
    write_predictions(tmp_path / "read.jsonl", {"c/1.png": "two"})
    with pytest.raises(CommandError, match=r"may be a/1\.png or b/1\.png"):
        evaluate(tmp_path / "read.jsonl", tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_every_crop_is_in_the_report(tmp_path, crops, suffix):
    write_predictions(tmp_path / "read.jsonl", READ)
    path = tmp_path / f"crops{suffix}"
    evaluate(tmp_path / "read.jsonl", crops, "--characters", "36", "94", "--per-image", path)
    text = path.read_text()
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        assert rows[0] == {
            "image": "word_1.png",
            "text": "EXIT",
            "read": "exit",
            "one_minus_ned_36": 1,
            "one_minus_ned_94": 0,
        }
    else:
        assert text.splitlines()[:2] == [
            "image,text,read,one_minus_ned_36,one_minus_ned_94",
            "word_1.png,EXIT,exit,1.0,0.0",
        ]
    with pytest.raises(CommandError, match=r"writes \.jsonl or \.csv: got .*crops\.txt"):
        evaluate(tmp_path / "read.jsonl", crops, "--per-image", tmp_path / "crops.txt")


def test_a_subset_leaves_words_out_and_says_that_it_is_not_the_whole_one(tmp_path, capsys, crops):
    write_predictions(tmp_path / "read.jsonl", READ)
    evaluate(tmp_path / "read.jsonl", crops, "--subset", "ic13-857")
    captured = capsys.readouterr()
    assert (json.loads(captured.out)["subset"], json.loads(captured.out)["num_words"]) == ("ic13-857", 1)
    assert "ic13-857 has 857 of 1095 words: 1 of 3 are counted here" in captured.err
    (tmp_path / "kept.txt").write_text("word_2.png\nword_3.png\n")
    evaluate(tmp_path / "read.jsonl", crops, "--subset", "ic15-1811", "--kept", tmp_path / "kept.txt")
    assert json.loads(capsys.readouterr().out)["num_words"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--subset", "ic15-1811"], "judged by eye"),
        (["--kept", "names.txt"], "--kept goes with --subset"),
        (["--subset", "ic15-1811", "--kept", "nowhere.txt"], "no such file or folder: nowhere.txt"),
    ],
)
def test_options_that_do_not_fit(tmp_path, crops, options, message):
    write_predictions(tmp_path / "read.jsonl", READ)
    with pytest.raises(CommandError, match=message):
        evaluate(tmp_path / "read.jsonl", crops, *options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("read.jsonl", "{\n", r"read\.jsonl: not a result of tcm-hf"),
        ("read.jsonl", '{"source": {"path": "word_1.png"}}\n', r"read\.jsonl: not a result .*'text'"),
        ("read.json", json.dumps(record("word_1.png", 5)), r"json: word_1\.png: expected a text, got 5"),
        ("read.csv", "path,text\nword_1.png,a,b\n", r"read\.csv, line 2: more cells than names"),
        ("read.csv", "file,word\na,b\n", "expected the columns path and text, got file, word"),
        ("read.txt", "word_1\tEXIT\n", r"read\.txt, line 1: expected an image file"),
        ("read.txt", "other.png\tEXIT\n", "no prediction fits an annotated crop"),
        ("read.txt", "word_1.png\ta\nword_1.png\tb\n", r"two predictions for the crop word_1\.png"),
    ],
)
def test_bad_predictions_are_named(tmp_path, crops, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(CommandError, match=message):
        evaluate(tmp_path / name, crops)


def test_cells_of_a_table_may_be_long(tmp_path, capsys, crops):
    (tmp_path / "read.csv").write_text(f"path,text,note\nword_1.png,EXIT,{'x' * 200_000}\n")
    evaluate(tmp_path / "read.csv", crops)
    assert json.loads(capsys.readouterr().out)["num_words"] == 3


def test_bad_places_are_named(tmp_path, crops):
    write_predictions(tmp_path / "read.jsonl", READ)
    with pytest.raises(CommandError, match="no such file or folder"):
        evaluate(tmp_path / "none.jsonl", crops)
    with pytest.raises(CommandError, match="none is not there"):
        evaluate(tmp_path / "read.jsonl", tmp_path / "none")
