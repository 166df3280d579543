"""`tcm-hf detect` with a real checkpoint: what loads, and how it says what does not."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from planted import picture
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import available_device
from tcm_hf.cli.main import main
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model


@pytest.fixture
def checkpoint(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160}).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_a_checkpoint_folder_is_used_and_named(checkpoint, photo, capsys):
    assert main(["detect", photo, "--model", str(checkpoint), "--dtype", "bfloat16", "--device", "cpu"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"] == {"id": str(checkpoint), "dtype": "bfloat16", "device": "cpu"}


def _cut_short(name):
    return lambda folder: (folder / name).write_bytes(b"{")


def _wrong_method(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"method": "foo"}))


def _weight_of_another_size(folder):
    weights = load_file(folder / "model.safetensors")
    name = max(weights, key=lambda name: weights[name].ndim)
    save_file(weights | {name: torch.zeros(1, 1, 1, 1)}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_cut_short("config.json"), id="config.json"),
        pytest.param(_cut_short("model.safetensors"), id="model.safetensors"),
        pytest.param(_cut_short("preprocessor_config.json"), id="preprocessor_config.json"),
        pytest.param(_wrong_method, id="method"),
        pytest.param(_weight_of_another_size, id="size of a weight"),
    ],
)
def test_a_damaged_checkpoint_is_one_clear_line(checkpoint, photo, capsys, damage):
    damage(checkpoint)
    assert main(["detect", photo, "--model", str(checkpoint), "--device", "cpu"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    error = output.err.splitlines()[-1]
    assert error.startswith(f"tcm-hf detect: error: cannot load the model {checkpoint}: ")
    assert "Traceback" not in output.err


def test_a_missing_device_is_one_clear_line(checkpoint, photo, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["detect", photo, "--model", str(checkpoint), "--device", "cuda"]) == 2
    assert "there is no cuda device here" in capsys.readouterr().err


def test_a_device_number_too_high_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert available_device("cuda:1") == "cuda:1"
    with pytest.raises(CommandError, match="only 2 cuda devices"):
        available_device("cuda:2")


@pytest.mark.parametrize(("name", "expected"), [("auto", None), ("cpu", "cpu")])
def test_the_cpu_and_the_choice_of_transformers_are_always_there(name, expected):
    assert available_device(name) == expected
