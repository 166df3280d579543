"""What is drawn and written on a task of Label Studio, in both of its forms of JSON.

Coordinates are per cent of the picture. A rectangle is turned clockwise around its own top left corner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tcm_hf.data.corpora.tool_values import (
    TEXT_NAMES,
    as_list,
    as_object,
    attributed_instance,
    means_ignore,
    text_or_none,
    turned,
)
from tcm_hf.data.records import TextInstance, size_hw_of

__all__ = ["Region", "regions_of", "regions_of_min"]

_DRAWN = ("rectangle", "rectanglelabels", "polygon", "polygonlabels")
_NOT_OUTLINES = ("ellipse", "ellipselabels", "brush", "brushlabels", "keypoint", "keypointlabels", "vector")
_LABEL_KEYS = ("labels", "rectanglelabels", "polygonlabels", "choices")


@dataclass
class Region:
    """One outline and what was said about it.

    Args:
        name: Its id or place, for messages.
        value: `x`, `y`, `width`, `height`, `rotation`, or `points`, per cent.
        size_hw: Height and width of the picture in pixels, None where it is not said.
        texts: What was written about it.
        labels: Its labels and choices.
        fault: Why it is no outline of a text, if it is none.
    """

    name: str
    value: dict[str, Any]
    size_hw: tuple[int, int] | None = None
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    fault: str = ""

    def instance(self) -> TextInstance:
        """The text.

        Raises:
            ValueError: It is no outline of a text, or numbers are missing.
        """
        if self.fault:
            raise ValueError(self.fault)
        if self.size_hw is None:
            raise ValueError("expected original_width and original_height, which turn per cent into pixels")
        ignore = any(map(means_ignore, self.labels))
        return attributed_instance(
            self._points(*self.size_hw), "", {"text": " ".join(self.texts), "ignore": ignore}
        )

    def _points(self, height: int, width: int) -> np.ndarray:
        value, scale = self.value, np.array([width, height]) / 100
        if "points" in value:
            return np.asarray(value["points"], dtype=np.float64).reshape(-1, 2) * scale
        left, top = value["x"] * width / 100, value["y"] * height / 100
        box = (left, top, value["width"] * width / 100, value["height"] * height / 100)
        return turned(box, value.get("rotation") or 0, pivot_xy=(left, top))


def regions_of(result: Iterable[dict[str, Any]]) -> list[Region]:
    """The regions of an annotation in the export JSON: its entries of one id belong together.

    Args:
        result: The list of that name; relations and what is said of the whole picture are left out.
    """
    entries = [
        (str(as_object(entry).get("id")), entry, as_object(entry.get("value") or {})) for entry in result
    ]
    regions: dict[str, Region] = {}
    for name, entry, value in entries:
        kind = entry.get("type")
        if kind in _DRAWN or kind in _NOT_OUTLINES or _has_outline(value):
            region = regions.setdefault(name, Region(name, value))
            region.size_hw = _size_hw(entry) or region.size_hw
            region.value = value if kind in _DRAWN else region.value
            region.fault = region.fault or _fault(entry)
    for name, entry, value in entries:
        is_of_a_region = name in regions or entry.get("original_width")
        if entry.get("type") == "textarea" and is_of_a_region:
            lost = Region(name, {}, fault="its text has no outline: draw it again, or delete the text")
            regions.setdefault(name, lost).texts += _texts(value.get("text"))
        elif name in regions:
            regions[name].labels += _labels(value)
    return list(regions.values())


def regions_of_min(row: dict[str, Any]) -> list[Region]:
    """The regions of a row of JSON-MIN: lists of outlines and of texts that follow one another alike.

    Args:
        row: A list a control ("bbox", "label", "transcription", …), beside the data of the task.

    Raises:
        ValueError: There are other numbers of outlines and texts, or their order is not certain.
    """
    lists = {name: value for name, value in row.items() if isinstance(value, list)}
    texts = [value for value in lists.values() if any(map(_is_text, value))]
    texts += [[row[name]] for name in TEXT_NAMES if isinstance(row.get(name), str)]
    drawn = [
        value for value in lists.values() if value not in texts and all(map(_has_outline, value)) and value
    ]
    # The list of labels has outlines of all kinds in the order in which they were made.
    drawn.sort(key=lambda value: "labels" not in value[0])
    regions: dict[str, Region] = {}
    for value in (value for values in drawn for value in values):
        region = regions.setdefault(_geometry(value), Region(str(len(regions) + 1), value, _size_hw(value)))
        region.labels += _labels(value)
        region.fault = region.fault or _fault(value)
    if not any(texts):
        return list(regions.values())
    kinds = {"points" in value for values in drawn for value in values}
    in_order = len(kinds) < 2 or (drawn and "labels" in drawn[0][0])
    if len(texts) > 1 or len(texts[0]) != len(regions) or not in_order:
        raise ValueError(
            f"JSON-MIN does not say which of {sum(map(len, texts))} texts belongs to which of {len(regions)} "
            "regions: export as JSON"
        )
    for region, said in zip(regions.values(), texts[0], strict=True):
        region.texts = _texts(said.get("text") if isinstance(said, dict) else said)
    return list(regions.values())


def _is_text(value: Any) -> bool:
    # A region without text has its outline in the list of texts (Label Studio, issue 4504).
    return isinstance(value, str) or (isinstance(value, dict) and "text" in value)


def _has_outline(value: Any) -> bool:
    return isinstance(value, dict) and ("points" in value or {"x", "y", "width", "height"} <= value.keys())


def _fault(entry: dict[str, Any]) -> str:
    if entry.get("type") in _NOT_OUTLINES:
        return f"a region of type {entry['type']} is no outline of a text: draw a rectangle or a polygon"
    if entry.get("image_rotation"):
        return (
            f"its picture was turned by {entry['image_rotation']} degrees in the tool: turn the file instead"
        )
    return ""


def _geometry(value: dict[str, Any]) -> str:
    return str(value.get("points") or [value.get(name) for name in ("x", "y", "width", "height", "rotation")])


def _size_hw(entry: dict[str, Any]) -> tuple[int, int] | None:
    return size_hw_of(entry, "original_height", "original_width")


def _texts(said: Any) -> list[str]:
    return [text for one in (said if isinstance(said, list) else [said]) if (text := text_or_none(one))]


def _labels(value: dict[str, Any]) -> list[str]:
    return [str(label) for key in _LABEL_KEYS for label in as_list(value.get(key))]
