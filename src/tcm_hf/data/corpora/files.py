"""Small parts that the loaders share: text, JSON, images by name, outlines."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.problems import FileError, Problems, collected
from tcm_hf.data.records import DO_NOT_CARE, TextInstance
from tcm_hf.processing.polygons import signed_area

__all__ = [
    "IMAGE_SUFFIXES",
    "box_points",
    "check_outline",
    "check_text",
    "clockwise",
    "few_files",
    "first_bytes",
    "first_lines",
    "images_by_stem",
    "is_number",
    "json_of",
    "last_bytes",
    "lines_of",
    "names_in",
    "natural_key",
    "number_of",
    "only_file",
    "part_folders",
    "read_json",
    "table_rows",
    "text_instance",
    "text_of",
    "unquoted",
]

_PARTS = ("train", "training", "validation", "valid", "val", "dev", "test", "testing")
_FARTHEST_PX = 1e7
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def text_of(path: Path) -> str:
    """A text file.

    Raises:
        ValueError: It is not UTF-8, or not there.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FileError(
            path, line, f"expected UTF-8 text ({error.reason}): convert the file first"
        ) from error
    except OSError as error:
        raise FileError(path, None, f"cannot be read ({error.strerror})") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1.

    Raises:
        ValueError: As of `text_of`.
    """
    # Not `splitlines`: a transcription may hold one of Unicode's other line ends.
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        ValueError: It is no JSON; the message has file and line.
    """
    text = text_of(path)
    try:
        return json_of(text)
    except ValueError as error:
        cause = error.__cause__
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else None
        raise FileError(path, line, str(error)) from error


def json_of(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: It is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON that can be read: it is nested too deeply") from error


def table_rows(
    path: Path, delimiter: str = ",", problems: Problems | None = None
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table (CSV) by the names in its first line, each with the number of its last line.

    Cells that are missing are empty. They may be of any length.

    Args:
        path: The file.
        delimiter: What stands between two cells.
        problems: Rows with more cells than names are added to this list and left out; None: they are an
            error.

    Raises:
        ValueError: The file is no such table, or a row is broken and `problems` is None.
    """
    text = text_of(path)
    rows = []
    usual = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    try:
        with collected(problems) as noted:
            for row in reader:
                with noted.row(path, reader.line_num):
                    more: Any = row.pop(None, [])  # type: ignore[call-overload]
                    if any(more):
                        raise ValueError(f"more cells than names: put a text with {delimiter!r} in quotes")
                    rows.append((reader.line_num, row))
    except csv.Error as error:
        raise FileError(path, reader.line_num, f"expected a table: {error}") from error
    finally:
        csv.field_size_limit(usual)
    return rows


def few_files(folder: Path, pattern: str, most: int = 50) -> list[Path]:
    """Files of a glob pattern in order of their names; none where there are more, a file an image."""
    paths = list(islice(folder.glob(pattern), most + 1))
    return sorted(paths) if len(paths) <= most else []


def only_file(source: Path, pattern: str, fits: Callable[[Path], bool], expected: str) -> Path:
    """The file of annotations: the source itself, or the one of a glob pattern that fits in it.

    Args:
        source: A file or folder.
        pattern: A glob pattern.
        fits: Whether a file is of the kind.
        expected: The usual name of such a file, the answer where none fits.

    Raises:
        ValueError: Several files fit.
    """
    if source.is_file():
        return source
    found = [path for path in few_files(source, pattern) if fits(path)]
    if len(found) > 1:
        raise ValueError(f"{source} holds {len(found)} such exports: name the file, as in {found[0]}.")
    return found[0] if found else source / expected


def part_folders(folder: Path) -> list[Path]:
    """Folders that are named as the parts of a corpus are: "train", "val", "test", ….

    Any others beside one another are no parts, but corpora of their own.
    """
    names = sorted(name for name in names_in(folder) if name.lower() in _PARTS)
    return [folder / name for name in names if (folder / name).is_dir()]


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder, in no order; none where it cannot be read.

    Many times faster than paths: a folder may hold many thousand files, and most recognisers look at it.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def first_bytes(path: Path, count: int = 4096) -> bytes:
    """How a file begins; nothing where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError:
        return b""


def last_bytes(path: Path, count: int = 4096) -> bytes:
    """How a file ends; nothing where it cannot be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - count))
            return stream.read()
    except OSError:
        return b""


def first_lines(path: Path, count: int = 5) -> list[str]:
    """The first lines of a text file that are not empty; none where it is no UTF-8."""
    try:
        text = first_bytes(path).decode(
            "utf-8-sig", errors="ignore" if path.stat().st_size > 4096 else "strict"
        )
    except (OSError, UnicodeDecodeError):
        return []
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()][:count]


def is_number(text: str) -> bool:
    """Whether a word is a number."""
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def images_by_stem(folders: Iterable[Path]) -> dict[str, Path]:
    """The image files of folders (not below them) by name without suffix."""
    return {
        name.rpartition(".")[0]: folder / name
        for folder in folders
        for name in sorted(names_in(folder))
        if name.lower().endswith(IMAGE_SUFFIXES)
    }


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts img_2 before img_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def number_of(value: Any) -> float:
    """A coordinate.

    Raises:
        ValueError: It is no number.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"expected a number, got {value!r}") from None


def unquoted(text: str) -> str:
    r"""A text without the double quotes around it, `\"` and `\\\\` in them undone; unquoted text as it is."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text


def box_points(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The corners (4, 2) of an upright box, from its top left, clockwise.

    Raises:
        ValueError: Its sides are swapped.
    """
    if right < left or bottom < top:
        raise ValueError(f"expected left <= right and top <= bottom, got {left}, {top}, {right}, {bottom}")
    with np.errstate(over="ignore"):  # `text_instance` tells what is no coordinate of a picture
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)


