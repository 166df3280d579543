"""Records of a large corpus in a few arrays; each is made when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tcm_hf.data.lazy_sequence import LazySequence
from tcm_hf.data.records import TextInstance, TextRecord

__all__ = ["PackedRecords"]

_LARGEST_PX = 1 << 31
_UNKNOWN = -1  # the number of a language that is not known


class PackedRecords(LazySequence[TextRecord]):
    """A growing list of records that keeps numbers and bytes, not objects; `append` copies what it is given.

    A text costs about 50 bytes and its points, a record about 20 bytes and its name.

    Args:
        folder: Where the images lie; of those in it only the rest of the path is kept.
        level: What one text is, of all records.
    """

    def __init__(self, folder: Path, level: Literal["word", "line"] = "word") -> None:
        self.folder = folder
        self.level = level
        self._names = _Strings()
        self._sizes = array("i")  # height, width; 0, 0 where unknown
        self._last_text = array("q")  # of each record, one behind it
        self._texts = _Strings()
        self._last_point = array("q")  # of each text, one behind it
        self._points = array("f")
        self._ignore = bytearray()
        self._languages: list[str] = []
        self._language = array("h")

    def append(
        self, image: Path, instances: Sequence[TextInstance], size_hw: tuple[int, int] | None = None
    ) -> None:
        """Add a record.

        Args:
            image: The image's path, in the folder or elsewhere.
            instances: Its texts.
            size_hw: Height and width that the annotation tells, pixels.

        Raises:
            ValueError: The size is that of no picture. Nothing was added then.
        """
        height, width = size_hw or (0, 0)
        if not 0 <= height < _LARGEST_PX > width >= 0:
            raise ValueError(f"expected the size of a picture, got width {width} and height {height}")
        # All that can fail is made before the first is added: what is half added would shift all that follow.
        points = [np.ascontiguousarray(polygon.polygon_xy, dtype=np.float32) for polygon in instances]
        languages = array("h", [self._language_number(instance.language) for instance in instances])
        name = _within(image, self.folder)
        for instance, outline in zip(instances, points, strict=True):
            self._points.frombytes(outline.tobytes())
            self._last_point.append(len(self._points) // 2)
            self._texts.append(instance.text)
            self._ignore.append(instance.ignore)
        self._language.extend(languages)
        self._names.append(name)
        self._sizes.extend((height, width))
        self._last_text.append(len(self._ignore))

    def __len__(self) -> int:
        return len(self._last_text)

    def _item(self, place: int) -> TextRecord:
        first = self._last_text[place - 1] if place else 0
        instances = [self._instance(text) for text in range(first, self._last_text[place])]
        height, width = self._sizes[2 * place : 2 * place + 2]
        return TextRecord(
            self.folder / str(self._names[place]),
            instances,
            self.level,
            size_hw=(height, width) if height else None,
        )

    def _instance(self, number: int) -> TextInstance:
        first = self._last_point[number - 1] if number else 0
        points = self._points[2 * first : 2 * self._last_point[number]]
        language = self._language[number]
        return TextInstance(
            np.array(points, dtype=np.float32).reshape(-1, 2),
            self._texts[number],
            bool(self._ignore[number]),
            None if language == _UNKNOWN else self._languages[language],
        )

    def _language_number(self, language: str | None) -> int:
        if language is None:
            return _UNKNOWN
        if language not in self._languages:
            self._languages.append(language)
        return self._languages.index(language)


def _within(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path.absolute())


class _Strings:
    """Strings, or None, one behind the other in UTF-8."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q")
        self._missing: set[int] = set()

    def append(self, text: str | None) -> None:
        if text is None:
            self._missing.add(len(self._ends))
        else:
            self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __getitem__(self, place: int) -> str | None:
        if place in self._missing:
            return None
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode("utf-8", "surrogatepass")
