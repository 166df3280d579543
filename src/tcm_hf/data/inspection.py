"""What lies in a corpus: numbers for people, and the pictures and texts that should be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.image_files import equal_files, lies_there, size_conflict, upright_size_hw
from tcm_hf.data.inspection_labels import ObjectTally, TextTally, WordTally, spread
from tcm_hf.data.some_records import SomeRecords

__all__ = ["Doubt", "Inspection", "PartInspection", "inspect_corpus"]

_TALLIES: dict[str, Callable[[], Any]] = {"photos": TextTally, "words": WordTally, "objects": ObjectTally}


class Doubt(NamedTuple):
    """Something in a readable row that is hardly meant so."""

    image: str
    """Name of the picture."""
    reason: str

    def __str__(self) -> str:
        """`IMAGE: reason`."""
        return f"{self.image}: {self.reason}"


@dataclass
class PartInspection:
    """What was found in one part of a corpus.

    Args:
        split: Its name; None where the corpus has one part only.
        records: All its records, as the corpus loads them.
        looked_at: The places of those that were looked at.
        problems: Rows that are broken and were left out.
        lost: Pictures that are not there or cannot be opened.
        doubtful: The places of readable pictures with doubts.
        files: The picture files that were looked at.
        doubts: What is hardly meant so.
        counts: Numbers fit for JSON.
    """

    split: str | None
    records: Sequence[Any]
    looked_at: Sequence[int]
    problems: Problems = field(default_factory=Problems)
    lost: list[Doubt] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Inspection:
    """What was found in a corpus, part by part."""

    corpus: Corpus
    path: Path
    parts: list[PartInspection]
    copies: list[list[Path]]
    """Groups of picture files with the same bytes, in one part or over several."""

    @property
    def is_sound(self) -> bool:
        """Whether every row could be read and every picture is there."""
        return not any(part.problems or part.lost for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        return {
            "path": str(self.path),
            "corpus": self.corpus.name,
            "title": self.corpus.title,
            "kind": self.corpus.kind,
            "sound": self.is_sound,
            "parts": [
                {
                    "split": part.split,
                    "records": len(part.records),
                    "looked_at": len(part.looked_at),
                    **part.counts,
                    "broken_rows": [
                        {"file": str(row.path), "line": row.line, "reason": row.reason}
                        for row in part.problems
                    ],
                    "lost_pictures": [doubt._asdict() for doubt in part.lost],
                    "doubts": [doubt._asdict() for doubt in part.doubts],
                    "notes": part.problems.notes,
                }
                for part in self.parts
            ],
            "same_pictures": [[str(path) for path in group] for group in self.copies],
        }


def inspect_corpus(
    corpus: Corpus,
    path: Path,
    splits: Sequence[str | None],
    *,
    limit: int | None = None,
    chosen: Callable[[str], bool] | None = None,
) -> Inspection:
    """Read a corpus and look at every picture's header and every text; no pixel is decoded.

    Args:
        corpus: What it is.
        path: Where it lies.
        splits: The parts to look at; `[None]` where there is one part only.
        limit: Look at no more than this many records of a part, spread evenly; None: at all.
        chosen: Which records, by name; None: all.

    Returns:
        Numbers, broken rows and doubts; never an error because of broken rows.

    Raises:
        ValueError: A file of annotations cannot be read at all.
    """
    parts = [_inspect_part(corpus, path, split, limit, chosen) for split in splits]
    return Inspection(corpus, path, parts, equal_files(file for part in parts for file in part.files))


def spread_places(count: int, limit: int | None) -> Sequence[int]:
    """At most `limit` of the places 0..count-1, spread evenly."""
    if limit is None or limit >= count:
        return range(count)
    return [place * count // limit for place in range(limit)]


def _inspect_part(
    corpus: Corpus, path: Path, split: str | None, limit: int | None, chosen: Callable[[str], bool] | None
) -> PartInspection:
    problems = Problems()
    records = corpus.load(path, split, problems)
    if chosen is not None:
        places = [place for place in range(len(records)) if _is_meant(records, place, chosen)]
        records = SomeRecords(records, places)
    part = PartInspection(split, records, spread_places(len(records), limit), problems)
    tally = _TALLIES[corpus.kind]()
    sizes: list[tuple[int, int]] = []
    names: set[str] = set()
    for place in part.looked_at:
        try:
            record = records[place]
        except ValueError as error:  # a row that is read only now
            problems.add(path, None, str(error))
            continue
        size_hw, doubts = _picture_size(record, part)
        if size_hw is not None:
            sizes.append(size_hw)
        doubts += tally.add(record, size_hw)
        name = record.name
        if isinstance(record.image, Path):
            part.files.append(record.image)
            name = str(record.image)
        if name in names:
            doubts.append("it is listed twice")
        names.add(name)
        part.doubts += [Doubt(record.name, doubt) for doubt in doubts]
        if doubts and size_hw is not None:
            part.doubtful.append(place)
    part.counts = {"pictures": _picture_counts(sizes, len(part.lost)), **tally.counts()}
    return part


def _is_meant(records: Sequence[Any], place: int, chosen: Callable[[str], bool]) -> bool:
    try:
        return chosen(records[place].name)
    except ValueError:  # broken: told when it is looked at
        return True


def _picture_size(record: Any, part: PartInspection) -> tuple[tuple[int, int] | None, list[str]]:
    """The picture's true size and what is odd about it; one that cannot be read is noted in `part`."""
    try:
        if isinstance(record.image, Path) and not lies_there(record.image):
            raise ValueError(f"there is no picture {record.image}")
        size_hw = upright_size_hw(record.image)
    except ValueError as error:
        part.lost.append(Doubt(record.name, str(error)))
        return None, []
    told = None if callable(getattr(record, "size_hw", None)) else getattr(record, "size_hw", None)
    conflict = size_conflict(told, size_hw)
    return size_hw, [conflict] if conflict else []


def _picture_counts(sizes: list[tuple[int, int]], lost: int) -> dict[str, Any]:
    return {
        "readable": len(sizes),
        "lost": lost,
        "width_px": spread([width for _, width in sizes]),
        "height_px": spread([height for height, _ in sizes]),
    }
