"""kill -9 in the middle of a training, the same command again: the curve of a training never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bar_photos import write_bar_photos

from written_words import tiny_recognizer_config, write_word_crops

pytestmark = pytest.mark.slow

STEPS = 12
COMMON = (
    f" --device cpu --steps {STEPS} --batch-size 2 --eval-steps 4 --log-steps 3 --optimizer ranger"
    " --replay 0.5 --average-decay 0.9"
)


@pytest.fixture
def detector(tmp_path):
    """The command that trains a detector, without output and workers."""
    photos = write_bar_photos(tmp_path / "photos", 4)
    return (
        f"train detector --train {photos}:1-3 --validation {photos}:4-4 --cache {tmp_path / 'cache'}"
        f" --crop 64 --size 32 64 --calibration-images 1 --replay-round 11 {COMMON}"
    )


@pytest.fixture
def recognizer(tmp_path):
    """The command that trains a recognizer, without output and workers."""
    crops = write_word_crops(tmp_path / "crops")
    tiny_recognizer_config().to_json_file(tmp_path / "config.json")
    return (
        f"train recognizer --words {crops} --validation {crops}:7-8 --config {tmp_path / 'config.json'}"
        f" --contrastive-steps 3 --permutations 2 --final-permutations 2 --replay-round 11 {COMMON}"
    )


def start(command: str, output: Path, workers: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "tcm_hf", *command.split(), "--output", str(output)]
    return subprocess.Popen(
        [*words, "--workers", str(workers)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finish(command: str, output: Path, workers: int) -> str:
    process = start(command, output, workers)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return errors


def kill_at_line(process: subprocess.Popen, beginning: str) -> None:
    for line in process.stderr:
        if line.startswith(beginning):
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL


def kill_at_file(process: subprocess.Popen, file: Path) -> None:
    """In the middle of a checkpoint: its first file is there."""
    end = time.monotonic() + 300
    while not file.exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    process.stderr.close()


def log_of(output: Path) -> list[dict]:
    """The log of a training but its times."""
    state = json.loads((output / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [
        {name: entry[name] for name in entry if not name.endswith(("_time_share", "_per_second"))}
        for entry in state["log_history"]
    ]


@pytest.mark.parametrize("kind", ["detector", "recognizer"])
def test_a_training_that_is_killed_twice_goes_on_as_if_it_had_not_been(kind, request, tmp_path):
    """Between two lines of the log, and while a checkpoint is written; with loader processes and without."""
    command = request.getfixturevalue(kind)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    finish(command, straight, workers=0)
    kill_at_line(start(command, killed, workers=2), "step 6/")
    kill_at_file(start(command, killed, workers=0), killed / "checkpoint-8" / "model.safetensors")
    errors = finish(command, killed, workers=1)
    assert "Going on from step" in errors
    assert [entry["step"] for entry in log_of(straight) if "loss" in entry] == [3, 6, 9, 12]
    assert log_of(killed) == log_of(straight)
    for file in ("model.safetensors", f"checkpoint-{STEPS}/model.safetensors"):
        assert (killed / file).read_bytes() == (straight / file).read_bytes()
