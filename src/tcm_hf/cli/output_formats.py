"""The formats that verbs offer, and from the arguments to the writer of the chosen one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import FolderWriter, JournaledFolderWriter
from tcm_hf.cli.task1_writer import Task1Writer
from tcm_hf.cli.writers import FileWriter, StdoutDocumentWriter, StdoutLineWriter, Writer
from tcm_hf.results.formats_annotation import parse_coco, render_coco, render_icdar, render_labelme
from tcm_hf.results.records import (
    Record,
    RecordKind,
    parse_json_array,
    parse_json_lines,
    render_json,
    render_json_array,
    render_json_line,
    render_json_lines,
)

# What `--output` means by its suffix: one file for all images. Anything else is a folder.
FILE_SUFFIXES = (".json", ".jsonl", ".txt", ".csv", ".tsv", ".hocr", ".html", ".xml", ".pdf")


@dataclass(frozen=True)
class OutputFormat:
    """Where one format can be written: a part that is missing means that it cannot be written there.

    Attributes:
        suffix: Of its files, with the dot.
        to_stdout: Makes the writer to stdout, for so many images.
        to_file: Makes the writer of one file for all images.
        to_folder: Makes the writer of a file per image, or per PDF, below a folder. Where it is missing, a
            folder gets one file for all images.
        folder_holds: What a folder gets, as messages say it.
    """

    suffix: str
    to_stdout: Callable[[int], Writer] | None = None
    to_file: Callable[[Path, RecordKind], Writer] | None = None
    to_folder: Callable[[Path, RecordKind], Writer] | None = None
    folder_holds: str = "a file per image"


def document_on_stdout(render: Callable[[Iterable[Record]], str]) -> Callable[[int], Writer]:
    """`OutputFormat.to_stdout` of a format that holds all images in one document."""
    return lambda count: StdoutDocumentWriter(render)


JSON = OutputFormat(
    ".json",
    to_stdout=document_on_stdout(render_json_array),
    to_file=partial(FileWriter, render=render_json_array, parse=parse_json_array),
    to_folder=partial(FolderWriter, suffix=".json", render=render_json),
)
JSON_LINES = OutputFormat(
    ".jsonl",
    to_stdout=lambda count: StdoutLineWriter(render_json_line),
    to_file=partial(FileWriter, render=render_json_lines, parse=parse_json_lines),
)
COCO = OutputFormat(
    ".coco.json",
    to_stdout=document_on_stdout(render_coco),
    to_file=partial(FileWriter, render=render_coco, parse=parse_coco),
)
ICDAR = OutputFormat(
    ".txt", to_folder=partial(JournaledFolderWriter, prefix="res_", suffix=".txt", render=render_icdar)
)
LABELME = OutputFormat(
    ".json", to_folder=partial(JournaledFolderWriter, suffix=".json", render=render_labelme)
)
DOTA = OutputFormat(".txt", to_folder=Task1Writer, folder_holds="a file per class")


def make_writer(
    formats: Mapping[str, OutputFormat],
    kind: RecordKind,
    *,
    name: str | None,
    output: Path | None,
    count: int,
) -> Writer:
    """The writer of the format that was asked for, or that the suffix of the output says, or of the first.

    Args:
        formats: What the verb offers, by name.
        kind: What the records are.
        name: `--format`, or `None`.
        output: `--output`, or `None` for stdout.
        count: Of how many images.

    Raises:
        CommandError: If this format cannot be written there.
    """
    if name is None:
        by_suffix = {chosen.suffix: known for known, chosen in reversed([*formats.items()]) if chosen.to_file}
        name = by_suffix.get(output.suffix if output else "", next(iter(formats)))
    chosen = formats[name]
    if output is None:
        if chosen.to_stdout:
            return chosen.to_stdout(count)
        what = "files" if chosen.to_file else chosen.folder_holds
        raise CommandError(f"--format {name} writes {what}: --output DIR is needed")
    if is_file_name(output) or (output.suffix == chosen.suffix and not output.is_dir()):
        if chosen.to_file:
            return chosen.to_file(output, kind)
        raise CommandError(
            f"--format {name} writes {chosen.folder_holds}: --output must be a folder, not {output}"
        )
    if chosen.to_folder:
        return chosen.to_folder(output, kind)
    if chosen.to_file:
        return chosen.to_file(output / f"{kind.plural}{chosen.suffix}", kind)
    raise CommandError(f"--format {name} is for stdout only")


def is_file_name(output: Path) -> bool:
    """Whether `--output` means one file for all images, and not a folder."""
    return output.suffix in FILE_SUFFIXES and not output.is_dir()
