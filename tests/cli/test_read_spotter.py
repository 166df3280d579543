"""`tcm-hf read` with one model that finds and reads: the records are those of two models."""

import json

import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted_spotter import painted_one_model
from planted_words import painted_photo, painted_spotter
from tcm_hf.cli import read
from tcm_hf.cli.main import main
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tiny_spotter import tiny_spotter

SCENE = (("cab", 150, 22, 0), ("abc", 20, 20, 0), ("bca", 24, 62, 0), ("bbb", 300, 180, 0))


@pytest.fixture(scope="module")
def readers():
    return {"spotter": painted_one_model(), "pair": painted_spotter()}


@pytest.fixture
def photo(tmp_path, monkeypatch, readers):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(read, "_load_spotter", lambda arguments: readers[arguments.model])
    Image.fromarray(painted_photo(*SCENE)).save("photo.png")
    return "photo.png"


def record_of(capsys, photo, model, *options):
    assert main(["read", photo, "--model", model, "--format", "json", "--quiet", *options]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    return record


def test_the_text_is_that_of_two_models(photo, capsys):
    for model in ("spotter", "pair"):
        assert main(["read", photo, "--model", model, "--quiet"]) == 0
        assert capsys.readouterr().out == "abc cab\nbca\n\nbbb\n"


def test_records_have_the_schema_and_the_keys_of_two_models(photo, capsys):
    options = ("--lines", "--characters")
    one, two = (record_of(capsys, photo, model, *options) for model in ("spotter", "pair"))
    for record in (one, two):
        assert_follows(record, shipped_schema("reading-1.json"))
    assert set(one) == set(two)
    assert set(one["model"]) == set(two["model"])
    assert set(two["params"]) <= set(one["params"])
    for mine, theirs in zip(one["instances"] + one["lines"], two["instances"] + two["lines"], strict=True):
        assert set(mine) == set(theirs)
        assert mine["text"] == theirs["text"]


def test_the_spotter_is_named_as_its_own_recogniser_and_its_settings_are_told(photo, capsys):
    record = record_of(capsys, photo, "spotter", "--max-detections", "2")
    assert (record["model"]["id"], record["model"]["recognizer"]) == ("spotter", "spotter")
    params = record["params"]
    assert params["recognition_threshold"] == 0
    assert (params["threshold"], params["polygon_mode"]) == (0.45, "polygon")
    assert params["unclip_ratio"] is params["rotations"] is None
    assert len(record["instances"]) == 2


@pytest.mark.parametrize(
    "option",
    [["--no-rotations"], ["--crop-margin", "0.1"], ["--refine-iterations", "1"], ["--unclip-ratio", "2"]],
)
def test_options_for_two_models_are_refused_in_one_line(photo, capsys, option):
    assert main(["read", photo, "--model", "spotter", *option]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert f"`{option[0].removeprefix('--').removeprefix('no-').replace('-', '_')}` is nothing" in output.err


def test_a_checkpoint_of_a_spotter_loads_and_a_broken_one_is_told(tmp_path, capsys):
    model = tiny_spotter()
    folder = tmp_path / "spotter"
    model.save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 160}
    TCMSpottingImageProcessor(size=size, characters=model.config.characters).save_pretrained(folder)
    Image.fromarray(painted_photo(*SCENE)).save(tmp_path / "photo.png")
    arguments = ["read", str(tmp_path / "photo.png"), "--model", str(folder), "--device", "cpu"]
    options = ["--threshold", "0", "--recognition-threshold", "0", "--format", "json", "--lexicon"]
    (tmp_path / "words.txt").write_text("123\n45a\n")
    assert main([*arguments, *options, str(tmp_path / "words.txt")]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert_follows(record, shipped_schema("reading-1.json"))
    assert record["model"]["recognizer"] == str(folder)
    assert (record["params"]["nms_threshold"], record["params"]["threshold"]) == (0.5, 0)
    assert {word["text"] for word in record["instances"]} <= {"123", "45a"}
    (folder / "model.safetensors").write_bytes(b"no tensors")
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "cannot load the model" in told
    assert "Model type should be" not in told  # of a detector, which it need not be
