"""`tcm-hf detect --task rotated`: a planted detector that finds bright bars, and a tiny real one."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted_objects import CLASSES, planted_objects_pipeline, scene
from tcm_hf.cli import detect_rotated, photo_jobs
from tcm_hf.cli.main import main
from tcm_hf.data.dota import read_task1
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tiny_rotated import tiny_rotated_model

SHIP, TANK = ((100, 80, 60, 24, 0.5), 150), ((400, 180, 30, 30, 0.0), 230)
SCENES = {"P1": (SHIP,), "P2": (SHIP, TANK), "P3": ()}
DETECT = ["detect", "scenes", "--task", "rotated", "--model", "planted"]


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    made = []

    def load(model, arguments):
        made.append(planted_objects_pipeline())
        return made[-1]

    monkeypatch.setattr(detect_rotated, "_load_detector", load)
    return made


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenes").mkdir()
    for name, objects in SCENES.items():
        Image.fromarray(scene(objects=objects)).save(tmp_path / "scenes" / f"{name}.png")
    return tmp_path / "scenes"


def counts(records):
    return {record["source"]["path"]: len(record["instances"]) for record in records}


LOAD = detect_rotated._load_detector
ALL = {"scenes/P1.png": 1, "scenes/P2.png": 2, "scenes/P3.png": 0}


def test_records_follow_their_schema_and_name_classes_and_settings(scenes, capsys):
    assert main(DETECT) == 0
    output = capsys.readouterr()
    records = json.loads(output.out)
    assert counts(records) == ALL
    for record in records:
        assert_follows(record, shipped_schema("rotated-1.json"))
    assert [one["label"] for one in records[1]["instances"]] == ["storage tank", "ship"]
    assert records[0]["params"] == {
        "threshold": 0.4,
        "nms_threshold": 0.1,
        "max_detections": 2000,
        "tile": None,
        "candidate_threshold": 0.05,
        "classes": list(CLASSES),
    }
    assert output.err == "tcm-hf detect: 3 objects in 3 images, 0 failed; results in stdout\n"


def test_parameters_reach_the_pipeline_and_the_record(scenes, capsys, planted):
    options = ["--threshold", "0.7", "--nms-threshold", "0.3", "--max-detections", "5", "--tile", "200"]
    assert main([*DETECT, *options, "--format", "jsonl", "-q"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert counts(records) == ALL | {"scenes/P1.png": 0, "scenes/P2.png": 1}
    asked = {"threshold": 0.7, "nms_threshold": 0.3, "max_detections": 5, "tile": 200}
    assert records[0]["params"] == asked | {"candidate_threshold": 0.05, "classes": list(CLASSES)}
    assert len(planted[0].model.batch_shapes) > 3


def test_dota_takes_a_file_a_class_with_the_objects_of_all_images(scenes, capsys):
    assert main([*DETECT, "--format", "dota", "--output", "out"]) == 0
    assert capsys.readouterr().err.endswith("results in out/\n")
    names = {path.name for path in (scenes.parent / "out").iterdir()}
    assert names == {"Task1_ship.txt", "Task1_storage-tank.txt", "objects.run.jsonl"}
    found = read_task1(scenes.parent / "out", CLASSES)
    assert {
        image: {name: len(one.scores) for name, one in classes.items()} for image, classes in found.items()
    } == {
        "P1": {"ship": 1},
        "P2": {"ship": 1, "storage tank": 1},
    }
    record = json.loads((scenes.parent / "out" / "objects.run.jsonl").read_text().splitlines()[0])
    polygon = found["P1"]["ship"].polygons_xy[0]
    np.testing.assert_allclose(polygon, record["instances"][0]["polygon"], atol=0.01)


def test_dota_cannot_tell_images_of_one_name_apart(scenes, capsys):
    shutil.copy(scenes / "P1.png", scenes / "P1.bmp")
    assert main([*DETECT, "--format", "dota", "--output", "out"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "P1: rename one" in error


def test_classes_that_cannot_name_files_are_refused_before_anything_is_looked_for(
    scenes, capsys, monkeypatch
):
    detector = planted_objects_pipeline()
    detector.model.config.id2label = {0: "ship", 1: "car/truck"}
    monkeypatch.setattr(detect_rotated, "_load_detector", lambda *_: detector)
    assert main([*DETECT, "--format", "dota", "--output", "out"]) == 2
    error = capsys.readouterr().err
    assert "rename the class 'car/truck'" in error and error.count("\n") == 1
    assert not detector.model.batch_shapes


def test_coco_has_the_classes_as_categories(scenes):
    assert main([*DETECT, "--format", "coco", "--output", "out.json"]) == 0
    document = json.loads((scenes.parent / "out.json").read_text())
    assert [(one["id"], one["name"]) for one in document["categories"]] == [(1, "ship"), (2, "storage tank")]
    assert [one["category_id"] for one in document["annotations"]] == [1, 2, 1]
    assert all(-90 <= one["angle_deg"] < 90 for one in document["annotations"])


def test_labelme_has_the_class_as_label(scenes):
    assert main([*DETECT, "--format", "labelme", "--output", "out"]) == 0
    document = json.loads((scenes.parent / "out" / "P2.json").read_text())
    assert [shape["label"] for shape in document["shapes"]] == ["storage tank", "ship"]


def test_a_class_has_one_colour_in_every_picture(scenes):
    assert main([*DETECT, "--draw", "pictures", "-q"]) == 0
    colours = {}
    for name in ("P1", "P2"):
        drawn = np.asarray(Image.open(scenes.parent / "pictures" / f"{name}.jpg")).astype(int)
        plain = np.asarray(Image.open(scenes / f"{name}.png")).astype(int)
        assert drawn.shape == plain.shape
        changed = (np.abs(drawn - plain).max(-1) > 100) & (np.arange(512) < 250)  # round the ship
        colours[name] = np.median(drawn[changed], axis=0)
    assert np.abs(colours["P1"] - colours["P2"]).max() < 30


OUTPUTS = [
    ["--output", "out"],
    ["--output", "out.jsonl"],
    ["--output", "out.json", "--format", "coco"],
    ["--output", "out", "--format", "dota"],
    ["--output", "out", "--format", "labelme"],
]


def contents(folder):
    files = [path for pattern in ("out*", "out*/*") for path in folder.glob(pattern) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("output", OUTPUTS)
def test_after_ctrl_c_resuming_gives_what_one_run_gives(scenes, monkeypatch, planted, capsys, output):
    load = photo_jobs._load_pixels

    def load_or_interrupt(image, dpi):
        if image.path.name == "P3.png":
            raise KeyboardInterrupt
        return load(image, dpi)

    with monkeypatch.context() as patch:
        patch.setattr(photo_jobs, "_load_pixels", load_or_interrupt)
        assert main([*DETECT, *output]) == 130
    assert "out/Task1_ship.txt" not in contents(scenes.parent)
    planted.clear()
    assert main([*DETECT, *output, "--resume"]) == 0
    resumed = contents(scenes.parent)
    assert len(planted[0].model.batch_shapes) < 3
    planted.clear()
    assert main([*DETECT, *output, "--resume"]) == 0
    assert planted == [] and contents(scenes.parent) == resumed
    assert main([*DETECT, *output]) == 0
    assert contents(scenes.parent) == resumed
    capsys.readouterr()
    assert main([*DETECT, *output, "--resume", "--nms-threshold", "0.5"]) == 2
    assert "--nms-threshold" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["detect", "scenes", "--task", "rotated"], "needs --model"),
        ([*DETECT, "--polygon-mode", "quad"], "--polygon-mode is not for --task rotated"),
        ([*DETECT, "--sort", "reading"], "--sort is not for --task rotated"),
        ([*DETECT, "--format", "icdar", "--output", "out"], "take json, jsonl, dota, coco, labelme"),
        ([*DETECT, "--format", "dota"], "writes a file per class: --output DIR is needed"),
        ([*DETECT, "--format", "dota", "--output", "out.txt"], "must be a folder"),
        (["detect", "scenes", "--nms-threshold", "0.5"], "--nms-threshold is not for --task text"),
        (["detect", "scenes", "--format", "dota", "--output", "out"], "--format dota is not for --task text"),
    ],
)
def test_mistakes_are_one_line(scenes, capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.fixture
def checkpoint(scenes):
    tiny_rotated_model().save_pretrained(scenes.parent / "tiny")
    processor = TCMRotatedImageProcessor(size={"longest_edge": 96}, candidate_threshold=0, max_detections=3)
    processor.save_pretrained(scenes.parent / "tiny")
    return "tiny"


def test_a_checkpoint_is_loaded_and_used(checkpoint, capsys, monkeypatch):
    monkeypatch.setattr(detect_rotated, "_load_detector", LOAD)
    assert main(["detect", "scenes/P1.png", "--task", "rotated", "--model", checkpoint, "-q"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert_follows(record, shipped_schema("rotated-1.json"))
    assert record["params"]["classes"] == ["plane", "ship", "harbour"] and len(record["instances"]) == 3


def test_a_model_of_another_task_is_named(checkpoint, capsys, monkeypatch):
    assert main(["detect", "scenes", "--model", checkpoint]) == 2
    assert "expected a text detector" in (error := capsys.readouterr().err)
    assert "--task rotated" in error
