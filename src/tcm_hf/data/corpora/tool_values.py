"""What labelling tools write in their own words: which text, whether to ignore it, a box that is turned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.files import box_points, few_files, text_instance
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, flag_of

__all__ = [
    "TEXT_NAMES",
    "as_list",
    "as_object",
    "attributed_instance",
    "is_generic",
    "means_ignore",
    "part_file",
    "text_or_none",
    "turned",
]

TEXT_NAMES = ("text", "transcription", "transcript", "utf8_string", "value", "word")
IGNORE_NAMES = ("ignore", "ignored", "difficult", "illegible", "illegibility", "unreadable", "do_not_care")
LANGUAGE_NAMES = ("language", "script")

_IGNORE_LABELS = (*IGNORE_NAMES, "dont_care", DO_NOT_CARE)
_GENERIC_LABELS = ("text", "word", "line", "textline", "text_line", "ocr", "default")


def as_object(value: Any, what: str = "an object") -> dict[str, Any]:
    """A decoded JSON object.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected {what}, got {str(value)[:40]!r}")
    return value


def as_list(value: Any, what: str = "a list") -> list[Any]:
    """A decoded JSON list; nothing is an empty one.

    Raises:
        ValueError: It is none.
    """
    if value is not None and not isinstance(value, list):
        raise ValueError(f"expected {what}, got {str(value)[:40]!r}")
    return value or []


def part_file(
    files: Mapping[str, Path], split: str | None, source: Path, expected: str, usual: Iterable[str] = ()
) -> Path:
    """The file of a part.

    Args:
        files: By the names of the parts, "" where there is one only.
        split: The part.
        source: Where they were looked for.
        expected: What was looked for.
        usual: How such files are called as a rule, glob patterns: where the corpus was named and no file
            looks as it should, the only one of them is taken, so that it can be said what is wrong with it.

    Raises:
        ValueError: There is no such file.
    """
    if not files and split is None:
        found = [path for pattern in usual for path in few_files(source, pattern)]
        if len(found) == 1:
            return found[0]
    if (split or "") not in files:
        raise ValueError(f"Expected {expected} in {source}: found none.")
    return files[split or ""]


def attributed_instance(points: Any, label: str, attributes: Mapping[str, Any]) -> TextInstance:
    """A text of an outline, the class that a tool gives it and its attributes.

    Args:
        points: See `text_instance`.
        label: The class; "ignore", "illegible", "difficult", "do not care" and "###" are do-not-care.
        attributes: The text is under "text", "transcription", "transcript", "utf8_string", "value" or "word",
            do-not-care under "ignore", "difficult", "illegible", …, the language under "language".

    Raises:
        ValueError: It is no outline.
    """
    named = {_plain(name): value for name, value in attributes.items()}
    text = text_or_none(next(_there(named, TEXT_NAMES), None))
    language = next(_there(named, LANGUAGE_NAMES), None)
    ignore = means_ignore(label) or text == DO_NOT_CARE or any(map(_is_yes, _there(named, IGNORE_NAMES)))
    return text_instance(points, text, ignore, str(language) if language else None)


def text_or_none(value: Any) -> str | None:
    """A transcription without white space around it; a number as text, nothing as None."""
    if isinstance(value, bool) or value is None:
        return None
    return str(value).strip() or None


def means_ignore(label: str) -> bool:
    """Whether a class says that a text is do-not-care."""
    return _plain(label) in _IGNORE_LABELS


def is_generic(label: str) -> bool:
    """Whether a class says no more than that there is a text."""
    return _plain(label) in _GENERIC_LABELS or means_ignore(label)


def turned(
    box: tuple[float, float, float, float], angle_deg: float, pivot_xy: tuple[float, float] | None = None
) -> np.ndarray:
    """The corners (4, 2) of a box that is turned clockwise on the screen, from its own top left.

    Args:
        box: Left, top, width, height before it is turned.
        angle_deg: Degrees, clockwise.
        pivot_xy: The point that stays; None: the centre.

    Raises:
        ValueError: Its size is negative, or a value is no number.
    """
    left, top, width, height = (float(value) for value in box)
    if not np.isfinite((*box, angle_deg)).all():
        raise ValueError(f"a number is not finite in the box {box}, turned by {angle_deg} degrees")
    corners = box_points(left, top, left + width, top + height).astype(np.float64)
    angle = math.radians(float(angle_deg))
    if angle == 0:
        return corners
    pivot = np.array(pivot_xy or (left + width / 2, top + height / 2))
    cos, sin = math.cos(angle), math.sin(angle)
    with np.errstate(all="ignore"):  # `text_instance` tells what is no coordinate of a picture
        return (corners - pivot) @ np.array([[cos, sin], [-sin, cos]]) + pivot


def _there(named: Mapping[str, Any], names: Iterable[str]) -> Iterator[Any]:
    return (named[name] for name in names if named.get(name) not in (None, ""))


def _plain(name: str) -> str:
    return name.strip().lower().replace("'", "").replace(" ", "_").replace("-", "_")


def _is_yes(value: Any) -> bool:
    try:
        return flag_of(value)
    except ValueError:  # whatever an annotator has typed
        return False
