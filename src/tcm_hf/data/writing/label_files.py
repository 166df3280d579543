"""Photos with one label file each: of ICDAR 2015, MLT 2017, Total-Text, CTW1500 and MSRA-TD500."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tcm_hf.data.corpora.icdar import SCRIPTS
from tcm_hf.data.corpora.tool_values import turned
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord
from tcm_hf.data.writing.losses import (
    EDGE_SPACES,
    EMPTY_TEXTS,
    FRACTIONS,
    IGNORED_TEXTS,
    LANGUAGES,
    LINE_BREAKS,
    LINE_LEVEL,
    NOT_14_POINTS,
    NOT_QUADS,
    TRANSCRIPTIONS,
    WORD_LEVEL,
    Loss,
    read_as_ignored,
)
from tcm_hf.data.writing.output import (
    Report,
    one_line,
    quad_of,
    rectangle_of,
    text_or_hashes,
    whole_points_of,
    written,
)
from tcm_hf.processing.word_outlines import word_outline

__all__ = ["write_ctw1500", "write_icdar2015", "write_mlt2017", "write_td500", "write_totaltext"]

_SIDE_POINTS = 7  # of CTW1500: the upper side has so many, and the lower one
_SCRIPTS = {script.lower(): script for script in SCRIPTS}
_OTHER_LANGUAGES = Loss(
    "languages that are none of the scripts of MLT",
    lambda text, level: text.language is not None and text.language.lower() not in _SCRIPTS,
)
_NOT_RECTANGLES = Loss(
    "outlines that are no rectangles of whole pixels (the nearest are written)",
    lambda text, level: not _is_whole_rectangle(text.polygon_xy),
)


_OF_QUADS = (
    LINE_LEVEL,
    IGNORED_TEXTS,
    EMPTY_TEXTS,
    LINE_BREAKS,
    read_as_ignored(DO_NOT_CARE),
    NOT_QUADS,
    FRACTIONS,
)


def write_icdar2015(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as gt_NAME.txt (x1,y1,…,x4,y4,text a line) beside images/."""
    losses = (LANGUAGES, *_OF_QUADS)
    return _write(records, folder, copy_images, losses, "gt_{}.txt", _icdar_line)


