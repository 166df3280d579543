"""COCO-Text and TextOCR: one JSON file with `imgs`, `anns` and `imgToAnns`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import box_points, first_bytes, names_in, read_json, text_instance
from tcm_hf.data.corpora.image_places import ImagePlaces
from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.records import DO_NOT_CARE, TextInstance

__all__ = ["COCO_TEXT", "TEXT_OCR", "load_coco_text", "load_textocr"]

_COCO_TEXT_FILES = re.compile(r"coco_?text.*\.json", re.IGNORECASE)  # cocotext.v2.json, COCO_Text.json
_TEXT_OCR_FILES = re.compile(r"textocr_.*_(train|val)\.json", re.IGNORECASE)  # TextOCR_0.1_train.json
_COCO_TEXT_IMAGES = ("train2014", "images/train2014", "train_images", "images", "")
_TEXT_OCR_IMAGES = ("train_val_images", "train_val_images/train_images", "train_images", "images", "")
_ILLEGIBLE = "."  # as TextOCR writes it


def load_coco_text(path: Path, split: str | None, problems: Problems) -> PackedRecords:
    """Read COCO-Text, version 1 or 2.

    The outline is `mask` (version 2) or `polygon` (version 1), else the box; what is not legible is
    do-not-care; `language` is kept ("english", "not english"), "na" is None. Photos without text are records
    without instances.

    Args:
        path: the file, or the folder that holds it.
        split: "train" or "val": the `set` of the photos; None: all.
        problems: broken entries are added and left out.

    Raises:
        ValueError: the file is no such JSON.
    """
    file = path if path.is_file() else _file_of(path, _COCO_TEXT_FILES)
    document = _document(file)
    images = {key: image for key, image in document["imgs"].items() if _is_of(image, split)}
    return _records(file, images, document, _COCO_TEXT_IMAGES, _coco_text_instance, problems)


def load_textocr(path: Path, split: str | None, problems: Problems) -> PackedRecords:
    """Read TextOCR: words as polygons of `points`; "." stands for what cannot be read: do-not-care.

    Args:
        path: the file, or the folder that holds TextOCR_0.1_train.json and TextOCR_0.1_val.json.
        split: "train" or "val": which file; None where `path` is one.
        problems: broken entries are added and left out.

    Raises:
        ValueError: the file is no such JSON.
    """
    file = path if path.is_file() else _textocr_files(path)[split or ""]
    document = _document(file)
    return _records(file, document["imgs"], document, _TEXT_OCR_IMAGES, _textocr_instance, problems)


def _records(
    file: Path,
    images: dict[str, Any],
    document: dict[str, Any],
    folders: tuple[str, ...],
    instance_of: Callable[[dict[str, Any]], TextInstance],
    problems: Problems,
) -> PackedRecords:
    places = ImagePlaces(file.parent, folders, images.values())
    records = PackedRecords(file.parent)
    for key, image in images.items():
        with problems.row(file, what=f"image {key}"):
            path, size_hw = places.of(image)
            instances = []
            for number in document["imgToAnns"].get(key) or []:
                with problems.row(file, what=f"annotation {number}"):
                    instances.append(instance_of(as_object(document["anns"][str(number)])))
            records.append(path, instances, size_hw)
    return records


def _coco_text_instance(entry: dict[str, Any]) -> TextInstance:
    points = entry.get("mask") or entry.get("polygon")
    if not isinstance(points, list):
        left, top, width, height = entry["bbox"]
        points = box_points(left, top, left + width, top + height)
    legible = entry.get("legibility") == "legible"
    text = entry.get("utf8_string") or (None if legible else DO_NOT_CARE)
    language = entry.get("language")
    return text_instance(points, text, not legible, None if language == "na" else language)


def _textocr_instance(entry: dict[str, Any]) -> TextInstance:
    text = entry["utf8_string"]
    return text_instance(entry["points"], DO_NOT_CARE if text == _ILLEGIBLE else text or None)


def _document(file: Path) -> dict[str, Any]:
    document = read_json(file)
    keys = ("imgs", "anns", "imgToAnns")
    if not isinstance(document, dict) or not all(isinstance(document.get(key), dict) for key in keys):
        raise ValueError(f"{file}: expected an object with the objects {', '.join(keys)}")
    return document


def _is_of(image: Any, split: str | None) -> bool:
    """Whether an image is of a part; a broken one is of each, so that it is told."""
    return split is None or not isinstance(image, dict) or str(image.get("set")) == split


def _files(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    for place in (folder, folder / "annotations"):
        paths = (place / name for name in sorted(names_in(place)) if pattern.fullmatch(name))
        yield from (path for path in paths if path.is_file())


def _file_of(folder: Path, pattern: re.Pattern[str]) -> Path:
    files = list(_files(folder, pattern))
    if not files:
        raise ValueError(f"Expected the label file in {folder}, e.g. cocotext.v2.json: found none.")
    return files[-1]  # of several versions the last


def _textocr_files(folder: Path) -> dict[str, Path]:
    return {
        match[1].lower(): path
        for path in _files(folder, _TEXT_OCR_FILES)
        if (match := _TEXT_OCR_FILES.fullmatch(path.name))
    }


def _coco_text_splits(path: Path) -> list[str]:
    """The `set`s of the photos, without the test part, whose annotations are not public."""
    file = path if path.is_file() else _file_of(path, _COCO_TEXT_FILES)
    return sorted({name.decode() for name in re.findall(rb'"set"\s*:\s*"(train|val)"', file.read_bytes())})


def _is_coco_text(path: Path) -> bool:
    if path.is_file():
        return path.suffix == ".json" and b'"legibility"' in first_bytes(path, 1 << 16)
    return any(_files(path, _COCO_TEXT_FILES))


def _is_textocr(path: Path) -> bool:
    if path.is_file():
        return _TEXT_OCR_FILES.fullmatch(path.name) is not None
    return bool(_textocr_files(path))


COCO_TEXT = Corpus(
    name="cocotext",
    title="COCO-Text, versions 1 and 2",
    kind="photos",
    layout="cocotext.v2.json (imgs, anns: mask, utf8_string, legibility, language) beside train2014/",
    homepage="https://bgshih.github.io/cocotext/",
    recognises=_is_coco_text,
    load=load_coco_text,
    splits=_coco_text_splits,
)
TEXT_OCR = Corpus(
    name="textocr",
    title="TextOCR",
    kind="photos",
    layout="TextOCR_0.1_train.json and TextOCR_0.1_val.json (imgs, anns: points, utf8_string) beside "
    "train_val_images/",
    homepage="https://textvqa.org/textocr/dataset/",
    recognises=_is_textocr,
    load=load_textocr,
    splits=lambda path: [] if path.is_file() else list(_textocr_files(path)),
)
