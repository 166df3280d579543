"""How a corpus and a part of it are named on the command line: `FOLDER` or `FOLDER:1-900`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora import load_metadata_jsonl

SYNTH_SETTINGS_NAME = "synth.json"  # `tcm-hf synth` keeps its settings under this name
_SPEC = re.compile(r"(?P<folder>.+?)(:(?P<first>\d+)-(?P<last>\d+))?")


@dataclass(frozen=True)
class CorpusSpec:
    """A folder with `metadata.jsonl`, and which of its files are meant.

    Args:
        folder: The folder.
        numbers: First and last file number, both included; the number of a file is the last run of digits in
            its name (`img_900.webp` has 900). None means all files.
    """

    folder: Path
    numbers: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> CorpusSpec:
        """Read `FOLDER` or `FOLDER:FIRST-LAST`.

        Raises:
            ValueError: If the folder holds no metadata.jsonl, or the range runs backwards.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise ValueError(f"Expected FOLDER or FOLDER:FIRST-LAST, e.g. ic15-train:1-900: got {text!r}.")
        folder = Path(match["folder"]).expanduser()
        cls._check(folder)
        if match["first"] is None:
            return cls(folder)
        numbers = (int(match["first"]), int(match["last"]))
        if numbers[0] > numbers[1]:
            raise ValueError(
                f"The range {numbers[0]}-{numbers[1]} in {text!r} runs backwards: swap its ends."
            )
        return cls(folder, numbers)

    @classmethod
    def _check(cls, folder: Path) -> None:
        if not (folder / "metadata.jsonl").is_file():
            raise ValueError(
                f"Expected a folder with metadata.jsonl: {folder} has none. "
                'A line of it is {"file_name": …, "polygons": [[[x, y], …], …], "ignore": [false, …]}.'
            )

    def _load(self) -> list[Any]:
        return load_metadata_jsonl(self.folder)

    @property
    def is_generated(self) -> bool:
        """Whether `tcm-hf synth` made the pictures."""
        return (self.folder / SYNTH_SETTINGS_NAME).is_file()

    def __str__(self) -> str:
        """As on the command line."""
        return (
            str(self.folder) if self.numbers is None else f"{self.folder}:{self.numbers[0]}-{self.numbers[1]}"
        )

    def annotations(self) -> list[Any]:
        """The records of the corpus in order of metadata.jsonl, whether or not their images are there.

        Raises:
            ValueError: If an annotation is broken, or no file is in the range.
        """
        records = self._load()
        if not records:
            raise ValueError(
                f"The annotations of {self.folder} are empty: expected one line, or file, an image."
            )
        if self.numbers is not None:
            first, last = self.numbers
            records = [record for record in records if first <= file_number(record.name) <= last]
        if not records:
            raise ValueError(f"No file of {self.folder} is in the range {self.numbers}: look at the numbers.")
        return records

    def records(self) -> list[Any]:
        """The records of the corpus in order of metadata.jsonl, `TextRecord`s.

        Raises:
            ValueError: If an annotation is broken, no file is in the range, or one of them is not there.
        """
        records = self.annotations()
        # Now, not when the training comes to it hours later.
        files = [(record.name, record.image) for record in records]
        missing = [name for name, file in files if isinstance(file, Path) and not file.is_file()]
        if missing:
            raise ValueError(
                f"The annotations of {self.folder} name {len(missing)} images that are not there, the first "
                f"is {missing[0]}. Drop their lines, or name the range of those that are there."
            )
        return records


def file_number(name: str) -> int:
    """The last run of digits in a file name without its suffix; -1 where there is none."""
    digits = re.findall(r"\d+", Path(name).stem)
    return int(digits[-1]) if digits else -1
