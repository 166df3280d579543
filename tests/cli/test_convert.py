"""`tcm-hf convert`: what it writes, says and returns."""

import pytest
import torch
from transformers import AutoModel

import clip_checkpoints
from tcm_hf.cli.main import main

SIZES = {"width": 64, "layers": 1, "embed": 64}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    recognizer = clip_checkpoints.seeded(clip_checkpoints.clip4str_shapes(**SIZES))
    torch.save({"state_dict": recognizer}, folder / "clip4str.ckpt")
    broken = dict(recognizer)
    del broken["visual_decoder.norm.bias"]
    broken["extra.head"] = torch.ones(2)
    torch.save({"state_dict": broken}, folder / "broken.ckpt")
    torch.save(clip_checkpoints.seeded(clip_checkpoints.vit_shapes(**SIZES)), folder / "vit.bin")
    torch.save(clip_checkpoints.seeded(clip_checkpoints.resnet_shapes()), folder / "resnet.bin")
    (folder / "cut.ckpt").write_bytes((folder / "clip4str.ckpt").read_bytes()[:5000])
    return folder


def test_a_checkpoint_is_written_and_summed_up(files, tmp_path, capsys):
    assert main(["convert", "clip4str", str(files / "clip4str.ckpt"), str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tensors taken" in captured.err and f"written to {tmp_path / 'out'}" in captured.err
    assert type(AutoModel.from_pretrained(tmp_path / "out")).__name__ == "CLIP4STRForTextRecognition"


@pytest.mark.parametrize(("target", "source"), [("clip4str", "vit.bin"), ("tcm", "resnet.bin")])
def test_clip_becomes_a_starting_point_with_a_card(files, tmp_path, capsys, target, source):
    out = tmp_path / "out"
    assert main(["convert", "clip", str(files / source), str(out), "--to", target]) == 0
    assert "activation gelu (OpenCLIP's default: the file does not say it)" in capsys.readouterr().err
    card = (out / "README.md").read_text()
    assert "starting point" in card and source in card and "gelu" in card
    assert (out / "processor_config.json").is_file() or (out / "preprocessor_config.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clip4str", "absent.ckpt"], "No such file"),
        (["clip4str", "cut.ckpt"], "cut off"),
        (["clip4str", "vit.bin"], "cannot be converted"),
        (["clip4str", "clip4str.ckpt", "--preset", "clip4str-large"], "not of the size of clip4str-large"),
        (["clip4str", "clip4str.ckpt", "--vocabulary", "absent/deep/folder"], "There is no vocabulary"),
        (
            ["clip", "vit.bin", "--to", "tcm", "--preset", "tcm-dbnet-r50-ic15"],
            "an image tower of type 'clip_vit', and this config has 'clip_resnet'",
        ),
        (["clip", "resnet.bin", "--to", "clip4str"], "needs a vision transformer"),
        (
            ["clip", "vit.bin", "--to", "clip4str", "--preset", "tcm-dbnet-r50-ic15"],
            "is no preset of --to clip4str: choose from",
        ),
        (["clip", "clip4str.ckpt", "--to", "clip4str"], "holds no CLIP weights"),
    ],
)
def test_mistakes_are_one_line_with_code_2_and_leave_nothing(files, tmp_path, capsys, arguments, message):
    kind, source, *options = arguments
    code = main(["convert", kind, str(files / source), str(tmp_path / "out"), *options])
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1 and message in captured.err
    assert not list(tmp_path.iterdir())


def test_names_that_do_not_fit_are_listed_one_a_line_before_the_error(files, tmp_path, capsys):
    assert main(["convert", "clip4str", str(files / "broken.ckpt"), str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["unknown: extra.head (2,)", "missing: visual_decoder.norm.bias (64,)"]
    assert "1 unknown, 1 missing" in lines[2] and len(lines) == 3
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_refused_before_anything_is_read(files, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["convert", "clip4str", str(files / "absent.ckpt"), str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "arguments", [["convert"], ["convert", "clip", "a", "b"], ["convert", "clip", "a", "b", "--to", "pan"]]
)
def test_wrong_arguments_are_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
