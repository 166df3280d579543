"""`tcm-hf synth-aerial` and `tcm-hf train rotated`: from generated photos to a detector."""

import argparse
import json

import numpy as np
import pytest

from tcm_hf.cli import synth_aerial
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import main
from tcm_hf.cli.train import add_parser as add_train
from tcm_hf.cli.train import run as run_train
from tcm_hf.data.rotated_corpora import load_rotated_corpus
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tiny_rotated import tiny_rotated_model


def synth(output, *more: object) -> int:
    parser = argparse.ArgumentParser()
    synth_aerial.add_parser(parser.add_subparsers())
    words = ["synth-aerial", "--output", output, "--size", "128x96", "--workers", 1, *more]
    return synth_aerial.run(parser.parse_args(list(map(str, words))))


def train(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_train(parser.add_subparsers())
    return run_train(parser.parse_args(["train", "rotated", *map(str, words)]))


def test_photos_go_on_where_they_stopped_and_are_the_same_again(tmp_path, capsys):
    assert synth(tmp_path / "twice", "--count", 2) == 0
    assert synth(tmp_path / "twice", "--count", 4) == 0
    assert "2 of 4 images are there already" in capsys.readouterr().err
    assert synth(tmp_path / "once", "--count", 4, "--workers", 2) == 0
    twice, once = load_rotated_corpus(tmp_path / "twice"), load_rotated_corpus(tmp_path / "once")
    assert [record.name for record in twice] == [f"aerial_{index:06d}" for index in range(4)]
    for one, other in zip(twice, once, strict=True):
        assert one.load_image().shape == (96, 128, 3)
        assert one.class_names == other.class_names
        np.testing.assert_array_equal(one.load_image(), other.load_image())
        np.testing.assert_array_equal(one.polygons_xy, other.polygons_xy)


def test_other_settings_want_another_folder(tmp_path):
    synth(tmp_path, "--count", 1)
    with pytest.raises(CommandError, match="other settings"):
        synth(tmp_path, "--count", 1, "--seed", 5)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six generated photos."""
    folder = tmp_path_factory.mktemp("aerial")
    synth(folder, "--count", 6)
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --train FOLDER"),
        (["--train", "nowhere"], "nowhere is not there"),
        (["--train", "PHOTOS", "--weights", 1, 2], "one number a corpus: got 2 for 1"),
        (["--train", "PHOTOS", "--tile", 100], "--tile-overlap must be less than --tile 100"),
        (["--train", "PHOTOS", "--classes", "whale"], r"No object of the classes \['whale'\]"),
        (["--train", "PHOTOS:50-60"], "No file of"),
        (["--train", "PHOTOS", "--preset", "no-such"], "no-such"),
        (["--train", "PHOTOS", "--model", "PHOTOS"], "it holds no checkpoint"),
    ],
)
def test_a_mistake_is_named_in_one_line(photos, tmp_path, words, message):
    words = [str(word).replace("PHOTOS", str(photos)) for word in words]
    with pytest.raises(CommandError, match=message):
        train("--output", tmp_path, *words)


def test_the_command_trains_resumes_and_leaves_a_detector(photos, tmp_path, capsys):
    pytest.importorskip("open_clip", reason="CLIP's vocabulary is not installed")
    output = tmp_path / "out"
    words = (
        f"--train {photos}:0-3 --validation {photos}:4-5 --output {output} --cache {tmp_path / 'cache'}"
        " --device cpu --workers 0 --batch-size 2 --eval-steps 2 --log-steps 1 --calibration-images 1"
    ).split()
    classes = ["--classes", "ship", "plane=a plane from above"]
    assert train(*words, *classes, "--steps", 2) == 0
    assert train(*words, *classes, "--steps", 3) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(output), str(output)]
    assert f"Going on from step 2 of 3 in {output}." in captured.err
    with pytest.raises(CommandError, match=r"another training \(classes"):
        train(*words, "--classes", "ship", "--steps", 4)
    report = json.loads((output / "training_report.json").read_text())
    assert report["validation"]["num_images"] == 2
    assert set(report["validation"]["ap50"]) == {"ship", "plane"}
    settings = json.loads((output / "preprocessor_config.json").read_text())
    assert settings["threshold"] == report["threshold"]["threshold"]
    assert settings["size"] == {"longest_edge": 128}
    config = json.loads((output / "config.json").read_text())
    assert config["id2label"] == {"0": "ship", "1": "plane"}
    # The text tower is there still: the result learns other classes, or another prompt of the same.
    assert not config["text_embedding_cached"]
    again = [*words[:4], *words[6:], "--model", output, "--steps", 1]
    other = tmp_path / "other"
    assert train(*again, "--output", other, "--classes", "large vehicle", "plane", "ship=a ship") == 0
    config = json.loads((other / "config.json").read_text())
    assert config["id2label"] == {"0": "large vehicle", "1": "plane", "2": "ship"}


def test_a_checkpoint_is_fine_tuned_on_tiles_with_its_own_classes(photos, tmp_path):
    tiny_rotated_model().save_pretrained(tmp_path / "start")
    TCMRotatedImageProcessor(size={"longest_edge": 64}).save_pretrained(tmp_path / "start")
    output = tmp_path / "out"
    words = (
        f"--train {photos} --output {output} --model {tmp_path / 'start'} --device cpu --workers 0 --steps 1"
    )
    assert (
        train(*words.split(), "--cache", tmp_path, "--tile", 64, "--tile-overlap", 16, "--batch-size", 2) == 0
    )
    config = json.loads((output / "config.json").read_text())
    assert list(config["id2label"].values()) == ["plane", "ship", "harbour"]
    assert json.loads((output / "preprocessor_config.json").read_text())["tile_px"] == 64


def test_help_names_the_kind(capsys):
    with pytest.raises(SystemExit):
        main(["train", "rotated", "--help"])
    assert "labelTxt" in capsys.readouterr().out
