"""IIIT 5K-word: crops of words with MATLAB tables of their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.mat_files import read_mat
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.words import WordRecord

__all__ = ["IIIT5K", "load_iiit5k"]

_SPLITS = ("train", "test")
# Tables and their fields of texts. The first keeps upper and lower case; the second, with the lexicons of the
# benchmark, is in capitals.
_TABLES = (("CharBound", "chars"), ("data", "GroundTruth"))


def load_iiit5k(folder: Path, split: str | None, problems: Problems) -> list[WordRecord]:
    """Read the crops of a part.

    Args:
        folder: holds `trainCharBound.mat` or `traindata.mat`, the same of "test", and the folders `train` and
            `test`; or is the folder above (`IIIT5K`).
        split: "train" or "test".
        problems: broken entries are added and left out.

    Raises:
        ValueError: a table cannot be read or is another one.
    """
    path, variable, field = _table(folder, split or "")
    words = []
    for number, row in enumerate(_rows(path, variable, field), start=1):
        with problems.row(path, None, f"entry {number}"):
            name, text = _text(row["ImgName"]), _text(row[field])
            words.append(WordRecord(path.parent / name, text, name))
    return words


def _rows(path: Path, variable: str, field: str) -> np.ndarray:
    rows = read_mat(path, variable).ravel()
    if not {"ImgName", field} <= set(rows.dtype.names or ()):
        raise ValueError(
            f"{path}: expected the fields ImgName and {field} in {variable}, got {rows.dtype.names}."
        )
    return rows


def _text(cell: Any) -> str:
    values = np.asarray(cell).ravel()
    if len(values) != 1 or not str(values[0]):
        raise ValueError(f"expected a text, got {values.tolist()!r}")
    return str(values[0])


def _root(folder: Path) -> Path:
    return folder / "IIIT5K" if (folder / "IIIT5K").is_dir() else folder


def _table(folder: Path, split: str) -> tuple[Path, str, str]:
    """The file of a part, its variable, and the field with the texts."""
    there = [
        (_root(folder) / f"{split}{name}.mat", f"{split}{name}", field)
        for name, field in _TABLES
        if (_root(folder) / f"{split}{name}.mat").is_file()
    ]
    if not there:
        raise ValueError(f"Expected {split}CharBound.mat or {split}data.mat in {folder}: found neither.")
    return there[0]


def _splits(folder: Path) -> list[str]:
    return [
        split
        for split in _SPLITS
        if (_root(folder) / split).is_dir()
        and any((_root(folder) / f"{split}{name}.mat").is_file() for name, _ in _TABLES)
    ]


IIIT5K = Corpus(
    name="iiit5k",
    title="IIIT 5K-word, crops of words",
    kind="words",
    layout="trainCharBound.mat, testCharBound.mat (or traindata.mat, testdata.mat: texts in capitals) beside "
    "train/1009_2.png and test/, or all of it in IIIT5K/",
    homepage="https://cvit.iiit.ac.in/research/projects/cvit-projects/the-iiit-5k-word-dataset",
    recognises=lambda folder: bool(_splits(folder)),
    load=load_iiit5k,
    splits=_splits,
)
