"""One annotated photo: the record type that every corpus loader and the text image generator return.

Only PIL and numpy are needed here; pixels are read when `load_image` asks for them, so that a list of a
million records costs no memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from tcm_hf.processing.image_loading import load_rgb_image

DO_NOT_CARE = "###"
"""The transcription of a text that nobody could read."""
_LARGEST_SIDE = 1 << 31


@dataclass
class TextInstance:
    """One annotated word or line of text.

    Args:
        polygon_xy: Corner points, shape (P, 2), float32, pixels of the upright image (x right, y down, pixel
            edges 0..W), clockwise on screen, starting at the top-left corner of the text.
        text: The transcription, or None where it is unknown.
        ignore: True when the instance is "do not care": neither a hit nor a miss (illegible, "###").
        language: A script or language tag where the corpus gives one.
    """

    polygon_xy: np.ndarray
    text: str | None = None
    ignore: bool = False
    language: str | None = None

    def __post_init__(self) -> None:
        self.polygon_xy = np.asarray(self.polygon_xy, dtype=np.float32)
        if self.polygon_xy.ndim != 2 or self.polygon_xy.shape[1] != 2:
            raise ValueError(
                "`polygon_xy` must have shape (P, 2), one (x, y) a row: "
                f"got {self.polygon_xy.shape}. Reshape the flat list of coordinates to (-1, 2)."
            )


@dataclass
class TextRecord:
    """An image with its annotated text.

    Args:
        image: A file path (read lazily), a PIL image, an RGB array (H, W, 3) uint8, or the bytes of an
            encoded image (JPEG, PNG, …).
        instances: The annotated text, possibly none.
        level: What one instance is: a "word" or a whole "line".
        name: A short name for logs and result files; taken from the path when not given.
        size_hw: Height and width of the picture as the annotation tells them, pixels; None where it does not.
            The picture itself is not asked: where both differ, the annotation was made in another frame.
    """

    image: Path | Image.Image | np.ndarray | bytes
    instances: list[TextInstance] = field(default_factory=list)
    level: Literal["word", "line"] = "word"
    name: str = ""
    size_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.image, str | os.PathLike):
            self.image = Path(self.image)
            self.name = self.name or self.image.name
        if self.level not in ("word", "line"):
            raise ValueError(f'`level` must be "word" or "line": got {self.level!r}.')

    def load_image(self) -> np.ndarray:
        """Read the pixels, as the image processor reads them.

        Returns:
            Array (H, W, 3), uint8, RGB, EXIF-upright: the frame of the polygons. What is transparent is
            white, 16-bit greys are scaled to 8 bits.

        Raises:
            ValueError: If an array image is not (H, W, 3) uint8, or the file is missing or cannot be read as
                an image.
        """
        if isinstance(self.image, np.ndarray):
            if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
                raise ValueError(
                    "An array image must be RGB of shape (H, W, 3) and dtype uint8: "
                    f"got shape {self.image.shape}, dtype {self.image.dtype}. Convert it first."
                )
            return self.image
        return np.ascontiguousarray(np.asarray(load_rgb_image(self.image), dtype=np.uint8))

    @property
    def polygons_xy(self) -> list[np.ndarray]:
        """The polygons, each (P, 2) float32, in instance order."""
        return [instance.polygon_xy for instance in self.instances]

    @property
    def ignore(self) -> np.ndarray:
        """Shape (N,), bool: which instances are "do not care"."""
        return np.array([instance.ignore for instance in self.instances], dtype=bool)

    @property
    def texts(self) -> list[str | None]:
        """The transcriptions, None where unknown."""
        return [instance.text for instance in self.instances]


def record_from_row(row: dict[str, Any], folder: Path, level: Literal["word", "line"] = "word") -> TextRecord:
    """Build a record from one row of `metadata.jsonl`; no pixel is read.

    Args:
        row: The decoded JSON object: `file_name`, `polygons`, and optionally `texts`, `ignore` and
            `languages`, each with one entry a polygon, and `width` and `height`. Without `ignore`, the texts
            "###" are do-not-care.
        folder: Where `file_name` is looked up.
        level: What one polygon is.

    Raises:
        KeyError: If `file_name` or `polygons` is missing.
        ValueError: If a list has not one entry a polygon, or a polygon is not (P, 2).
    """
    polygons, name = row["polygons"], row["file_name"]
    if isinstance(polygons, str | dict) or not hasattr(polygons, "__len__"):
        raise ValueError(f"expected a list of polygons, got {str(polygons)[:40]!r}")
    if not isinstance(name, str):
        raise ValueError(f"expected `file_name` as a string, got {name!r}")
    texts = _one_a_polygon(row, "texts") or [None] * len(polygons)
    ignore = _one_a_polygon(row, "ignore") or [text == DO_NOT_CARE for text in texts]
    languages = _one_a_polygon(row, "languages") or [None] * len(polygons)
    with np.errstate(over="ignore"):  # what is too large for a number is told as infinite
        instances = [
            TextInstance(np.asarray(polygon, dtype=np.float32), text, flag_of(skip), language)
            for polygon, text, skip, language in zip(polygons, texts, ignore, languages, strict=True)
        ]
    return TextRecord(folder / name, instances, level, size_hw=size_hw_of(row))


def flag_of(value: Any) -> bool:
    """A flag as files have it: true or false, 1 or 0, "yes" or "no"; nothing is false.

    Raises:
        ValueError: It is none of these.
    """
    text = str(value).strip().lower()
    if value is None or text in ("", "false", "no", "0", "0.0", "n", "off"):
        return False
    if text in ("true", "yes", "1", "1.0", "y", "on"):
        return True
    raise ValueError(f"expected true or false, got {str(value)[:40]!r}")


def size_hw_of(
    values: Mapping[str, Any], height: str = "height", width: str = "width"
) -> tuple[int, int] | None:
    """Height and width of a picture as an annotation tells them, pixels; None where one of them is nothing.

    Args:
        values: Holds them.
        height: The name of the one.
        width: The name of the other.

    Raises:
        ValueError: They are no numbers, or no picture can be of that size.
    """
    told = values.get(height), values.get(width)
    if not all(told):
        return None
    try:
        size_hw = int(told[0]), int(told[1])  # type: ignore[arg-type]  # what comes is told below
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected {height} and {width} as whole numbers, got {str(told)[:60]}") from None
    if not all(0 < side < _LARGEST_SIDE for side in size_hw):
        raise ValueError(f"no picture has the {height} and {width} {str(told)[:60]}")
    return size_hw


def row_from_record(record: TextRecord, file_name: str, size_hw: tuple[int, int]) -> dict[str, Any]:
    """The row of `metadata.jsonl` that describes a record; `record_from_row` reads it back.

    Args:
        record: The record.
        file_name: The image's path relative to the metadata file.
        size_hw: Height and width of the image, pixels.

    Returns:
        A dict that `json.dumps` takes; an unknown text or language is None. `languages` is there only where
        one is known, `level` only where it is not "word".
    """
    languages = [instance.language for instance in record.instances]
    return {
        "file_name": file_name,
        "width": int(size_hw[1]),
        "height": int(size_hw[0]),
        "polygons": [
            [[round(float(x), 2), round(float(y), 2)] for x, y in polygon] for polygon in record.polygons_xy
        ],
        "texts": record.texts,
        "ignore": record.ignore.tolist(),
        **({"languages": languages} if any(languages) else {}),
        **({"level": record.level} if record.level != "word" else {}),
    }


def _one_a_polygon(row: dict[str, Any], name: str) -> list | None:
    values, count = row.get(name), len(row["polygons"])
    if isinstance(values, str | dict) or not (values is None or hasattr(values, "__len__")):
        raise ValueError(f"expected a list of `{name}`, got {str(values)[:40]!r}")
    if values is not None and len(values) != count:
        raise ValueError(f"expected one of `{name}` a polygon, got {len(values)} for {count}")
    return values
