"""The table of the parts: runs go on after a stop, one table holds one kind of run, pairs share a seed."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAME = "fcenet-fasttcm-seed0"


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import detector_parts

    return detector_parts


@pytest.fixture
def command(tmp_path):
    """Four photos with a bar each, and the command that trains one run of two steps on three of them."""
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = []
    for number in range(1, 5):
        image = np.full((70, 110, 3), 40, np.uint8)
        image[20:45, 10:70] = 220
        Image.fromarray(image).save(photos / f"img_{number}.png")
        polygon = [[10, 20], [70, 20], [70, 45], [10, 45]]
        rows.append({"file_name": f"img_{number}.png", "polygons": [polygon], "ignore": [False]})
    (photos / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return (
        f"--data {photos} --train 1-3 --test 4-4 --output {tmp_path / 'out'} --cache {tmp_path / 'cache'}"
        f" --only {NAME} --seeds 0 --images 4 --batch-size 2 --crop 64 --size 64 128 --calibration-images 1"
        " --workers 0 --float32"
    ).split()


def test_a_run_that_was_stopped_goes_on_and_is_made_once(parts, command, tmp_path, monkeypatch, capsys):
    from transformers import AutoImageProcessor

    from tcm_hf import AutoModelForTextDetection
    from tcm_hf.training.trainer import TextDetectionTrainer

    compute_loss = TextDetectionTrainer.compute_loss

    def stop(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        return compute_loss(self, *args, **kwargs)

    folder = tmp_path / "out" / NAME
    with monkeypatch.context() as patch:
        patch.setattr(TextDetectionTrainer, "compute_loss", stop)
        with pytest.raises(SystemExit) as stopped:
            parts.main(command)
    assert stopped.value.code == 130
    assert (folder / "checkpoint-1").is_dir()
    assert not (folder / "result.json").exists()

    parts.main(command)
    captured = capsys.readouterr()
    assert "Going on from step 1 of 2" in captured.err
    assert "| fcenet | fasttcm | 1 |" in captured.out
    assert "Not there: dbnet-baseline-seed0" in captured.out
    result = json.loads((folder / "result.json").read_text())
    assert (result["test"]["num_images"], result["settings"]["images"]) == (1, 4)
    assert AutoImageProcessor.from_pretrained(folder).region_exponent == result["decoding"]["region_exponent"]
    assert AutoModelForTextDetection.from_pretrained(folder).config.head_config.head_type == "fcenet"
    assert not list(folder.glob("checkpoint-*"))

    monkeypatch.setattr(parts, "train", lambda *_: pytest.fail("trained again"))
    with monkeypatch.context() as patch:
        patch.setattr(parts, "score", lambda *_: pytest.fail("scored again"))
        parts.main(command)
    (folder / "result.json").write_text(json.dumps(result | {"test": {}}))
    parts.main([*command, "--rescore"])
    again = json.loads((folder / "result.json").read_text())
    assert again["test"]["num_references"] == result["test"]["num_references"]
    assert again["seconds_training"] == result["seconds_training"]
    with pytest.raises(SystemExit, match="Give another --output"):
        parts.main([*command, "--crop", "96"])


def test_all_runs_of_a_seed_start_from_the_same_trunk(parts, tmp_path):
    from safetensors.torch import load_file

    from tcm_hf import default_checkpoint

    prefix = "model.image_tower.trunk."
    trained = load_file(Path(default_checkpoint()) / "model.safetensors")
    for detector, method in (("dbnet", "fasttcm"), ("pan", "baseline"), ("fcenet", "tcm")):
        folder = tmp_path / detector
        parts.write_start(parts.Run(detector, method, 1), folder, default_checkpoint())
        start = load_file(folder / "model.safetensors")
        trunk = {name for name in trained if name.startswith(prefix)}
        assert {name for name in start if name.startswith(prefix)} == trunk
        assert all((start[name] == trained[name]).all() for name in trunk)
        config = json.loads((folder / "config.json").read_text())
        assert (config["method"], config["head_config"]["head_type"]) == (method, detector)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pan", True),
        ("tcm", True),
        ("pan-tcm", True),
        ("pan-tcm-seed0", True),
        ("fasttcm", False),
        ("seed1", False),
    ],
)
def test_runs_are_chosen_by_parts_of_their_names(parts, name, found):
    assert parts.Run("pan", "tcm", 0).is_named(name) == found


def test_differences_are_between_runs_of_one_seed(parts):
    def result(hmean):
        scores = {"recall": 0.5, "precision": 0.5, "hmean": hmean, "best_hmean": hmean}
        return {"test": scores, "calibration": {"hmean": 0.7}}

    results = {
        parts.Run("pan", "baseline", 0): result(0.5),
        parts.Run("pan", "baseline", 1): result(0.6),
        parts.Run("pan", "tcm", 0): result(0.52),
        parts.Run("pan", "tcm", 1): result(0.59),
        parts.Run("pan", "tcm", 2): result(0.9),  # its baseline is not there yet
    }
    row = parts.table_row("pan", "tcm", results)
    assert row[:3] == ("pan", "tcm", 3)
    assert row[5] == "0.670 (0.520..0.900)"
    assert row[6] == "+0.005 (+0.020, -0.010)"
    assert parts.table_row("pan", "baseline", results)[6] == ""
