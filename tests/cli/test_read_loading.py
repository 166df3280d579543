"""`tcm-hf read` and `recognize` with real checkpoints: what loads, and how they say what does not."""

import json

import pytest
from PIL import Image

from planted import picture
from tcm_hf.cli.main import main
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny_model().save_pretrained(folder / "detector")
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160}).save_pretrained(folder / "detector")
    tiny_recognizer().save_pretrained(folder / "recognizer")
    tiny_processor().save_pretrained(folder / "recognizer")
    return folder


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_detector_and_recogniser_are_used_and_named(checkpoints, photo, capsys):
    arguments = ["--model", str(checkpoints / "detector"), "--recognizer", str(checkpoints / "recognizer")]
    options = ["--threshold", "0", "--binarize-threshold", "0.1", "--device", "cpu", "--format", "json"]
    options += ["--dtype", "float32"]  # machines differ in what they choose
    assert main(["read", photo, *arguments, *options]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"] == {
        "id": str(checkpoints / "detector"),
        "recognizer": str(checkpoints / "recognizer"),
        "dtype": "float32",
        "device": "cpu",
    }


def test_a_crop_is_read_with_a_checkpoint(checkpoints, photo, capsys):
    options = ["--model", str(checkpoints / "recognizer"), "--dtype", "bfloat16", "--device", "cpu"]
    assert main(["recognize", photo, *options, "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"] == {"id": options[1], "dtype": "bfloat16", "device": "cpu"}
    assert isinstance(record["text"], str)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["read", "--model", "detector", "--recognizer", "detector"],
            "--recognizer detector: expected a text recogniser (model type clip4str), found a text detector "
            "(model type tcm)",
        ),
        (
            ["read", "--model", "recognizer", "--recognizer", "recognizer"],
            "--model recognizer: expected a text detector (model type tcm) or a text spotter (model type "
            "tcm_spotting), found a text recogniser",
        ),
        (["detect", "--model", "recognizer"], "--model recognizer: expected a text detector"),
        (["recognize", "--model", "detector"], "--model detector: expected a text recogniser"),
        (["recognize", "--model", "other"], "found another model (model type bert)"),
    ],
)
def test_a_checkpoint_of_another_kind_is_named_with_its_option(
    checkpoints, photo, capsys, monkeypatch, arguments, told
):
    (checkpoints / "other").mkdir(exist_ok=True)
    (checkpoints / "other" / "config.json").write_text('{"model_type": "bert"}')
    monkeypatch.chdir(checkpoints)
    assert main([*arguments, photo, "--device", "cpu"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert f"tcm-hf {arguments[0]}: error: --" in output.err
    assert told in output.err
