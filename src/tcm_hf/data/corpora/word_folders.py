"""Folders of crops with a file of labels, ICDAR's word recognition sets among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import (
    check_text,
    first_bytes,
    json_of,
    lines_of,
    part_folders,
    table_rows,
    unquoted,
)
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.dataset_words import TEXT_COLUMNS, saved_words
from tcm_hf.data.records import DO_NOT_CARE
from tcm_hf.data.words import WordRecord

__all__ = ["WORDS", "load_word_labels", "load_word_metadata", "read_word_labels"]

_FILES = ("metadata.jsonl", "metadata.csv", "gt.txt", "labels.txt")
_SAVED = "dataset_info.json"
_LOOKED_AT = 5
# A file name ends with the suffix of an image; what separates it from the text differs between corpora.
_LABEL_LINE = re.compile(
    r"(?P<file>.+?\.(?:png|jpe?g|webp|bmp|tiff?|gif|ppm))(?P<separator>\t|[ ]*,[ ]?|[ ]+)(?P<text>.*)",
    re.IGNORECASE,
)
# Label files that other corpora read: PaddleOCR's outlines, CUTE80's repeated texts.
_OTHERS_LINE = re.compile(r".*\t\[\{.*|timage/\S+ \S+ \d \S+")


def load_word_metadata(path: Path | str, problems: Problems | None = None) -> list[WordRecord]:
    """Read an "imagefolder": a table beside the images with the columns `file_name` and `text`.

    Args:
        path: `metadata.jsonl` or `metadata.csv`; file names are relative to its folder.
        problems: broken rows are added and left out; None: they are an error.

    Returns:
        One record a row, but for those without a transcription (null, "###").

    Raises:
        ValueError: the file is neither, or rows are broken and `problems` is None.
    """
    path = Path(path)
    if path.suffix not in (".jsonl", ".csv"):
        raise ValueError(f"{path}: expected labels in a .jsonl, .csv or .txt file.")
    with collected(problems) as noted:
        is_table = path.suffix == ".csv"
        rows = table_rows(path, problems=noted) if is_table else list(_json_rows(path, noted))
        return _records(path, path.parent, rows, _metadata_entry, noted)


def load_word_labels(
    path: Path | str, images_dir: Path | None = None, problems: Problems | None = None
) -> list[WordRecord]:
    """Read words from a label file, see `read_word_labels`.

    Args:
        path: the file.
        images_dir: where its images lie; None: beside it.
        problems: broken rows are added and left out; None: they are an error.

    Raises:
        ValueError: rows are broken and `problems` is None.
    """
    path = Path(path)
    with collected(problems) as noted:
        rows = read_word_labels(path, noted)
        return _records(path, images_dir or path.parent, rows, lambda entry: entry, noted)


def read_word_labels(path: Path | str, problems: Problems | None = None) -> list[tuple[int, tuple[str, str]]]:
    r"""Read a label file: an image and its text a line, apart by a tab, a comma or spaces.

    A byte order mark and empty lines are skipped. After a comma, a text in double quotes is taken out of
    them, with `\"` and `\\` for a quote and a backslash, as in the ICDAR 2013 and 2015 word recognition sets
    (`word_1.png, "Tiredness"`).

    Args:
        path: the file.
        problems: lines that have no such form are added and left out; None: they are an error.

    Returns:
        Line number (from 1) and (file name, text) for each line.

    Raises:
        ValueError: lines have no such form and `problems` is None; the message has the first of them.
    """
    entries = []
    with collected(problems) as noted:
        for number, line in lines_of(Path(path)):
            match = _LABEL_LINE.fullmatch(line)
            if match is None:
                noted.add(path, number, f"expected an image file and its text, got {line[:60]!r}")
                continue
            text = unquoted(match["text"]) if "," in match["separator"] else match["text"]
            entries.append((number, (match["file"].strip(), text)))
    return entries


def _records(
    path: Path,
    images_dir: Path,
    rows: Sequence[tuple[int, Any]],
    entry_of: Callable[[Any], tuple[str, str | None]],
    problems: Problems,
) -> list[WordRecord]:
    records = []
    for number, row in rows:
        with problems.row(path, number):
            file_name, text = entry_of(row)
            if text == "":
                raise ValueError(f"the text of {file_name} is empty")
            if text is not None and text.strip() != DO_NOT_CARE:
                records.append(WordRecord(images_dir / file_name, text, file_name))
    return records


def _metadata_entry(row: dict[str, Any]) -> tuple[str, str | None]:
    name, text = row["file_name"], row["text"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"expected `file_name` as a string, got {name!r}")
    check_text(text, "`text`")
    return name, text


def _json_rows(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines_of(path):
        with problems.row(path, number, "not a row of metadata"):
            row = json_of(line)
            if not isinstance(row, dict):
                raise ValueError(f"expected an object, got {line[:40]!r}")
            yield number, row


def _source_in(folder: Path) -> Path | None:
    """The file of labels of a folder, or a saved dataset's description; None where there is none of words."""
    return next((folder / name for name in (*_FILES, _SAVED) if _holds_words(folder / name)), None)


def _holds_words(path: Path) -> bool:
    """Whether a file has texts of single crops, and not outlines in photos or another corpus' labels.

    Some of the first lines may be broken: they are told later.
    """
    if not path.is_file():
        return False
    start = first_bytes(path, 1 << 16).decode("utf-8-sig", errors="replace")
    lines = [line.rstrip("\r") for line in start.split("\n") if line.strip()][:_LOOKED_AT]
    if path.name == _SAVED:
        return '"polygons"' not in start and any(f'"{name}"' in start for name in TEXT_COLUMNS)
    if path.suffix == ".jsonl":
        return bool(lines) and not any(
            name in start for name in ('"polygons"', '"objects"', '"transcription"')
        )
    if path.suffix == ".csv":
        return bool(lines) and "file_name" in lines[0] and not re.search("polygons|objects", lines[0])
    fits = [line for line in lines if _LABEL_LINE.fullmatch(line)]
    # `rec_gt…` is PaddleOCR's name.
    return (
        path.suffix == ".txt"
        and not path.name.startswith("rec_gt")
        and bool(fits)
        and not any(_OTHERS_LINE.fullmatch(line) for line in fits)
    )


def _splits(path: Path) -> list[str]:
    if not path.is_dir() or _source_in(path):
        return []
    return [folder.name for folder in part_folders(path) if _source_in(folder)]


def _recognises(path: Path) -> bool:
    return _holds_words(path) or _source_in(path) is not None or bool(_splits(path))


def _load(path: Path, split: str | None, problems: Problems) -> Sequence[WordRecord]:
    source = path if path.is_file() else _source_in(path / (split or "")) or _any_in(path / (split or ""))
    if source.name == _SAVED:
        return saved_words(source.parent)
    if source.suffix == ".txt":
        return load_word_labels(source, problems=problems)
    return load_word_metadata(source, problems)


def _any_in(folder: Path) -> Path:
    """A file that could have labels, where the corpus was named and none was recognised."""
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"Expected one of {', '.join((*_FILES, _SAVED))} in {folder}: found none.")


WORDS = Corpus(
    name="words",
    title="Crops of words with a file of labels, or a saved dataset",
    kind="words",
    layout='metadata.jsonl ({"file_name", "text"} a line), metadata.csv, gt.txt or labels.txt (word_1.png '
    "and its text a line) beside the images, or what `datasets` saved; also below train/, test/, …",
    homepage="https://huggingface.co/docs/datasets/image_dataset",
    recognises=_recognises,
    load=_load,
    splits=_splits,
)
