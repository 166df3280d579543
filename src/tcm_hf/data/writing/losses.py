"""What a format cannot hold of an annotation: counted while it is written, told in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tcm_hf.data.records import DO_NOT_CARE, TextInstance

__all__ = [
    "EDGE_SPACES",
    "EMPTY_TEXTS",
    "FRACTIONS",
    "IGNORED_TEXTS",
    "LANGUAGES",
    "LINE_BREAKS",
    "LINE_LEVEL",
    "NOT_14_POINTS",
    "NOT_QUADS",
    "TRANSCRIPTIONS",
    "WORD_LEVEL",
    "Loss",
    "read_as_ignored",
]


class Loss(NamedTuple):
    """Something that a format cannot hold."""

    what: str
    """What is lost, after a number of texts: "12 languages"."""
    touches: Callable[[TextInstance, str], bool]
    """Whether a text, of a photo of this level ("word" or "line"), has it."""


LANGUAGES = Loss("languages", lambda text, level: text.language is not None)
LINE_LEVEL = Loss("texts are lines, which is not said there", lambda text, level: level == "line")
WORD_LEVEL = Loss("texts are words, they count as lines there", lambda text, level: level == "word")
IGNORED_TEXTS = Loss(
    'transcriptions of texts to be ignored (written as "###")',
    lambda text, level: text.ignore and text.text not in (None, DO_NOT_CARE),
)
LINE_BREAKS = Loss(
    "line breaks in transcriptions (written as spaces)",
    lambda text, level: text.text is not None and not {"\r", "\n"}.isdisjoint(text.text),
)
EMPTY_TEXTS = Loss(
    "empty transcriptions (unknown ones when read back)",
    lambda text, level: text.text is not None and not text.text.strip() and not text.ignore,
)
EDGE_SPACES = Loss(
    "transcriptions with white space around them (read back without it)",
    lambda text, level: text.text is not None and text.text.strip() not in ("", text.text),
)


def read_as_ignored(*marks: str) -> Loss:
    """The loss of legible texts that are what a format marks texts to be ignored with."""
    named = " or ".join(f'"{mark}"' for mark in marks)
    return Loss(
        f'legible transcriptions {named} (which is "do not care" there)',
        lambda text, level: not text.ignore and text.text is not None and text.text.strip() in marks,
    )


NOT_QUADS = Loss(
    "outlines of other than 4 points (their smallest rectangles are written)",
    lambda text, level: len(text.polygon_xy) != 4,
)
NOT_14_POINTS = Loss(
    "outlines of other than 14 points (drawn anew with 7 points a side)",
    lambda text, level: len(text.polygon_xy) != 14,
)
TRANSCRIPTIONS = Loss("transcriptions", lambda text, level: text.text not in (None, DO_NOT_CARE))
FRACTIONS = Loss(
    "outlines between whole pixels (rounded)",
    lambda text, level: bool((text.polygon_xy != np.rint(text.polygon_xy)).any()),
)
