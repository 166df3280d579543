"""Street View Text: `train.xml` and `test.xml` beside `img/`, one upright box a word."""

from __future__ import annotations

from pathlib import Path

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import box_points, first_bytes, text_instance
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.xml_files import LineElement, read_xml
from tcm_hf.data.records import TextInstance, TextRecord

__all__ = ["SVT", "load_svt"]

_SPLITS = ("train", "test")


def load_svt(folder: Path, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read the photos of Street View Text.

    Only words of the shop's name are annotated, in capitals; other text of the photo is not, so a detector
    should not be trained on them. Cut into words they are the usual test of readers.

    Args:
        folder: holds `train.xml` and `test.xml`, or is the folder above (`svt1`), or one of the files.
        split: "train" or "test"; None for a file.
        problems: broken images and words are added and left out.

    Raises:
        ValueError: the file is not there or no XML.
    """
    if split is None and not folder.is_file():
        raise ValueError(f"Expected train.xml or test.xml of Street View Text in {folder}: found neither.")
    path = folder if split is None else _file_of(folder, split)
    records = []
    for image in read_xml(path).children("image"):
        with problems.row(path, image.line):
            records.append(_record_of(image, path, problems))
    return records


def _record_of(image: LineElement, path: Path, problems: Problems) -> TextRecord:
    name = image.text_of("imageName")
    instances: list[TextInstance] = []
    for box in image.children("taggedRectangles/taggedRectangle"):
        with problems.row(path, box.line):
            left, top, width, height = box.numbers("x", "y", "width", "height")
            corners = box_points(left, top, left + width, top + height)
            instances.append(text_instance(corners, box.text_of("tag")))
    return TextRecord(path.parent / name, instances, size_hw=_size_hw(image))


def _size_hw(image: LineElement) -> tuple[int, int] | None:
    for size in image.children("Resolution"):
        width, height = size.numbers("x", "y")
        return int(height), int(width)
    return None


def _root(folder: Path) -> Path:
    return folder / "svt1" if (folder / "svt1").is_dir() else folder


def _file_of(folder: Path, split: str) -> Path:
    return _root(folder) / f"{split}.xml"


def _splits(folder: Path) -> list[str]:
    return [split for split in _SPLITS if _file_of(folder, split).is_file()]


def _recognises(source: Path) -> bool:
    files = [source] if source.is_file() else [_file_of(source, split) for split in _SPLITS]
    return any(b"<taggedRectangle" in first_bytes(path) for path in files)


SVT = Corpus(
    name="svt",
    title="Street View Text (some words of each photo only, in capitals)",
    kind="photos",
    layout="train.xml and test.xml (<taggedRectangle>) beside img/14_03.jpg, or all of it in svt1/",
    homepage="http://vision.ucsd.edu/~kai/svt/",
    recognises=_recognises,
    load=load_svt,
    splits=_splits,
)
