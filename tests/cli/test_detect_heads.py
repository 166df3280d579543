"""`tcm-hf detect` and `read` with PAN and FCENet: planted ones that find what is bright, and tiny ones."""

import json

import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted import picture
from planted_detectors import planted_pipeline
from tcm_hf.cli import detect
from tcm_hf.cli.main import main
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer

BARS = {"a": ((60, 80, 200, 112),), "b": ((60, 80, 200, 112), (300, 80, 400, 112)), "c": ()}


@pytest.fixture(params=["pan", "fcenet"])
def head_type(request):
    return request.param


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, bars in BARS.items():
        Image.fromarray(picture(bars=bars)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def planted(monkeypatch, head_type):
    monkeypatch.setattr(detect, "_load_detector", lambda _: planted_pipeline(head_type))


@pytest.fixture
def checkpoint(tmp_path, head_type):
    tiny_model(head_type=head_type).save_pretrained(tmp_path / head_type)
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160}).save_pretrained(tmp_path / head_type)
    return str(tmp_path / head_type)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--output", "out"], ["out/a.json", "out/b.json", "out/c.json"]),
        (["--output", "out.jsonl"], ["out.jsonl"]),
        (["--output", "out.json", "--format", "coco"], ["out.json"]),
        (["--output", "out", "--format", "icdar"], ["out/res_a.txt", "out/res_b.txt", "out/res_c.txt"]),
        (["--output", "out", "--format", "labelme"], ["out/a.json", "out/b.json", "out/c.json"]),
    ],
)
@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_every_format_is_written(planted, photos, capsys, arguments, files, polygon_mode):
    assert main(["detect", "photos", *arguments, "--polygon-mode", polygon_mode, "--draw", "drawn"]) == 0
    assert capsys.readouterr().err.startswith("tcm-hf detect: 3 texts in 3 images, 0 failed")
    written = {path.relative_to(photos.parent).as_posix() for path in photos.parent.rglob("*.*")}
    assert {*files, "drawn/a.jpg", "drawn/b.jpg"} <= written


def test_a_record_tells_what_the_detector_went_by(planted, photos, capsys, head_type):
    assert main(["detect", "photos/b.png", "--tile", "auto"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert_follows(record, shipped_schema("detection-1.json"))
    assert len(record["instances"]) == 2
    params = record["params"]
    assert params["threshold"] == 0.4
    assert (params["unclip_ratio"], params["shrink_ratio"]) == (None, None)
    assert (params["binarize_threshold"] is None) == (head_type == "fcenet")
    own = {
        "pan": {"kernel_threshold": 0.5, "embedding_distance": 0.85, "min_area_px": 16},
        "fcenet": {
            "region_exponent": 1.2,
            "center_exponent": 1.0,
            "num_contour_points": 50,
            "nms_threshold": 0.1,
        },
    }
    for detector, settings in own.items():
        assert all(
            params.get(name) == (value if detector == head_type else None) for name, value in settings.items()
        )


def test_a_setting_of_another_detector_is_one_clear_line(planted, photos, capsys):
    assert main(["detect", "photos", "--output", "out", "--unclip-ratio", "2"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "`unclip_ratio` is nothing that this kind of detector goes by" in error


def test_a_run_goes_on_where_it_stopped(planted, photos, capsys):
    for arguments in ([], ["--resume"]):
        assert main(["detect", "photos", "--output", "out.jsonl", *arguments]) == 0
    assert "3 done before" in capsys.readouterr().err


def test_a_checkpoint_detects_and_reads(checkpoint, photos, tmp_path, capsys):
    tiny_recognizer().save_pretrained(tmp_path / "recognizer")
    tiny_processor().save_pretrained(tmp_path / "recognizer")
    options = ["photos/b.png", "--model", checkpoint, "--device", "cpu", "--threshold", "0.01"]
    options += ["--dtype", "float32"]  # machines differ in what they choose
    assert main(["detect", *options]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"] == {"id": checkpoint, "dtype": "float32", "device": "cpu"}
    reader = ["--recognizer", str(tmp_path / "recognizer"), "--format", "json"]
    assert main(["read", *options, *reader, "--max-detections", "3"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"]["id"] == checkpoint
    assert record["params"]["unclip_ratio"] is None
