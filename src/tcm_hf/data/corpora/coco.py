"""COCO's json: photos, annotations and categories in one file; also as Roboflow and CVAT lay it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import few_files, first_bytes, last_bytes, part_folders, read_json
from tcm_hf.data.corpora.image_lookup import ImageIndex
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_list, as_object, attributed_instance, part_file, turned
from tcm_hf.data.records import TextInstance, TextRecord, flag_of, size_hw_of

__all__ = ["COCO", "load_coco"]

_ROBOFLOW = "_annotations.coco.json"
_USUAL = ("*.json", "annotations/*.json")
_END_BYTES = 1 << 16
_LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def load_coco(source: Path | str, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read texts from a file in COCO's form.

    An annotation has its outline in `segmentation` (one polygon), else its box in `bbox`; its text and
    language in `attributes` or beside them (see `attributed_instance`); `iscrowd` 1 is do-not-care.

    Args:
        source: The file, or the folder that holds it (or them) or its `annotations`.
        split: Which of several files.
        problems: Takes what is no such entry: masks in run lengths, texts of several polygons, ….

    Returns:
        One record an image, in the order of the file.
    """
    path = part_file(_files(Path(source)), split, Path(source), "a json of images and annotations", _USUAL)
    document: Any = {}
    with problems.row(path):
        document = _checked(read_json(path))
    index = _image_index(path, split)
    records: dict[Any, TextRecord | None] = {}
    for number, image in enumerate(document.get("images", []), start=1):
        with problems.row(path, what=f"image {number} ({_shown(image, 'file_name')})"):
            if image["id"] in records:
                raise ValueError(f"the id {image['id']} is that of another image")
            records[image["id"]] = None
            records[image["id"]] = _record(index, image)
    names = {}
    with problems.row(path, what="categories"):
        for category in as_list(document.get("categories")):
            names[category["id"]] = str(category["name"])
    for number, annotation in enumerate(document.get("annotations", []), start=1):
        with problems.row(path, what=f"annotation {number} (id {_shown(annotation, 'id')})"):
            if annotation["image_id"] not in records:
                raise ValueError(f"there is no image with the id {annotation['image_id']}")
            record = records[annotation["image_id"]]
            if record is not None:
                record.instances.append(_instance(annotation, names.get(annotation.get("category_id"), "")))
    return [record for record in records.values() if record is not None]


def _checked(document: Any) -> dict[str, Any]:
    lists = document if isinstance(document, dict) else {}
    missing = [name for name in ("images", "annotations") if not isinstance(lists.get(name), list)]
    if missing:
        raise ValueError(f"expected the lists images and annotations: there is no {' and no '.join(missing)}")
    return lists


def _image_index(path: Path, split: str | None) -> ImageIndex:
    """The pictures of a part lie in a folder of its name, if there is one: others may have equal names."""
    folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    own = [place for place in (folder / (split or ""), folder / "images" / (split or "")) if place.is_dir()]
    return ImageIndex(own[0], above=folder) if split and own else ImageIndex(folder)


def _record(index: ImageIndex, image: dict[str, Any]) -> TextRecord:
    return TextRecord(index.find(image["file_name"]), size_hw=size_hw_of(image))


def _instance(annotation: dict[str, Any], category: str) -> TextInstance:
    attributes = as_object(annotation.get("attributes") or {}, "attributes by name")
    known = {name: value for name, value in annotation.items() if isinstance(value, str | int | bool)}
    instance = attributed_instance(_outline(annotation, attributes), category, {**known, **attributes})
    instance.ignore = instance.ignore or flag_of(annotation.get("iscrowd"))
    return instance


def _outline(annotation: dict[str, Any], attributes: dict[str, Any]) -> np.ndarray | list[float]:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        raise ValueError("its segmentation is a mask in run lengths, no outline: export polygons")
    if segmentation and not isinstance(segmentation[0], list):
        return segmentation
    if segmentation and len(segmentation) > 1:
        raise ValueError(
            f"its segmentation has {len(segmentation)} polygons, a text has one: join them, or make them "
            "texts of their own"
        )
    if segmentation:
        return segmentation[0]
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(f"expected a segmentation, or a bbox of 4 numbers, got {str(box)[:60]}")
    return turned((box[0], box[1], box[2], box[3]), attributes.get("rotation") or 0)


def _files(source: Path) -> dict[str, Path]:
    """Annotation files by the name of their part; a file that is given itself has none."""
    if source.is_file():
        return {"": source}
    files: dict[str, Path] = {}
    for name, path in _named_files(source):
        # train.json and annotations/instances_train.json are two parts.
        own = name if name not in files else path.relative_to(source).with_suffix("").as_posix()
        files[own] = path
    return files


def _named_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in (path for pattern in _USUAL for path in few_files(folder, pattern)):
        if _looks_like_coco(path):
            yield path.stem.removeprefix("instances_"), path
    for part in part_folders(folder):
        if _looks_like_coco(part / _ROBOFLOW):
            yield part.name, part / _ROBOFLOW


def _looks_like_coco(path: Path) -> bool:
    """Two of the three lists are to be seen at the ends of the file, however large it is.

    Of a file that is cut off one may be all: then the names of pictures tell it.
    """
    ends = first_bytes(path, _END_BYTES) + last_bytes(path, _END_BYTES)
    is_object = ends.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    lists = set(_LISTS.findall(ends))
    fits = len(lists) >= 2 or (b"images" in lists and b'"file_name"' in ends)
    # With control points of Bezier curves it is a corpus of its own.
    return is_object and fits and b'"bezier_pts"' not in ends


def _recognises(source: Path) -> bool:
    return _looks_like_coco(source) if source.is_file() else any(True for _ in _named_files(source))


def _shown(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, dict) else entry


COCO = Corpus(
    name="coco",
    title="COCO's json (texts as polygons or boxes)",
    kind="photos",
    layout="*.json or annotations/*.json (images, annotations, categories); or train/_annotations.coco.json",
    homepage="https://cocodataset.org/#format-data",
    recognises=_recognises,
    load=load_coco,
    splits=lambda source: [name for name in _files(source) if name],
)
