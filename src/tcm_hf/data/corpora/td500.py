"""MSRA-TD500 and HUST-TR400: lines of text as rotated boxes, without transcriptions."""

from __future__ import annotations

import math
import re
from pathlib import Path

from tcm_hf.data.corpora.files import first_lines, is_number, number_of, text_instance
from tcm_hf.data.corpora.label_files import LabelFiles, Part, read_lines
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import turned
from tcm_hf.data.records import TextInstance

__all__ = ["HUST_TR400", "MSRA_TD500", "read_td500_labels"]

_FIELDS = 7


def read_td500_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a `.gt` file: `index difficult x y width height angle` a line of text.

    x, y, width and height are those of the box before it is turned about its centre by the angle (radians,
    clockwise on the screen); difficult (1) is do-not-care. What stands behind the angle is not read. The
    polygon begins at what was the box's top left, where the text begins.

    Args:
        path: the file.
        problems: broken lines are added to this list and left out; None: they are an error.

    Raises:
        ValueError: the file is not UTF-8, or a line is broken and `problems` is None.
    """
    return read_lines(path, problems, _instance)


def _instance(line: str) -> TextInstance:
    words = line.split()
    if len(words) < _FIELDS:
        raise ValueError(
            f"expected index, difficult, x, y, width, height, angle, got {len(words)} values: {line[:60]!r}"
        )
    if words[1] not in ("0", "1"):
        raise ValueError(f"expected 0 or 1 (difficult), got {words[1]!r}")
    left, top, width, height, angle_rad = (number_of(word) for word in words[2:_FIELDS])
    corners = turned((left, top, width, height), math.degrees(angle_rad))
    return text_instance(corners, ignore=words[1] == "1")


def _fits(path: Path) -> bool:
    rows = [line.split() for line in first_lines(path)]
    return any(len(row) >= _FIELDS and all(map(is_number, row[:_FIELDS])) for row in rows)


def _is_td500(path: Path) -> bool:
    return re.fullmatch(r"IMG_\d+", path.stem) is not None and _fits(path)


def _is_hust(path: Path) -> bool:
    return not re.fullmatch(r"IMG_\d+", path.stem) and _fits(path)


_LABELS_TD500 = LabelFiles(
    parts=tuple(
        Part(name, (name, f"MSRA-TD500/{name}"), (name, f"MSRA-TD500/{name}")) for name in ("train", "test")
    ),
    patterns=("*.gt",),
    fits=_is_td500,
    read=read_td500_labels,
    stem=str,
    level="line",
)
_LABELS_HUST = LabelFiles(
    parts=(Part("train", ("HUST-TR400",), ("HUST-TR400",)),),
    patterns=("*.gt",),
    fits=_is_hust,
    read=read_td500_labels,
    stem=str,
    level="line",
)

MSRA_TD500 = _LABELS_TD500.corpus(
    name="td500",
    title="MSRA-TD500",
    layout="IMG_0030.gt (index difficult x y width height angle a line) beside IMG_0030.JPG: train/, test/",
    homepage="http://www.iapr-tc11.org/mediawiki/index.php/MSRA_Text_Detection_500_Database_(MSRA-TD500)",
)
HUST_TR400 = _LABELS_HUST.corpus(
    name="hust-tr400",
    title="HUST-TR400",
    layout="NAME.gt (index difficult x y width height angle a line) beside NAME.jpg, all in one folder",
    homepage="http://mclab.eic.hust.edu.cn/UpLoadFiles/dataset/HUST-TR400.zip",
)
