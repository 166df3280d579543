"""Readers of annotated corpora: one small function a format, all give `TextRecord`s; no pixel is read."""

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np

from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord, record_from_row
from tcm_hf.processing.polygons import signed_area

__all__ = ["load_icdar2015", "load_metadata_jsonl", "read_icdar2015_labels"]

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def load_metadata_jsonl(folder: Path | str, level: Literal["word", "line"] = "word") -> list[TextRecord]:
    """Read a folder of images with a `metadata.jsonl`, as `tcm-hf synth` writes it ("imagefolder").

    A line is `{"file_name": …, "polygons": [[[x, y], …], …], "texts": [str | null, …], "ignore": [bool, …]}`;
    without `ignore`, the texts "###" are do-not-care.

    Args:
        folder: holds `metadata.jsonl`; file names are relative to it.
        level: what one polygon is.

    Returns:
        One record a line, in file order.

    Raises:
        ValueError: there is no such file, a line is not such a row, or a polygon has fewer than 3 points or
            one that is not finite; the message has file, line and reason.
    """
    path = Path(folder) / "metadata.jsonl"
    if not path.is_file():
        raise ValueError(f"Expected the annotations in {path}: no such file. Give the folder that holds it.")
    records = []
    # Not `splitlines`: a transcription may hold one of Unicode's other line ends.
    for number, line in enumerate(_text_of(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"expected an object, got {line.strip()[:40]!r}")
            records.append(_checked(record_from_row(row, Path(folder), level)))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path}, line {number}: not an annotation ({reason}).") from error
    return records


def load_icdar2015(images_dir: Path | str, labels_dir: Path | str) -> list[TextRecord]:
    """Read ICDAR 2015 Incidental Scene Text (task 4.1 / 4.4): `gt_img_1.txt` beside `img_1.jpg`.

    Args:
        images_dir: holds the images; any usual suffix.
        labels_dir: holds one `gt_<image>.txt` an image, lines as in `read_icdar2015_labels`; may be the same.

    Returns:
        One record a label file, in the order of the image numbers.

    Raises:
        ValueError: there is no label file, an image is missing, or a line cannot be read; the message has
            file, line and reason.
    """
    labels = sorted(Path(labels_dir).glob("gt_*.txt"), key=lambda path: _natural_key(path.name))
    if not labels:
        raise ValueError(f"Expected label files gt_<image>.txt in {labels_dir}: found none.")
    images = {
        path.stem: path
        for path in sorted(Path(images_dir).iterdir())
        if path.suffix.lower() in _IMAGE_SUFFIXES
    }
    records = []
    for path in labels:
        stem = path.stem.removeprefix("gt_")
        if stem not in images:
            raise ValueError(
                f"{path}: expected its image {stem}.jpg (or another suffix) in {images_dir}: none there."
            )
        records.append(TextRecord(images[stem], read_icdar2015_labels(path)))
    return records


def read_icdar2015_labels(path: Path | str) -> list[TextInstance]:
    """Read one label file: a text a line as `x1,y1,x2,y2,x3,y3,x4,y4,transcription`.

    The transcription may hold commas; "###" is do-not-care. A byte order mark and empty lines are skipped.
    Corners annotated anticlockwise are turned round, the first one (where the text starts) stays the first.

    Raises:
        ValueError: a line has fewer than eight numbers and a transcription; the message has file, line and
            reason.
    """
    path = Path(path)
    instances = []
    for number, line in enumerate(_text_of(path).split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.rstrip("\r").split(",", 8)
        try:
            if len(parts) < 9:
                raise ValueError(f"expected 8 coordinates and a text, got {len(parts)} values")
            polygon = _clockwise(np.array(parts[:8], dtype=np.float32).reshape(4, 2))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}: {line.strip()[:80]!r}.") from error
        instances.append(TextInstance(polygon, parts[8], parts[8] == DO_NOT_CARE))
    return instances


def _checked(record: TextRecord) -> TextRecord:
    for index, polygon in enumerate(record.polygons_xy):
        if len(polygon) < 3:
            raise ValueError(f"polygon {index} needs 3 points or more, got {len(polygon)}")
        if not np.isfinite(polygon).all():
            raise ValueError(f"polygon {index} has a coordinate that is no finite number: {polygon.tolist()}")
    return record


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text ({error}). Convert the file first.") from error


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts img_2 before img_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _clockwise(polygon: np.ndarray) -> np.ndarray:
    return polygon if signed_area(polygon) >= 0 else np.roll(polygon[::-1], 1, axis=0)
