"""Records for programs that take annotations: ICDAR 2015 result files, labelme projects, COCO."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.writing.coco_document import coco_annotation, coco_document
from tcm_hf.data.writing.labelme_document import labelme_document, labelme_shape
from tcm_hf.results.records import Record, json_text

# What COCO defines for an annotation; all else that is in one is ours.
_COCO_ANNOTATION_KEYS = ("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd")


def render_icdar(record: Record) -> str:
    """One record as an ICDAR 2015 result file: `x1,y1,x2,y2,…` in whole pixels, one text a line.

    Where words were read, the word is the last field, as in the end-to-end task, which takes four corners: an
    outline of other than four points becomes the box around it.
    """
    lines = []
    for instance in record["instances"]:
        polygon = instance["polygon"]
        if "text" in instance and len(polygon) != 4:
            polygon = _box_around(polygon)
        fields = [str(round(value)) for point in polygon for value in point]
        if "text" in instance:
            fields.append(" ".join(instance["text"].split()))
        lines.append(",".join(fields) + "\n")
    return "".join(lines)


def _box_around(polygon: list[list[float]]) -> list[list[float]]:
    import numpy as np

    from tcm_hf.processing.polygons import min_area_quad

    return min_area_quad(np.array(polygon)).tolist()


def render_labelme(record: Record) -> str:
    """One record as a labelme project file, which labelme opens for correction; the label is the word."""
    shapes = [
        labelme_shape(
            instance.get("text") or instance["label"],
            instance["polygon"],
            description=f"score {instance['score']:.3f}",
        )
        for instance in record["instances"]
    ]
    source = record["source"]
    # labelme looks for the image from the folder of this file.
    path = Path(source["path"]).resolve().as_posix()
    document = labelme_document(path, (source["height"], source["width"]), shapes)
    return json_text(document, indent=2) + "\n"


def render_coco(records: Iterable[Record]) -> str:
    """All records as one COCO document; the categories are the detector's classes, or "text" alone.

    COCO allows more keys than its own: an annotation carries what else is known of the text ("score",
    "text", ...), and an image how it was read ("record"), for `--resume`.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    for image_id, record in enumerate(records, start=1):
        source = record["source"]
        for name in record["params"].get("classes", ["text"]):
            categories.setdefault(name, len(categories) + 1)
        images.append(
            {
                "id": image_id,
                "file_name": source["path"],
                "width": source["width"],
                "height": source["height"],
                "record": {name: value for name, value in record.items() if name != "instances"},
            }
        )
        for instance in record["instances"]:
            known = {
                name: value for name, value in instance.items() if name not in ("label", "box", "polygon")
            }
            category_id = categories[instance["label"]]
            annotation_id = len(annotations) + 1
            annotations.append(
                coco_annotation(annotation_id, image_id, category_id, instance["polygon"], **known)
            )
    document = coco_document("found by tcm_hf", images, annotations, categories or ["text"])
    return json_text(document, indent=2) + "\n"


def parse_coco(text: str) -> list[Record]:
    """Read back what `render_coco` wrote."""
    document = json.loads(text)
    records = {image["id"]: {**image["record"], "instances": []} for image in document["images"]}
    names = {category["id"]: category["name"] for category in document["categories"]}
    for annotation in document["annotations"]:
        xmin, ymin, width, height = annotation["bbox"]
        known = {name: value for name, value in annotation.items() if name not in _COCO_ANNOTATION_KEYS}
        box = {
            "xmin": math.floor(xmin),
            "ymin": math.floor(ymin),
            "xmax": math.ceil(xmin + width),
            "ymax": math.ceil(ymin + height),
        }
        polygon = _points(annotation["segmentation"][0])
        instance = {**known, "label": names[annotation["category_id"]], "box": box, "polygon": polygon}
        records[annotation["image_id"]]["instances"].append(instance)
    return list(records.values())


def _points(flat: list[float]) -> list[list[float]]:
    return [list(point) for point in zip(flat[::2], flat[1::2], strict=True)]
