"""Writers of a folder with a file per image, or per PDF; see `writers.py`."""

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, Self

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.inputs import DRAWINGS_MARKER, ImageInput
from tcm_hf.results.atomic import write_bytes_whole, write_text_whole
from tcm_hf.results.records import (
    READ_ERRORS,
    Record,
    RecordKind,
    is_record,
    parse_json_lines,
    render_json_line,
    source_key,
)


class FolderWriter:
    """One file per image, below a folder, in the sub-folders of the images; each holds its whole record."""

    def __init__(
        self,
        folder: Path,
        kind: RecordKind,
        *,
        render: Callable[[Record], str | bytes],
        suffix: str,
        prefix: str = "",
    ):
        self.folder = folder
        self.kind = kind
        self.render = render
        self.suffix = suffix
        self.prefix = prefix

    def path_of(self, image: ImageInput) -> Path:
        """The file of one image."""
        return self._path_named(image.document_name, image)

    def resume(self, images: Sequence[ImageInput]) -> tuple[list[Record], list[ImageInput]]:
        """The records of those images that an earlier run has done, and the other images.

        Raises:
            CommandError: If the result of another image, or no result at all, lies where one has to go.
        """
        records: list[Record] = []
        todo: list[ImageInput] = []
        # The images of one result file are done together, or again together.
        for path, of_file in groupby(images, key=self.path_of):
            group = list(of_file)
            found = [record for image in group if (record := self._earlier_record(image)) is not None]
            if len(found) == len(group):
                records += found
                continue
            if not found and path.exists():
                raise CommandError(
                    f"--resume: {path} is no result for {group[0].path} of this version in this --format; "
                    "use another --output"
                )
            todo += group
        return records, todo

    def write(self, image: ImageInput, record: Record) -> None:
        """Write the file of one image, whole."""
        content = self.render(record)
        write_bytes_whole(self.path_of(image), content.encode() if isinstance(content, str) else content)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return f"{self.folder}/"

    def _path_named(self, document_name: PurePosixPath, image: ImageInput) -> Path:
        name = f"{self.prefix}{document_name.name}{image.page_label}{self.suffix}"
        return self.folder / document_name.parent / name

    def _earlier_record(self, image: ImageInput) -> Record | None:
        # With and without the image's suffix: an image of the same stem that has come or gone since renames
        # the results.
        name = str(image.document_name)
        stem = name.removesuffix(image.path.suffix)
        for candidate in (name, stem, stem + image.path.suffix):
            for record in self._records_at(self._path_named(PurePosixPath(candidate), image)):
                path, page = source_key(record)
                if Path(path).resolve() == image.path.resolve() and page == image.page:
                    return record
        return None

    def _records_at(self, path: Path) -> list[Record]:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return [record] if is_record(record, self.kind) else []
        except READ_ERRORS:
            return []


class JournaledFolderWriter(FolderWriter):
    """A `FolderWriter` for formats that do not say which image they are of and how it was read.

    `detections.run.jsonl` (or `readings.…`) in the folder says so instead: a line has the name of a "result"
    file and its "records", without what was found.
    """

    def __init__(self, folder: Path, kind: RecordKind, **options: Any):
        super().__init__(folder, kind, **options)
        self.journal_path = folder / f"{kind.plural}.run.jsonl"
        self._entries: dict[str, dict[str, Any]] = {}
        # Without `--resume` too: images of other runs may lie in the folder. A journal that cannot be read is
        # none; resuming then stops at the first result that it does not vouch for.
        with contextlib.suppress(*READ_ERRORS):
            lines = parse_json_lines(self.journal_path.read_text(encoding="utf-8"))
            self._entries = {
                entry["result"]: entry
                for entry in lines
                if all(is_record(record, kind) for record in entry["records"])
            }

    def write(self, image: ImageInput, record: Record) -> None:
        """Write the file of one image, whole, and before it the line of the journal."""
        self._note(self.path_of(image), [record])
        super().write(image, record)

    def __enter__(self) -> Self:
        super().__enter__()
        # Whole and not by appending: a killed run may have left half a line.
        self._write_journal()
        self._journal = self.journal_path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        self._journal.close()
        # An image that was done again has two lines.
        self._write_journal()

    def _note(self, path: Path, records: Iterable[Record]) -> None:
        result = self._key(path)
        headers = [
            {name: record[name] for name in ("schema", "source", "model", "params")} for record in records
        ]
        self._entries[result] = {"result": result, "records": headers}
        self._journal.write(render_json_line(self._entries[result]))
        self._journal.flush()

    def _write_journal(self) -> None:
        write_text_whole(self.journal_path, "".join(map(render_json_line, self._entries.values())))

    def _records_at(self, path: Path) -> list[Record]:
        entry = self._entries.get(self._key(path)) if path.is_file() else None
        return entry["records"] if entry else []

    def _key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


class DocumentFolderWriter(JournaledFolderWriter):
    """A file per photo, and one for all pages of a PDF, which appears after the last of them."""

    def __init__(
        self, folder: Path, kind: RecordKind, *, render: Callable[[Iterable[Record]], bytes], suffix: str
    ):
        super().__init__(folder, kind, render=render_json_line, suffix=suffix)
        self._render_document = render
        self._path: Path | None = None
        self._records: list[Record] = []

    def write(self, image: ImageInput, record: Record) -> None:
        """Keep the record until its document is complete: the next image is of another."""
        if self.path_of(image) != self._path:
            self._write_document()
        self._path = self.path_of(image)
        self._records.append(record)

    def __exit__(self, *exception: object) -> None:
        try:
            # After Ctrl-C pages are missing: better no document than half of one.
            if exception[0] is None:
                self._write_document()
        finally:
            super().__exit__(*exception)

    def _write_document(self) -> None:
        if self._path is not None:
            self._note(self._path, self._records)
            write_bytes_whole(self._path, self._render_document(self._records))
        self._path, self._records = None, []

    def _path_named(self, document_name: PurePosixPath, image: ImageInput) -> Path:
        return self.folder / document_name.parent / f"{document_name.name}{self.suffix}"


class PictureFolderWriter(FolderWriter):
    """A picture per image. A folder that it makes is marked: a search for photos does not go into it."""

    def __enter__(self) -> Self:
        make_drawings_folder(self.folder)
        return self


class PictureFileWriter(FolderWriter):
    """The picture of one image, in a file of any name."""

    def __init__(self, path: Path, kind: RecordKind, *, render: Callable[[Record], bytes]):
        super().__init__(path.parent, kind, render=render, suffix=path.suffix)
        self.path = path
        self._image: ImageInput | None = None

    def path_of(self, image: ImageInput) -> Path:
        """The file.

        Raises:
            CommandError: For a second image.
        """
        if self._image not in (None, image):
            raise CommandError(f"{self.path} holds the picture of one image: --output must be a folder")
        self._image = image
        return self.path

    def __str__(self) -> str:
        return str(self.path)


def make_drawings_folder(folder: Path) -> None:
    """Make a folder for drawings, with its mark, unless it is there: then it may hold photos too."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / DRAWINGS_MARKER).touch()
