"""`tcm-hf convert tcm`, `verify` and `export-state-dict`: what they write, say and return."""

import collections
import os

import pytest
import torch

import clip_checkpoints
import tcm_checkpoints
from tcm_hf.cli.main import main
from tcm_hf.conversion.safe_loading import load_checkpoint

CASE = "C_abl_nolearn_tiny"


class Attack:
    """Runs a command where it is unpickled by an ordinary reader."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    tensors = tcm_checkpoints.tensors_of(CASE)
    tcm_checkpoints.save(folder / "tcm.pth", tensors, tcm_checkpoints.stored_model(CASE))
    small = tensors
    tcm_checkpoints.save(folder / "small.pth", small)
    lateral = {"neck.lateral_convs.0.conv.weight": torch.zeros(32, 64, 1, 1)[:, :, 0]}
    tcm_checkpoints.save(folder / "shape.pth", small | lateral)
    tcm_checkpoints.save(folder / "extra.pth", small | {"bbox_head.out_conv_cls.weight": torch.zeros(4)})
    lacking = dict(small)
    del lacking["bbox_head.threshold.6.bias"]
    tcm_checkpoints.save(folder / "missing.pth", lacking)
    (folder / "cut.pth").write_bytes((folder / "small.pth").read_bytes()[:5000])
    (folder / "empty.pth").touch()
    flipped = bytearray((folder / "small.pth").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (folder / "flipped.pth").write_bytes(flipped)
    (folder / "text.pth").write_text("import mmcv\n")
    torch.save({"meta": {}, "optimizer": {}}, folder / "nothing.pth")
    torch.save({"state_dict": small, "meta": Attack(f"touch {folder / 'marker'}")}, folder / "attack.pth")
    clip4str = clip_checkpoints.seeded(clip_checkpoints.clip4str_shapes(width=64, layers=1, embed=64))
    torch.save({"state_dict": clip4str}, folder / "clip4str.ckpt")
    torch.save(clip_checkpoints.seeded(clip_checkpoints.resnet_shapes()), folder / "clip.bin")
    return folder


@pytest.fixture(scope="module")
def converted(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "out"
    assert main(["convert", "tcm", str(files / "tcm.pth"), str(out), "-q"]) == 0
    return out


def test_a_checkpoint_is_written_and_summed_up(files, tmp_path, capsys):
    assert main(["convert", "tcm", str(files / "tcm.pth"), str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    told = (
        "tcm with dbnet",
        "prompt: the pixels of many arbitrary-shape text instances. (as stored with the weights)",
        "image processing: tcm-dbnet-r50-ic15-32 (the nearest preset); of its configuration: ",
        "; of the preset: size",
        "191 tensors taken; 55 tensors from gamma on left out",
        f"verified; written to {tmp_path / 'out'}",
    )
    assert not [text for text in told if text not in captured.err], captured.err
    assert "completeness" not in captured.err
    assert (tmp_path / "out" / "preprocessor_config.json").is_file()


def test_without_a_configuration_the_completeness_is_said_to_be_unchecked(files, tmp_path, capsys):
    assert main(["convert", "tcm", str(files / "small.pth"), str(tmp_path / "out")]) == 0
    warning = "no configuration stored: completeness unchecked; give --preset or --config"
    assert warning in capsys.readouterr().err
    assert warning in (tmp_path / "out" / "README.md").read_text()


FAILURES = {
    "absent.pth": "No such file",
    "cut.pth": "cut off",
    "empty.pth": "begins like none of the files",
    "text.pth": "begins like none of the files",
    "nothing.pth": "must hold tensors by name",
    "attack.pth": "is refused: it wants posix.system",
    "missing.pth": "missing: bbox_head.threshold.6.bias",
    "flipped.pth": "is damaged: its entry",
    "shape.pth": "must have 4 dimensions",
    "extra.pth": "unknown: bbox_head.out_conv_cls.weight",
    "clip4str.ckpt": "a CLIP4STR checkpoint: use `tcm-hf convert clip4str`",
    "clip.bin": "CLIP weights: use `tcm-hf convert clip --to tcm`",
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_does_not_fit_ends_with_one_line_and_leaves_nothing(files, tmp_path, capsys, name):
    assert main(["convert", "tcm", str(files / name), str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("tcm-hf convert: error: ")]
    assert len(lines) == 1 and FAILURES[name] in lines[0] and name in lines[0], captured.err
    assert not list(tmp_path.iterdir()) and not (files / "marker").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--preset", "tcm-dbnet-r50-ic16"], "There is no preset 'tcm-dbnet-r50-ic16'"),
        (["--preset", "tcm-pan-r50-ic15"], "`head_config.head_type` is 'dbnet', and 'pan' in the preset"),
        (["--prompt", "a", "--prompt", "b"], "its matching map has 1 classes: 2 prompts are given"),
        (["--config", "{files}/base.py"], "base.py: `_base_` must name files: it is 3"),
        (["--config", "{files}/deep.json"], "deep.json is no configuration: it is nested too deeply"),
        (["--config", "absent.py"], "No such file or directory: 'absent.py'"),
        (["--prompt", "text.", "--vocabulary", "absent/deep/folder"], "There is no vocabulary"),
    ],
)
def test_options_that_do_not_fit_end_with_one_line(files, tmp_path, capsys, more, message):
    (files / "base.py").write_text("_base_ = 3\nmodel = dict(a=1)\n")
    (files / "deep.json").write_text("[" * 100_000)
    more = [argument.format(files=files) for argument in more]
    assert main(["convert", "tcm", str(files / "small.pth"), str(tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_verify_prints_a_table_and_returns_whether_all_agrees(converted, tmp_path, capsys):
    golden = tcm_checkpoints.golden_path(CASE)
    assert main(["verify", str(converted), str(golden)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["stage", "spread", "difference"]
    assert [line.split()[0] for line in out[1:4]] == ["stage0", "stage1", "stage2"]
    assert out[-1] == f"all {len(out) - 2} stages agree" and "DIFFERS" not in "".join(out)
    other = tcm_checkpoints.golden_path("C_abl_noctxdec_tiny")
    assert main(["verify", str(converted), str(other)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "10 of 17 stages differ, the first is prompt_gen"
    assert "prompt_gen" in "".join(line for line in out if line.endswith("the model has no such stage"))
    assert main(["verify", str(converted), str(other), "-q"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("size_hw", [(33, 64), (64,)])
def test_verify_refuses_what_is_no_golden_and_no_detector(converted, tmp_path, capsys, size_hw):
    golden = tcm_checkpoints.golden_json(tmp_path / "x.json", input={"seed": 1, "shape": [1, 3, *size_hw]})
    import numpy as np

    np.savez(tmp_path / "x.npz", stage0=np.zeros(3))
    assert main(["verify", str(converted), str(golden)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["verify", str(converted), str(tmp_path / "absent.json")]) == 2
    assert main(["verify", str(tmp_path), str(tcm_checkpoints.golden_path(CASE))]) == 2
    assert "it holds no checkpoint" in capsys.readouterr().err


def test_names_of_a_file_cannot_steer_the_terminal(files, tmp_path, capsys):
    tensors = load_checkpoint(files / "small.pth").tensors
    torch.save(tensors | {"neck.\x1b[31m\nred": torch.zeros(2)}, tmp_path / "x.pth")
    assert main(["convert", "tcm", str(tmp_path / "x.pth"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error and error.count("\n") == 2 and "unknown: neck.\\x1b[31m red (2,)" in error


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_lack_of_memory_ends_with_one_line_and_a_fault_of_ours_does_not(
    files, tmp_path, capsys, monkeypatch, error
):
    from tcm_hf.conversion import convert_tcm

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(convert_tcm, "TCMForTextDetection", fail)
    arguments = ["convert", "tcm", str(files / "small.pth"), str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "not enough memory for a model of" in (told := capsys.readouterr().err) and told.count("\n") == 1
    error = RuntimeError("The saved model differs")
    with pytest.raises(RuntimeError, match="differs"):
        main(arguments)


def test_verify_knows_presets_without_asking_the_hub(capsys):
    golden = str(tcm_checkpoints.golden_path(CASE))
    assert main(["verify", "tcm-pan-r50-ic15", golden]) == 2
    error = capsys.readouterr().err
    assert "tcm-pan-r50-ic15 is a preset, a set of sizes without weights" in error and error.count("\n") == 1


def test_an_exported_detector_is_the_published_one_again(files, converted, tmp_path, capsys):
    path = tmp_path / "deep" / "back.pth"
    assert main(["export-state-dict", str(converted), str(path)]) == 0
    assert f"MB; verified; written to {path}" in capsys.readouterr().err
    back, published = load_checkpoint(path).tensors, load_checkpoint(files / "tcm.pth").tensors
    assert set(back) < set(published)
    assert all(torch.equal(tensor, published[name]) for name, tensor in back.items())
    assert main(["export-state-dict", str(converted), str(path)]) == 2
    assert "exists: choose another name" in capsys.readouterr().err
    assert main(["convert", "tcm", str(path), str(tmp_path / "again"), "-q"]) == 0
    states = [
        load_checkpoint(folder / "model.safetensors").tensors for folder in (converted, tmp_path / "again")
    ]
    first, second = (
        (folder / "preprocessor_config.json").read_text() for folder in (converted, tmp_path / "again")
    )
    assert first == second
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_a_model_without_an_image_processor_is_exported_without_thresholds(converted, tmp_path, capsys):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("config.json", "model.safetensors"):
        (alone / name).symlink_to(converted / name)
    assert main(["export-state-dict", str(alone), str(tmp_path / "x.pth")]) == 0
    assert "no image processor beside the model" in capsys.readouterr().err
    assert "postprocessor" not in load_checkpoint(tmp_path / "x.pth").meta["config"]


def test_a_configuration_file_tells_what_the_checkpoint_does_not_carry(files, tmp_path):
    bare, config = tmp_path / "bare.pth", tmp_path / "config.py"
    torch.save(load_checkpoint(files / "tcm.pth").tensors, bare)
    config.write_text(tcm_checkpoints.config_text(tcm_checkpoints.stored_model(CASE)))
    golden = str(tcm_checkpoints.golden_path(CASE))
    for name, more, code in (
        ("without", [], 1),
        ("py", ["--config", str(config)], 0),
        ("json", ["--config", golden], 0),
    ):
        assert main(["convert", "tcm", str(bare), str(tmp_path / name), "-q", *more]) == 0
        assert main(["verify", str(tmp_path / name), golden, "-q"]) == code


def test_what_cannot_be_exported_leaves_no_file(converted, tmp_path, capsys):
    from tcm_hf.cli import load_models
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

    model = TCMForTextDetection.from_pretrained(converted)
    model.cache_text_embeddings()
    model.save_pretrained(tmp_path / "cached")
    for source, message in ((tmp_path / "cached", "no way back"), (load_models, "no such model folder")):
        assert main(["export-state-dict", str(source), str(tmp_path / "x.pth")]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert collections.Counter(path.name for path in tmp_path.iterdir()) == {"cached": 1}


def test_keys_prints_what_became_of_every_tensor(files, tmp_path, capsys):
    assert main(["convert", "tcm", str(files / "tcm.pth"), str(tmp_path / "out"), "--keys", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.split(" ")[2 if line.startswith("left out") else 1] for line in lines]
    assert sorted(told) == sorted(tcm_checkpoints.tensors_of(CASE))
    fused = "text_encoder.transformer.resblocks.0.attn.in_proj_bias"
    (places,) = (line.split(" -> ")[1] for line in lines if line.startswith(f"taken: {fused} "))
    assert [place.split(".")[-2] for place in places.split(", ")] == ["q_proj", "k_proj", "v_proj"]
