"""Corpora with one label file an image: where their parts lie, and which image belongs to which file."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes, images_by_stem, lines_of, names_in, natural_key
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.records import TextInstance, TextRecord

__all__ = ["MMOCR_PARTS", "LabelFiles", "LabelFolder", "Part", "read_lines"]

# A recogniser opens so many label files that are not empty, of so many that are spread over the folder.
_OPENED, _LOOKED_AT = 5, 100


class Part(NamedTuple):
    """Where a part of a corpus lies below its folder, as glob patterns."""

    split: str
    images: tuple[str, ...]
    labels: tuple[str, ...]


class LabelFolder(NamedTuple):
    """A part that lies there."""

    images: list[Path]
    """Folders."""
    labels: Path
    """The folder of the label files."""
    names: list[str]
    """Their names, in no order."""

    def some(self) -> list[Path]:
        """Some label files that are not empty, spread over the folder."""
        names = sorted(self.names)[:: max(1, len(self.names) // _LOOKED_AT)]
        paths = (self.labels / name for name in names)
        return list(islice((path for path in paths if first_bytes(path, 1)), _OPENED))


MMOCR_PARTS = (
    Part("train", ("imgs/training",), ("annotations/training",)),
    Part("test", ("imgs/test",), ("annotations/test",)),
    Part("train", ("textdet_imgs/train",), ("annotations/train",)),
    Part("test", ("textdet_imgs/test",), ("annotations/test",)),
)
"""Where mmocr 0.x and 1.x keep the original files of a corpus."""


@dataclass(frozen=True)
class LabelFiles:
    """A corpus of one label file an image; `corpus` makes its entry.

    A folder that holds the label files themselves is a corpus of one part. Images lie beside them, or where
    the parts say; where one is not found, the record names the file that was expected.

    Args:
        parts: Where the parts of the official download lie; several may have one name, the first that is
            there counts.
        patterns: Names of label files, globs; the first that a folder has counts (the same texts may lie
            there in several forms).
        fits: Whether a label file is of this corpus, cheap.
        read: Reads a label file; broken rows go to the list.
        stem: The image's name without suffix, from that of the label file.
        level: What one text is.
    """

    parts: tuple[Part, ...]
    patterns: tuple[str, ...]
    fits: Callable[[Path], bool]
    read: Callable[[Path, Problems], list[TextInstance]]
    stem: Callable[[str], str] = lambda stem: stem.removeprefix("gt_")
    level: Literal["word", "line"] = "word"

    def corpus(self, name: str, title: str, layout: str, homepage: str) -> Corpus:
        """The entry of the table of corpora."""
        return Corpus(
            name=name,
            title=title,
            kind="photos",
            layout=layout,
            homepage=homepage,
            recognises=self.recognises,
            load=self.load,
            splits=self.splits,
            level=self.level,
        )

    def recognises(self, folder: Path) -> bool:
        """Whether the folder, or a part of it, holds such label files."""
        return folder.is_dir() and any(
            any(self.fits(path) for path in found.some()) for _, found in self._found(folder)
        )

    def splits(self, folder: Path) -> list[str]:
        """The parts that lie there; none where the folder itself holds the label files."""
        return list(dict.fromkeys(split for split, _ in self._found(folder) if split))

    def load(self, folder: Path, split: str | None, problems: Problems) -> list[TextRecord]:
        """The records of a part in the order of the numbers of their files."""
        for name, found in self._found(folder):
            if name == (split or ""):
                return self.records(found, problems)
        raise ValueError(
            f"Expected label files {' or '.join(self.patterns)} in {folder}, or below it in "
            f"{', '.join(part.labels[0] for part in self.parts)}: found none."
        )

    def records(self, found: LabelFolder, problems: Problems) -> list[TextRecord]:
        """The records of label files, one a file."""
        images = images_by_stem(found.images)
        records = []
        expected_in = (found.images or [found.labels])[0]
        for path in (found.labels / name for name in sorted(found.names, key=natural_key)):
            if not path.is_file():
                continue
            stem = self.stem(path.stem)
            with problems.row(path):
                instances = self.read(path, problems)
                expected = expected_in / f"{stem}.jpg"
                records.append(TextRecord(images.get(stem, expected), instances, self.level))
        return records

    def _found(self, folder: Path) -> Iterator[tuple[str, LabelFolder]]:
        own = self._names(folder)
        if own:
            yield "", LabelFolder([folder, *_folders(folder, ("images",))], folder, own)
            return
        for part in self.parts:
            for labels in _folders(folder, part.labels):
                names = self._names(labels)
                if names:
                    yield part.split, LabelFolder(_folders(folder, part.images), labels, names)
                    break

    def _names(self, folder: Path) -> list[str]:
        """The names of the label files: no more is asked of what may be many thousand files."""
        there = names_in(folder)
        return next(filter(None, (fnmatch.filter(there, pattern) for pattern in self.patterns)), [])


def read_lines(
    path: Path | str, problems: Problems | None, instance_of: Callable[[str], TextInstance]
) -> list[TextInstance]:
    """The texts of a file with one a line; empty lines and a byte order mark are skipped.

    Args:
        path: the file.
        problems: broken lines are added to this list and left out; None: they are an error.
        instance_of: reads a line; ValueError where it is broken.

    Raises:
        ValueError: the file is not UTF-8, or a line is broken and `problems` is None; the message has file,
            line and reason.
    """
    path = Path(path)
    instances = []
    with collected(problems) as noted:
        for number, line in lines_of(path):
            with noted.row(path, number):
                instances.append(instance_of(line))
    return instances


def _folders(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [
        path
        for pattern in patterns
        for path in sorted(folder.glob(pattern), key=lambda path: natural_key(path.name))
        if path.is_dir()
    ]
