"""Damaged MATLAB files are errors with the name of the file, whatever scipy stumbles over."""

import numpy as np
import pytest
from scipy.io import savemat

from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.mat_files import read_mat


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("mat") / "gt.mat"
    names = np.array([f"1/photo_{number}.jpg" for number in range(50)], dtype=object)
    savemat(path, {"imnames": names, "txt": names, "wordBB": names}, do_compression=True)
    return path.read_bytes()


def zeroed(content):
    return content[:200] + bytes(40) + content[240:]


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: content[:-60], zeroed])
def test_a_damaged_file_is_named(tmp_path, whole, damage):
    path = tmp_path / "gt.mat"
    path.write_bytes(whole)
    assert read_mat(path, "imnames").size == 50
    path.write_bytes(damage(whole))
    with pytest.raises(ValueError, match=r"gt\.mat: expected a MATLAB file of version 4 to 7\.2"):
        read_mat(path, "imnames", "txt", "wordBB")
    with pytest.raises(ValueError, match=r"gt\.mat"):
        load_corpus(f"synthtext:{tmp_path}")
