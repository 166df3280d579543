"""Folders and files anywhere: a path of this machine, or an address such as s3://bucket/photos."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import basename, dirname
from typing import Any

from pyarrow import ArrowInvalid, fs

# What is read from a file at once; an object store answers every reading with a request of its own.
CHUNK_BYTES = 1 << 20
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")


class Location:
    """A folder or a file, with what pyarrow needs to reach it. Travels between processes.

    Args:
        address: A path of this machine, or an address that pyarrow (file, s3, gs, hdfs) or else fsspec (hf,
            memory, ...) knows. Credentials come from the environment, as these libraries read them.
        base: The folder that a relative path is seen from; `None` is the working folder.

    Raises:
        ValueError: For an address of a kind that neither knows, or that needs a library which is missing.
    """

    def __init__(self, address: str, base: Path | None = None):
        self.address = address.rstrip("/") or address
        self._base = base or Path.cwd()
        self._files, self._root = _resolve(self.address, self._base)
        # s3://bucket/photos?endpoint_override=...: pyarrow takes its options like this.
        self._shown = _without_options(self.address) if "://" in self.address else self.address

    def __reduce__(self) -> tuple[type["Location"], tuple[str, Path]]:
        return Location, (self.address, self._base)

    def address_of(self, name: str) -> str:
        """The address of a file, without options and keys: its name behind the folder's, or "" for that."""
        return f"{self._shown}/{name}" if name else self._shown

    def kind(self, name: str = "") -> fs.FileType:
        """Whether a file, a folder or nothing is there."""
        return self._files.get_file_info(self._path(name)).type

    def file_sizes(self, name: str = "") -> list[tuple[str, int]]:
        """The files of a folder, to the bottom: names relative to it and sizes in bytes, sorted.

        Hidden ones are left out. A folder that is not there has no files.

        Raises:
            ValueError: If a name is no UTF-8.
        """
        folder = self._path(name)
        everything = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        try:
            found = [
                (info.path[len(folder) :].lstrip("/"), info.size or 0)
                for info in self._files.get_file_info(everything)
                if info.is_file
            ]
        except UnicodeDecodeError as error:
            raise ValueError(f"a file in {self.address} has a name that is no UTF-8: rename it") from error
        return sorted(
            (own, size) for own, size in found if not any(part.startswith(".") for part in own.split("/"))
        )

    def size(self) -> int:
        """Bytes of a location that is a file."""
        return self._files.get_file_info(self._root).size or 0

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: If it cannot be read.
        """
        with self._files.open_input_stream(self._path(name)) as stream:
            return stream.read()

    def open_stream(self, name: str) -> Any:
        """A file that is read from its first byte to its last; a context manager."""
        return self._files.open_input_stream(self._path(name), compression=None, buffer_size=CHUNK_BYTES)

    def open_seekable(self, name: str) -> Any:
        """A file that is read here and there; a context manager."""
        return self._files.open_input_file(self._path(name))

    def line_count(self, name: str) -> int:
        """Lines of a text file that end as lines do; 0 where there is no file."""
        if self.kind(name) != fs.FileType.File:
            return 0
        with self.open_stream(name) as stream:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""))

    def write_whole(self, name: str, content: bytes) -> None:
        """Write a file that appears whole or not at all, in the place of one that was there."""
        with self.whole_stream(name) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        path = self._path(name)
        if self._files.get_file_info(path).is_file:
            self._files.delete_file(path)

    def remove_temporary_files(self) -> None:
        """Remove what processes left in a folder that were killed in the middle of `whole_stream`."""
        for info in self._files.get_file_info(fs.FileSelector(self._root, recursive=True)):
            if info.is_file and _TEMPORARY.fullmatch(info.base_name):
                self._files.delete_file(info.path)

    def remove_folder(self, name: str) -> None:
        """Remove a folder with all that is in it, if it is there."""
        if self.kind(name) == fs.FileType.Directory:
            self._files.delete_dir(self._path(name))

    @contextmanager
    def whole_stream(self, name: str) -> Iterator[Any]:
        """A stream that becomes a file when the block ends without an error; parent folders are made."""
        path = self._path(name)
        # Of no other process, on whichever machine: several may write the same part.
        temporary = f"{dirname(path)}/.{basename(path)}.{uuid.uuid4().hex}.tmp"
        self._files.create_dir(dirname(path), recursive=True)
        try:
            with self._files.open_output_stream(temporary) as stream:
                yield stream
            self._files.move(temporary, path)
        except BaseException:
            with suppress(OSError):
                self._files.delete_file(temporary)
            raise

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def _without_options(address: str) -> str:
    # Keys may stand in front as well (s3://KEY:SECRET@bucket/photos); they must not get into records.
    return re.sub(r"^(\w+://)[^/@:]*:[^/@]*@", r"\1", address.partition("?")[0]).rstrip("/")


def _resolve(address: str, base: Path) -> tuple[fs.FileSystem, str]:
    if "://" not in address:
        return fs.LocalFileSystem(), (base / address).as_posix()
    try:
        return fs.FileSystem.from_uri(address)
    except ArrowInvalid as unknown:
        return _resolve_with_fsspec(address, unknown)


def _resolve_with_fsspec(address: str, unknown: Exception) -> tuple[fs.FileSystem, str]:
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"{address}: expected a path, or an address that pyarrow ({unknown}) or fsspec ({error}) knows"
        ) from error
    return fs.PyFileSystem(fs.FSSpecHandler(files)), path.rstrip("/")
