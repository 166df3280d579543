"""SynthText: 858,750 generated photos in one Matlab file, `gt.mat`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import check_outline, first_bytes
from tcm_hf.data.corpora.mat_files import read_mat
from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.records import TextInstance

__all__ = ["SYNTHTEXT", "load_synthtext"]

_FILE = "gt.mat"
_FOLDERS = ("", "SynthText")


def load_synthtext(path: Path, split: str | None, problems: Problems) -> PackedRecords:
    """Read SynthText: `imnames`, `wordBB` (2, 4, words) and `txt` (lines of words) of `gt.mat`.

    The three are read one after the other and packed at once; the boxes of characters are not read. The
    corners of a word begin at its top left and are turned clockwise where the word is mirrored.

    Args:
        path: the file, or the folder that holds it, or the folder above (`SynthText/gt.mat`).
        split: always None: SynthText has one part.
        problems: photos whose boxes and words do not agree are added and left out.

    Raises:
        ValueError: the file is no such Matlab file.
    """
    file = path if path.is_file() else _file_of(path)
    if file is None:
        raise ValueError(f"Expected {_FILE} in {path} or {path / 'SynthText'}: it is not there.")
    words = [_words(cell) for cell in _cells(file, "txt")]
    names = [str(np.ravel(cell)[0]) if np.size(cell) else "" for cell in _cells(file, "imnames")]
    boxes = _cells(file, "wordBB")
    if not len(words) == len(names) == len(boxes):
        raise ValueError(
            f"{file}: expected one entry a photo of imnames, wordBB and txt: got {len(names)}, {len(boxes)} "
            f"and {len(words)}."
        )
    records = PackedRecords(file.parent)
    for number, (name, texts) in enumerate(zip(names, words, strict=True)):
        with problems.row(file, what=f"photo {number + 1} ({name})"):
            records.append(file.parent / name, _instances(boxes[number], texts.split("\n") if texts else []))
        boxes[number] = None  # packed: its memory is free
    return records


def _instances(corners: Any, words: list[str]) -> list[TextInstance]:
    outlines = _outlines(corners)
    if len(outlines) != len(words):
        raise ValueError(f"expected a box a word, got {len(outlines)} boxes and {len(words)} words")
    check_outline(outlines)
    return [TextInstance(outline, word) for outline, word in zip(outlines, words, strict=True)]


def _outlines(corners: Any) -> np.ndarray:
    """Corners (2, 4, words), or (2, 4) of one word, as clockwise quads (words, 4, 2)."""
    array = np.asarray(corners, dtype=np.float32)
    if array.size == 0:
        return np.zeros((0, 4, 2), np.float32)
    if array.shape[:2] != (2, 4) or array.ndim > 3:
        raise ValueError(f"expected corners of shape (2, 4, words), got {array.shape}")
    outlines = array.reshape(2, 4, -1).transpose(2, 1, 0)
    # Twice the signed area, from the diagonals.
    first, second = outlines[:, 2] - outlines[:, 0], outlines[:, 3] - outlines[:, 1]
    mirrored = first[:, 0] * second[:, 1] < first[:, 1] * second[:, 0]
    return np.where(mirrored[:, None, None], outlines[:, [0, 3, 2, 1]], outlines)


def _words(cell: Any) -> str:
    """The words of a photo, a line each: `txt` has lines of words, padded with spaces."""
    return "\n".join(" ".join(map(str, np.ravel(cell))).split())


def _cells(file: Path, name: str) -> np.ndarray:
    cells = read_mat(file, name)
    if cells.dtype != object:
        raise ValueError(f"{file}: expected cells in {name}, got an array of {cells.dtype}.")
    return cells.ravel()


def _file_of(folder: Path) -> Path | None:
    return next((folder / name / _FILE for name in _FOLDERS if (folder / name / _FILE).is_file()), None)


def _recognises(path: Path) -> bool:
    file = path if path.is_file() else _file_of(path)
    return file is not None and file.name == _FILE and first_bytes(file, 7) == b"MATLAB "


SYNTHTEXT = Corpus(
    name="synthtext",
    title="SynthText (in the wild)",
    kind="photos",
    layout="gt.mat (imnames, wordBB, txt) beside 1/, 2/, …",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/scenetext/",
    recognises=_recognises,
    load=load_synthtext,
)
