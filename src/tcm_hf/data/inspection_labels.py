"""Numbers about texts and objects, picture by picture, and what is hardly meant so."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from tcm_hf.data.records import TextRecord
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.words import WordRecord
from tcm_hf.processing.polygons import perimeter_px, polygon_area

__all__ = ["ObjectTally", "TextTally", "WordTally", "spread", "text_height_px"]

SizeHW = tuple[int, int]

_BORDER_PX = 2.0  # annotators often end a text one pixel beyond the picture
_SMALL_PX = 8.0  # half of what a detector's output of a quarter of the size can still separate
_LONG = 25  # characters that the published readers write at most
_SHOWN_CHARACTERS = 200


class CharacterTally:
    """Lengths and characters of transcriptions."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.characters: Counter[str] = Counter()

    def add(self, text: str) -> Iterator[str]:
        """Count a transcription; gives what is odd about it."""
        self.lengths.append(len(text))
        self.characters.update(text)
        if text != text.strip():
            yield f"white space around {text!r}"
        odd = [
            letter for letter in text if letter == "\ufffd" or unicodedata.category(letter) in ("Cc", "Cs")
        ]
        if odd:
            yield f"{text!r} holds {odd[0]!r}: a wrong encoding?"

    def counts(self) -> dict[str, Any]:
        """Numbers, fit for JSON."""
        beyond = "".join(sorted(letter for letter in self.characters if not letter.isascii()))
        return {
            "length": spread(self.lengths),
            f"longer_than_{_LONG}": sum(length > _LONG for length in self.lengths),
            "characters": len(self.characters),
            "beyond_ascii": beyond[:_SHOWN_CHARACTERS],
        }


class OutlineTally:
    """Sizes and shapes of polygons."""

    def __init__(self) -> None:
        self.heights: list[float] = []
        self.points: Counter[int] = Counter()
        self.crossing = self.beyond = self.flat = 0

    def add(self, polygon_xy: np.ndarray, size_hw: SizeHW | None) -> Iterator[str]:
        """Count a polygon (P, 2) of a picture; gives what is odd about it."""
        self.points[len(polygon_xy)] += 1
        self.heights.append(text_height_px(polygon_xy))
        shape = shapely.Polygon(polygon_xy)
        if not shape.is_valid:
            is_flat = shape.convex_hull.area == 0
            self.flat += is_flat
            self.crossing += not is_flat
            yield "it has no area" if is_flat else "its outline crosses itself"
        if size_hw is not None:
            low, high = polygon_xy.min(axis=0), polygon_xy.max(axis=0)
            far = np.array([size_hw[1], size_hw[0]])
            self.beyond += bool((low < -_BORDER_PX).any() or (high > far + _BORDER_PX).any())
            if (high <= 0).any() or (low >= far).any():
                yield f"it lies outside of the picture ({size_hw[1]}x{size_hw[0]})"

    def counts(self) -> dict[str, Any]:
        """Numbers, fit for JSON."""
        return {
            "height_px": spread(self.heights),
            f"lower_than_{_SMALL_PX:.0f}_px": sum(height < _SMALL_PX for height in self.heights),
            "points": {str(number): self.points[number] for number in sorted(self.points)},
            "crossing_themselves": self.crossing,
            "without_area": self.flat,
            "beyond_the_border": self.beyond,
        }


