import json

import pytest
from bar_photos import write_bar_photos

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import build_parser, main
from tcm_hf.cli.train import run
from tiny_spotter import tiny_spotting_config


def arguments(*words):
    return build_parser().parse_args(["train", "spotter", "--output", "out", *map(str, words)])


@pytest.fixture
def corpus(tmp_path):
    return write_bar_photos(tmp_path / "photos", 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param([], "give --train FOLDER", id="nothing to train on"),
        pytest.param(["--train", "nowhere"], "nowhere is not there", id="no such folder"),
        pytest.param(["--words", "nowhere"], "nowhere is not there", id="no such words"),
        pytest.param(
            ["--words", "a", "b", "--synth", "3", "--weights", "1", "2"], "got 2 for 3", id="weights"
        ),
        pytest.param(["--synth", "3", "--scale", "2", "1"], "the smaller first", id="scale"),
    ],
)
def test_a_mistake_is_named_in_one_line(words, message):
    with pytest.raises(CommandError, match=message) as caught:
        run(arguments(*words))
    assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_is_told_at_once(corpus, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip4str"}')
    with pytest.raises(CommandError, match=r"--model .*a text detector .* or a text spotter .* recogniser"):
        run(arguments("--train", corpus, "--model", tmp_path))


@pytest.mark.parametrize("option", [["--preset", "fasttcm-testr-tiny"], ["--charset", "abc"]])
def test_a_spotter_is_not_built_anew(corpus, tmp_path, option):
    tiny_spotting_config().save_pretrained(tmp_path)
    with pytest.raises(CommandError, match="is a spotter"):
        run(arguments("--train", corpus, "--model", tmp_path, *option))


def test_photos_without_texts_are_told_in_one_line(corpus):
    metadata = corpus / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("texts", "words"))
    with pytest.raises(CommandError, match="`texts`") as caught:
        run(arguments("--train", corpus))
    assert "\n" not in str(caught.value)


def test_weights_of_words_stand_with_the_others(corpus):
    with pytest.raises(CommandError, match="--weights"):
        run(arguments("--words", f"{corpus}=0.5"))


@pytest.mark.parametrize(
    "words", [["--crop", "100"], ["--head-options", "[1]"], ["--head-options", "{"], ["--steps", "0"]]
)
def test_a_wrong_value_ends_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        arguments(*words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "start",
    [["--preset", "no-such"], ["--model", "src"], ["--head-options", '{"norm_groups": 7}']],
)
def test_a_wrong_start_is_a_mistake_before_pictures_are_rendered(start, tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()  # a folder, but no checkpoint
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tcm_hf.cli.training_pictures.run_synth", lambda args: pytest.fail("rendered"))
    with pytest.raises(CommandError, match=r"no-such|src|neck_channels"):
        run(arguments("--synth", 9, "--cache", tmp_path, *start))


def test_the_command_trains_goes_on_and_leaves_a_spotter(corpus, tmp_path, capsys):
    output = tmp_path / "out"
    head = '{"neck_channels":16,"norm_groups":4,"num_convs":1,"recognizer_hidden_size":16}'
    words = (
        f"train spotter --train {corpus}:1-2 --words {corpus} --weights 0.5 0.5 --validation {corpus}:3-3"
        f" --output {output} --head-options {head} --device cpu --cache {tmp_path / 'cache'} --batch-size 2"
        " --crop 64 --size 32 64 --workers 0 --eval-steps 1 --log-steps 1 --calibration-images 1"
    ).split()
    assert main([*words, "--steps", "1"]) == 0
    assert main([*words, "--steps", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(output), str(output)]
    assert f"Going on from step 1 of 2 in {output}." in captured.err
    report = json.loads((output / "training_report.json").read_text())
    assert (report["steps"], report["validation"]["num_images"]) == (2, 1)
    config = json.loads((output / "config.json").read_text())
    assert config["head_config"]["neck_channels"] == 16
    settings = json.loads((output / "preprocessor_config.json").read_text())
    for name in ("threshold", "recognition_threshold"):
        assert settings[name] == report["decoding"][name]
    assert settings["characters"] == config["characters"]
    # A spotter is a start, too.
    again = f"train spotter --model {output} --train {corpus} --output {tmp_path / 'again'} --device cpu"
    again += " --steps 1 --crop 64 --workers 0 --calibration-images 0"
    assert main(again.split()) == 0
    assert json.loads((tmp_path / "again" / "config.json").read_text())["head_config"]["neck_channels"] == 16
