"""What `pipeline("text-spotting")` returns: words, and lines and paragraphs made of them. No torch."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NotRequired, TypedDict

import numpy as np

from .pixel_boxes import Box, whole_pixel_box
from .reading_order import bounding_quad, group_words
from .recognized_text import RecognizedCharacter, RecognizedText


class SpottedWord(TypedDict):
    """One word of an image, in pixels of the upright (EXIF-rotated) original; x right, y down.

    `score` is that of the reading, `detection_score` that of the place, both 0..1. The polygon runs clockwise
    from the corner where reading starts: along the tops of the letters, then back along their feet, with
    equally many points, two and two unless the word is curved. `line` and `paragraph` count from 0 in the
    order of reading, through the whole image. `characters` is there on request, `edit_distance` where a word
    of a lexicon was taken.
    """

    text: str
    score: float
    detection_score: float
    polygon: list[list[float]]
    box: Box
    line: int
    paragraph: int
    characters: NotRequired[list[RecognizedCharacter]]
    edit_distance: NotRequired[int]


class SpottedLine(TypedDict):
    """Words of one line, joined by spaces.

    `score` is the mean of the words'; `polygon` is the rectangle around them, from the corner where reading
    starts, which may reach out of the image; `box` is the upright one.
    """

    text: str
    score: float
    polygon: list[list[float]]
    box: Box
    words: list[SpottedWord]


class SpottedParagraph(TypedDict):
    """Lines that belong together, joined by newlines; the other keys as of lines."""

    text: str
    score: float
    polygon: list[list[float]]
    box: Box
    lines: list[SpottedLine]


Spotted = list[SpottedWord] | list[SpottedLine] | list[SpottedParagraph]


class ReadWord(TypedDict):
    """A word before its place in the order of reading is known.

    `outline` and `corners` start where reading starts.
    """

    read: RecognizedText
    detection_score: float
    outline: list[list[float]]
    corners: list[list[float]]


def read_word(detection_score: float, crop: Any, read: RecognizedText, quarter_turns: int) -> ReadWord:
    """Put together what is known of a word.

    Args:
        detection_score: What the detector said.
        crop: What was cut out: `outline_xy` and `corners_xy`, clockwise from the top left of the crop.
        read: What the recogniser said.
        quarter_turns: How often the crop was turned anticlockwise before it was read.
    """
    # Turned anticlockwise once, the top right corner of the crop comes to be its top left.
    corners = np.roll(crop.corners_xy, -quarter_turns, axis=0)
    start = np.linalg.norm(crop.outline_xy - corners[0], axis=1).argmin()
    outline = np.roll(crop.outline_xy, -start, axis=0)
    return {
        "read": read,
        "detection_score": detection_score,
        "outline": outline.tolist(),
        "corners": corners.tolist(),
    }


def in_order(
    words: Sequence[ReadWord],
    output: str | None = None,
    sort: str | None = None,
    with_characters: bool = False,
) -> Spotted:
    """The words of an image as they are handed out.

    Args:
        words: In any order.
        output: "words", "lines" or "paragraphs"; None for words.
        sort: "reading", or "score" for the best first; None for reading.
        with_characters: Whether the words keep their characters.
    """
    paragraphs = arrange(words, with_characters)
    lines = [line for paragraph in paragraphs for line in paragraph["lines"]]
    results: dict[str, Any] = {
        "words": [word for line in lines for word in line["words"]],
        "lines": lines,
        "paragraphs": paragraphs,
    }
    wanted = results[output or "words"]
    return sorted(wanted, key=itemgetter("score"), reverse=True) if sort == "score" else wanted


def arrange(words: Sequence[ReadWord], with_characters: bool = False) -> list[SpottedParagraph]:
    """Paragraphs of lines of words, all in the order of reading.

    Args:
        words: In any order.
        with_characters: Whether the words keep their characters.
    """
    corners = np.array([word["corners"] for word in words], dtype=np.float64).reshape(-1, 4, 2)
    paragraphs: list[SpottedParagraph] = []
    count = 0
    for number, of_paragraph in enumerate(group_words(corners)):
        lines: list[SpottedLine] = []
        for of_line in of_paragraph:
            spotted = [_spotted(words[i], count, number, with_characters) for i in of_line]
            lines.append(
                {
                    "text": " ".join(word["text"] for word in spotted),
                    "score": _mean_score(spotted),
                    "polygon": bounding_quad(corners[of_line]).tolist(),
                    "box": _common_box(spotted),
                    "words": spotted,
                }
            )
            count += 1
        inside = corners[[i for of_line in of_paragraph for i in of_line]]
        spotted = [word for line in lines for word in line["words"]]
        paragraphs.append(
            {
                "text": "\n".join(line["text"] for line in lines),
                "score": _mean_score(spotted),
                "polygon": bounding_quad(inside).tolist(),
                "box": _common_box(spotted),
                "lines": lines,
            }
        )
    return paragraphs


def _spotted(word: ReadWord, line: int, paragraph: int, with_characters: bool) -> SpottedWord:
    read = word["read"]
    xs, ys = zip(*word["outline"], strict=True)
    spotted: SpottedWord = {
        "text": read["text"],
        "score": read["score"],
        "detection_score": word["detection_score"],
        "polygon": word["outline"],
        "box": whole_pixel_box((min(xs), min(ys), max(xs), max(ys))),
        "line": line,
        "paragraph": paragraph,
    }
    if with_characters:
        spotted["characters"] = read["characters"]
    if "edit_distance" in read:
        spotted["edit_distance"] = read["edit_distance"]
    return spotted


def _mean_score(words: Sequence[SpottedWord]) -> float:
    return sum(word["score"] for word in words) / len(words)


def _common_box(words: Sequence[SpottedWord]) -> Box:
    boxes = [word["box"] for word in words]
    return {
        "xmin": min(box["xmin"] for box in boxes),
        "ymin": min(box["ymin"] for box in boxes),
        "xmax": max(box["xmax"] for box in boxes),
        "ymax": max(box["ymax"] for box in boxes),
    }
