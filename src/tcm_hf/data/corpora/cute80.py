"""CUTE80: 80 photos with outlines of curved lines, and the 288 crops of words that readers are tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes, first_lines, images_by_stem, lines_of, text_instance
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.xml_files import LineElement, read_xml
from tcm_hf.data.records import TextRecord
from tcm_hf.data.words import WordRecord

__all__ = ["CUTE80", "CUTE80_WORDS", "load_cute80", "load_cute80_words"]

_ANNOTATIONS = ("Groundtruth/GroundTruth.xml", "GroundTruth.xml")
_CROPS = "timage"


def load_cute80(folder: Path, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read the photos: outlines of lines with any number of points, no transcriptions.

    Args:
        folder: holds `Groundtruth/GroundTruth.xml` and `CUTE80/image001.jpg`, or is `Groundtruth` itself.
        split: there are no parts.
        problems: broken images and outlines are added and left out.

    Raises:
        ValueError: the file is not there or no XML.
    """
    path = _annotations(folder)
    root = path.parent.parent if path.parent.name == "Groundtruth" else path.parent
    pictures = root / "CUTE80" if (root / "CUTE80").is_dir() else root
    # The annotations write `.jpg` where some files are called `.JPG`.
    images = images_by_stem([pictures])
    records = []
    for image in read_xml(path).children("Image"):
        with problems.row(path, image.line):
            name = image.text_of("ImageName")
            file = images.get(Path(name).stem, pictures / name)
            record = TextRecord(file, level="line")
            for outline in image.children("PolygonPoints"):
                with problems.row(path, outline.line):
                    # Every transcription is the word "test": none is known.
                    record.instances.append(text_instance(_points_of(outline)))
            records.append(record)
    return records


def load_cute80_words(folder: Path, split: str | None, problems: Problems) -> list[WordRecord]:
    """Read the crops: `timage/001.jpg RONALDO 1 RONALDO` a line, of which the first text is taken.

    Args:
        folder: holds `timage/` and the file of labels beside it.
        split: there are no parts.
        problems: broken lines are added and left out.

    Raises:
        ValueError: there is no such file.
    """
    path = _labels(folder)
    if path is None:
        raise ValueError(f"Expected {_CROPS}/ and a file of labels beside it in {folder}: found none.")
    words = []
    for number, line in lines_of(path):
        with problems.row(path, number):
            file, *texts = line.split()
            if len(texts) not in (1, 3):
                raise ValueError(f"expected an image, its text, a number and the text again, got {line!r}")
            words.append(WordRecord(folder / file, texts[0], file))
    return words


def _points_of(outline: LineElement) -> np.ndarray:
    xs, ys = ([float(value) for value in outline.attrib.get(axis, "").split()] for axis in "xy")
    if len(xs) != len(ys):
        raise ValueError(f"expected an x and a y a point, got {len(xs)} and {len(ys)}")
    return np.array([xs, ys], np.float32).T


def _annotations(folder: Path) -> Path:
    for name in _ANNOTATIONS:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"Expected {' or '.join(_ANNOTATIONS)} in {folder}: found neither.")


def _labels(folder: Path) -> Path | None:
    if not (folder / _CROPS).is_dir():
        return None
    for path in sorted(folder.glob("*.txt")):
        if any(line.startswith(f"{_CROPS}/") for line in first_lines(path, 1)):
            return path
    return None


CUTE80 = Corpus(
    name="cute80",
    title="CUTE80, photos with curved lines (outlines without transcriptions)",
    kind="photos",
    level="line",
    layout="Groundtruth/GroundTruth.xml (<PolygonPoints>) beside CUTE80/image001.jpg",
    homepage="http://cs-chan.com/downloads_CUTE80_dataset.html",
    recognises=lambda folder: any(b"<PolygonPoints" in first_bytes(folder / name) for name in _ANNOTATIONS),
    load=load_cute80,
)
CUTE80_WORDS = Corpus(
    name="cute80-words",
    title="CUTE80, crops of words",
    kind="words",
    layout="a .txt file (timage/001.jpg RONALDO 1 RONALDO a line) beside timage/001.jpg",
    homepage="http://cs-chan.com/downloads_CUTE80_dataset.html",
    recognises=lambda folder: _labels(folder) is not None,
    load=load_cute80_words,
)
