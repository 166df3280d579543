import json
import subprocess
import sys

import pytest
from bar_photos import write_bar_photos

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import build_parser, main
from tcm_hf.cli.train import run


def arguments(*words):
    return build_parser().parse_args(["train", "detector", "--output", "out", *map(str, words)])


@pytest.fixture
def corpus(tmp_path):
    return write_bar_photos(tmp_path / "photos", 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param([], "give --train FOLDER", id="nothing to train on"),
        pytest.param(["--train", "nowhere"], "nowhere is not there", id="no such folder"),
        pytest.param(
            ["--train", "a", "b", "--weights", "1"], "one number a corpus: got 1 for 2", id="weights"
        ),
        pytest.param(
            ["--train", "a", "--synth", "9", "--weights", "1"], "got 1 for 2", id="weights with synth"
        ),
        pytest.param(["--train", "a", "--weights", "-1"], "0 or positive", id="a weight below 0"),
    ],
)
def test_a_mistake_is_named_in_one_line(words, message):
    with pytest.raises(CommandError, match=message) as caught:
        run(arguments(*words))
    assert "\n" not in str(caught.value)


def test_a_range_without_files_is_a_mistake_before_anything_starts(corpus):
    with pytest.raises(CommandError, match="No file of"):
        run(arguments("--train", f"{corpus}:100-200"))


def test_what_is_asked_of_the_optimisation_reaches_the_trainer():
    from tcm_hf.cli.training_arguments import photo_training_values
    from tcm_hf.training.arguments import RECOMPUTE_FIELD

    words = (
        "--optimizer ranger --schedule cosine --warm-up 5 --clip-grad 2 --accumulate 4 --early-stopping 3"
        " --replay 0.2 --replay-round 50 --gradient-checkpointing --fp16"
    )
    values = photo_training_values(arguments(*words.split()))
    wanted = {
        "optimizer": "ranger",
        "lr_scheduler_type": "cosine",
        "warmup_steps": 5,
        "max_grad_norm": 2,
        "gradient_accumulation_steps": 4,
        "early_stopping_patience": 3,
        "replay_share": 0.2,
        "replay_round_steps": 50,
        RECOMPUTE_FIELD: True,
        "fp16": True,
    }
    assert {name: values[name] for name in wanted} == wanted
    unasked = photo_training_values(arguments())
    assert (unasked["lr_scheduler_type"], unasked["optimizer"]) == ("polynomial", "adamw")
    assert not {"warmup_steps", "max_grad_norm", "replay_share", RECOMPUTE_FIELD} & unasked.keys()


def test_early_stopping_without_validation_is_a_mistake(corpus, tmp_path):
    words = ["--train", corpus, "--early-stopping", 2, "--output", tmp_path / "out", "--device", "cpu"]
    with pytest.raises(CommandError, match="Give validation data"):
        run(arguments(*words))


def test_a_revision_without_a_model_is_a_mistake(corpus):
    with pytest.raises(CommandError, match="--model ID"):
        run(arguments("--train", corpus, "--revision", "v2"))


@pytest.mark.parametrize(
    "words", [["--crop", "100"], ["--steps", "0"], ["--model", "a", "--preset", "b"], ["--batch-size", "x"]]
)
def test_a_wrong_number_ends_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        arguments(*words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_help_and_argument_errors_import_no_torch():
    code = (
        "import sys, tcm_hf.cli.train; from tcm_hf.cli.main import build_parser; build_parser();"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_trains_resumes_and_leaves_a_detector(corpus, tmp_path, capsys):
    output = tmp_path / "out"
    words = (
        f"train detector --train {corpus}:1-3 --validation {corpus}:4-4 --output {output} --device cpu"
        f" --cache {tmp_path / 'cache'} --batch-size 2 --crop 64 --size 32 64 --workers 0"
        " --eval-steps 2 --log-steps 1 --calibration-images 1"
    ).split()
    assert main([*words, "--steps", "2"]) == 0
    assert main([*words, "--steps", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(output), str(output)]
    assert "step 3/3" in captured.err
    assert captured.err.count("step 1/") == 1  # the second run went on from step 2
    assert "Other steps than before: 3, was 2." in captured.err
    assert f"Going on from step 2 of 3 in {output}." in captured.err
    assert main([*words, "--steps", "3"]) == 0
    captured = capsys.readouterr()
    assert "nothing is trained" in captured.err
    assert "loss_probability" not in captured.err
    assert main([*words, "--steps", "4", "--crop", "96"]) == 2
    assert "(crop 64, now 96). Give another --output." in capsys.readouterr().err
    report = json.loads((output / "training_report.json").read_text())
    assert (report["steps"], report["validation"]["num_images"]) == (3, 1)
    assert report["command"].startswith("tcm-hf train detector --train")
    assert (report["start"], report["trained_on"]) == ("fasttcm-dbnet-tiny", [f"{corpus}:1-3"])
    assert report["validated_on"] == f"{corpus}:4-4"
    assert 0 <= report["data_time_share"] <= 1
    settings = json.loads((output / "preprocessor_config.json").read_text())
    assert settings["threshold"] == report["decoding"]["threshold"]
    assert settings["size"] == {"shortest_edge": 32, "longest_edge": 64}
    config = json.loads((output / "config.json").read_text())
    assert config["text_embedding_cached"]
    fit = f"train decoding --model {output} --photos {corpus}:1-1 --size 64 96"
    assert main(fit.split()) == 0
    chosen = json.loads(capsys.readouterr().out)
    settings = json.loads((output / "preprocessor_config.json").read_text())
    for name in {"threshold", "binarize_threshold", "unclip_ratio", "shrink_ratio"} & set(chosen):
        assert settings.get(name) == chosen[name]
    assert settings["size"] == {"shortest_edge": 64, "longest_edge": 96}


@pytest.mark.parametrize(
    ("preset", "setting"),
    [("fasttcm-pan-tiny", "embedding_distance"), ("fasttcm-fcenet-tiny", "region_exponent")],
)
def test_the_command_trains_every_detector(corpus, tmp_path, preset, setting):
    output = tmp_path / "out"
    words = (
        f"train detector --preset {preset} --train {corpus} --output {output} --device cpu --workers 0"
        " --augmentation papers"
        f" --cache {tmp_path / 'cache'} --batch-size 2 --crop 64 --size 32 64 --steps 1"
        " --calibration-images 1"
    )
    assert main(words.split()) == 0
    report = json.loads((output / "training_report.json").read_text())
    settings = json.loads((output / "preprocessor_config.json").read_text())
    assert settings[setting] == report["decoding"][setting]
    assert f"{json.loads((output / 'config.json').read_text())['head_config']['head_type']}-" in preset


@pytest.mark.parametrize("start", [["--preset", "no-such"], ["--model", "src"]])
def test_a_wrong_start_is_a_mistake_before_pictures_are_rendered(start, tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()  # a folder, but no checkpoint
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tcm_hf.cli.training_pictures.run_synth", lambda args: pytest.fail("rendered"))
    with pytest.raises(CommandError, match=start[1]):
        run(arguments("--synth", 9, "--cache", tmp_path, *start))


def test_fitting_the_decoding_of_nothing_is_a_mistake(corpus):
    args = build_parser().parse_args(["train", "decoding", "--model", "nowhere", "--photos", str(corpus)])
    with pytest.raises(CommandError, match="nowhere"):
        run(args)
