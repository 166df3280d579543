"""LMDBs of words, as the benchmarks of scene text recognition come: one, or a folder of many."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.words import LMDBWords, WordRecord, words_with_texts

__all__ = ["STR_LMDB"]

_DATA = "data.mdb"
_MAGIC = 0xBEEFC0DE.to_bytes(4, sys.byteorder)  # behind the head of an LMDB's first page
_MANY_FILES = 100  # so many lie beside no data base
_DEPTH = 3  # folders between the collection and its data bases, e.g. training/MJ/MJ_train


def _splits(path: Path) -> list[str]:
    """The data bases below a folder, by their paths in it."""
    if not path.is_dir() or (path / _DATA).is_file():
        return []
    return sorted(folder.relative_to(path).as_posix() for folder in _databases(path, _DEPTH))


def _databases(folder: Path, depth: int) -> Iterator[Path]:
    """The folders below that hold a data base; a folder of many files is not searched to its end."""
    below, files = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                below.append(Path(entry.path))
            elif (files := files + 1) > _MANY_FILES:
                return
    for inner in below:
        if (inner / _DATA).is_file():
            yield inner
        elif depth > 1:
            yield from _databases(inner, depth - 1)


def _recognises(path: Path) -> bool:
    if path.is_file():
        return first_bytes(path, 20)[16:] == _MAGIC
    return (path / _DATA).is_file() or bool(_splits(path))


def _load(path: Path, split: str | None, problems: Problems) -> Sequence[WordRecord]:
    words = LMDBWords(path / split if split else path)
    return words_with_texts(words, words.have_texts())


STR_LMDB = Corpus(
    name="str-lmdb",
    title="LMDB of words (MJSynth, SynthText, IIIT5k, SVT, IC13, IC15, SVTP, CUTE80, Union14M, …)",
    kind="words",
    layout="data.mdb (keys num-samples, image-000000001, label-000000001), or folders of such, each a part",
    homepage="https://github.com/clovaai/deep-text-recognition-benchmark",
    recognises=_recognises,
    load=_load,
    splits=_splits,
)
