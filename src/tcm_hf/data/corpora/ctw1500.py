"""SCUT-CTW1500: lines of text as polygons of 14 points, in its first and in its second annotation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tcm_hf.data.corpora.files import first_bytes, first_lines, number_of, text_instance
from tcm_hf.data.corpora.label_files import LabelFiles, Part, read_lines
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.xml_files import LineElement, read_xml
from tcm_hf.data.records import TextInstance

__all__ = ["CTW1500", "read_ctw1500_labels", "read_ctw1500_xml"]

_TEXT_MARK = ",####"  # between the points and the text in the second annotation's test files
_POINTS = 14


def read_ctw1500_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a text file of CTW1500, of either annotation: a line of text a line.

    The first annotation has 32 numbers and no text: xmin, ymin, xmax, ymax of the box around the polygon,
    then 14 points relative to xmin, ymin. The second has x1,y1,…,x14,y14,####text for its test part; the text
    "###" is do-not-care.

    Args:
        path: the file.
        problems: broken lines are added to this list and left out; None: they are an error.

    Raises:
        ValueError: the file is not UTF-8, or a line is broken and `problems` is None.
    """
    return read_lines(path, problems, _instance_of_line)


def read_ctw1500_xml(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read an XML file of the second annotation's training part: `box` with `label` and `segs` (14 points).

    The points of the characters (`pts`) are not kept.

    Raises:
        ValueError: the file is no XML, or a box is broken and `problems` is None.
    """
    path = Path(path)
    instances = []
    with collected(problems) as noted:
        for box in read_xml(path).children("image/box"):
            with noted.row(path, box.line):
                instances.append(_instance_of_box(box))
    return instances


def _instance_of_line(line: str) -> TextInstance:
    coordinates, mark, text = line.partition(_TEXT_MARK)
    numbers = [number_of(part) for part in coordinates.rstrip(" ,").split(",")]
    if mark:
        return text_instance(numbers, text.strip() or None)
    if len(numbers) != 4 + 2 * _POINTS:
        raise ValueError(f"expected 32 numbers, or points and {_TEXT_MARK}text, got {len(numbers)} numbers")
    points = np.array(numbers[4:]).reshape(-1, 2) + np.array(numbers[:2])
    return text_instance(points)


def _instance_of_box(box: LineElement) -> TextInstance:
    numbers = [number_of(part) for part in box.text_of("segs").split(",")]
    return text_instance(numbers, (box.findtext("label") or "").strip() or None)


def _read(path: Path, problems: Problems) -> list[TextInstance]:
    return (read_ctw1500_xml if path.suffix == ".xml" else read_ctw1500_labels)(path, problems)


def _fits(path: Path) -> bool:
    if path.suffix == ".xml":
        return b"<segs>" in first_bytes(path)
    return any(
        re.fullmatch(r"(-?\d+\s*,\s*){31}-?\d+\s*,?", line) or re.match(r"(-?\d+,\s*){6,}####", line)
        for line in first_lines(path)
    )


def _image_stem(stem: str) -> str:
    """Of the second annotation's test part: `0001001.txt` belongs to `1001.jpg`."""
    return stem[3:] if re.fullmatch(r"000\d{4}", stem) else stem


_LABELS = LabelFiles(
    parts=(
        Part(
            "train",
            ("train_images", "ctw1500_train_images", "ctw1500_train_images/train_images"),
            ("ctw1500_train_labels", "ctw1500_train_labels/ctw1500_train_labels"),
        ),
        Part(
            "test",
            ("test_images", "ctw1500_test_images", "ctw1500_test_images/test_images"),
            ("gt_ctw1500", "gt_ctw_1500", "ctw1500_test_labels"),
        ),
        Part("train", ("train/text_image",), ("train/text_label_curve",)),
        Part("test", ("test/text_image",), ("test/text_label_curve",)),
    ),
    patterns=("[0-9]*.xml", "[0-9]*.txt"),
    fits=_fits,
    read=_read,
    stem=_image_stem,
    level="line",
)
CTW1500 = _LABELS.corpus(
    name="ctw1500",
    title="SCUT-CTW1500",
    layout="ctw1500_train_labels/0001.xml beside train_images/, gt_ctw1500/0001001.txt "
    "(x1,y1,…,x14,y14,####text) beside test_images/; or train/text_label_curve/ (32 numbers a line) beside "
    "train/text_image/",
    homepage="https://github.com/Yuliang-Liu/Curve-Text-Detector",
)
