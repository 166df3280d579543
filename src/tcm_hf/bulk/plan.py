"""Which row is written to which part: fixed before the first image is read, and the same for ever after."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from tcm_hf.bulk.locations import Location
from tcm_hf.bulk.rows import ROW_KINDS, ParquetRows, RowKind, kind_of_file

SCHEMA = "tcm_hf.bulk/1"
# A slice travels through the object store in one piece.
MAX_SLICE_BYTES = 64 << 20


@dataclass(frozen=True)
class SourceFile:
    """A file of the source.

    Attributes:
        name: Relative to the source; "" where the source is one file.
        size: Bytes.
        rows: How many it holds.
        problem: Why they could not be counted; such a file is one row.
    """

    name: str
    size: int
    rows: int
    problem: str | None = None


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `stop` of a file."""

    file: str
    start: int
    stop: int
    problem: str | None = None


@dataclass(frozen=True)
class Slice:
    """What becomes one part.

    Attributes:
        part: Its number, from 0.
        pieces: Of one file, or small files whole.
    """

    part: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """How many images it has."""
        return sum(piece.stop - piece.start for piece in self.pieces)


@dataclass(frozen=True)
class Source:
    """Where images come from, and how its files hold them."""

    location: Location
    kind: RowKind


@dataclass(frozen=True)
class Plan:
    """The files of a source and how they are cut.

    Attributes:
        address: Of the source, as it was given.
        kind: Of `ROW_KINDS`.
        column: Of a parquet source, if one was named.
        rows_per_part: At most; fewer where images are large.
        settings: What makes records comparable: models, parameters. Anything that JSON holds.
        files: In the order of their names.
    """

    address: str
    kind: str
    column: str | None
    rows_per_part: int
    settings: dict[str, Any]
    files: tuple[SourceFile, ...]

    @property
    def source(self) -> Source:
        """What its rows are read from."""
        return Source(Location(self.address), row_kind(self.kind, self.column))

    @property
    def rows(self) -> int:
        """Of all files."""
        return sum(file.rows for file in self.files)

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Every row once, in order."""
        cut = _cut(self.files, self.rows_per_part)
        return tuple(Slice(part, tuple(pieces)) for part, pieces in enumerate(cut))

    def header(self) -> dict[str, Any]:
        """All but the files."""
        fields = ("address", "kind", "column", "rows_per_part", "settings")
        return {"schema": SCHEMA, **{name: getattr(self, name) for name in fields}}

    def to_json_lines(self) -> bytes:
        """The header, and then a file a line."""
        lines = (self.header(), *map(asdict, self.files))
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    @classmethod
    def from_json_lines(cls, content: bytes) -> "Plan":
        """Read back what `to_json_lines` wrote.

        Raises:
            ValueError: If it is no plan, or one of another version.
        """
        try:
            header, *files = map(json.loads, content.splitlines())
            if header.pop("schema") != SCHEMA:
                raise ValueError(f"expected the schema {SCHEMA}")
            return cls(**header, files=tuple(SourceFile(**file) for file in files))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no plan of this version of tcm_hf: {error}") from error


def row_kind(name: str, column: str | None) -> RowKind:
    """The part that reads files of a kind."""
    return ParquetRows(column) if name == ParquetRows.name else ROW_KINDS[name]()


def list_source(address: str) -> tuple[str, list[tuple[str, int]]]:
    """The kind of a source, and its files with their sizes in bytes, sorted.

    Raises:
        ValueError: If nothing is there, it holds no images, or it holds them in files of several kinds.
    """
    location = Location(address)
    kind = location.kind().name
    if kind == "NotFound":
        raise ValueError(f"no such file or folder: {address}")
    found = location.file_sizes() if kind == "Directory" else [("", location.size())]
    by_kind: dict[str, list[tuple[str, int]]] = {}
    for name, size in found:
        if row_kind_of := kind_of_file(location.address_of(name)):
            by_kind.setdefault(row_kind_of.name, []).append((name, size))
    if len(by_kind) == 1:
        return by_kind.popitem()
    holds = " and ".join(f"{len(files)} files of {name}" for name, files in by_kind.items()) or "none of them"
    raise ValueError(
        f"expected pictures, parquet or tar files in {address}, found {holds}: name a folder with one kind"
    )


def stretches(slices: Sequence[Slice]) -> Iterator[list[Slice]]:
    """Slices that are read in one go: those of one large file together, so that it is opened once."""

    def place(one: Slice) -> tuple[str, int]:
        # Several small files, or part of a large one, which has parts of its own.
        return (one.pieces[0].file, -1) if len(one.pieces) == 1 else ("", one.part)

    for _, group in groupby(slices, key=place):
        yield list(group)


def _cut(files: Sequence[SourceFile], rows_per_part: int) -> Iterator[list[Piece]]:
    """Files that fit in one slice are put together with their neighbours, others are cut."""
    waiting: list[Piece] = []
    rows = size = 0
    for file in files:
        if not file.rows:
            continue
        limit = min(rows_per_part, max(1, MAX_SLICE_BYTES * file.rows // max(1, file.size)))
        cuts = range(0, file.rows, limit)
        pieces = [Piece(file.name, start, min(start + limit, file.rows), file.problem) for start in cuts]
        fits = rows + file.rows <= rows_per_part and size + file.size <= MAX_SLICE_BYTES
        if waiting and not (fits and len(pieces) == 1):
            yield waiting
            waiting, rows, size = [], 0, 0
        if len(pieces) == 1:
            waiting += pieces
            rows, size = rows + file.rows, size + file.size
        else:
            yield from ([piece] for piece in pieces)
    if waiting:
        yield waiting
