"""`tcm-hf experiment`: mistakes are one line before anything is trained; a dry run trains nothing."""

import argparse
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import huggingface_hub
import numpy as np
import pytest

from tcm_hf.cli import experiment
from tcm_hf.cli.arguments import OneLineParser
from tcm_hf.cli.errors import CommandError

GUIDE = Path(__file__).parents[2] / "docs" / "experiments.md"


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for number in (1, 2, 3):
        cv2.imwrite(str(folder / f"img_{number}.png"), np.full((40, 70, 3), 99, np.uint8))
        polygon = [[5, 5], [60, 5], [60, 30], [5, 30]]
        rows.append({"file_name": f"img_{number}.png", "polygons": [polygon]})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def parsed(line, photos, output) -> argparse.Namespace:
    parser = OneLineParser(prog="tcm-hf")
    experiment.add_parser(parser.add_subparsers())
    kind, *rest = line.split()
    data = ["--train", f"{photos}:1-2", "--validation", f"{photos}:3-3", "--output", str(output)]
    return parser.parse_args(["experiment", kind, *data, *rest])


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("few-shot --percents 50 100 --seeds 0 1", 12),
        ("ablation --seeds 4", 11),
        ("ablation --rows baseline pp-lp4 --seeds 0", 2),
        ("learning-rates --seeds 0 --factors 0.1/0 1/1", 2),
        ("joint-night --methods baseline fasttcm --seeds 0", 2),
    ],
)
def test_a_dry_run_names_every_run_and_trains_none(line, runs, photos, tmp_path, capsys):
    assert experiment.run(parsed(f"{line} --dry-run", photos, tmp_path / "out")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(set(lines)) == runs
    assert all(one.startswith("to do\t") for one in lines)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("few-shot --seeds 0 1 0", "--seeds: each can be named once, got 0 1 0"),
        ("few-shot --percents 10 20 10", "--percents: each can be named once"),
        ("joint-night --train {photos}:2-3", "1 photos of --validation are in --train, the first is .*img_3"),
        ("few-shot --validation {photos}", "2 photos of --validation are in --train"),
        ("ablation --rows pp --start me/none", "--start|me/none"),
        ("few-shot --methods tcm vit", "Expected one of baseline, tcm, fasttcm: got 'vit'"),
        ("ablation --rows pp pp", "can be named once"),
        ("adaptation", "two corpora in --train"),
        ("learning-rates --method baseline", "text tower"),
        ("few-shot --preset no-such-preset", "no preset"),
        ("joint-night --night /no/such/folder", "/no/such/folder"),
        ("few-shot --lists /no/such/lists", "/no/such/lists"),
        ("ablation --rows pp --start /no/such/model", "/no/such/model"),
    ],
)
def test_mistakes_are_said_before_anything_is_trained(line, message, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises((CommandError, OSError), match=message):
        experiment.run(parsed(line.format(photos=photos), photos, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "option", ["--percents 0", "--percents 101", "--factors 0.1", "--factors -1/0", "--crop 50"]
)
def test_numbers_that_cannot_be_end_the_program(option, photos, tmp_path, capsys):
    kind = "learning-rates" if "factors" in option else "few-shot"
    with pytest.raises(SystemExit) as end:
        parsed(f"{kind} {option}", photos, tmp_path)
    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_commands_of_the_guide_are_understood():
    text = GUIDE.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^    (tcm-hf experiment .*)$", text, re.MULTILINE)
    parser = OneLineParser(prog="tcm-hf")
    experiment.add_parser(parser.add_subparsers())
    assert len(commands) >= 3
    for command in commands:
        parser.parse_args(shlex.split(command)[1:])


TINY = (
    "--seeds 0 --steps 2 --batch-size 2 --crop 64 --size 64 128 --calibration-images 1 --decodings 2"
    " --workers 0 --device cpu"
)


@pytest.mark.slow  # trains ten models for two steps each
def test_every_experiment_runs_from_the_command_line(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    for line in (
        "few-shot --percents 50 100 --methods baseline tcm",
        "ablation --rows baseline pp-lp4-lg-vg fasttcm",
        "learning-rates --factors 0.1/0 0.1/1 --method fasttcm",
        "joint-night --methods baseline tcm",
        f"adaptation --methods tcm --percents 100 --train {photos}:1-2 {other}:1-2"
        f" --validation {photos}:3-3 {other}:3-3",
    ):
        kind = line.split()[0]
        assert experiment.run(parsed(f"{line} {TINY}", photos, tmp_path / "out")) == 0
        path = tmp_path / "out" / f"{kind}.md"
        assert capsys.readouterr().out.splitlines()[-1] == str(path)
        assert "Not there yet" not in path.read_text()
        for suffix in (".csv", ".json", ".png"):
            assert path.with_suffix(suffix).stat().st_size > 100
    # 17 rows; those with the same photos, model and start are one run.
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 10
    assert {"day", "night"} <= set((tmp_path / "out" / "joint-night.md").read_text().split())
