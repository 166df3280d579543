"""What we know of a corpus: its name, how its official download lies on disk, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tcm_hf.data.corpora.problems import Problems

__all__ = ["Corpus"]


def _one_part(source: Path) -> list[str]:
    return []


@dataclass(frozen=True)
class Corpus:
    """A corpus, or a file format of a tool, that `load_corpus` reads.

    Args:
        name: As on the command line, `icdar2015:FOLDER`.
        title: For people.
        kind: What a record is: "photos" give `TextRecord`s, "words" `WordRecord`s, "objects"
            `RotatedRecord`s.
        layout: How the official download lies on disk, for people, one line a file or folder.
        homepage: Where it is described or offered.
        recognises: Whether a folder or file is this corpus; cheap: names and first bytes, no image decoded,
            never an error.
        load: Reads the records of a folder or file. Takes the path, the name of a part (one of `splits`; None
            where there are none) and the list to which broken rows are added; a broken row is left out, never
            fatal. No pixel is read, and images that are not there are no problem here: annotations alone can
            be compared, too. Lazy where a corpus is large.
        splits: The names of the parts that lie there ("train", "test", …); none where there is one part only.
        level: What one text of a photo is.
    """

    name: str
    title: str
    kind: Literal["photos", "words", "objects"]
    layout: str
    homepage: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path, str | None, Problems], Sequence[Any]]
    splits: Callable[[Path], list[str]] = _one_part
    level: Literal["word", "line"] = "word"
