"""The folder that a writer fills: it appears whole or not at all; pictures get names of their own in it."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tcm_hf.data.corpora.files import IMAGE_SUFFIXES
from tcm_hf.data.image_files import upright_size_hw
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord
from tcm_hf.data.writing.losses import Loss
from tcm_hf.processing.polygons import min_area_quad

__all__ = [
    "Output",
    "Picture",
    "Report",
    "encoded",
    "one_line",
    "points_of",
    "quad_of",
    "rectangle_of",
    "text_or_hashes",
    "whole_folder",
    "whole_points_of",
    "written",
]

# By the names that PIL gives to what bytes hold; MPO is a JPEG with a second picture behind it (phones).
_SUFFIXES = {
    "BMP": ".bmp",
    "GIF": ".gif",
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
}


# What would end a line or a cell of a list, or cannot be in a file's name somewhere; halves of characters.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # on Windows
_LONGEST_STEM = 200  # bytes: of 255, with room for what stands before and behind


@dataclass
class Report:
    """What was written.

    Args:
        pictures: How many photos, or crops of words.
        texts: How many texts.
        lost: What the format cannot hold, and of how many texts.
    """

    pictures: int = 0
    texts: int = 0
    lost: Counter[str] = field(default_factory=Counter)


class Picture(NamedTuple):
    """A picture in the output."""

    path: str
    """Relative to the folder, with slashes."""
    size_hw: tuple[int, int]
    """Upright."""

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The file name without its suffix; no other picture of the output has it."""
        return self.name.rpartition(".")[0]


class Output:
    """A folder in the making; see `written`.

    Args:
        folder: Where it is made.
        losses: What the format cannot hold.
        copy_images: Whether pictures are copied; else symbolic links lead to them.
    """

    def __init__(self, folder: Path, losses: Iterable[Loss], copy_images: bool) -> None:
        self.folder = folder
        self.losses = tuple(losses)
        self.copy_images = copy_images
        self.report = Report()
        self._stems: Counter[str] = Counter()

    def picture(self, record: Any, below: str = "", name: str = "") -> Picture:
        """Place the picture of a record, and count the record and what it loses.

        Args:
            record: A `TextRecord`, `WordRecord` or `RotatedRecord`.
            below: A folder in the output.
            name: See `add`.

        Raises:
            ValueError: The picture is not there or is none.
        """
        picture = self.add(record, below, name)
        path = self.path_of(picture.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(record.image, Path) or not _has_suffix(record.image):
            path.write_bytes(encoded(record))
        elif self.copy_images:
            shutil.copyfile(record.image, path)
        else:
            path.symlink_to(record.image.resolve())
        return picture

    def add(self, record: Any, below: str = "", name: str = "") -> Picture:
        """Count a record and what it loses, and name its picture, which is not written.

        Args:
            record: As of `picture`.
            below: As of `picture`.
            name: Its file name without suffix; the record's, made different from the others', when not given.

        Raises:
            ValueError: The picture is not there or is none.
        """
        size_hw = upright_size_hw(record.image)
        stem = name or self._own_stem(_file_stem(record.name or "picture"))
        self.report.pictures += 1
        self._count(record)
        return Picture(f"{below}/{stem}{_suffix(record.image)}".lstrip("/"), size_hw)

    def path_of(self, name: str) -> Path:
        """A path in the output."""
        return self.folder / name

    def text(self, name: str, content: str) -> None:
        """Write a text file."""
        path = self.path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")

    def _own_stem(self, stem: str) -> str:
        number = self._stems[stem.lower()]
        self._stems[stem.lower()] += 1
        return self._own_stem(f"{stem}_{number + 1}") if number else stem

    def _count(self, record: Any) -> None:
        if not isinstance(record, TextRecord):
            self.report.texts += 1
            return
        self.report.texts += len(record.instances)
        for loss in self.losses:
            count = sum(loss.touches(instance, record.level) for instance in record.instances)
            self.report.lost.update({loss.what: count} if count else {})


@contextmanager
def written(folder: Path | str, losses: Iterable[Loss] = (), copy_images: bool = True) -> Iterator[Output]:
    """Give an `Output` and move it to its place when the block ends without an error.

    Args:
        folder: The folder; made with its parents.
        losses: What the format cannot hold.
        copy_images: See `Output`.

    Raises:
        ValueError: There is something in the folder already.
    """
    with whole_folder(folder) as temporary:
        yield Output(temporary, losses, copy_images)


@contextmanager
def whole_folder(folder: Path | str) -> Iterator[Path]:
    """Give an empty folder; what lies in it at the end of the block moves to its place if no error came.

    Args:
        folder: The place; made with its parents. May be there, and be a link, but must be empty.

    Raises:
        ValueError: There is something in the folder already.
    """
    place = Path(folder).resolve()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ValueError(f"{folder} is not empty: give another folder, or remove it first.")
    # A folder that is there is kept, and filled from within: it may be somebody's current one, or a mount.
    temporary = (place if place.is_dir() else place.parent) / f".{place.name}.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if place.is_dir():
            for path in temporary.iterdir():
                path.replace(place / path.name)
        else:
            temporary.replace(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def points_of(instance: TextInstance) -> list[list[float]]:
    """The outline in hundredths of a pixel."""
    return [[round(float(x), 2), round(float(y), 2)] for x, y in instance.polygon_xy]


def whole_points_of(polygon_xy: np.ndarray) -> list[list[int]]:
    """An outline in whole pixels."""
    return [[int(x), int(y)] for x, y in np.rint(polygon_xy)]


def quad_of(polygon_xy: np.ndarray) -> np.ndarray:
    """Four corners: the outline's own, or its smallest rectangle from the corner nearest to its start."""
    return polygon_xy if len(polygon_xy) == 4 else rectangle_of(polygon_xy)


def rectangle_of(polygon_xy: np.ndarray) -> np.ndarray:
    """The corners (4, 2) of the smallest rectangle around an outline, from the one nearest to its start."""
    quad = min_area_quad(polygon_xy)
    start = int(np.linalg.norm(quad - polygon_xy[0], axis=1).argmin())
    return np.roll(quad, -start, axis=0)


def one_line(text: str) -> str:
    """A transcription for a file of one text a line."""
    return re.sub(r"[\r\n]+", " ", text)


def text_or_hashes(instance: TextInstance) -> str:
    """The transcription in formats that mark what is to be ignored with "###"; an unknown one is empty."""
    return DO_NOT_CARE if instance.ignore else instance.text or ""


def encoded(record: Any) -> bytes:
    """The picture of a record as the bytes of a file: its own, or PNG where it has none of a usual kind."""
    own = record.image.read_bytes() if isinstance(record.image, Path) else record.image
    if isinstance(own, bytes) and _kind(own) in _SUFFIXES:
        return own
    stream = io.BytesIO()
    Image.fromarray(record.load_image()).save(stream, "PNG")
    return stream.getvalue()


def _file_stem(name: str) -> str:
    """The name of a record as that of a file without suffix, on any system and in lists of a name a line."""
    stem = _NOT_IN_NAMES.sub("_", Path(name.replace("\\", "/")).stem).strip()
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    return f"{stem}_" if not stem.strip(".") or _RESERVED.fullmatch(stem) else stem


def _suffix(image: Any) -> str:
    if isinstance(image, Path) and _has_suffix(image):
        return image.suffix
    return _SUFFIXES.get(_kind(image), ".png") if isinstance(image, Path | bytes) else ".png"


def _has_suffix(path: Path) -> bool:
    """Whether the name says that it is a picture, to whoever looks for one."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _kind(image: Path | bytes) -> str:
    with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as file:
        return file.format or ""
