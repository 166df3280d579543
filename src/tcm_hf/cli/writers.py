"""Where records go: a folder with a file per image, one file for all, or stdout.

The writers share `write(image, record)` and the `with` statement, whose end completes the output. Those into
files can `resume(images)` what an earlier run began.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Self

from tcm_hf.cli.atomic import write_text_whole
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.formats import SCHEMA, Record, parse_json_lines, render_json_line, render_json_lines
from tcm_hf.cli.inputs import ImageInput


class FolderWriter:
    """One file per image, below a folder, in the sub-folders of the images; each holds its whole record."""

    def __init__(self, folder: Path, prefix: str, suffix: str, render: Callable[[Record], str]):
        self.folder = folder
        self.prefix = prefix
        self.suffix = suffix
        self.render = render

    def path_of(self, image: ImageInput) -> Path:
        """The file of one image."""
        return self._path_named(image.name)

    def resume(self, images: Sequence[ImageInput]) -> tuple[list[Record], list[ImageInput]]:
        """The records of those images that an earlier run has done, and the other images.

        Raises:
            CommandError: If the result of another image, or no result at all, lies where one has to go.
        """
        records, todo = [], []
        for image in images:
            if (record := self._earlier_record(image)) is not None:
                records.append(record)
            elif (path := self.path_of(image)).exists():
                raise CommandError(
                    f"--resume: {path} is no result for {image.path} of this version in this --format; "
                    "use another --output"
                )
            else:
                todo.append(image)
        return records, todo

    def write(self, image: ImageInput, record: Record) -> None:
        """Write the file of one image, whole."""
        write_text_whole(self.path_of(image), self.render(record))

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return f"{self.folder}/"

    def _path_named(self, name: PurePosixPath) -> Path:
        return self.folder / name.parent / f"{self.prefix}{name.name}{self.suffix}"

    def _earlier_record(self, image: ImageInput) -> Record | None:
        # With and without the image's suffix: an image of the same stem that has come or gone since renames
        # the results.
        stem = str(image.name).removesuffix(image.path.suffix)
        for name in (str(image.name), stem, stem + image.path.suffix):
            record = self._record_at(self._path_named(PurePosixPath(name)))
            if record is not None and Path(record["source"]["path"]).resolve() == image.path.resolve():
                return record
        return None

    def _record_at(self, path: Path) -> Record | None:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return record if record["schema"] == SCHEMA else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


class JournaledFolderWriter(FolderWriter):
    """A `FolderWriter` for formats that do not say which image they are of and how it was read.

    `detections.run.jsonl` in the folder says so instead: a line is a record with the name of its result file
    in place of the instances.
    """

    def __init__(self, folder: Path, prefix: str, suffix: str, render: Callable[[Record], str]):
        super().__init__(folder, prefix, suffix, render)
        self.journal_path = folder / "detections.run.jsonl"
        self._entries: dict[str, Record] = {}
        # Without `--resume` too: images of other runs may lie in the folder. A journal that cannot be read is
        # none; resuming then stops at the first result that it does not vouch for.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            entries = parse_json_lines(self.journal_path.read_text(encoding="utf-8"))
            self._entries = {entry["result"]: entry for entry in entries if entry["schema"] == SCHEMA}

    def write(self, image: ImageInput, record: Record) -> None:
        """Write the file of one image, whole, and before it the line of the journal."""
        result = self._key(self.path_of(image))
        entry = {key: record[key] for key in ("schema", "source", "model", "params")} | {"result": result}
        self._entries[result] = entry
        self._journal.write(render_json_line(entry))
        self._journal.flush()
        super().write(image, record)

    def __enter__(self) -> Self:
        super().__enter__()
        # Whole and not by appending: a killed run may have left half a line.
        write_text_whole(self.journal_path, render_json_lines(self._entries.values()))
        self._journal = self.journal_path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        self._journal.close()
        # An image that was done again has two lines.
        write_text_whole(self.journal_path, render_json_lines(self._entries.values()))

    def _record_at(self, path: Path) -> Record | None:
        return self._entries.get(self._key(path)) if path.is_file() else None

    def _key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


class FileWriter:
    """One file for all images, which appears when the run is complete.

    Until then, one record a line, `<file>.partial` holds what was found; it stays after Ctrl-C or a crash,
    and a run that resumes starts from it, or else from the finished file.
    """

    def __init__(
        self,
        path: Path,
        render: Callable[[Iterable[Record]], str],
        parse: Callable[[str], list[Record]],
    ):
        self.path = path
        self.journal_path = path.with_name(f"{path.name}.partial")
        self.render = render
        self.parse = parse
        self.records: list[Record] = []

    def resume(self, images: Sequence[ImageInput]) -> tuple[list[Record], list[ImageInput]]:
        """All records of the earlier run, which stay in the file, and the images that it has not done.

        Raises:
            CommandError: If the file holds something else.
        """
        if self.journal_path.exists():
            self.records = _earlier_records(self.journal_path, parse_json_lines)
        elif self.path.exists():
            self.records = _earlier_records(self.path, self.parse)
        done = {record["source"]["path"] for record in self.records}
        return list(self.records), [image for image in images if image.path.as_posix() not in done]

    def write(self, image: ImageInput, record: Record) -> None:
        """Add the record of one image to the journal."""
        self.records.append(record)
        self._journal.write(render_json_line(record))
        self._journal.flush()

    def __enter__(self) -> Self:
        # Whole and not by appending: a killed run may have left half a line.
        write_text_whole(self.journal_path, "".join(map(render_json_line, self.records)))
        self._journal = self.journal_path.open("a", encoding="utf-8")
        return self

    def __exit__(self, exception_type: type | None, *exception: object) -> None:
        self._journal.close()
        if exception_type is None:
            write_text_whole(self.path, self.render(self.records))
            self.journal_path.unlink()
        else:
            print(
                f"tcm-hf detect: kept {len(self.records)} images in {self.journal_path}; --resume goes on",
                file=sys.stderr,
            )

    def __str__(self) -> str:
        return str(self.path)


def _earlier_records(path: Path, parse: Callable[[str], list[Record]]) -> list[Record]:
    try:
        records = parse(path.read_text(encoding="utf-8"))
        if all(record["schema"] == SCHEMA for record in records):
            return records
    except (ValueError, KeyError, TypeError):
        pass  # told below, like a file of another schema
    raise CommandError(f"--resume: {path} holds no results of this version in this --format")


class StdoutDocumentWriter:
    """One document on stdout when the run ends, early ends included."""

    def __init__(self, render: Callable[[Iterable[Record]], str]):
        self.render = render
        self.records: list[Record] = []

    def write(self, image: ImageInput, record: Record) -> None:
        """Keep one record for the document."""
        self.records.append(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        sys.stdout.write(self.render(self.records))
        sys.stdout.flush()

    def __str__(self) -> str:
        return "stdout"


class StdoutLineWriter:
    """One record a line on stdout, as soon as it is known."""

    def write(self, image: ImageInput, record: Record) -> None:
        """Print one record."""
        sys.stdout.write(render_json_line(record))
        sys.stdout.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return "stdout"
