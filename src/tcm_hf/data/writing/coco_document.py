"""COCO's json, of corpora and of results alike; plain numbers in, plain dicts out."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

__all__ = ["coco_annotation", "coco_document"]


def coco_annotation(
    annotation_id: int,
    image_id: int,
    category_id: int,
    polygon: Sequence[Sequence[float]],
    *,
    iscrowd: int = 0,
    **known: Any,
) -> dict[str, Any]:
    """An annotation with its outline, box and area.

    Args:
        annotation_id: From 1.
        image_id: That of its image.
        category_id: That of its category.
        polygon: (P, 2) points (x, y), pixels.
        iscrowd: 1 for what is neither a hit nor a miss.
        known: What else is known; COCO allows more keys than its own.
    """
    xs, ys = zip(*polygon, strict=True)
    doubled_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise([*polygon, polygon[0]]))
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": [[value for point in polygon for value in point]],
        "bbox": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)],
        "area": abs(doubled_area) / 2,
        "iscrowd": iscrowd,
        **known,
    }


def coco_document(
    description: str,
    images: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]],
    category_names: Iterable[str],
) -> dict[str, Any]:
    """The whole file; the ids of the categories count from 1."""
    return {
        "info": {"description": description},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": category_id, "name": name, "supercategory": name}
            for category_id, name in enumerate(category_names, start=1)
        ],
    }
