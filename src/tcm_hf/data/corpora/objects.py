"""Photos with rotated objects: DOTA as it is downloaded, and folders with a metadata.jsonl."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes, first_lines, is_number
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.dota import load_dota
from tcm_hf.data.rotated_corpora import label_folder, load_rotated_corpus, load_rotated_metadata
from tcm_hf.data.rotated_records import RotatedRecord

__all__ = ["DOTA", "OBJECTS"]

_SPLITS = ("train", "val", "test")
_LOOKED_AT = 5  # label files: the first ones may be empty


def _is_dota(folder: Path) -> bool:
    labels = label_folder(folder) if (folder / "images").is_dir() else None
    if labels is None:
        return False
    lines = [line.split() for path in islice(labels.glob("*.txt"), _LOOKED_AT) for line in first_lines(path)]
    return not lines or any(
        len(values) in (9, 10) and all(map(is_number, values[:8])) and not is_number(values[8])
        for values in lines
    )


def _dota_splits(folder: Path) -> list[str]:
    if _is_dota(folder) or not any(_is_dota(folder / split) for split in _SPLITS):
        return []
    return [split for split in _SPLITS if (folder / split / "images").is_dir()]


def _load_dota(folder: Path, split: str | None, problems: Problems) -> list[RotatedRecord]:
    part = folder / (split or "")
    if label_folder(part) is None and split == "test":  # DOTA keeps the annotations of its test photos
        return load_dota(part / "images")
    return load_rotated_corpus(part, problems)


def _folder_of(source: Path) -> Path:
    """The folder of a metadata.jsonl that is given itself."""
    return source.parent if source.name == "metadata.jsonl" else source


def _has_classes(source: Path) -> bool:
    first_line = first_bytes(_folder_of(source) / "metadata.jsonl", 1 << 16).split(b"\n", 1)[0]
    return b'"polygons"' in first_line and b'"classes"' in first_line


DOTA = Corpus(
    name="dota",
    title="DOTA 1.0, 1.5, 2.0, photos from above",
    kind="objects",
    layout="images/P0001.png and labelTxt/P0001.txt (x1 y1 … x4 y4 class flag a line; also annfiles/, "
    "labelTxt-v1.5/DOTA-v1.5_train/), alone or below train/, val/, test/",
    homepage="https://captain-whu.github.io/DOTA/dataset.html",
    recognises=lambda folder: _is_dota(folder) or bool(_dota_splits(folder)),
    load=_load_dota,
    splits=_dota_splits,
)
OBJECTS = Corpus(
    name="objects",
    title="Photos with rotated objects and a metadata.jsonl",
    kind="objects",
    layout='metadata.jsonl ({"file_name", "polygons", "classes", "ignore"} a line) beside the images',
    homepage="https://huggingface.co/docs/datasets/image_dataset",
    recognises=_has_classes,
    load=lambda folder, split, problems: load_rotated_metadata(_folder_of(folder), problems),
)
