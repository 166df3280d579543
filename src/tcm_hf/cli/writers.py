"""Where records go: a folder with a file per image or PDF, one file for all, or stdout.

The writers share `write(image, record)` and the `with` statement, whose end completes the output. Those into
files can `resume(images)` what an earlier run began.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import FolderWriter
from tcm_hf.cli.inputs import ImageInput
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


class FileWriter:
    """One file for all images, which appears when the run is complete.

    Until then, one record a line, `<file>.partial` holds what was found; it stays after Ctrl-C or a crash,
    and a run that resumes starts from it, or else from the finished file. Where that cannot be read back
    (`parse` is `None`), the records stay beside it in `<file>.run.jsonl`.
    """

    def __init__(
        self,
        path: Path,
        kind: RecordKind,
        *,
        render: Callable[[Iterable[Record]], str | bytes],
        parse: Callable[[str], list[Record]] | None = None,
    ):
        self.path = path
        self.kind = kind
        self.journal_path = path.with_name(f"{path.name}.partial")
        self.render = render
        self.parse = parse or parse_json_lines
        self.finished_path = path if parse else path.with_name(f"{path.name}.run.jsonl")
        self.records: list[Record] = []

    def path_of(self, image: ImageInput) -> Path:
        """The file of any image."""
        return self.path

    def resume(self, images: Sequence[ImageInput]) -> tuple[list[Record], list[ImageInput]]:
        """All records of the earlier run, which stay in the file, and the images that it has not done.

        Raises:
            CommandError: If the file holds something else.
        """
        if self.journal_path.exists():
            self.records = self._records_at(self.journal_path, parse_json_lines)
        elif self.path.exists():
            self.records = self._records_at(self.finished_path, self.parse)
        done = {source_key(record) for record in self.records}
        todo = [image for image in images if (image.path.as_posix(), image.page) not in done]
        return list(self.records), todo

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
            content = self.render(self.records)
            write_bytes_whole(self.path, content.encode() if isinstance(content, str) else content)
            if self.finished_path == self.path:
                self.journal_path.unlink()
            else:
                self.journal_path.replace(self.finished_path)
        else:
            print(
                f"tcm-hf {self.kind.verb}: kept {len(self.records)} images in {self.journal_path}; "
                "--resume goes on",
                file=sys.stderr,
            )

    def __str__(self) -> str:
        return str(self.path)

    def _records_at(self, path: Path, parse: Callable[[str], list[Record]]) -> list[Record]:
        try:
            records = parse(path.read_text(encoding="utf-8"))
            if all(is_record(record, self.kind) for record in records):
                return records
        except READ_ERRORS:
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
    """One record after the other on stdout, each as soon as it is known."""

    def __init__(self, render: Callable[[Record], str]):
        self.render = render

    def write(self, image: ImageInput, record: Record) -> None:
        """Print one record."""
        sys.stdout.write(self.render(record))
        sys.stdout.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return "stdout"


Writer = FolderWriter | FileWriter | StdoutDocumentWriter | StdoutLineWriter
