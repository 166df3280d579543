"""ICDAR's word recognition sets: crops of words of the photos of 2013 and 2015."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.word_folders import load_word_labels
from tcm_hf.data.words import WordRecord

__all__ = ["ICDAR_2013_WORDS", "ICDAR_2015_WORDS"]


class _Part(NamedTuple):
    images: str
    labels: str


_Parts = dict[str, _Part]

_2013: _Parts = {
    "train": _Part("Challenge2_Training_Task3_Images_GT", "Challenge2_Training_Task3_Images_GT/gt.txt"),
    "test": _Part("Challenge2_Test_Task3_Images", "Challenge2_Test_Task3_GT.txt"),
}
_2015: _Parts = {
    "train": _Part("ch4_training_word_images_gt", "ch4_training_word_images_gt/gt.txt"),
    "test": _Part("ch4_test_word_images_gt", "Challenge4_Test_Task3_GT.txt"),
}


def _splits_of(parts: _Parts) -> Callable[[Path], list[str]]:
    return lambda folder: [split for split, part in parts.items() if (folder / part.labels).is_file()]


def _loader_of(parts: _Parts) -> Callable[[Path, str | None, Problems], list[WordRecord]]:
    def load(folder: Path, split: str | None, problems: Problems) -> list[WordRecord]:
        part = parts[split or "train"]
        return load_word_labels(folder / part.labels, folder / part.images, problems)

    return load


def _corpus(year: int, title: str, parts: _Parts, homepage: str) -> Corpus:
    splits = _splits_of(parts)
    return Corpus(
        name=f"icdar{year}-words",
        title=f"ICDAR {year} {title}, crops of words",
        kind="words",
        layout="; ".join(f"{part.labels} with {part.images}/word_1.png" for part in parts.values()),
        homepage=homepage,
        recognises=lambda folder: bool(splits(folder)),
        load=_loader_of(parts),
        splits=splits,
    )


ICDAR_2013_WORDS = _corpus(2013, "Focused Scene Text (task 2.3)", _2013, "https://rrc.cvc.uab.es/?ch=2")
ICDAR_2015_WORDS = _corpus(2015, "Incidental Scene Text (task 4.3)", _2015, "https://rrc.cvc.uab.es/?ch=4")
