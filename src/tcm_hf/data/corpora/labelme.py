"""labelme's files, one a photo; also those of X-AnyLabeling, which adds to them."""

from __future__ import annotations

import base64
import re
from itertools import islice
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import (
    IMAGE_SUFFIXES,
    box_points,
    first_bytes,
    natural_key,
    part_folders,
    read_json,
)
from tcm_hf.data.corpora.image_lookup import ImageIndex, file_name
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_object, attributed_instance, is_generic, text_or_none
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord, size_hw_of

__all__ = ["LABELME", "load_labelme"]

_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_OUTLINES = ("polygon", "rectangle", "rotation", "oriented_rectangle", "quadrilateral")
# What `tcm-hf detect --format labelme` says of a text that it found.
_SCORE = re.compile(r"score [01]\.\d+")


def load_labelme(source: Path | str, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read a folder of labelme's files.

    Outlines are polygons, rectangles and turned rectangles. The text of a shape is its description; without
    one it is the label, unless that says no more than "text", "word" or "line". Do-not-care are shapes with
    the flag or the label "ignore" ("illegible", "difficult", …) and the text "###".

    Args:
        source: The folder, or one file.
        split: A folder in it.
        problems: Takes files that cannot be read, and shapes that are no outlines.

    Returns:
        One record a file, by name.
    """
    path = Path(source) / (split or "")
    files = [path] if path.is_file() else _files(path)
    index = ImageIndex(path.parent if path.is_file() else path)
    records = []
    for file in files:
        with problems.row(file):
            document = read_json(file)
            if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
                raise ValueError("expected an object with the list shapes")
            size_hw = size_hw_of(document, "imageHeight", "imageWidth")
            record = TextRecord(_image(document, file, index), size_hw=size_hw)
            record.name = record.name or f"{file.stem}.png"
            for number, shape in enumerate(document["shapes"], start=1):
                with problems.row(file, what=f"shape {number}"):
                    record.instances.append(_instance(shape))
            records.append(record)
    return records


def _instance(shape: dict[str, Any]) -> TextInstance:
    kind = as_object(shape).get("shape_type") or "polygon"
    if kind not in _OUTLINES:
        raise ValueError(f"a {kind} is no outline of a text: draw a polygon or a rectangle")
    points = shape["points"]
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = box_points(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    label = str(shape.get("label") or "")
    description = text_or_none(shape.get("description"))
    if description is None or _SCORE.fullmatch(description):
        description = None if is_generic(label) else label
    attributes = {
        **as_object(shape.get("flags") or {}, "flags by name"),
        "difficult": shape.get("difficult"),
        "language": shape.get("language"),
        "text": DO_NOT_CARE if label == DO_NOT_CARE else description,
    }
    return attributed_instance(points, label, attributes)


def _image(document: dict[str, Any], file: Path, index: ImageIndex) -> Path | bytes:
    """Where the file says, else beside it under its name, else anywhere; else the picture inside the file."""
    name = file_name(document.get("imagePath") or f"{file.stem}.jpg").replace("\\", "/")
    said = file.parent / name
    beside = (file.with_suffix(suffix) for suffix in IMAGE_SUFFIXES)
    for place in (said, *beside):
        if place.is_file():
            return place
    place = index.find(Path(name).name)
    if place.is_file() or not document.get("imageData"):
        return place
    return base64.b64decode(document["imageData"])


def _files(folder: Path) -> list[Path]:
    return sorted(filter(_is_labelme, folder.glob("*.json")), key=lambda path: natural_key(path.name))


def _is_labelme(path: Path) -> bool:
    return _SHAPES.search(first_bytes(path, 1 << 14)) is not None


def _recognises(source: Path) -> bool:
    return _is_labelme(source) if source.is_file() else bool(_has_files(source) or _parts(source))


def _has_files(folder: Path) -> bool:
    return any(map(_is_labelme, islice(folder.glob("*.json"), 5)))


def _parts(source: Path) -> list[str]:
    if source.is_file() or _has_files(source):
        return []
    return [path.name for path in part_folders(source) if _has_files(path)]


LABELME = Corpus(
    name="labelme",
    title="labelme (one json a photo), X-AnyLabeling",
    kind="photos",
    layout="NAME.json beside NAME.jpg",
    homepage="https://github.com/wkentaro/labelme",
    recognises=_recognises,
    load=load_labelme,
    splits=_parts,
)
