"""How results are written down: one record an image, and the formats for programs that it is rendered to.

A record is a plain dict that follows a file of `schema/`; coordinates are pixel edges of the upright
original, x right, y down. Formats for readers are in files of their own: `formats_hocr.py`, ...
"""

import contextlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcm_hf.cli.inputs import ImageInput
from tcm_hf.data.writing.coco_document import coco_annotation, coco_document
from tcm_hf.data.writing.labelme_document import labelme_document, labelme_shape

Record = dict[str, Any]

# What COCO defines for an annotation; all else that is in one is ours.
_COCO_ANNOTATION_KEYS = ("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd")


@dataclass(frozen=True)
class RecordKind:
    """What a verb finds.

    Attributes:
        schema: The `schema` of its records, the `$id` of a file in `schema/`.
        verb: The verb of the command line.
        plural: How a file of many records is called.
    """

    schema: str
    verb: str
    plural: str


DETECTIONS = RecordKind("tcm_hf.detection/1", "detect", "detections")
OBJECTS = RecordKind("tcm_hf.rotated/1", "detect", "objects")
READINGS = RecordKind("tcm_hf.reading/1", "read", "readings")
RECOGNITIONS = RecordKind("tcm_hf.recognition/1", "recognize", "recognitions")


def image_source(image: ImageInput, size_hw: tuple[int, int], dpi: int) -> dict[str, Any]:
    """Where a picture came from, and the frame of its coordinates.

    Args:
        image: The photo, or the page of a PDF.
        size_hw: Height and width in pixels, upright.
        dpi: At which a page was drawn; not of interest for a photo.
    """
    height, width = size_hw
    source: dict[str, Any] = {"path": image.path.as_posix(), "width": width, "height": height}
    return source if image.page is None else {**source, "page": image.page, "dpi": dpi}


def image_record(
    kind: RecordKind,
    source: dict[str, Any],
    model: dict[str, Any],
    params: dict[str, Any],
    instances: Iterable[dict[str, Any]],
) -> Record:
    """Put together all that is known of one image; coordinates are rounded to hundredths of a pixel.

    Args:
        kind: What was looked for.
        source: See `image_source`.
        model: "id", "dtype", "device" and, where words were read, "recognizer".
        params: The pipeline's parameters with their effective values.
        instances: What the pipeline returned.
    """
    found = [{"label": "text", **rounded(instance)} for instance in instances]
    return {**record_header(kind, source, model, params), "instances": found}


def record_header(
    kind: RecordKind, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any]
) -> Record:
    """What every record begins with: which image was read, and how; see `image_record`."""
    return {"schema": kind.schema, "source": source, "model": model, "params": params}


def rounded(result: dict[str, Any]) -> dict[str, Any]:
    """A result of a pipeline with scores of six digits, and coordinates in hundredths of a pixel."""
    result = dict(result)
    for name in ("score", "detection_score"):
        if name in result:
            result[name] = round(result[name], 6)
    if "angle_deg" in result:
        result["angle_deg"] = round(result["angle_deg"], 2)
    if "polygon" in result:
        result["polygon"] = [[round(value, 2) for value in point] for point in result["polygon"]]
    if "characters" in result:
        result["characters"] = [rounded(character) for character in result["characters"]]
    return result


def source_key(record: Record) -> tuple[str, int | None]:
    """Which image a record is of: the path as it was given, and the page."""
    return record["source"]["path"], record["source"].get("page")


def render_json(record: Record) -> str:
    """One record as an indented JSON document."""
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def render_json_line(record: Record) -> str:
    """One record as one line."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def render_json_array(records: Iterable[Record]) -> str:
    """All records as one JSON array."""
    return json.dumps(list(records), ensure_ascii=False, indent=2) + "\n"


def render_json_lines(records: Iterable[Record]) -> str:
    """All records, one a line."""
    return "".join(map(render_json_line, records))


def parse_json_array(text: str) -> list[Record]:
    """Read back what `render_json_array` wrote."""
    return json.loads(text)


def parse_json_lines(text: str) -> list[Record]:
    """Read back what `render_json_lines` wrote; half a last line (of a killed run) does not count."""
    # Not `splitlines`: a file name may hold one of Unicode's other line ends.
    *lines, last = text.split("\n")
    records = [json.loads(line) for line in lines if line.strip()]
    with contextlib.suppress(json.JSONDecodeError):
        records.append(json.loads(last))
    return records


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
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


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
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


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
