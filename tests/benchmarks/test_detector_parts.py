"""The table of the parts: every detector beside its own baseline, all from one trunk."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import detector_parts

    return detector_parts


@pytest.fixture
def command(tmp_path):
    """Four photos with a bar each, and the command that trains FCENet for two steps on three of them."""
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = []
    for number in range(1, 5):
        image = np.full((70, 110, 3), 40, np.uint8)
        image[20:45, 10:70] = 220
        cv2.imwrite(str(photos / f"img_{number}.png"), image)
        polygon = [[10, 20], [70, 20], [70, 45], [10, 45]]
        rows.append({"file_name": f"img_{number}.png", "polygons": [polygon], "ignore": [False]})
    (photos / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return (
        f"--train {photos}:1-3 --validation {photos}:4-4 --output {tmp_path / 'out'} --seeds 0 --steps 2"
        f" --batch-size 2 --crop 64 --size 64 128 --calibration-images 1 --decodings 2 --workers 0"
        f" --device cpu --cache {tmp_path / 'cache'}"
    ).split()


def test_each_detector_is_compared_with_its_own_baseline(parts, command):
    experiment = parts.detector_parts(parts.parse(command))
    assert len(experiment.runs) == 9
    heads = [
        placed.run.method.config("tcm-dbnet-r50-td500").head_config.head_type for placed in experiment.runs
    ]
    assert heads == ["dbnet"] * 3 + ["pan"] * 3 + ["fcenet"] * 3
    assert experiment.compare == {"method": "baseline"}
    assert set(experiment.runs[0].place) == {"detector", "method"}


@pytest.mark.slow  # three trainings of two steps
def test_the_benchmark_trains_from_the_trunk_of_the_default_alone(parts, command, tmp_path, capsys):
    from safetensors.torch import load_file

    from tcm_hf import default_checkpoint

    arguments = parts.parse([*command, "--detectors", "fcenet"])
    experiment = parts.detector_parts(arguments)
    budget = parts.budget_of(arguments)
    workshop = experiment.opens(arguments.output, budget, arguments.start, arguments.start_only)
    trained = load_file(Path(default_checkpoint()) / "model.safetensors")
    trunk = {name for name in trained if name.startswith("model.image_tower.trunk.")}
    assert set(workshop.start.weights) == trunk
    assert all((workshop.start.weights[name] == trained[name]).all() for name in trunk)
    assert parts.main([*command, "--detectors", "fcenet"]) == 0
    text = capsys.readouterr().out
    assert "| fasttcm | 1 |" in text
    assert (tmp_path / "out" / "detector-parts.png").is_file()
