"""What can be said of picture files without decoding them: their upright size, and which are the same."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["equal_files", "lies_there", "require_pictures", "size_conflict", "upright_size_hw"]

_ORIENTATION_TAG = 0x0112  # of EXIF
_TURNED_BY_A_QUARTER = (5, 6, 7, 8)
# Of the records of a larger corpus so many are asked for their file, spread evenly.
_MOST_ASKED = 20_000


def upright_size_hw(image: Path | bytes | np.ndarray | Image.Image) -> tuple[int, int]:
    """Height and width of a picture as it is looked at, pixels; of a file only the header is read.

    Args:
        image: a file, the bytes of an encoded picture, an array (H, W, …), or a PIL picture.

    Raises:
        ValueError: the file is missing, or it or the bytes are no picture.
    """
    if isinstance(image, np.ndarray):
        return int(image.shape[0]), int(image.shape[1])
    if isinstance(image, Image.Image):
        return _size_of(image)
    name = f"{len(image)} bytes" if isinstance(image, bytes) else image
    try:
        with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as file:
            return _size_of(file)
    except Exception as error:  # Pillow's readers let errors of all kinds of a broken file through
        raise ValueError(f"Cannot read the image {name}: {error}.") from error


def size_conflict(told_hw: tuple[int, int] | None, size_hw: tuple[int, int]) -> str:
    """What is to be said where an annotation was made on a picture of another size; "" where it was not.

    Args:
        told_hw: height and width as the annotation tells them, None where it does not.
        size_hw: those of the picture, upright.
    """
    if told_hw is None or told_hw == size_hw:
        return ""
    turned = " (turned by its EXIF tag?)" if told_hw == size_hw[::-1] else ""
    return f"annotated as {told_hw[1]}x{told_hw[0]}, it is {size_hw[1]}x{size_hw[0]}{turned}"


def lies_there(path: Path) -> bool:
    """Whether there is such a file; there is none of a name that is longer than names can be."""
    try:
        return path.is_file()
    except OSError:
        return False


def equal_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Groups of files with the same bytes, in the order given; what is missing is left out.

    Only files of equal size are read.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        if lies_there(path):
            by_size[path.stat().st_size].append(path)
    groups: dict[bytes, list[Path]] = defaultdict(list)
    for alike in by_size.values():
        if len(alike) > 1:
            for path in alike:
                groups[hashlib.sha1(path.read_bytes()).digest()].append(path)
    return [group for group in groups.values() if len(group) > 1]


def require_pictures(records: Sequence[Any], source: Path) -> None:
    """See that the picture files of records are there: now, not when a training comes to them hours later.

    Args:
        records: Of any kind; of more than 20 000 as many are looked at, spread evenly. Where the first holds
            its picture itself, as those of data bases do, none is.
        source: Where their annotations lie, for the message.

    Raises:
        ValueError: Some are not there.
    """
    if not len(records) or not isinstance(records[0].image, Path):
        return
    count = min(len(records), _MOST_ASKED)
    asked = (records[place * len(records) // count] for place in range(count))
    missing = [
        record.name for record in asked if isinstance(record.image, Path) and not lies_there(record.image)
    ]
    if missing:
        raise ValueError(
            f"The annotations of {source} name {len(missing)} images that are not there, the first is "
            f"{missing[0]}. Drop their lines, or name the range of those that are there."
        )


def _size_of(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(_ORIENTATION_TAG) in _TURNED_BY_A_QUARTER
    return (image.width, image.height) if turned else (image.height, image.width)
