"""From slices of a plan to the bytes of their images; runs in Ray's tasks, next to no model."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

import pyarrow as pa

from tcm_hf.bulk.plan import Piece, Slice, Source
from tcm_hf.bulk.rows import Row, one_line

# A slice is one row for Ray, so that it is never parted.
_ROW_TYPE = pa.struct([("id", pa.string()), ("image", pa.large_binary()), ("problem", pa.string())])
_LOADED = pa.schema([("part", pa.int64()), ("rows", pa.list_(_ROW_TYPE))])


def slice_item(stretch: list[Slice]) -> dict[str, Any]:
    """Slices as a row of a Ray dataset; `load_slices` reads it."""
    return {"stretch": [asdict(one) for one in stretch]}


def load_slices(table: pa.Table, source: Source) -> Iterator[pa.Table]:
    """Load slices one after the other.

    Args:
        table: Of rows as `slice_item` makes them.
        source: What the slices are of.

    Yields:
        One slice with its rows; `rows_of_slice` reads it.
    """
    reader = RowReader(source)
    for stretch in table["stretch"].to_pylist():
        for one in stretch:
            pieces = [Piece(**piece) for piece in one["pieces"]]
            rows = [asdict(row) for piece in pieces for row in reader.rows(piece)]
            yield pa.table({"part": [one["part"]], "rows": [rows]}, schema=_LOADED)


def rows_of_slices(table: pa.Table) -> Iterator[tuple[int, list[Row]]]:
    """Part numbers and rows of loaded slices."""
    for part, rows in zip(table["part"].to_pylist(), table["rows"].to_pylist(), strict=True):
        yield part, [Row(**row) for row in rows]


class RowReader:
    """Reads pieces of files. Pieces of one file in a row open it once.

    Args:
        source: What they are of.
    """

    def __init__(self, source: Source):
        self.source = source
        self._file: str | None = None
        self._position = 0
        self._rows: Iterator[Row] = iter(())

    def rows(self, piece: Piece) -> Iterator[Row]:
        """Exactly the rows of a piece, in order; a row that cannot be read says why."""
        address = self.source.location.address_of(piece.file)
        if piece.problem is not None:
            yield Row(address, problem=piece.problem)
            return
        if piece.file != self._file or piece.start < self._position:
            self._file, self._position = piece.file, 0
            self._rows = self.source.kind.rows(self.source.location, piece.file)
        given = 0
        reason = "the file has become shorter"
        try:
            for row in islice(self._rows, piece.start - self._position, piece.stop - self._position):
                given += 1
                yield row
        except Exception as error:  # decoders fail on broken files in many ways
            reason = one_line(error)
        self._position = piece.stop
        # The name of a member is behind the damage; its number is not.
        for number in range(piece.start + given, piece.stop):
            yield Row(f"{address}#{number}" if number else address, problem=f"cannot be read: {reason}")
