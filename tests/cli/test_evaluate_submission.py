"""`tcm-hf evaluate submission`: what detect, read and recognize write in, the file for a competition out."""

import argparse
import json
import zipfile

import pytest

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluate import add_parser, run
from tcm_hf.cli.evaluate_submission import TASKS
from tcm_hf.evaluation.submissions import SUBMISSIONS

WORD = [[10, 10], [110, 10], [110, 40], [10, 40]]


def submit(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(["evaluate", "submission", *map(str, words)]))


@pytest.fixture
def read(tmp_path):
    """Two photos: two words, and none."""
    words = {"img_1.jpg": [("exit", 0.9), ("x", 0.2)], "img_2.jpg": []}
    rows = [
        {
            "source": {"path": f"photos/{name}", "width": 320, "height": 180},
            "instances": [{"polygon": WORD, "text": text, "score": score} for text, score in texts],
        }
        for name, texts in words.items()
    ]
    path = tmp_path / "read.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_an_archive_has_a_file_an_image(tmp_path, capsys, read):
    submit(read, tmp_path / "send.zip", "--task", "icdar2015-4.4", "--threshold", 0.5)
    with zipfile.ZipFile(tmp_path / "send.zip") as archive:
        contents = {name: archive.read(name).decode() for name in archive.namelist()}
    assert contents == {"res_img_1.txt": "10,10,110,10,110,40,10,40,exit\n", "res_img_2.txt": ""}
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["kind"], result["protocol"]) == ("submission", "icdar2015-4.4")
    assert (result["num_images"], result["num_texts"], result["changes"]) == (2, 1, {})
    assert "icdar2015-4.4 has 500 test images: 2 are sent in" in captured.err


def test_a_name_without_suffix_is_a_folder_that_evaluate_reads_back(tmp_path, capsys, read):
    submit(read, tmp_path / "send", "--task", "icdar2015-4.1")
    assert sorted(path.name for path in (tmp_path / "send").iterdir()) == ["res_img_1.txt", "res_img_2.txt"]
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "gt_img_1.txt").write_text("10,10,110,10,110,40,10,40,exit\n")
    capsys.readouterr()
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    run(parser.parse_args(["evaluate", "detection", str(tmp_path / "send"), str(truth)]))
    assert json.loads(capsys.readouterr().out)["num_matches"] == 1


def test_outlines_go_with_their_own_score_and_readings_with_theirs(tmp_path):
    instance = {"polygon": WORD, "text": "exit", "score": 0.4, "detection_score": 0.8}
    source = {"path": "gt_1.jpg", "width": 320, "height": 180}
    (tmp_path / "read.json").write_text(json.dumps([{"source": source, "instances": [instance]}]))
    for task, score in (("art-1", 0.8), ("art-3", 0.4)):
        submit(tmp_path / "read.json", tmp_path / "send.json", "--task", task, "--threshold", 0.3)
        (sent,) = json.loads((tmp_path / "send.json").read_text())["res_1"]
        assert sent["confidence"] == score


def test_words_that_recognize_read_are_one_file(tmp_path, read):
    rows = [{"source": {"path": f"crops/word_{n}.png"}, "text": text} for n, text in ((1, "EXIT"), (2, "a"))]
    (tmp_path / "words.json").write_text(json.dumps(rows))
    submit(tmp_path / "words.json", tmp_path / "send.txt", "--task", "icdar2015-4.3")
    assert (tmp_path / "send.txt").read_text() == 'word_1.png, "EXIT"\nword_2.png, "a"\n'


def test_a_threshold_needs_scores_and_outlines(tmp_path, read):
    rows = json.loads(read.read_text().splitlines()[0])
    del rows["instances"][1]["score"]
    (tmp_path / "found.json").write_text(json.dumps(rows))
    with pytest.raises(CommandError, match=r"--threshold needs a score .*: img_1\.jpg has none"):
        submit(tmp_path / "found.json", tmp_path / "a.zip", "--task", "icdar2015-4.1", "--threshold", 0.5)
    word = {"source": {"path": "word_1.png"}, "text": "EXIT", "score": 0.4}
    (tmp_path / "word.json").write_text(json.dumps(word))
    with pytest.raises(CommandError, match="--threshold is for outlines: a crop"):
        submit(tmp_path / "word.json", tmp_path / "a.txt", "--task", "icdar2015-4.3", "--threshold", 0.5)


def test_a_folder_with_other_files_is_refused_and_may_be_named_as_its_task(tmp_path, read):
    folder = tmp_path / "send_icdar2015-4.1"
    for _ in range(2):  # its own files are written again
        submit(read, folder, "--task", "icdar2015-4.1")
    (folder / "res_img_9.txt").write_text("")
    with pytest.raises(CommandError, match=r"holds res_img_9\.txt, which is not of this submission"):
        submit(read, folder, "--task", "icdar2015-4.1")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"polygon": WORD[:2], "text": "a"}, r"photos/img_1\.jpg, text 1: expected an outline of 3 points"),
        ({"polygon": WORD, "text": 5}, r"photos/img_1\.jpg, text 1: expected a text that is a string, got 5"),
    ],
)
def test_results_that_are_none_are_named(tmp_path, row, message):
    source = {"path": "photos/img_1.jpg", "width": 320, "height": 180}
    (tmp_path / "read.json").write_text(json.dumps({"source": source, "instances": [row]}))
    with pytest.raises(CommandError, match=message):
        submit(tmp_path / "read.json", tmp_path / "send.zip", "--task", "icdar2015-4.4")


def test_nothing_is_no_submission(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(CommandError, match="takes one image or more: got no result"):
        submit(tmp_path / "none.jsonl", tmp_path / "send.zip", "--task", "icdar2015-4.1")
    assert not (tmp_path / "send.zip").exists()


def test_the_command_names_all_tasks_that_there_are():
    assert list(TASKS) == list(SUBMISSIONS)


@pytest.mark.parametrize(
    ("output", "task", "message"),
    [
        ("send.json", "icdar2015-4.1", r"sent in as \.zip: got .*send\.json"),
        ("send", "art-1", r"sent in as \.json"),
        ("send.json", "icdar2015-4.3", r"sent in as \.txt"),
        ("send.zip", "totaltext", "no test image of totaltext"),
    ],
)
def test_what_does_not_fit_the_task_is_named(tmp_path, read, output, task, message):
    with pytest.raises(CommandError, match=message):
        submit(read, tmp_path / output, "--task", task)
    assert not (tmp_path / output).exists()
    with pytest.raises(CommandError, match="no such file"):
        submit(tmp_path / "none.jsonl", tmp_path / "send.zip", "--task", "icdar2015-4.1")
