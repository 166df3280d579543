"""Types of arguments that several verbs take."""

from pathlib import Path

import pytest

import tcm_hf
from tcm_hf.cli.arguments import checkpoint

SHIPPED = Path(tcm_hf.__file__).parent / "checkpoints"


@pytest.mark.parametrize("name", ["fasttcm-dbnet-tiny", "clip4str-tiny"])
def test_a_shipped_model_is_named_without_its_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert checkpoint(name) == str(SHIPPED / name)
    (tmp_path / name).mkdir()
    assert checkpoint(name) == name, "a folder of that name comes first"


@pytest.mark.parametrize(
    "text", ["me/fasttcm-dbnet-tiny", "./fasttcm-dbnet-tiny", "runs/x", "fasttcm-dbnet", "..", ".", ""]
)
def test_any_other_name_stays_as_it_is(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    assert checkpoint(text) == text
