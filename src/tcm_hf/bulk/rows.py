"""Images in files: pictures, rows of parquet files, members of tar files; each with a name of its own.

Not with Ray's readers: one file that cannot be read ends their task, and the rows of the other files in it
are lost with it; and they do not tell which row of its file a row is.
"""

import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

import pyarrow as pa
from pyarrow import parquet

from tcm_hf.bulk.locations import CHUNK_BYTES, Location
from tcm_hf.processing.image_suffixes import IMAGE_SUFFIXES

# A picture file that is larger is none, and would fill the memory.
MAX_PICTURE_BYTES = 256 << 20
# Rows of a parquet file that are decoded at once.
_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Row:
    """One image as it lies in the source, or why there is none.

    Attributes:
        id: The address of the file; in a file of many, then "#" and the row's number from 0, or the member's
            name.
        image: The bytes of a picture file.
        problem: Why there are none.
    """

    id: str
    image: bytes | None = None
    problem: str | None = None


class RowKind(ABC):
    """How a file holds images.

    Attributes:
        name: Of the kind, as a plan says it.
        suffixes: Of its files, in lower case.
    """

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]

    @abstractmethod
    def count(self, source: Location, file: str) -> int:
        """How many rows `rows` gives.

        Raises:
            Exception: Of any kind, if the file cannot be read: then it is one bad row.
        """

    @abstractmethod
    def rows(self, source: Location, file: str) -> Iterator[Row]:
        """The rows in their order, which is always the same.

        Raises:
            Exception: Of any kind, where the file cannot be read any further.
        """


class PictureFiles(RowKind):
    """A picture a file."""

    name = "pictures"
    suffixes = IMAGE_SUFFIXES

    def count(self, source: Location, file: str) -> int:
        """One; the file is not opened."""
        return 1

    def rows(self, source: Location, file: str) -> Iterator[Row]:
        """The one picture."""
        with source.open_stream(file) as stream:
            yield _row(source.address_of(file), stream.read(MAX_PICTURE_BYTES + 1))


@dataclass(frozen=True)
class ParquetRows(RowKind):
    """A picture in each row of a table: bytes, or as Hugging Face datasets keep them, {"bytes", "path"}.

    Attributes:
        column: Which one holds them; `None` takes the only one that can.
    """

    column: str | None = None

    name = "parquet"
    suffixes = frozenset((".parquet",))

    def count(self, source: Location, file: str) -> int:
        """As the footer says."""
        with source.open_seekable(file) as stream, parquet.ParquetFile(stream) as table:
            self._column_of(table.schema_arrow)
            return table.metadata.num_rows

    def rows(self, source: Location, file: str) -> Iterator[Row]:
        """Row by row; where a row group is damaged, its other rows are bad and the next group goes on."""
        with source.open_seekable(file) as stream, parquet.ParquetFile(stream) as table:
            column = self._column_of(table.schema_arrow)
            address = source.address_of(file)
            begin = 0
            for group in range(table.num_row_groups):
                end = begin + table.metadata.row_group(group).num_rows
                number = begin
                try:
                    for batch in table.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=[column]):
                        for cell in batch.column(0):
                            yield _row_of_cell(f"{address}#{number}", cell.as_py())
                            number += 1
                except (OSError, pa.ArrowException) as error:
                    reason = f"row group {group} is damaged: {one_line(error)}"
                    yield from (Row(f"{address}#{rest}", problem=reason) for rest in range(number, end))
                begin = end

    def _column_of(self, schema: pa.Schema) -> str:
        able = [field.name for field in schema if _holds_pictures(field.type)]
        if self.column is None and len(able) == 1:
            return able[0]
        if self.column is not None and self.column in able:
            return self.column
        wanted = f"the column {self.column}" if self.column else "one column"
        raise ValueError(
            f"expected {wanted} with the bytes of pictures (binary, or a struct with bytes), "
            f"found {', '.join(able) or 'none'} among {', '.join(schema.names)}: name it (--image-column)"
        )


class TarMembers(RowKind):
    """The pictures of tar files, such as WebDataset's; members that are none are passed over."""

    name = "tar"
    suffixes = frozenset((".tar", ".tgz", ".tar.gz"))

    def count(self, source: Location, file: str) -> int:
        """By reading it through, which a file that was cut off shows, too: its loss is one row more."""
        found = 0
        try:
            for _ in self.rows(source, file):
                found += 1
        except Exception:
            if found == 0:
                raise
            found += 1
        return found

    def rows(self, source: Location, file: str) -> Iterator[Row]:
        """The pictures in the order of the file."""
        with (
            source.open_stream(file) as stream,
            tarfile.open(
                fileobj=stream,
                mode="r|*",
                bufsize=CHUNK_BYTES,
                tarinfo=_StrictMember,
                # A name that is no UTF-8 is told with question marks.
                errors="replace",
            ) as archive,
        ):
            for member in archive:
                if member.isreg() and PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES:
                    content = archive.extractfile(member)
                    picture = content.read(MAX_PICTURE_BYTES + 1) if content else b""
                    yield _row(f"{source.address_of(file)}#{member.name}", picture)


class _StrictMember(tarfile.TarInfo):
    """A member whose header is damaged or cut off is an error; for Python it is the end of the file."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_StrictMember":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # it is there, and in no stub
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged or cut off at byte {archive.offset}: {error}") from error


ROW_KINDS: dict[str, type[RowKind]] = {kind.name: kind for kind in (PictureFiles, ParquetRows, TarMembers)}


def kind_of_file(file: str) -> type[RowKind] | None:
    """How a file of this name holds images; `None` where it holds none."""
    kinds = (kind for kind in ROW_KINDS.values() if file.lower().endswith(tuple(kind.suffixes)))
    return next(kinds, None)


def one_line(error: BaseException) -> str:
    """What went wrong, without line ends; never empty."""
    return " ".join(str(error).split()) or type(error).__name__


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_binary(field.type) for field in kind)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _row_of_cell(row_id: str, cell: Any) -> Row:
    path = cell.get("path") if isinstance(cell, dict) else None
    image = cell.get("bytes") if isinstance(cell, dict) else cell
    if path and not image:
        return Row(row_id, problem=f"only the name of a picture: {path}")
    return _row(row_id, image)


def _row(row_id: str, image: bytes | None) -> Row:
    if not image:
        return Row(row_id, problem="no bytes: expected a picture")
    if len(image) > MAX_PICTURE_BYTES:
        return Row(row_id, problem=f"more than {MAX_PICTURE_BYTES >> 20} MB: expected a picture")
    return Row(row_id, image)
