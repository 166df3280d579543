"""The whole command in two processes, started as a user starts it: equal to one process, and goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bar_photos import write_bar_photos
from safetensors.torch import load_file

from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model

pytestmark = pytest.mark.slow

# Steps in proportion to gradients: the noise of sums in another order stays noise.
OPTIONS = "--device cpu --crop 64 --size 32 64 --workers 0 --eval-steps 2 --log-steps 1 --steps 4"
GENTLE = "--optimizer sgd --learning-rate 0.0001 --clip-grad 0 --calibration-images 2"


def started(launcher: list[str], *words: object) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return subprocess.run(
        [sys.executable, *launcher, "-m", "tcm_hf", "train", "detector", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1500,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )


def losses(output: Path) -> list[float]:
    """The curve in the last checkpoint."""
    log = json.loads((output / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
    return [entry["loss"] for entry in log if "loss" in entry]


@pytest.fixture
def checkpoint(tmp_path):
    """A tiny detector without dropout, which every process draws for itself."""
    quiet = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0}
    model = tiny_model(visual_prompt_config=quiet, text_refiner_config=quiet)
    model.save_pretrained(tmp_path / "start")
    TCMImageProcessor(size={"shortest_edge": 32, "longest_edge": 64}).save_pretrained(tmp_path / "start")
    return tmp_path / "start"


def test_two_processes_train_as_one_and_go_on_as_if_never_stopped(checkpoint, tmp_path):
    photos = write_bar_photos(tmp_path / "photos", 6)
    words = f"--model {checkpoint} --train {photos}:1-4 --validation {photos}:5-6 {OPTIONS} {GENTLE}".split()
    one, two = tmp_path / "one", tmp_path / "two"
    ran = started([], *words, "--output", one, "--batch-size", "4", "--cache", tmp_path / "cache")
    assert ran.returncode == 0, ran.stderr
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    shared = [*words, "--output", two, "--batch-size", "2", "--cache", tmp_path / "cache"]
    ran = started(launcher, *shared)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [str(two)]  # told once, as all else
    assert ran.stderr.count("step 4/4  loss") == 1
    assert losses(two) == pytest.approx(losses(one), rel=2e-4)
    before, alone, both = (load_file(folder / "model.safetensors") for folder in (checkpoint, one, two))
    names = alone.keys() & before.keys()  # the text tower gave its embedding and is gone
    moved = torch.cat([(alone[name] - before[name]).float().ravel() for name in names])
    apart = torch.cat([(both[name] - alone[name]).float().ravel() for name in names])
    assert apart.norm() < 0.02 * moved.norm()
    reports = [json.loads((output / "training_report.json").read_text()) for output in (one, two)]
    assert reports[0]["decoding"]["chosen_on"] == reports[1]["decoding"]["chosen_on"]
    assert reports[0]["validation"]["num_images"] == reports[1]["validation"]["num_images"] == 2

    uninterrupted = losses(two)
    shutil.rmtree(two / "checkpoint-4")
    ran = started(launcher, *shared)
    assert ran.returncode == 0, ran.stderr
    assert "Going on from step 2 of 4" in ran.stderr
    assert losses(two) == uninterrupted


def test_accelerate_launch_on_the_cpu_is_said_to_start_one_process(checkpoint, tmp_path):
    photos = write_bar_photos(tmp_path / "photos", 2)
    words = f"--model {checkpoint} --train {photos} {OPTIONS} --batch-size 1 --output {tmp_path / 'out'}"
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    ran = started(launcher, *words.split(), "--cache", tmp_path / "cache", "--calibration-images", "0")
    assert ran.returncode == 0, ran.stderr
    assert "starts one process" in ran.stderr
