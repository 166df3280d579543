"""Which photos a small training set holds: lists that anyone can make again, and that can be published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tcm_hf.training.corpus_spec import CorpusSpec


def photo_order(names: Sequence[str], seed: int) -> list[str]:
    """The order in which photos are taken into small training sets; a smaller set lies in each larger one.

    By rising SHA-256 of the text "SEED/STEM", the file's name without folders and suffix: the same photos for
    everyone, whatever the file format, the order of the annotations, the machine and the library.

    Args:
        names: File names; those of equal stem are ordered by name.
        seed: Another seed, another order.
    """

    def key(name: str) -> tuple[str, str]:
        stem = PurePosixPath(name).stem
        return hashlib.sha256(f"{seed}/{stem}".encode()).hexdigest(), name

    return sorted(names, key=key)


def share_of(ordered: Sequence[str], percent: float) -> list[str]:
    """The first `percent` of the names, rounded to the next whole number, at least one.

    Raises:
        ValueError: If `percent` is not above 0 and at most 100.
    """
    if not 0 < percent <= 100:
        raise ValueError(f"A share of the photos lies above 0 and is at most 100 percent: got {percent:g}.")
    return list(ordered[: max(1, round(len(ordered) * percent / 100))])


def list_names(corpora: Sequence[CorpusSpec]) -> list[str]:
    """Names of corpora for files: the end of path and part, as long as it takes to tell them apart."""
    parts = [str(replace(spec, folder=spec.folder.absolute())).split("/") for spec in corpora]
    length = 1
    while len({tuple(one[-length:]) for one in parts}) < len(set(map(tuple, parts))):
        length += 1
    return [re.sub(r"[^\w.-]+", "_", "_".join(one[-length:])) for one in parts]


def list_path(folder: Path, corpus: str, seed: int) -> Path:
    """Where the order of a corpus' photos lies: FOLDER/CORPUS-seedN.txt."""
    return folder / f"{corpus}-seed{seed}.txt"


def write_list(path: Path, names: Sequence[str]) -> None:
    """Write names, one a line, the first to be taken first; what is equal stays untouched."""
    text = "".join(f"{name}\n" for name in names)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read_list(path: Path, names: Sequence[str]) -> list[str]:
    """A published order of photos, as the names that they have here.

    Args:
        path: A file of names, one a line; suffixes are not looked at (`img_1.jpg` is here `img_1.webp`).
        names: The names of the photos that are here.

    Raises:
        ValueError: If the list holds a photo twice, or other photos than there are.
        OSError: If it cannot be read.
    """
    by_stem = {PurePosixPath(name).stem: name for name in names}
    listed = [PurePosixPath(line).stem for line in path.read_text(encoding="utf-8").split("\n") if line]
    unknown = [stem for stem in listed if stem not in by_stem]
    missing = set(by_stem) - set(listed)
    if unknown or missing or len(listed) != len(set(listed)):
        odd = (unknown or sorted(missing) or ["a photo twice"])[0]
        raise ValueError(
            f"Expected each of {len(by_stem)} photos once in {path}: it lists {len(listed)}, {len(unknown)} "
            f"of them unknown, and {len(missing)} are missing; the first is {odd}. Name the part of the "
            "corpus that the list was made for."
        )
    return [by_stem[stem] for stem in listed]


@dataclass(frozen=True)
class ChosenPhotos(CorpusSpec):
    """A corpus of which some photos are taken, by name.

    Args:
        names: The names of the records that are taken.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, corpus: CorpusSpec, names: Sequence[str]) -> ChosenPhotos:
        """The photos of `corpus` with these names."""
        values = {one.name: getattr(corpus, one.name) for one in fields(corpus)}
        return cls(**values, names=tuple(names))

    def records(self) -> list[Any]:
        """The records that are taken, in order of the annotations.

        Raises:
            ValueError: As for a whole corpus.
        """
        taken = set(self.names)
        return [record for record in super().records() if record.name in taken]
