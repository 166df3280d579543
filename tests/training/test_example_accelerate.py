import runpy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from test_example import write_corpus

from two_processes import can_fork, in_two_processes

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_with_accelerate.py"


@pytest.fixture
def run(tmp_path, tiny_detector):
    """Runs the example in this process on drawn photos."""
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

    write_corpus(tmp_path / "photos", range(3))
    write_corpus(tmp_path / "others", range(3, 5))
    tiny_detector().save_pretrained(tmp_path / "start")
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}).save_pretrained(tmp_path / "start")
    main = runpy.run_path(str(EXAMPLE))["main"]

    def run(output: str, *words: str) -> Path:
        paths = f"--train {tmp_path}/photos --validation {tmp_path}/others --model {tmp_path}/start"
        options = "--crop 64 --save-steps 2 --cpu --learning-rate 0.0001"
        main([*paths.split(), *options.split(), "--output", str(tmp_path / output), *words])
        return tmp_path / output

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_the_loop_goes_on_as_if_never_stopped_and_leaves_the_text_tower_alone(run, capsys):
    straight = run("straight", "--steps", "4", "--batch-size", "1")
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert [line.split("  ")[0] for line in told] == [f"step {step}/4" for step in (1, 2, 3, 4)]

    stopped = run("stopped", "--steps", "4", "--batch-size", "1")
    capsys.readouterr()
    remove(stopped / "checkpoint-4")
    run("stopped", "--steps", "4", "--batch-size", "1")
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert again == told[2:]

    start, end = weights(straight.parent / "start"), weights(straight)
    same = weights(stopped)
    assert [name for name in end if not torch.equal(end[name], same[name])] == []
    frozen = [name for name in end if name.startswith("model.text_tower.")]
    assert frozen
    assert all(torch.equal(start[name], end[name]) for name in frozen)
    assert any(not torch.equal(start[name], end[name]) for name in end)


@pytest.mark.slow
@can_fork
def test_two_processes_share_the_batch(run):
    one = run("one", "--steps", "2", "--batch-size", "2")
    in_two_processes(lambda rank: str(run("two", "--steps", "2", "--batch-size", "1")))
    start, alone, shared = (weights(folder) for folder in (one.parent / "start", one, one.parent / "two"))
    moved = torch.cat([(alone[name] - start[name]).float().ravel() for name in alone])
    apart = torch.cat([(shared[name] - alone[name]).float().ravel() for name in alone])
    assert moved.norm() > 0
    assert apart.norm() < 0.1 * moved.norm()


def remove(checkpoint: Path) -> None:
    for path in sorted(checkpoint.rglob("*"), reverse=True):
        path.unlink()
    checkpoint.rmdir()
