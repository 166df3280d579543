"""The configuration files beside the examples are what the installed accelerate and transformers read."""

import json
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.deepspeed import HfDeepSpeedConfig

CONFIGS = Path(__file__).parents[2] / "examples" / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(CONFIGS.parents[1])


def test_there_are_configurations():
    assert {file.stem for file in FILES} == {"multi_gpu", "fsdp2", "deepspeed_zero2"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_accelerate_reads_every_line(file):
    """Unknown names are an error there; what it understood is what the file says."""
    config = load_config_from_file(str(file)).to_dict()
    for name, value in yaml.safe_load(file.read_text()).items():
        assert config[name] == value, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multi_gpu", {"multi_gpu": True, "use_fsdp": False, "num_processes": 2}),
        ("fsdp2", {"use_fsdp": True, "fsdp_version": "2", "fsdp_auto_wrap_policy": "SIZE_BASED_WRAP"}),
        (
            "deepspeed_zero2",
            {"use_deepspeed": True, "deepspeed_config_file": "examples/configs/deepspeed_zero2.json"},
        ),
    ],
)
def test_the_launcher_takes_them(name, expected):
    words = ["--config_file", str(CONFIGS / f"{name}.yaml"), "-m", "tcm_hf", "train", "detector"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert {key: str(getattr(args, key)) for key in expected} == {k: str(v) for k, v in expected.items()}


def test_the_deepspeed_file_is_of_stage_2_and_leaves_sizes_to_the_trainer():
    config = HfDeepSpeedConfig(str(CONFIGS / "deepspeed_zero2.json"))
    assert config.is_zero2()
    assert not config.is_offload()
    values = json.loads((CONFIGS / "deepspeed_zero2.json").read_text())
    for name in ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping"):
        assert values[name] == "auto"
