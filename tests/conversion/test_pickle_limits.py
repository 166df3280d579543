"""Pickles that ask for more than a checkpoint needs are refused before anything of them is built."""

import io
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch

from tcm_hf.conversion import array_pickle
from tcm_hf.conversion.pickle_limits import check_pickle
from tcm_hf.conversion.safe_loading import CheckpointError, load_checkpoint

BEGIN = b"\x80\x02"
# A dictionary, put into a place of the memo that a reader makes gigabytes of room for.
MEMO_BOMB = BEGIN + b"}r" + struct.pack("<I", 2**31 - 1) + b"."
# A key of a dictionary that is a tuple in a tuple in a tuple ….
DEEP_KEY = BEGIN + b"})" + b"\x85" * 200_000 + b"K\x01s."
LONG_BYTES = b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc."


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


def archived(path, pickled, name="x/data.pkl"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, pickled)
    return path


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"state_dict": {"a": np.zeros((2, 3), np.float32)}, "epoch": 3, "losses": [0.5] * 5000},
        [{"params": [0, 1], "betas": (0.9, 0.999)}, {1, 2}, frozenset({3}), 1.5, None, True, 10**30, "text"],
        [(index, str(index)) for index in range(2000)],
        nested(200),
    ],
    ids=["nothing", "checkpoint", "kinds", "many", "deep"],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_programs_write_can_be_read(content, protocol):
    stream = io.BytesIO(pickle.dumps(content, protocol) + b"rest")
    check_pickle(stream)
    assert stream.read() == b"rest"


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (MEMO_BOMB, "numbers its values"),
        (BEGIN + b"cenum\nFlag\n0" + MEMO_BOMB[2:], "numbers its values"),
        (DEEP_KEY, "nests tuples"),
        (BEGIN + b"}(" + b"(" * 5 + b"tttt" + DEEP_KEY[4:], "nests tuples|damaged"),
        (LONG_BYTES, "damaged"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.", "pickle"),
        (BEGIN + b"0.", "damaged"),
        (BEGIN + b"t.", "damaged"),
        (BEGIN + b"q\x00.", "damaged"),
        (BEGIN + b"}", "damaged"),
        (b"", "damaged"),
    ],
    ids=[
        *("memo", "memo behind a setting", "deep", "deep behind marks", "bytes", "frame"),
        *("pop", "tuple", "put", "cut", "empty"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare"])
def test_what_asks_for_too_much_is_refused_at_once(tmp_path, pickled, message, zipped):
    path = tmp_path / "x.pth"
    if zipped:
        archived(path, pickled)
    else:
        path.write_bytes(pickled)
    with pytest.raises(
        CheckpointError, match=rf"x\.pth (is|holds) .*({message}|refused|no (checkpoint|tensors))"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare"])
@pytest.mark.parametrize("pickled", [MEMO_BOMB, DEEP_KEY, LONG_BYTES], ids=["memo", "deep", "bytes"])
def test_no_reader_sees_what_would_bring_it_down(tmp_path, monkeypatch, pickled, zipped):
    def fail(*_, **__):
        raise AssertionError("it was read")

    monkeypatch.setattr(torch, "load", fail)
    path = archived(tmp_path / "x.pth", pickled) if zipped else tmp_path / "x.pth"
    if not zipped:
        path.write_bytes(pickled)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "it was read" not in str(caught.value)


def test_a_pickle_in_a_folder_that_only_pytorch_looks_into_is_checked_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("y/version", "3")
        archive.writestr("x/data.pkl", pickle.dumps({}))
        archive.writestr("y/DATA.PKL", DEEP_KEY)
    with pytest.raises(CheckpointError, match="nests tuples"):
        load_checkpoint(tmp_path / "x.pth")


def test_older_files_have_all_of_their_pickles_checked(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_checkpoint(tmp_path / "x.pth").tensors["a"], torch.ones(3))
    content = (tmp_path / "x.pth").read_bytes()
    magic = content[: content.index(b".") + 1]
    (tmp_path / "y.pth").write_bytes(magic + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + DEEP_KEY)
    with pytest.raises(CheckpointError, match="nests tuples"):
        load_checkpoint(tmp_path / "y.pth")


def overlapping(path, copies):
    """An archive in which many entries are the same bytes, as `zipfile` would not write it."""

    def local(name, sums):
        return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, *sums, len(name), 0) + name

    def central(name, sums, offset):
        places = len(name), 0, 0, 0, 0, 0, offset
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, *sums, *places) + name

    pickled, values = pickle.dumps({}, 2), os.urandom(1 << 20)
    of_pickle, of_values = ((zlib.crc32(each), len(each), len(each)) for each in (pickled, values))
    entries = local(b"x/data.pkl", of_pickle) + pickled
    directory = central(b"x/data.pkl", of_pickle, 0)
    directory += b"".join(central(b"x/data/%d" % index, of_values, len(entries)) for index in range(copies))
    entries += local(b"x/data/0", of_values) + values
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, copies + 1, copies + 1, len(directory), len(entries), 0)
    path.write_bytes(entries + directory + end)


def test_entries_that_share_their_bytes_are_refused_before_they_are_read(tmp_path):
    overlapping(tmp_path / "x.pth", 10_000)  # 10 GiB, from 2 MB
    with pytest.raises(CheckpointError, match="entries overlap"):
        load_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("name", ["x/data.pkl", "x/DATA.pkl"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
        archive.writestr(name, pickle.dumps({"a": 1}, 2))
    with pytest.raises(CheckpointError, match="one name"):
        load_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize(
    "named",
    [b"cnumpy.core.numeric\n_frombuffer\n", b"c_codecs\nencode\n", b"cbuiltins\nbytes\n"],
    ids=["frombuffer", "encode", "bytes"],
)
def test_a_pickle_cannot_change_what_reads_the_next_one(tmp_path, named):
    # BUILD with a pair of states sets attributes, here the defaults of the function that it was given.
    change = BEGIN + named + b"N}X\x0c\x00\x00\x00__defaults__X\x01\x00\x00\x00F\x85s\x86b0}."
    (tmp_path / "x.pkl").write_bytes(change)
    with pytest.raises((AttributeError, pickle.UnpicklingError)):
        array_pickle.read_array_pickle(tmp_path / "x.pkl")
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "y.pkl").write_bytes(pickle.dumps({"model": {"a": array}}, 5))
    assert torch.equal(load_checkpoint(tmp_path / "y.pkl").tensors["a"], torch.from_numpy(array))
