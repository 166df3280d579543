"""How a corpus and a part of it are named on the command line: `[NAME:]FOLDER[@SPLIT][:A-B]`.

`ic15-train`, `ic15-train:1-900`, `totaltext:~/data/total@train`, `~/data/ctw1500@test:1-100`. NAME is one of
`tcm-hf data list`; where it is left out the corpus is recognised by its files. SPLIT is one of the parts that
lie there; A and B are file numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.loading import Source, parse_source, recognise
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.table import corpus_named
from tcm_hf.data.image_files import require_pictures
from tcm_hf.data.some_records import SomeRecords

SYNTH_SETTINGS_NAME = "synth.json"  # `tcm-hf synth` keeps its settings under this name
_RANGED = re.compile(r"(?P<source>.+):(?P<first>\d+)-(?P<last>\d+)", re.DOTALL)


class NothingThereError(ValueError):
    """A corpus, or the part of it that is meant, has no record."""


@dataclass(frozen=True)
class CorpusSpec:
    """A corpus of photos with outlines of texts, and which part of it is meant.

    Args:
        folder: The folder, or the file of annotations.
        numbers: First and last file number, both included; the number of a file is the last run of digits in
            its name (`img_900.webp` has 900). None means all files.
        corpus: Its name in `tcm-hf data list`; None: recognised by its files.
        split: The part, "train" or "test" as a rule; None where there is one only.
    """

    folder: Path
    numbers: tuple[int, int] | None = None
    corpus: str | None = None
    split: str | None = None

    kinds: ClassVar[tuple[str, ...]] = ("photos",)
    """What such a corpus may hold, see `Corpus.kind`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[NAME:]FOLDER[@SPLIT][:FIRST-LAST]`.

        Raises:
            ValueError: If there is no such folder, it is no corpus that we know, or one of another kind, it
                has several parts and none is named, or the range runs backwards.
        """
        if not text:
            raise ValueError(
                "Expected [NAME:]FOLDER[@SPLIT][:FIRST-LAST], e.g. ic15-train:1-900 or "
                "totaltext:folder@train: got nothing."
            )
        numbers = None
        ranged = _RANGED.fullmatch(text)
        if ranged is not None and not Path(text).expanduser().exists():  # a folder may have such a name
            text, numbers = ranged["source"], (int(ranged["first"]), int(ranged["last"]))
            if numbers[0] > numbers[1]:
                raise ValueError(
                    f"The range {numbers[0]}-{numbers[1]} of {text} runs backwards: swap its ends."
                )
        source = parse_source(text)
        spec = cls(source.path, numbers, source.corpus.name if source.corpus else None, source.split)
        spec._check()
        return spec

    def _check(self) -> None:
        _ = self._resolved

    @cached_property
    def _resolved(self) -> tuple[str, str | None]:
        """The names of corpus and part; asked once, as a folder may hold many thousand files."""
        corpus, split = self._source().resolve(self.kinds)
        return corpus.name, split

    def _source(self) -> Source:
        return Source(corpus_named(self.corpus) if self.corpus else None, self.folder, self.split)

    def _load(self, problems: Problems) -> Sequence[Any]:
        name, split = self._resolved
        return corpus_named(name).load(self.folder, split, problems)

    @property
    def is_generated(self) -> bool:
        """Whether `tcm-hf synth` or `synth-words` made the pictures."""
        return (self.folder / SYNTH_SETTINGS_NAME).is_file()

    def __str__(self) -> str:
        """As on the command line."""
        name = f"{self.corpus}:" if self.corpus else ""
        split = f"@{self.split}" if self.split else ""
        numbers = f":{self.numbers[0]}-{self.numbers[1]}" if self.numbers else ""
        return f"{name}{self.folder}{split}{numbers}"

    def absolute(self) -> Self:
        """The same, named from the root of the disk."""
        return replace(self, folder=self.folder.absolute())

    def annotations(self, problems: Problems | None = None) -> Sequence[Any]:
        """The records of the corpus in its order, whether or not their images are there.

        Args:
            problems: Broken rows are added to this list and left out; None: they are an error.

        Raises:
            NothingThereError: If there is none, or no file is in the range.
            ValueError: If an annotation is broken and `problems` is None.
        """
        with collected(problems) as noted:
            known = len(noted)
            records = self._load(noted)
        if not len(records) and len(noted) == known:
            raise NothingThereError(
                f"The annotations of {self.folder} are empty: expected one line, or file, an image."
            )
        return self._in_range(records)

    def _in_range(self, records: Sequence[Any]) -> Sequence[Any]:
        if self.numbers is None:
            return records
        first, last = self.numbers
        places = [place for place in range(len(records)) if first <= file_number(records[place].name) <= last]
        if not places:
            raise self.nothing_in_range()
        if isinstance(records, list):
            return [records[place] for place in places]
        return SomeRecords(records, places)

    def nothing_in_range(self) -> NothingThereError:
        """The error that no file has such a number."""
        return NothingThereError(
            f"No file of {self.folder} is in the range {self.numbers}: look at the numbers."
        )

    def records(self) -> Sequence[Any]:
        """The records of the corpus in its order, of photos `TextRecord`s.

        Raises:
            ValueError: If an annotation is broken, no file is in the range, or an image is not there.
        """
        records = self.annotations()
        require_pictures(records, self.folder)
        return records


class AnyCorpusSpec(CorpusSpec):
    """A corpus of any kind, of which several parts may be meant."""

    kinds: ClassVar[tuple[str, ...]] = ("photos", "words", "objects")

    def _check(self) -> None:
        _ = self._parts

    def parts(self) -> tuple[Corpus, list[str | None]]:
        """The corpus, and the names of its parts: the one that is named, or all; [None] where it has none.

        Raises:
            ValueError: If it is no corpus that we know, or has no such part.
        """
        name, parts = self._parts
        return corpus_named(name), list(parts)

    @cached_property
    def _parts(self) -> tuple[str, tuple[str | None, ...]]:
        source = self._source()
        if not source.path.exists() or source.split is not None:
            name, split = self._resolved
            return name, (split,)
        corpus = source.corpus or recognise(source.path, self.kinds)
        return corpus.name, tuple(corpus.splits(source.path)) or (None,)

    def is_meant(self, name: str) -> bool:
        """Whether a picture of this name is in the range."""
        first, last = self.numbers or (-1, float("inf"))
        return first <= file_number(name) <= last


def file_number(name: str) -> int:
    """The last run of digits in a file name without its suffix; -1 where there is none."""
    digits = re.findall(r"\d+", Path(name).stem)
    return int(digits[-1]) if digits else -1
