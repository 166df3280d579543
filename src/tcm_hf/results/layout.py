"""From the words of a record back to lines and paragraphs, as the formats for readers need them."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

Word = dict[str, Any]
Line = list[Word]
Paragraph = list[Line]


def paragraphs_of(record: dict[str, Any]) -> list[Paragraph]:
    """The words of a reading record by paragraph and line, in reading order; words without text are left out.

    Args:
        record: One that `tcm-hf read` made; its words are in reading order and know "line" and "paragraph".
    """
    words = [word for word in record["instances"] if word["text"].strip()]
    return [
        [list(line) for _, line in groupby(paragraph, key=lambda word: word["line"])]
        for _, paragraph in groupby(words, key=lambda word: word["paragraph"])
    ]


def line_text(line: Line) -> str:
    """The words of a line with one space between them."""
    return " ".join(" ".join(word["text"].split()) for word in line)


def paragraph_text(paragraph: Paragraph) -> str:
    """The lines of a paragraph, one under the other."""
    return "\n".join(map(line_text, paragraph))


def enclosing_box(words: Iterable[Word]) -> tuple[int, int, int, int]:
    """The box (xmin, ymin, xmax, ymax) around the boxes of words, in whole pixels; the last two exclusive."""
    boxes = [word["box"] for word in words]
    return (
        min(box["xmin"] for box in boxes),
        min(box["ymin"] for box in boxes),
        max(box["xmax"] for box in boxes),
        max(box["ymax"] for box in boxes),
    )


def words_of(paragraph: Paragraph) -> list[Word]:
    """All words of a paragraph."""
    return [word for line in paragraph for word in line]


def is_upright_box(polygon: list[list[float]]) -> bool:
    """Whether a polygon says no more than the box around it: its points lie at the box's corners."""
    xs, ys = zip(*polygon, strict=True)
    at_corners = all(
        min(abs(x - min(xs)), abs(x - max(xs))) < 1 and min(abs(y - min(ys)), abs(y - max(ys))) < 1
        for x, y in polygon
    )
    return len(polygon) == 4 and at_corners


def xml_text(text: str) -> str:
    """`text` with a replacement character for each that XML 1.0 does not allow, escaped or not."""
    return "".join(character if _is_allowed_in_xml(ord(character)) else "\ufffd" for character in text)


def _is_allowed_in_xml(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
