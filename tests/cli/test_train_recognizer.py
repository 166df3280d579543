import json
from pathlib import Path

import pytest

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import build_parser, main
from tcm_hf.cli.train import run
from written_words import tiny_recognizer_config, write_word_crops

PHOTOS = Path(__file__).parents[2] / "examples" / "images"


def arguments(*words):
    return build_parser().parse_args(["train", "recognizer", "--output", "out", *map(str, words)])


@pytest.fixture
def crops(tmp_path):
    """Eight labelled crops and the settings of a tiny recognizer."""
    tiny_recognizer_config().to_json_file(tmp_path / "config.json")
    return write_word_crops(tmp_path / "crops")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--words", "nowhere"], "nowhere is not there", id="no such path"),
        pytest.param(["--words", ".:5-2"], "runs backwards", id="range"),
        pytest.param(["--words", str(PHOTOS), "--validation", "nowhere"], "nowhere is", id="validation"),
    ],
)
def test_a_mistake_is_named_in_one_line(words, message):
    with pytest.raises(CommandError, match=message) as caught:
        run(arguments(*words))
    assert "\n" not in str(caught.value)


def test_without_words_there_is_nothing_to_train_on(capsys):
    with pytest.raises(SystemExit) as caught:
        arguments()
    assert caught.value.code == 2
    assert "--words" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "message"),
    [(["--preset", "no-such"], "no-such"), (["--model", "src"], "src"), (["--charset", "aa"], "once")],
)
def test_a_wrong_start_is_a_mistake(start, message, crops, tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()  # a folder, but no checkpoint
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        run(arguments("--words", crops, *start))


def test_the_command_trains_goes_on_and_leaves_a_recognizer(crops, tmp_path, capsys):
    output = tmp_path / "out"
    words = (
        f"train recognizer --words {crops}:1-6=0.9 {crops}:7-8=0.1 --validation {crops}:7-8 --output {output}"
        f" --config {tmp_path / 'config.json'} --device cpu --batch-size 2 --workers 0 --eval-steps 2"
        " --log-steps 1 --contrastive-steps 1 --permutations 2 --final-permutations 2 --save-minutes 60"
    ).split()
    assert main([*words, "--steps", "2"]) == 0
    assert main([*words, "--steps", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(output), str(output)]
    assert captured.err.count("step 1/") == 1  # the second run went on from step 2
    assert "loss_contrast" in captured.err
    assert "words/s" in captured.err
    assert f"Going on from step 2 of 3 in {output}." in captured.err
    assert main([*words, "--steps", "3", "--charset", "abc"]) == 2
    assert "another training" in capsys.readouterr().err
    report = json.loads((output / "training_report.json").read_text())
    assert (report["steps"], report["validation"]["num_words"]) == (3, 2)
    assert 0 <= report["validation"]["accuracy_36"] <= 1
    assert not (output / "ctc_head.safetensors").exists()

    tuned = tmp_path / "tuned"
    fine_tune = f"train recognizer --words {crops} --output {tuned} --model {output} --device cpu --workers 0"
    assert main([*fine_tune.split(), "--steps", "1", "--batch-size", "2"]) == 0
    assert "Training" in capsys.readouterr().err
    report = json.loads((tuned / "training_report.json").read_text())
    assert report["steps"] == 1
    assert "validation" not in report
