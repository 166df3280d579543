"""MMOCR's annotation files (version 1): `metainfo` and a `data_list` of photos, or of crops of words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import box_points, few_files, first_bytes, read_json, text_instance
from tcm_hf.data.corpora.image_lookup import ImageIndex
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_list, as_object, part_file
from tcm_hf.data.records import TextInstance, TextRecord, flag_of, size_hw_of
from tcm_hf.data.words import WordRecord

__all__ = ["MMOCR", "MMOCR_WORDS"]

_HEAD_BYTES = 1 << 14


def load_mmocr(source: Path, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read `textdet_*.json` or `textspotting_*.json`: a record a photo; of boxes alone the corners."""
    records = []
    for path, index, number, entry in _entries(_file(source, split, words=False), problems):
        with problems.row(path, what=f"image {number}"):
            size_hw = size_hw_of(as_object(entry))
            record = TextRecord(index.find(entry["img_path"]), size_hw=size_hw)
            records.append(record)
            for position, instance in enumerate(as_list(entry.get("instances")), start=1):
                with problems.row(path, what=f"image {number} ({entry['img_path']}), instance {position}"):
                    record.instances.append(_instance(instance))
    return records


def load_mmocr_words(source: Path, split: str | None, problems: Problems) -> list[WordRecord]:
    """Read `textrecog_*.json`: a record a picture of a word."""
    records = []
    for path, index, number, entry in _entries(_file(source, split, words=True), problems):
        with problems.row(path, what=f"image {number}"):
            text = entry["instances"][0]["text"]
            if not isinstance(text, str) or not text:
                raise ValueError(f"expected a text, got {text!r}")
            records.append(WordRecord(index.find(entry["img_path"]), text))
    return records


def _entries(path: Path, problems: Problems) -> Iterator[tuple[Path, ImageIndex, int, Any]]:
    document: Any = {}
    with problems.row(path):
        document = read_json(path)
        if not isinstance(document, dict) or not isinstance(document.get("data_list"), list):
            document = {}
            raise ValueError("expected an object with the list data_list")
    index = ImageIndex(path.parent)
    for number, entry in enumerate(document.get("data_list", []), start=1):
        yield path, index, number, entry


def _instance(instance: dict[str, Any]) -> TextInstance:
    points = as_object(instance).get("polygon")
    if points is None:
        points = box_points(*instance["bbox"])
    ignore = flag_of(instance["ignore"]) if "ignore" in instance else None
    return text_instance(points, instance.get("text") or None, ignore)


def _files(source: Path, words: bool) -> dict[str, Path]:
    """Annotation files by the name of their part; a file that is given itself has none."""
    if source.is_file():
        return {"": source} if _holds(source, words) else {}
    return {path.stem: path for path in few_files(source, "*.json") if _holds(path, words)}


def _file(source: Path, split: str | None, words: bool) -> Path:
    if source.is_file():
        return source
    expected = "textrecog_*.json" if words else "textdet_*.json or textspotting_*.json"
    return part_file(_files(source, words), split, source, expected)


def _holds(path: Path, words: bool) -> bool:
    head = first_bytes(path, _HEAD_BYTES)
    return b'"data_list"' in head and (b"textrecog" in head or b"TextRecog" in head) == words


def _parts(source: Path, words: bool) -> list[str]:
    return [name for name in _files(source, words) if name]


MMOCR = Corpus(
    name="mmocr",
    title="MMOCR 1.x, text detection and spotting",
    kind="photos",
    layout="textdet_train.json, textspotting_train.json, … (metainfo, data_list) above the photos",
    homepage="https://mmocr.readthedocs.io/en/latest/basic_concepts/datasets.html",
    recognises=lambda source: bool(_files(source, words=False)),
    load=load_mmocr,
    splits=lambda source: _parts(source, words=False),
)

MMOCR_WORDS = Corpus(
    name="mmocr-words",
    title="MMOCR 1.x, text recognition",
    kind="words",
    layout="textrecog_train.json, … (metainfo, data_list) above the pictures of words",
    homepage="https://mmocr.readthedocs.io/en/latest/basic_concepts/datasets.html",
    recognises=lambda source: bool(_files(source, words=True)),
    load=load_mmocr_words,
    splits=lambda source: _parts(source, words=True),
)
