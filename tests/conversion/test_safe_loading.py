"""Checkpoint files give their tensors; nothing in them is ever run."""

import collections
import datetime
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import clip_checkpoints
from tcm_hf.conversion.safe_loading import CheckpointError, load_checkpoint

TENSORS = {
    "a.weight": torch.arange(6.0).reshape(2, 3),
    "a.bias": torch.tensor([1.0, -2.0], dtype=torch.float16),
    "steps": torch.tensor(7),
    "empty": torch.zeros(0, 4),
    "view": torch.arange(12.0).reshape(3, 4).T[1:, ::2],
}


def assert_same(tensors: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor] = TENSORS) -> None:
    assert set(tensors) == set(wanted)
    for name, tensor in wanted.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor), name


class Attack:
    """Runs a command where it is unpickled by an ordinary reader."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {"state_dict": tensors, "epoch": 3, "optimizer_states": [{"lr": 0.1}]},
        lambda tensors: {"model": collections.OrderedDict(tensors)},
        lambda tensors: {"state_dict": {f"module.model.{name}": value for name, value in tensors.items()}},
        lambda tensors: {name: torch.nn.Parameter(value, False) for name, value in tensors.items()},
    ],
    ids=["bare", "state_dict", "model", "prefixes", "parameters"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_tensors_are_found_under_wrappers_and_prefixes(tmp_path, wrap, zipped):
    torch.save(wrap(TENSORS), tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    checkpoint = load_checkpoint(tmp_path / "x.pt")
    assert_same(checkpoint.tensors)
    assert not checkpoint.left_out and not checkpoint.is_torchscript


def test_a_prefix_that_only_some_names_have_is_kept(tmp_path):
    names = {"model.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(names, tmp_path / "x.pt")
    assert set(load_checkpoint(tmp_path / "x.pt").tensors) == set(names)


def test_safetensors_are_read_whatever_the_suffix(tmp_path):
    tensors = {name: value.contiguous() for name, value in TENSORS.items()}
    save_file(tensors, tmp_path / "x.bin")
    assert_same(load_checkpoint(tmp_path / "x.bin").tensors)


def test_lightning_settings_are_kept_and_objects_beside_the_tensors_are_left_out(tmp_path):
    content = {
        "state_dict": TENSORS,
        "pytorch-lightning_version": "1.6.5",
        "hyper_parameters": {
            "charset_train": "abc",
            "refine_iters": 1,
            "when": datetime.datetime(2024, 5, 1),
        },
        "callbacks": collections.defaultdict(list, {"best": [Path("/somewhere"), {1, 2}]}),
    }
    torch.save(content, tmp_path / "x.ckpt")
    checkpoint = load_checkpoint(tmp_path / "x.ckpt")
    assert_same(checkpoint.tensors)
    assert checkpoint.settings == {"charset_train": "abc", "refine_iters": 1}
    assert checkpoint.kind == "Lightning checkpoint (1.6.5)"
    assert {"datetime.datetime", "collections.defaultdict"} <= set(checkpoint.left_out)


@pytest.mark.parametrize("beside", [{}, {"best": Path("/somewhere")}], ids=["plain", "with an object"])
def test_the_plain_values_that_mmcv_keeps_beside_the_tensors_are_kept(tmp_path, beside):
    meta = {"mmcv_version": "1.3.17", "config": "model = dict(a=1)", "iter": 7, "hook_msgs": {}, **beside}
    content = {"meta": meta, "state_dict": TENSORS, "optimizer": {"state": {0: {"step": 3}}}}
    torch.save(content, tmp_path / "x.pth")
    checkpoint = load_checkpoint(tmp_path / "x.pth")
    assert_same(checkpoint.tensors)
    assert checkpoint.meta == {"mmcv_version": "1.3.17", "config": "model = dict(a=1)", "iter": 7}
    assert checkpoint.kind == "mmcv checkpoint (1.3.17)" and not checkpoint.settings


def test_what_mmengine_and_detectron2_keep_beside_the_tensors_is_kept(tmp_path):
    classes = {"classes": ("plane", "ship"), "palette": [(1, 2, 3)]}
    meta = {"mmengine_version": "0.9.0", "cfg": "a = 1", "dataset_meta": classes | {"odd": Path("/x")}}
    torch.save({"meta": meta, "state_dict": TENSORS}, tmp_path / "x.pth")
    checkpoint = load_checkpoint(tmp_path / "x.pth")
    assert checkpoint.kind == "mmengine checkpoint (0.9.0)"
    assert checkpoint.meta == {"mmengine_version": "0.9.0", "cfg": "a = 1", "dataset_meta": classes}
    torch.save({"model": TENSORS, "iteration": 19999, "scheduler": {}}, tmp_path / "y.pth")
    checkpoint = load_checkpoint(tmp_path / "y.pth")
    assert (checkpoint.kind, checkpoint.meta) == ("detectron2 checkpoint", {"iter": 19999})


def test_a_torchscript_archive_is_read_without_its_program(tmp_path, monkeypatch):
    tensors = clip_checkpoints.seeded({"visual.proj": (3, 2), "a.0.weight": (4,), "a.10.running_var": (4,)})
    clip_checkpoints.save_torchscript(tensors, tmp_path / "x.pt")
    expected = torch.jit.load(tmp_path / "x.pt").state_dict()
    monkeypatch.setattr(torch.jit, "load", None)
    checkpoint = load_checkpoint(tmp_path / "x.pt")
    assert checkpoint.is_torchscript and checkpoint.kind == "TorchScript archive"
    assert_same(checkpoint.tensors, dict(expected))


ATTACKS = {
    "os.system": lambda marker: Attack(os.system, f"touch {marker}"),
    "eval": lambda marker: Attack(eval, f"open({str(marker)!r}, 'w')"),
    "open": lambda marker: Attack(open, str(marker), "w"),
    "a method by name": lambda marker: Attack(getattr, marker, "touch"),
}


@pytest.mark.parametrize("place", ["hyper_parameters", "state_dict", "optimizer_states"])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_wants_to_run_something_is_refused_and_named(tmp_path, place, attack, zipped):
    marker = tmp_path / "marker"
    content = {"state_dict": dict(TENSORS), "hyper_parameters": {}, "optimizer_states": {}}
    content[place]["x"] = ATTACKS[attack](marker)
    torch.save(content, tmp_path / "x.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"refused: it wants (\w+\.)?(system|eval|open|getattr),"):
        load_checkpoint(tmp_path / "x.ckpt")
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_bare_pickle_that_wants_to_run_something_is_refused(tmp_path, protocol):
    marker = tmp_path / "marker"
    (tmp_path / "x.pt").write_bytes(pickle.dumps(Attack(os.system, f"touch {marker}"), protocol))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "x.pt")
    assert not marker.exists()


def test_a_torchscript_archive_with_another_program_in_its_pickle_is_refused(tmp_path):
    marker = tmp_path / "marker"
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/constants.pkl", pickle.dumps((), 2))
        archive.writestr("x/data.pkl", pickle.dumps(Attack(os.system, f"touch {marker}"), 2))
    with pytest.raises(CheckpointError, match=r"refused: it wants posix\.system"):
        load_checkpoint(tmp_path / "x.pt")
    assert not marker.exists()


@pytest.mark.parametrize("compressed", ["data.pkl", "data/0"])
def test_an_archive_with_a_compressed_entry_is_refused_before_it_is_read(tmp_path, monkeypatch, compressed):
    torch.save({"w": torch.zeros(1000)}, tmp_path / "x.pt")
    with (
        zipfile.ZipFile(tmp_path / "x.pt") as source,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w") as bomb,
    ):
        for name in source.namelist():
            bomb.writestr(
                name, source.read(name), zipfile.ZIP_DEFLATED if compressed in name else zipfile.ZIP_STORED
            )
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(CheckpointError, match=f"its entry x/{compressed} is compressed.* uncompressed"):
        load_checkpoint(tmp_path / "bomb.pt")


def test_a_byte_that_is_not_what_was_written_is_noticed(tmp_path):
    torch.save({"a": torch.arange(500.0), "b": torch.full((2000,), 7.0)}, tmp_path / "x.pt")
    content = bytearray((tmp_path / "x.pt").read_bytes())
    content[content.index(torch.full((9,), 7.0).numpy().tobytes()) + 1] ^= 64
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"x\.pt is damaged: its entry x/data/1 is not what was written"
    ):
        load_checkpoint(tmp_path / "x.pt")


def test_an_archive_without_checksums_is_read(tmp_path):
    options = torch.serialization.get_crc32_options()
    try:
        torch.serialization.set_crc32_options(False)
        torch.save(TENSORS, tmp_path / "x.pt")
    finally:
        torch.serialization.set_crc32_options(options)
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        assert archive.testzip() is not None
    assert_same(load_checkpoint(tmp_path / "x.pt").tensors)


ODD_TENSORS = {
    r"w is sparse_coo: an ordinary": lambda: torch.eye(3).to_sparse(),
    r"w is on device meta: an ordinary": lambda: torch.empty(3, device="meta"),
    r"w is quantized: an ordinary": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    r"w has shape \(10000000000, 64\), and the file holds only 256 bytes": lambda: torch.zeros(1, 64).expand(
        10**10, 64
    ),
}


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("message", ODD_TENSORS)
def test_a_tensor_whose_values_are_not_all_in_the_file_is_refused_by_name(tmp_path, capfd, message):
    torch.save({"a": torch.ones(2), "w": ODD_TENSORS[message]()}, tmp_path / "x.pt")
    capfd.readouterr()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "x.pt")
    assert capfd.readouterr().err == ""


def test_values_beside_the_tensors_that_grow_beyond_measure_are_passed_over(tmp_path):
    laughs, deep = [1, 2], []
    for _ in range(40):
        laughs = [laughs, laughs]
        deep = [deep]
    meta = {"mmcv_version": "1", "laughs": laughs, "deep": deep, "fine": [[1, 2], ("a", None)]}
    torch.save({"state_dict": TENSORS, "meta": meta}, tmp_path / "x.pt")
    assert load_checkpoint(tmp_path / "x.pt").meta == {"mmcv_version": "1", "fine": [[1, 2], ("a", None)]}


class Network(torch.nn.Module):
    pass


def test_a_whole_pickled_model_is_refused_with_its_class(tmp_path):
    torch.save({"state_dict": Network()}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"Network"):
        load_checkpoint(tmp_path / "x.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "y.pt")
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear"):
        load_checkpoint(tmp_path / "y.pt")


def test_a_state_dict_with_something_else_among_its_tensors_is_refused_by_name(tmp_path):
    torch.save({"a": torch.ones(1), "b": 3}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"1 of its 2 entries are no tensors: b \(int\)"):
        load_checkpoint(tmp_path / "x.pt")


def saved(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"w": torch.zeros(500)}}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no checkpoint"),
        (b"hello", "no checkpoint"),
        (saved(True)[:700], "cut off"),
        (saved(True)[:-200], "cut off"),
        (saved(False)[:-700], "no checkpoint"),
        (saved(False)[:60], "no checkpoint|refused"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{broken", "no checkpoint"),
        (b"\x80\x02}q\x00.", "no checkpoint|refused|no tensors"),
    ],
    ids=[
        "empty",
        "text",
        "zip head",
        "zip cut",
        "legacy cut",
        "legacy head",
        "lfs",
        "html",
        "safetensors",
        "{}",
    ],
)
def test_a_file_that_is_damaged_or_none_is_refused_with_its_name(tmp_path, content, message):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert "x.pt" in str(caught.value)


def test_a_zip_of_something_else_and_an_empty_checkpoint_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="a zip file, but not one of PyTorch's"):
        load_checkpoint(tmp_path / "x.pt")
    torch.save({"state_dict": {}}, tmp_path / "y.pt")
    with pytest.raises(CheckpointError, match="no tensors"):
        load_checkpoint(tmp_path / "y.pt")


def test_an_absent_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "absent.pt")