def write_mlt2017(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as gt_NAME.txt (x1,y1,…,x4,y4,script,text a line) beside images/."""
    losses = (_OTHER_LANGUAGES, *_OF_QUADS)
    return _write(records, folder, copy_images, losses, "gt_{}.txt", _mlt_line)


def write_totaltext(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as poly_gt_NAME.txt (x, y, orientation and transcription a line) beside images/."""
    losses = (LANGUAGES, LINE_LEVEL, IGNORED_TEXTS, EMPTY_TEXTS, read_as_ignored("#"), FRACTIONS)
    return _write(records, folder, copy_images, losses, "poly_gt_{}.txt", _totaltext_line)


def write_ctw1500(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as 0001.txt (x1,y1,…,x14,y14,####text a line) beside images/0001.jpg; names are lost."""
    losses = (
        LANGUAGES,
        WORD_LEVEL,
        IGNORED_TEXTS,
        EMPTY_TEXTS,
        EDGE_SPACES,
        LINE_BREAKS,
        read_as_ignored(DO_NOT_CARE),
        NOT_14_POINTS,
        FRACTIONS,
    )
    return _write(records, folder, copy_images, losses, "{}.txt", _ctw_line, "{:04d}")


def write_td500(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as IMG_0001.gt (index difficult x y width height angle a line); names are lost."""
    losses = (TRANSCRIPTIONS, LANGUAGES, WORD_LEVEL, _NOT_RECTANGLES)
    return _write(records, folder, copy_images, losses, "{}.gt", _td500_line, "IMG_{:04d}")


def _write(
    records: Iterable[TextRecord],
    folder: Path | str,
    copy_images: bool,
    losses: Iterable[Loss],
    labels: str,
    line_of: Callable[[TextInstance, int], str],
    name: str = "",
) -> Report:
    """Write pictures below images/ and a file of labels each.

    Args:
        records: The photos.
        folder: The folder.
        copy_images: See `written`.
        losses: What is lost.
        labels: Name of a label file, from that of its picture.
        line_of: Its line of a text, from the text and its place from 0.
        name: Name of a picture, from its number; "": as the record's.
    """
    with written(folder, losses, copy_images) as output:
        for number, record in enumerate(records, start=1):
            picture = output.picture(record, "images", name.format(number))
            lines = [f"{line_of(instance, place)}\n" for place, instance in enumerate(record.instances)]
            output.text(labels.format(picture.stem), "".join(lines))
    return output.report


def _icdar_line(instance: TextInstance, place: int) -> str:
    return f"{_flat(quad_of(instance.polygon_xy))},{one_line(text_or_hashes(instance))}"


def _mlt_line(instance: TextInstance, place: int) -> str:
    script = _SCRIPTS.get((instance.language or "None").lower(), "None")
    return f"{_flat(quad_of(instance.polygon_xy))},{script},{one_line(text_or_hashes(instance))}"


def _td500_line(instance: TextInstance, place: int) -> str:
    box, angle_rad = _turned_box(instance.polygon_xy)
    return f"{place} {int(instance.ignore)} {' '.join(map(str, box))} {angle_rad:.6f}"


def _turned_box(polygon_xy: np.ndarray) -> tuple[list[int], float]:
    """Left, top, width, height before it was turned about its centre, and the angle, radians clockwise."""
    rectangle = rectangle_of(polygon_xy)
    along, down = rectangle[1] - rectangle[0], rectangle[3] - rectangle[0]
    size = np.array([np.hypot(*along), np.hypot(*down)])
    box = np.rint([*(rectangle.mean(axis=0) - size / 2), *size])
    return [int(value) for value in box], float(np.arctan2(along[1], along[0]))


def _is_whole_rectangle(polygon_xy: np.ndarray) -> bool:
    (left, top, width, height), angle_rad = _turned_box(polygon_xy)
    corners = turned((left, top, width, height), np.degrees(angle_rad))
    return len(polygon_xy) == 4 and bool(np.abs(corners - polygon_xy).max() < 0.1)


def _totaltext_line(instance: TextInstance, place: int) -> str:
    xs, ys = (
        " ".join(map(str, values)) for values in zip(*whole_points_of(instance.polygon_xy), strict=True)
    )
    text, orientation = instance.text or "", _orientation(instance.polygon_xy)
    if instance.ignore:
        text = orientation = "#"
    return f"x: [[{xs}]], y: [[{ys}]], ornt: [u{orientation!r}], transcriptions: [u{text!r}]"


def _orientation(polygon_xy: np.ndarray) -> str:
    """Of Total-Text: curved, horizontal or "multi-oriented"."""
    if len(polygon_xy) != 4:
        return "c"
    return "h" if len(np.unique(polygon_xy[:, 0])) == len(np.unique(polygon_xy[:, 1])) == 2 else "m"


def _ctw_line(instance: TextInstance, place: int) -> str:
    return f"{_flat(_ladder(instance.polygon_xy))},####{one_line(text_or_hashes(instance))}"


def _ladder(polygon_xy: np.ndarray) -> np.ndarray:
    """The outline as 7 points along the upper side of the text and 7 back along the lower one."""
    if len(polygon_xy) == 2 * _SIDE_POINTS:
        return polygon_xy
    try:
        outline = word_outline(polygon_xy)
    except ValueError:  # it has no area; labels of real corpora hold lines, too
        outline = np.concatenate([polygon_xy, polygon_xy[::-1]])
    return np.concatenate([_evenly(side) for side in np.split(outline, 2)])


def _evenly(side_xy: np.ndarray) -> np.ndarray:
    steps = np.hypot(*np.diff(side_xy, axis=0).T)
    at = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, at[-1], _SIDE_POINTS)
    return np.stack([np.interp(wanted, at, side_xy[:, axis]) for axis in (0, 1)], axis=1)


def _flat(points_xy: np.ndarray) -> str:
    return ",".join(str(value) for point in whole_points_of(points_xy) for value in point)