def clockwise(polygon_xy: np.ndarray) -> np.ndarray:
    """Points turned to run clockwise on the screen; the first one (where the text starts) stays the first."""
    return polygon_xy if signed_area(polygon_xy) >= 0 else np.roll(polygon_xy[::-1], 1, axis=0)


def check_outline(outline_xy: np.ndarray) -> None:
    """See that the coordinates of an outline can be those of a picture.

    Raises:
        ValueError: One is not finite, or larger than any picture.
    """
    if not np.isfinite(outline_xy).all():
        raise ValueError("a coordinate is no finite number")
    farthest = np.abs(outline_xy).max(initial=0)
    if farthest > _FARTHEST_PX:
        raise ValueError(f"a coordinate is beyond any picture: {farthest:g}")


def check_text(text: Any, what: str) -> None:
    """See that something is a text that can be written down, or None.

    Raises:
        ValueError: It is not.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise ValueError(f"expected {what} as text, got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected {what} as text, got {text!r} with half a character") from None


def text_instance(
    points: Any, text: str | None = None, ignore: bool | None = None, language: str | None = None
) -> TextInstance:
    """A text of an outline as annotated.

    Args:
        points: (P >= 3) points, or the flat list of their coordinates; turned clockwise.
        text: The transcription; None where it is unknown.
        ignore: None: the text "###" is do-not-care.
        language: See `TextInstance`.

    Raises:
        ValueError: It is no such outline, or the text is no string.
    """
    check_text(text, "a transcription")
    check_text(language, "a language")
    try:
        with np.errstate(over="ignore"):  # told below
            outline = np.asarray(points, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected points (x, y), got {str(points)[:60]}") from None
    if outline.ndim == 1:
        if len(outline) % 2:
            raise ValueError(f"expected pairs of coordinates, got {len(outline)} numbers")
        outline = outline.reshape(-1, 2)
    if outline.ndim != 2 or outline.shape[1] != 2 or len(outline) < 3:
        raise ValueError(f"expected 3 points (x, y) or more, got an array of shape {outline.shape}")
    check_outline(outline)
    if ignore is None:
        ignore = text is not None and text.strip() == DO_NOT_CARE
    return TextInstance(clockwise(outline), text, ignore, language)
