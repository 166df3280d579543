"""Models of the Hub on the command line: revisions, offline mode, and one line for what goes wrong."""

import json
import time

import pytest
from huggingface_hub import constants
from PIL import Image

from planted import picture
from tcm_hf import TCMImageProcessor
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import load_model, pinned
from tcm_hf.cli.main import build_parser, main
from tcm_hf.cli.training_arguments import start_model
from tcm_hf.hub import push_folder
from tcm_hf.hub.measurements import hub_source
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer


@pytest.fixture
def detector(hub, tmp_path):
    """me/detector with two revisions: main, and v2 with another threshold."""
    for threshold, revision in ((0.0, None), (1.0, "v2")):
        tiny_model().save_pretrained(tmp_path / "model")
        processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}, threshold=threshold)
        processor.save_pretrained(tmp_path / "model")
        push_folder(tmp_path / "model", "me/detector", revision=revision)
    return hub


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def error_of(capsys):
    captured = capsys.readouterr()
    assert captured.out == "" and "Traceback" not in captured.err
    return captured.err.splitlines()[-1]


def test_a_revision_is_taken_and_told_and_works_offline(detector, photo, tmp_path, capsys, monkeypatch):
    commit = detector.repositories["me/detector"].branches["v2"]
    command = ["detect", photo, "--device", "cpu", "--quiet", "--model", "me/detector"]
    for revision, threshold in ((None, 0.0), ("v2", 1.0), (commit, 1.0)):
        assert main([*command, *(["--revision", revision] if revision else [])]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        assert record["model"]["id"] == "me/detector"
        assert record["model"].get("revision") == revision
        assert record["params"]["threshold"] == threshold
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    detector.repositories.clear()
    for options in ([], ["--revision", "v2"]):
        assert main([*command, *options]) == 0
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_a_resumed_run_keeps_its_revision(detector, photo, tmp_path, capsys):
    command = [
        "detect",
        photo,
        "--device",
        "cpu",
        "--model",
        "me/detector",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*command, "--revision", "v2"]) == 0
    assert main([*command, "--revision", "v2", "--resume"]) == 0
    capsys.readouterr()
    assert main([*command, "--resume"]) == 2
    assert "was begun with another --revision" in error_of(capsys)


def test_a_reader_has_a_revision_of_its_own(detector, photo, tmp_path, capsys):
    tiny_recognizer().save_pretrained(tmp_path / "reader")
    tiny_processor().save_pretrained(tmp_path / "reader")
    push_folder(tmp_path / "reader", "me/reader", revision="small")
    command = ["read", photo, "--device", "cpu", "--format", "json", "--model", "me/detector"]
    command += ["--recognizer", "me/reader", "--max-detections", "2"]
    assert main([*command, "--recognizer-revision", "small"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"]["recognizer"] == "me/reader"
    assert record["model"]["recognizer_revision"] == "small"
    assert main(command) == 2  # nothing lies on main
    assert "cannot load the model me/detector with me/reader" in error_of(capsys)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--model", "me/nothing"], "the Hub has no me/nothing, or does not show it to you: check the name"),
        (["--model", "me/detector", "--revision", "v3"], "me/detector has no branch, tag or commit v3"),
        (["--model", "me/nothing", "--revision", "v3"], "the Hub has no me/nothing"),
        (["--model", "me/gated"], "me/gated is gated: ask for access at http://"),
        (["--model", "me/private"], "if it is private, log in with `hf auth login`, or set HF_TOKEN"),
    ],
)
def test_what_the_hub_does_not_give_is_one_line(detector, photo, capsys, options, reason):
    detector.refusals |= {"me/gated": (403, "GatedRepo"), "me/private": (401, "RepoNotFound")}
    assert main(["detect", photo, *options]) == 2
    error = error_of(capsys)
    assert error.startswith(f"tcm-hf detect: error: cannot load the model {options[1]}: ") and reason in error


def test_offline_the_missing_files_are_named_and_what_to_do(detector, photo, capsys, monkeypatch):
    from huggingface_hub import hf_hub_download

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["detect", photo, "--model", "me/detector", "--revision", "v2"]) == 2
    error = error_of(capsys)
    assert "HF_HUB_OFFLINE is set" in error and "lacks config.json" in error
    assert "`hf download me/detector --revision v2`" in error and constants.HF_HUB_CACHE in error
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("config.json", "model.safetensors"):
        hf_hub_download("me/detector", name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["detect", photo, "--model", "me/detector"]) == 2
    assert "lacks preprocessor_config.json. Unset it" in error_of(capsys)


def test_without_a_network_it_says_so(hub, photo, capsys, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub tries again and again
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    template = nowhere + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert main(["detect", photo, "--model", "me/detector"]) == 2
    assert f"the Hub ({nowhere}) cannot be reached for me/detector" in error_of(capsys)


def test_a_folder_has_no_revision(tmp_path):
    with pytest.raises(CommandError, match="a revision is for models of the Hub"):
        pinned("--model", str(tmp_path), "v2")


def test_a_model_without_its_pipeline_says_what_went_wrong(hub):
    with pytest.raises(CommandError, match="the Hub has no me/nothing"):
        load_model("MODEL", "me/nothing", True, "tcm")


def test_training_starts_from_a_commit_that_can_be_named(detector, tmp_path, capsys):
    repository = detector.repositories["me/detector"]
    train = ["train", "detector", "--output", "out", "--model"]
    for options, branch in (([], "main"), (["--revision", "v2"], "v2")):
        folder = start_model(build_parser().parse_args([*train, "me/detector", *options]))
        assert hub_source(folder) == ("me/detector", repository.branches[branch])
        assert load_model("--model", folder, True, "tcm").config.model_type == "tcm"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "training_settings.json").write_text(json.dumps({"model": folder}))
    begun = [*train[:3], str(tmp_path / "out"), "--model", "me/detector"]
    assert start_model(build_parser().parse_args(begun)) == folder  # whatever lies on main now
    assert "Going on with me/detector at" in capsys.readouterr().err
    with pytest.raises(CommandError, match="the Hub has no me/nothing"):
        start_model(build_parser().parse_args([*train, "me/nothing"]))
    with pytest.raises(CommandError, match="no such model folder: /no/such"):
        start_model(build_parser().parse_args([*train, "/no/such"]))
