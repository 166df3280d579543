"""Loaders of recognition corpora: whatever holds pictures of words with their texts gives `WordRecord`s.

No picture is read here, except where words are cut out of photos. Words without a transcription (null, "###")
are left out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from tcm_hf.data.corpora import load_metadata_jsonl
from tcm_hf.data.records import DO_NOT_CARE
from tcm_hf.data.words import LMDBWords, WordRecord, word_crops

__all__ = ["DatasetWords", "load_word_labels", "load_word_metadata", "load_words", "read_word_labels"]

_LABEL_FILES = ("gt.txt", "labels.txt")
_METADATA_FILES = ("metadata.jsonl", "metadata.csv")
# A file name ends with the suffix of an image; what separates it from the text differs between corpora.
_LABEL_LINE = re.compile(
    r"(?P<file>.+?\.(?:png|jpe?g|webp|bmp|tiff?|gif|ppm))(?P<separator>\t|[ ]*,[ ]?|[ ]+)(?P<text>.*)",
    re.IGNORECASE,
)
_TEXT_COLUMNS = ("text", "label", "transcription", "word", "ground_truth")
_SHOWN = 3


def load_words(source: Any) -> Sequence[WordRecord]:
    """The words of a corpus; its kind is recognised.

    Args:
        source: One of
            a folder with `metadata.jsonl` or `metadata.csv` (`file_name`, `text`: an "imagefolder");
            a folder of annotated photos (`metadata.jsonl` with `polygons`), whose legible words are cut out;
            a folder with `gt.txt` or `labels.txt`, or such a file itself (see `read_word_labels`);
            an LMDB in the layout of the STR benchmarks (a folder with `data.mdb`);
            a folder written by `datasets.Dataset.save_to_disk`, or a `datasets.Dataset` itself, or anything
            like it, with a column of images and one of texts.

    Returns:
        The words in the order of the corpus. LMDB and datasets are read word by word.

    Raises:
        ValueError: The kind is not known, or something is wrong with the corpus: the message has the file
            and, for the first broken rows, line and reason.
        ImportError: A package that this kind needs is not installed.
    """
    if not isinstance(source, str | Path):
        return DatasetWords(source)
    path = Path(source).expanduser()
    if (path / "data.mdb").is_file() or path.suffix == ".mdb":
        return LMDBWords(path)
    if (path / "dataset_info.json").is_file():
        return DatasetWords(_datasets().load_from_disk(str(path)))
    if path.is_file():
        return load_word_labels(path) if path.suffix == ".txt" else load_word_metadata(path)
    for name in _METADATA_FILES:
        if (path / name).is_file():
            return load_word_metadata(path / name)
    for name in _LABEL_FILES:
        if (path / name).is_file():
            return load_word_labels(path / name)
    raise ValueError(f"{path}: {_what_is_there_instead(path)}.")


def load_word_metadata(path: Path | str) -> list[WordRecord]:
    """Read an "imagefolder": a table beside the images with the columns `file_name` and `text`.

    Rows with `polygons` in place of `text` are annotated photos: their legible words are cut out.

    Args:
        path: `metadata.jsonl` or `metadata.csv`; file names are relative to its folder.

    Raises:
        ValueError: The file is neither, rows are broken, or images are missing.
    """
    path = Path(path)
    if path.suffix not in (".jsonl", ".csv"):
        raise ValueError(f"{path}: expected labels in a .jsonl, .csv or .txt file.")
    rows = list(_csv_rows(path) if path.suffix == ".csv" else _json_rows(path))
    if rows and "polygons" in rows[0][1]:
        return list(word_crops(load_metadata_jsonl(path.parent)))
    return _records(path, rows, _metadata_entry)


def load_word_labels(path: Path | str) -> list[WordRecord]:
    """Read words from a label file (see `read_word_labels`); file names are relative to its folder.

    Raises:
        ValueError: Rows are broken, or images are missing.
    """
    path = Path(path)
    return _records(path, read_word_labels(path), lambda entry: entry)


def read_word_labels(path: Path | str) -> list[tuple[int, tuple[str, str]]]:
    r"""Read a label file: an image and its text a line, apart by a tab, a comma or spaces.

    A byte order mark and empty lines are skipped. After a comma, a text in double quotes is taken out of
    them, with `\"` and `\\` for a quote and a backslash, as in the ICDAR 2013 and 2015 word recognition sets
    (`word_1.png, "Tiredness"`).

    Returns:
        Line number (from 1) and (file name, text) for each line.

    Raises:
        ValueError: Lines have no such form; the message has the file and the first of them.
    """
    path = Path(path)
    entries, broken = [], []
    for number, line in _lines(path):
        match = _LABEL_LINE.fullmatch(line)
        if match is None:
            broken.append((number, f"expected an image file and its text, got {line[:60]!r}"))
            continue
        text = match["text"]
        if "," in match["separator"]:
            text = _unquoted(text)
        entries.append((number, (match["file"].strip(), text)))
    _report(path, broken)
    return entries


class DatasetWords(Sequence[WordRecord]):
    """The words of a `datasets.Dataset` (or anything with rows and `column_names`), read one by one.

    Args:
        dataset: Has a column of images and one of texts. Images stay encoded until they are asked for.
        image_column: Its name; None: the first column of the type Image, else "image".
        text_column: Its name; None: "text", "label", "transcription", "word" or "ground_truth".

    Raises:
        ValueError: There is no such column, or the dataset is split and the part was not chosen.
    """

    def __init__(self, dataset: Any, image_column: str | None = None, text_column: str | None = None) -> None:
        if isinstance(dataset, dict):
            raise ValueError(
                f"Expected one part of a dataset: got a dict of {', '.join(map(repr, dataset))}. Give one of "
                "these."
            )
        columns = getattr(dataset, "column_names", None)
        if not isinstance(columns, list):
            raise ValueError(
                "Expected a path or a datasets.Dataset with columns of images and texts: got "
                f"{type(dataset).__name__}."
            )
        images = [name for name in columns if _is_image_column(dataset, name)] or ["image"]
        self.image_column = _column(columns, (image_column,) if image_column else images, "images")
        self.text_column = _column(columns, (text_column,) if text_column else _TEXT_COLUMNS, "texts")
        if _is_image_column(dataset, self.image_column):
            dataset = dataset.cast_column(self.image_column, _datasets().Image(decode=False))
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> WordRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[WordRecord]: ...
    def __getitem__(self, index: int | slice) -> WordRecord | list[WordRecord]:
        """One word by its place from 0, or a list for a slice.

        Raises:
            ValueError: The row has no text or no image.
        """
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"word {index} of a dataset of {len(self)}")
        place = index % len(self)
        row = self.dataset[place]
        image, text = row[self.image_column], row[self.text_column]
        name = ""
        if isinstance(image, dict):  # encoded: its bytes, or where they lie
            name = Path(image.get("path") or "").name
            image = image.get("bytes") or Path(image["path"])
        if not isinstance(text, str) or image is None:
            raise ValueError(
                f"Row {place} of the dataset: expected an image in {self.image_column!r} and a text in "
                f"{self.text_column!r}, got {type(image).__name__} and {text!r}. Filter such rows out."
            )
        return WordRecord(image, text, name or f"{place + 1:09d}")


def _records(
    path: Path, rows: Sequence[tuple[int, Any]], entry_of: Callable[[Any], tuple[str, str | None]]
) -> list[WordRecord]:
    """Records of the rows of a label file; rows that are broken or whose image is missing end in an error."""
    records, broken = [], []
    for number, row in rows:
        try:
            file_name, text = entry_of(row)
        except (KeyError, TypeError) as error:
            broken.append((number, f"{error} is missing" if isinstance(error, KeyError) else str(error)))
            continue
        image = path.parent / file_name
        if not image.is_file():
            broken.append((number, f"there is no image {file_name}"))
        elif text == "":
            broken.append((number, f"the text of {file_name} is empty"))
        elif text not in (None, DO_NOT_CARE):
            records.append(WordRecord(image, text, file_name))
    _report(path, broken)
    return records


def _metadata_entry(row: dict[str, Any]) -> tuple[str, str | None]:
    text = row["text"]
    if text is not None and not isinstance(text, str):
        raise TypeError(f"expected `text` as a string, got {text!r}")
    return row["file_name"], text


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"expected an object, got {line[:40]!r}")
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a row of metadata ({error}).") from error
        yield number, row


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text ({error}). Convert the file first.") from error
    # Not `splitlines`: a transcription may hold one of Unicode's other line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text


def _report(path: Path, broken: Sequence[tuple[int, str]]) -> None:
    if broken:
        first = "; ".join(f"line {number}: {reason}" for number, reason in broken[:_SHOWN])
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise ValueError(f"{path}: {len(broken)} broken rows. {first}{more}. Mend or drop these rows.")


def _what_is_there_instead(path: Path) -> str:
    if not path.is_dir():
        return "no such file or folder"
    wanted = ", ".join((*_METADATA_FILES, *_LABEL_FILES, "data.mdb", "dataset_info.json"))
    below = sorted({file.parent.relative_to(path).as_posix() for file in path.glob("*/**/data.mdb")})
    hint = f"; LMDBs lie below it: name one of {', '.join(below[:8])}" if below else ""
    return f"expected a corpus of words, a folder with one of {wanted}: found none{hint}"


def _is_image_column(dataset: Any, name: str) -> bool:
    return type((getattr(dataset, "features", None) or {}).get(name)).__name__ == "Image"


def _column(columns: Sequence[str], wanted: Sequence[str], what: str) -> str:
    for name in wanted:
        if name in columns:
            return name
    raise ValueError(
        f"Expected a column of {what} ({', '.join(wanted)}): got the columns {', '.join(columns)}. Rename "
        "one, or give its name to `DatasetWords`."
    )


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            "Reading a Hugging Face dataset needs the package datasets: `pip install datasets`."
        ) from error
    return datasets
