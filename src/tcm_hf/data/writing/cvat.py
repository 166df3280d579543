"""Photos as "CVAT for images 1.1", to be imported into a task whose labels its `meta` tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tcm_hf.data.records import DO_NOT_CARE, TextRecord
from tcm_hf.data.writing.coco import attributes_of
from tcm_hf.data.writing.losses import EDGE_SPACES, EMPTY_TEXTS, LINE_LEVEL, Loss, read_as_ignored
from tcm_hf.data.writing.output import Report, points_of, written

__all__ = ["write_cvat"]

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL_CHARACTERS = Loss(
    "transcriptions with control characters (left out of them)",
    lambda text, level: _NOT_XML.search(text.text or "") is not None,
)
_LOSSES = (LINE_LEVEL, EMPTY_TEXTS, EDGE_SPACES, read_as_ignored(DO_NOT_CARE), _CONTROL_CHARACTERS)


def write_cvat(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as annotations.xml and images/; text, language and ignore are attributes of a polygon."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    with written(folder, _LOSSES, copy_images) as output:
        for number, record in enumerate(records):
            picture = output.picture(record, "images")
            height, width = picture.size_hw
            size = {"width": str(width), "height": str(height)}
            image = SubElement(root, "image", {"id": str(number), "name": picture.name, **size})
            for instance in record.instances:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in points_of(instance))
                shape = {
                    "label": "text",
                    "source": "manual",
                    "occluded": "0",
                    "points": points,
                    "z_order": "0",
                }
                polygon = SubElement(image, "polygon", shape)
                ignore = "true" if instance.ignore else "false"
                for name, value in {**attributes_of(instance), "ignore": ignore}.items():
                    SubElement(polygon, "attribute", {"name": name}).text = _NOT_XML.sub("", value)
        _describe(task, output.report.pictures)
        indent(root, "  ")
        document = tostring(root, encoding="unicode")
        output.text("annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{document}\n')
    return output.report


def _describe(task: Element, pictures: int) -> None:
    """The label and its attributes, as CVAT wants them in the constructor of a task."""
    SubElement(task, "name").text = "text"
    SubElement(task, "size").text = str(pictures)
    SubElement(task, "mode").text = "annotation"
    label = SubElement(SubElement(task, "labels"), "label")
    SubElement(label, "name").text = "text"
    attributes = SubElement(label, "attributes")
    for name in ("text", "language", "ignore"):
        kind, default, values = ("checkbox", "false", "false\ntrue") if name == "ignore" else ("text", "", "")
        attribute = SubElement(attributes, "attribute")
        SubElement(attribute, "name").text = name
        SubElement(attribute, "mutable").text = "False"
        SubElement(attribute, "input_type").text = kind
        SubElement(attribute, "default_value").text = default
        SubElement(attribute, "values").text = values
