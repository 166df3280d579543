"""`tcm-hf convert testr`, `abcnet` and `rotated`: what they write, say and return."""

import json

import pytest
import torch

import spotter_checkpoints
from tcm_hf.cli.main import main
from tcm_hf.conversion.safe_loading import load_checkpoint


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    testr = spotter_checkpoints.tensors_of("testr")
    spotter_checkpoints.save_detectron2(folder / "testr.pth", testr)
    spotter_checkpoints.save_detectron2(folder / "abcnet.pth", spotter_checkpoints.tensors_of("abcnet"))
    characters = {"testr.text_class.weight": torch.ones(6, 256), "testr.text_class.bias": torch.ones(6)}
    spotter_checkpoints.save_detectron2(folder / "characters.pth", testr | characters)
    odd = {"testr.extra.\x1b[31mred": torch.zeros(2), "testr.other": torch.zeros(3)}
    spotter_checkpoints.save_detectron2(folder / "odd.pth", testr | odd)
    fcos = spotter_checkpoints.rotated_tensors("fcos")
    config = spotter_checkpoints.rotated_config("fcos")
    spotter_checkpoints.save_mmengine(folder / "rotated.pth", fcos, config)
    for kind in ("testr", "abcnet"):
        spotter_checkpoints.save_yaml(folder / f"{kind}.yaml", spotter_checkpoints.configuration_of(kind))
    (folder / "characters.txt").write_text("äö\nüß\n", encoding="utf-8")
    (folder / "broken.yaml").write_text("a: [1")
    return folder


SAID = {
    "testr": ("tcm with testr", "prompt: the pixels of many", "602 tensors"),
    "abcnet": ("tcm with abcnet", "colours: the original's pictures are BGR", "head.dense.score.weight"),
    "rotated": ("tcm with rotated_fcos", "classes: plane; baseball diamond", "305 tensors taken"),
}


@pytest.mark.parametrize("kind", ["testr", "abcnet", "rotated"])
def test_a_checkpoint_is_written_and_every_tensor_accounted_for(files, tmp_path, capsys, kind):
    config = [] if kind == "rotated" else ["--config", str(files / f"{kind}.yaml")]
    arguments = ["convert", kind, str(files / f"{kind}.pth"), str(tmp_path / "out"), "--keys", *config]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    tensors = load_checkpoint(files / f"{kind}.pth").tensors
    lines = captured.out.splitlines()
    assert len(lines) == len(tensors)
    assert {line.split(": ", 1)[1].split(" ")[0] for line in lines} == set(tensors)
    said = SAID[kind]
    assert said[0] in captured.err and said[1] in captured.err
    assert f"verified; written to {tmp_path / 'out'}" in captured.err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }


def test_characters_come_from_a_file(files, tmp_path):
    arguments = ["convert", "testr", str(files / "characters.pth"), str(tmp_path / "out"), "-q"]
    assert main([*arguments, "--characters", f"@{files / 'characters.txt'}"]) == 0
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["characters"] == "äöüß口"


MISTAKES = [
    ("testr", "absent.pth", [], "No such file"),
    ("testr", "abcnet.pth", [], "a text spotter of ABCNet's kind: use `tcm-hf convert abcnet`"),
    ("tcm", "testr.pth", [], "a text spotter of TESTR's kind: use `tcm-hf convert testr`"),
    ("tcm", "rotated.pth", [], "a detector of rotated objects: use `tcm-hf convert rotated`"),
    ("testr", "characters.pth", [], "reads 5 characters and does not say which"),
    ("testr", "characters.pth", ["--characters", "@absent.txt"], "No such file or directory: 'absent.txt'"),
    ("testr", "testr.pth", ["--config", "{files}/broken.yaml"], "broken.yaml is no configuration"),
    ("testr", "testr.pth", ["--config", "absent.yaml"], "No such file or directory: 'absent.yaml'"),
    ("testr", "testr.pth", ["--preset", "tcm-testr"], "There is no preset 'tcm-testr'"),
    ("testr", "testr.pth", ["--prompt", "whale", "--vocabulary", "absent/deep/x"], "There is no vocabulary"),
    ("rotated", "rotated.pth", ["--prompt", "plane"], "tells 15 classes apart: 1 names are given"),
]


@pytest.mark.parametrize(("kind", "name", "more", "message"), MISTAKES)
def test_mistakes_are_one_line_with_code_2_and_leave_nothing(
    files, tmp_path, capsys, kind, name, more, message
):
    more = [argument.format(files=files) for argument in more]
    assert main(["convert", kind, str(files / name), str(tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1, error
    assert not list(tmp_path.iterdir())


def test_names_that_do_not_fit_are_listed_one_a_line_and_cannot_steer_the_terminal(files, tmp_path, capsys):
    assert main(["convert", "testr", str(files / "odd.pth"), str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["unknown: testr.extra.\\x1b[31mred (2,)", "unknown: testr.other (3,)"]
    assert len(lines) == 3 and "2 unknown" in lines[2]
