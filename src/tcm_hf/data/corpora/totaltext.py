"""Total-Text: polygons of words, as text files or as Matlab files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.files import first_bytes, lines_of, text_instance
from tcm_hf.data.corpora.label_files import MMOCR_PARTS, LabelFiles, Part
from tcm_hf.data.corpora.mat_files import read_mat
from tcm_hf.data.corpora.problems import FileError, Problems, collected
from tcm_hf.data.records import DO_NOT_CARE, TextInstance

__all__ = ["TOTAL_TEXT", "read_totaltext_labels", "read_totaltext_mat"]

# As Python (and numpy) printed it: `x: [[153 161 179]], y: [[347 323 305]], ornt: [u'c'],
# transcriptions: [u'the']`; long arrays go on in the next line.
_ENTRY = re.compile(
    r"x:\s*(?P<x>\[\[.*?\]\]),\s*y:\s*(?P<y>\[\[.*?\]\]),\s*ornt:\s*(?P<ornt>\[.*?\])"
    r"(?:,\s*transcriptions:\s*(?P<text>\[.*\]))?\s*",
    re.DOTALL,
)
_DO_NOT_CARE_SIGN = "#"
_FIELDS = 6  # of a row of a Matlab file: 'x:', xs, 'y:', ys, text, orientation


def read_totaltext_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a text file of Total-Text: a word an entry, which may go over several lines.

    `x: [[x1 x2 …]], y: [[y1 y2 …]], ornt: [u'c'], transcriptions: [u'the']`. The orientation (c, h, m) is not
    kept; "#" as orientation or text is do-not-care.

    Args:
        path: `poly_gt_img1.txt`.
        problems: broken entries are added to this list, with the line where they begin, and left out; None:
            they are an error.

    Raises:
        ValueError: the file is not UTF-8, or an entry is broken and `problems` is None.
    """
    path = Path(path)
    instances = []
    with collected(problems) as noted:
        for number, entry in _entries(path):
            with noted.row(path, number):
                instances.append(_instance_of_entry(entry))
    return instances


def read_totaltext_mat(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a Matlab file of Total-Text: the cells `polygt` (or `gt`), a word a row.

    A row is 'x:', xs, 'y:', ys, text, orientation; the rest is as of `read_totaltext_labels`.

    Raises:
        ValueError: it is no such file, or a row is broken and `problems` is None.
    """
    path = Path(path)
    instances = []
    with collected(problems) as noted:
        for number, row in enumerate(_cells(path), start=1):
            with noted.row(path, what=f"row {number}"):
                if len(row) < _FIELDS - 1:
                    raise ValueError(f"expected {_FIELDS} cells, got {len(row)}")
                texts = [_word(cell) for cell in row[4:]]
                instances.append(_instance(np.ravel(row[1]), np.ravel(row[3]), *texts))
    return instances


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each entry: what begins with `x:` up to the next such line."""
    start = 1
    lines: list[str] = []
    for number, line in lines_of(path):
        if line.lstrip().startswith("x:") and lines:
            yield start, " ".join(lines)
            lines = []
        if not lines:
            start = number
        lines.append(line.strip())
    if lines:
        yield start, " ".join(lines)


def _instance_of_entry(entry: str) -> TextInstance:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(f"expected x: [[…]], y: [[…]], ornt: […], transcriptions: […], got {entry[:60]!r}")
    texts = _strings(match["text"] or "[]")
    if len(texts) > 1:
        raise ValueError(f"expected one transcription, got {texts}")
    return _instance(
        _numbers(match["x"]), _numbers(match["y"]), "".join(texts), "".join(_strings(match["ornt"]))
    )


def _instance(xs: Any, ys: Any, text: str, orientation: str = "") -> TextInstance:
    if len(xs) != len(ys):
        raise ValueError(f"expected as many x as y, got {len(xs)} and {len(ys)}")
    ignore = _DO_NOT_CARE_SIGN in (text, orientation)
    if ignore and text in ("", _DO_NOT_CARE_SIGN):
        text = DO_NOT_CARE
    return text_instance(np.stack([xs, ys], axis=1), text or None, ignore)


def _numbers(array: str) -> np.ndarray:
    words = array.replace("[", " ").replace("]", " ").replace(",", " ").split()
    try:
        return np.array([float(word) for word in words], dtype=np.float32)
    except ValueError:
        raise ValueError(f"expected numbers, got {array[:60]!r}") from None


def _strings(words: str) -> list[str]:
    """A list as Python wrote it: `[u'the']`; without quotes, the word itself."""
    try:
        values = ast.literal_eval(words)
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two of a thousand brackets
        inner = words.strip()[1:-1].strip()
        values = [inner] if inner else []
    return [str(value) for value in values]


def _cells(path: Path) -> np.ndarray:
    cells = read_mat(path, "polygt", "gt")
    if cells.dtype != object or cells.ndim != 2:
        raise FileError(path, None, f"expected cells in polygt or gt, got an array of {cells.dtype}")
    return cells


def _word(cell: np.ndarray) -> str:
    return "".join(str(part) for part in np.ravel(cell)).strip()


def _read(path: Path, problems: Problems) -> list[TextInstance]:
    return (read_totaltext_mat if path.suffix == ".mat" else read_totaltext_labels)(path, problems)


def _fits(path: Path) -> bool:
    return first_bytes(path).lstrip(b"\xef\xbb\xbf \r\n").startswith((b"x:", b"MATLAB "))


_LABELS = LabelFiles(
    parts=(
        *(
            Part(
                name.lower(),
                (f"Images/{name}", f"totaltext/Images/{name}"),
                (f"Groundtruth/Polygon/{name}", f"Polygon/{name}", f"txt_format/{name}"),
            )
            for name in ("Train", "Test")
        ),
        *MMOCR_PARTS,
    ),
    patterns=("poly_gt_*.txt", "poly_gt_*.mat"),
    fits=_fits,
    read=_read,
    stem=lambda stem: stem.removeprefix("poly_gt_"),
)
TOTAL_TEXT = _LABELS.corpus(
    name="totaltext",
    title="Total-Text",
    layout="poly_gt_img1.txt (x: [[…]], y: [[…]], ornt: […], transcriptions: […]) or poly_gt_img1.mat: "
    "Groundtruth/Polygon/Train/ and Test/ (or txt_format/…) beside Images/Train/ and Images/Test/",
    homepage="https://github.com/cs-chan/Total-Text-Dataset",
)
