"""How detections are written down: one record an image, and the formats that it is rendered to.

A record is a plain dict that follows `schema/detection-1.json`; coordinates are pixel edges of the upright
original, x right, y down.
"""

import json
import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

SCHEMA = "tcm_hf.detection/1"
FORMATS = ("json", "jsonl", "icdar", "coco", "labelme")

Record = dict[str, Any]


def image_record(
    path: Path, size_hw: tuple[int, int], instances: list[dict], model: dict[str, Any], params: dict[str, Any]
) -> Record:
    """Put together all that is known of one image; coordinates are rounded to hundredths of a pixel.

    Args:
        path: The image file, as the user gave it.
        size_hw: Height and width of the upright image in pixels.
        instances: What the pipeline returned.
        model: "id", "dtype" and "device".
        params: The pipeline's parameters with their effective values.
    """
    height, width = size_hw
    return {
        "schema": SCHEMA,
        "source": {"path": path.as_posix(), "width": width, "height": height},
        "model": model,
        "params": params,
        "instances": [_rounded(instance) for instance in instances],
    }


def _rounded(instance: dict[str, Any]) -> dict[str, Any]:
    polygon = [[round(value, 2) for value in point] for point in instance["polygon"]]
    return {**instance, "score": round(instance["score"], 6), "polygon": polygon}


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
    """Read back what `render_json_lines` wrote; a last line without its end (a killed run) does not count."""
    # Not `splitlines`: a file name may hold one of Unicode's other line ends.
    return [json.loads(line) for line in text.split("\n")[:-1] if line.strip()]


def render_icdar(record: Record) -> str:
    """One record as an ICDAR 2015 result file: `x1,y1,x2,y2,…` in whole pixels, one text a line."""
    lines = (
        ",".join(str(round(value)) for point in instance["polygon"] for value in point)
        for instance in record["instances"]
    )
    return "".join(f"{line}\n" for line in lines)


def render_labelme(record: Record) -> str:
    """One record as a labelme project file, which labelme opens for correction."""
    shapes = [
        {
            "label": instance["label"],
            "points": instance["polygon"],
            "group_id": None,
            "description": f"score {instance['score']:.3f}",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for instance in record["instances"]
    ]
    document = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        # labelme looks for the image from the folder of this file.
        "imagePath": Path(record["source"]["path"]).resolve().as_posix(),
        "imageData": None,
        "imageHeight": record["source"]["height"],
        "imageWidth": record["source"]["width"],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def render_coco(records: Iterable[Record]) -> str:
    """All records as one COCO document with one category, "text"; annotations carry a "score"."""
    records = list(records)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, record in enumerate(records, start=1):
        source = record["source"]
        images.append(
            {
                "id": image_id,
                "file_name": source["path"],
                "width": source["width"],
                "height": source["height"],
                # Not in COCO's format, which allows more keys: how the image was read, for `--resume`.
                "model": record["model"],
                "params": record["params"],
            }
        )
        for instance in record["instances"]:
            annotations.append(_coco_annotation(len(annotations) + 1, image_id, instance))
    document = {
        "info": {"description": "texts found by tcm-hf detect", "version": SCHEMA},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "text", "supercategory": "text"}],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def parse_coco(text: str) -> list[Record]:
    """Read back what `render_coco` wrote."""
    document = json.loads(text)
    instances: dict[int, list[dict]] = {image["id"]: [] for image in document["images"]}
    for annotation in document["annotations"]:
        xmin, ymin, width, height = annotation["bbox"]
        instances[annotation["image_id"]].append(
            {
                "score": annotation["score"],
                "label": "text",
                "box": {
                    "xmin": math.floor(xmin),
                    "ymin": math.floor(ymin),
                    "xmax": math.ceil(xmin + width),
                    "ymax": math.ceil(ymin + height),
                },
                "polygon": _points(annotation["segmentation"][0]),
            }
        )
    return [
        image_record(
            Path(image["file_name"]),
            (image["height"], image["width"]),
            instances[image["id"]],
            image["model"],
            image["params"],
        )
        for image in document["images"]
    ]


def _coco_annotation(annotation_id: int, image_id: int, instance: dict[str, Any]) -> dict[str, Any]:
    polygon = instance["polygon"]
    xs, ys = zip(*polygon, strict=True)
    doubled_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise([*polygon, polygon[0]]))
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "segmentation": [[value for point in polygon for value in point]],
        "bbox": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)],
        "area": abs(doubled_area) / 2,
        "iscrowd": 0,
        "score": instance["score"],
    }


def _points(flat: list[float]) -> list[list[float]]:
    return [list(point) for point in zip(flat[::2], flat[1::2], strict=True)]