class TextTally:
    """Numbers about annotated photos."""

    def __init__(self) -> None:
        self.per_picture: list[int] = []
        self.ignored = self.transcribed = 0
        self.languages: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.outlines = OutlineTally()
        self.characters = CharacterTally()

    def add(self, record: TextRecord, size_hw: SizeHW | None) -> Iterator[str]:
        """Count the texts of a photo; gives what is odd about them."""
        self.per_picture.append(len(record.instances))
        self.levels[record.level] += len(record.instances)
        seen: dict[bytes, int] = {}
        for number, instance in enumerate(record.instances, start=1):
            reasons = list(self.outlines.add(instance.polygon_xy, size_hw))
            self.ignored += instance.ignore
            if instance.language:
                self.languages[instance.language] += 1
            if instance.text and not instance.ignore:
                self.transcribed += 1
                reasons += self.characters.add(instance.text)
            first = seen.setdefault(instance.polygon_xy.tobytes(), number)
            if first != number:
                reasons.append(f"it has the outline of text {first}")
            named = f"text {number}" if not instance.text else f"text {number} ({instance.text[:20]!r})"
            yield from (f"{named}: {reason}" for reason in reasons)

    def counts(self) -> dict[str, Any]:
        """Numbers, fit for JSON."""
        return {
            "texts": {
                "all": sum(self.per_picture),
                "ignored": self.ignored,
                "transcribed": self.transcribed,
                "a_picture": spread(self.per_picture),
                "pictures_without": sum(count == 0 for count in self.per_picture),
                "levels": dict(self.levels.most_common()),
                "languages": dict(self.languages.most_common()),
            },
            "outlines": self.outlines.counts(),
            "transcriptions": self.characters.counts(),
        }


class WordTally:
    """Numbers about crops of words."""

    def __init__(self) -> None:
        self.empty = self.upright = 0
        self.characters = CharacterTally()

    def add(self, record: WordRecord, size_hw: SizeHW | None) -> Iterator[str]:
        """Count a word; gives what is odd about it."""
        if size_hw is not None and size_hw[0] > 1.5 * size_hw[1] and len(record.text) > 1:
            self.upright += 1
        if not record.text:
            self.empty += 1
            yield "its text is empty"
        yield from self.characters.add(record.text)

    def counts(self) -> dict[str, Any]:
        """Numbers, fit for JSON."""
        texts = {"all": len(self.characters.lengths), "empty": self.empty, "in_tall_crops": self.upright}
        return {"texts": texts, "transcriptions": self.characters.counts()}


class ObjectTally:
    """Numbers about rotated objects."""

    def __init__(self) -> None:
        self.per_picture: list[int] = []
        self.difficult = 0
        self.classes: Counter[str] = Counter()
        self.outlines = OutlineTally()

    def add(self, record: RotatedRecord, size_hw: SizeHW | None) -> Iterator[str]:
        """Count the objects of a photo; gives what is odd about them."""
        self.per_picture.append(len(record.class_names))
        self.difficult += int(record.difficult.sum())
        self.classes.update(record.class_names)
        for number, (polygon, name) in enumerate(
            zip(record.polygons_xy, record.class_names, strict=True), start=1
        ):
            for reason in self.outlines.add(polygon, size_hw):
                yield f"object {number} ({name}): {reason}"

    def counts(self) -> dict[str, Any]:
        """Numbers, fit for JSON."""
        return {
            "objects": {
                "all": sum(self.per_picture),
                "difficult": self.difficult,
                "a_picture": spread(self.per_picture),
                "pictures_without": sum(count == 0 for count in self.per_picture),
                "classes": dict(self.classes.most_common()),
            },
            "outlines": self.outlines.counts(),
        }


def text_height_px(polygon_xy: np.ndarray) -> float:
    """Height of a text, straight or curved: the short side of a rectangle of its area and perimeter.

    Args:
        polygon_xy: (P, 2).

    Returns:
        Pixels; for what is rounder than any rectangle the side of the square of its area.
    """
    area, half = polygon_area(polygon_xy), perimeter_px(polygon_xy) / 2
    under_root = half * half - 4 * area
    return (half - math.sqrt(under_root)) / 2 if under_root > 0 else math.sqrt(area)


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Least, median and greatest value and the 5 % and 95 % points; None where there are no values."""
    if not values:
        return None
    points = np.percentile(np.asarray(values, np.float64), [0, 5, 50, 95, 100])
    names = ("min", "p5", "median", "p95", "max")
    return {name: round(float(point), 1) for name, point in zip(names, points, strict=True)}
