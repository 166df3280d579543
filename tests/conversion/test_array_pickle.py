"""Pickles of arrays, as detectron2's model zoo has them, give tensors; nothing in them is called."""

import os
import pickle

import numpy as np
import pytest
import torch

from tcm_hf.conversion.array_pickle import read_array_pickle
from tcm_hf.conversion.safe_loading import CheckpointError, load_checkpoint

ARRAYS = {
    "stem.conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.array([1.5, -2], dtype=np.float16),
    "turned": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "step": np.array(7, dtype=np.int64),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 4), np.float32),
}


def save(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_become_tensors(tmp_path, protocol):
    content = {"model": ARRAYS, "__author__": "X", "matching_heuristics": True}
    checkpoint = load_checkpoint(save(tmp_path / "x.pkl", content, protocol))
    assert checkpoint.kind == "detectron2 model zoo"
    assert checkpoint.tensors.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert torch.equal(
            checkpoint.tensors[name], torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape)
        )


def test_pickles_of_python_2_are_read(tmp_path):
    # Bytes were texts there: the values are spelled as one, in Latin-1.
    array = np.array([1.0, -3.5], dtype=np.float32)
    text = array.tobytes()
    pickled = (
        b"\x80\x02}U\x05modelq\x01}U\x01aq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04"
        b"K\x00\x85U\x01bq\x05\x87Rq\x06(K\x01K\x02\x85cnumpy\ndtype\nq\x07U\x02f4K\x00K\x01\x87Rq\x08"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(text)])
        + text
        + b"tbss."
    )
    (tmp_path / "x.pkl").write_bytes(pickled)
    assert torch.equal(load_checkpoint(tmp_path / "x.pkl").tensors["a"], torch.from_numpy(array))


class Attack:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    "make",
    [
        lambda marker: Attack(os.system, f"touch {marker}"),
        lambda marker: Attack(eval, f"open({str(marker)!r}, 'w')"),
        lambda marker: {"model": {"a": np.array([Attack(os.system, f"touch {marker}")], dtype=object)}},
        lambda marker: {"model": {"a": np.array(["text"], dtype=object)}},
        lambda marker: {"model": {"a": np.array(["2020-01-01"], dtype="datetime64[s]")}},
        lambda marker: {"model": {"a": np.array([1.0], dtype=">f4")}},
    ],
    ids=["system", "eval", "inside an array", "objects", "dates", "big endian"],
)
def test_anything_else_is_refused(tmp_path, make):
    path = save(tmp_path / "x.pkl", make(tmp_path / "marker"))
    with pytest.raises(pickle.UnpicklingError):
        read_array_pickle(path)
    with pytest.raises(CheckpointError, match=r"x\.pkl is (refused|no checkpoint)"):
        load_checkpoint(path)
    assert not (tmp_path / "marker").exists()


def test_an_array_that_claims_more_values_than_it_has_is_refused(tmp_path):
    pickled = pickle.dumps({"a": np.arange(6, dtype=np.float32)}, protocol=2)
    assert pickled.count(b"K\x06\x85") == 1
    (tmp_path / "x.pkl").write_bytes(pickled.replace(b"K\x06\x85", b"K\x60\x85"))
    with pytest.raises(pickle.UnpicklingError, match="values are not all there"):
        read_array_pickle(tmp_path / "x.pkl")
