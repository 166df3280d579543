"""CVAT's own XML ("CVAT for images 1.1")."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import few_files, first_bytes, number_of, only_file
from tcm_hf.data.corpora.image_lookup import ImageIndex
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import attributed_instance, turned
from tcm_hf.data.corpora.xml_files import read_xml
from tcm_hf.data.records import TextInstance, TextRecord, size_hw_of

__all__ = ["CVAT", "load_cvat"]


def load_cvat(source: Path | str, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read an export of "CVAT for images 1.1".

    Outlines are polygons and boxes, which may be turned. The text is an attribute "text" or "transcription",
    do-not-care an attribute or a label "ignore", "illegible", …, see `attributed_instance`.

    Args:
        source: The file, or the folder that holds one, beside the pictures or their folder `images`.
        split: Unused, an export is one part.
        problems: Takes shapes that are no outlines, with their lines.

    Returns:
        One record an image, in the order of the file.
    """
    path = only_file(Path(source), "*.xml", _is_cvat, "annotations.xml")
    index = ImageIndex(path.parent)
    records = []
    with problems.row(path):
        root = read_xml(path)
        if root.tag != "annotations":
            raise ValueError(f"expected <annotations>, got <{root.tag}>")
        for track in root.iterfind("track"):
            problems.add(path, _line(track), "a track is of a video: export as CVAT for images 1.1")
        for image in root.iterfind("image"):
            with problems.row(path, _line(image), f"image {image.get('name')}"):
                record = TextRecord(index.find(image.attrib["name"]), size_hw=size_hw_of(image.attrib))
                records.append(record)
                for shape in image:
                    if shape.tag != "tag":  # which is of the whole image
                        with problems.row(path, _line(shape)):
                            record.instances.append(_instance(shape))
    return records


def _instance(shape: Element) -> TextInstance:
    values = shape.attrib
    if shape.tag == "polygon":
        points: Any = [
            [number_of(value) for value in pair.split(",")] for pair in values["points"].split(";")
        ]
    elif shape.tag == "box":
        left, top, right, bottom = (number_of(values[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
        points = turned((left, top, right - left, bottom - top), number_of(values.get("rotation", 0)))
    else:
        raise ValueError(f"{shape.tag} is no outline of a text: draw a polygon or a box")
    attributes = {child.get("name", ""): child.text for child in shape.iterfind("attribute")}
    return attributed_instance(points, values.get("label", ""), attributes)


def _line(element: Element) -> int | None:
    return getattr(element, "line", None)


def _is_cvat(path: Path) -> bool:
    start = first_bytes(path)
    return path.suffix == ".xml" and b"<annotations>" in start and b"<version>1.1</version>" in start


def _recognises(source: Path) -> bool:
    return _is_cvat(source) if source.is_file() else any(map(_is_cvat, few_files(source, "*.xml")))


CVAT = Corpus(
    name="cvat",
    title="CVAT for images 1.1",
    kind="photos",
    layout="annotations.xml beside the photos or their folder images",
    homepage="https://docs.cvat.ai/docs/manual/advanced/xml_format/",
    recognises=_recognises,
    load=load_cvat,
)
