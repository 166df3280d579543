"""Photos as COCO's json, in the layout of CVAT's exports: `annotations/instances_default.json`, `images/`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord
from tcm_hf.data.writing.coco_document import coco_annotation, coco_document
from tcm_hf.data.writing.losses import EDGE_SPACES, EMPTY_TEXTS, LINE_LEVEL, read_as_ignored
from tcm_hf.data.writing.output import Report, points_of, written

__all__ = ["write_coco"]

_LOSSES = (LINE_LEVEL, EMPTY_TEXTS, EDGE_SPACES, read_as_ignored(DO_NOT_CARE))


def write_coco(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as COCO's json; text and language are attributes, what is to be ignored is a crowd."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with written(folder, _LOSSES, copy_images) as output:
        for image_id, record in enumerate(records, start=1):
            picture = output.picture(record, "images")
            height, width = picture.size_hw
            images.append({"id": image_id, "file_name": picture.name, "width": width, "height": height})
            annotations += [
                coco_annotation(
                    number,
                    image_id,
                    1,
                    points_of(instance),
                    iscrowd=int(instance.ignore),
                    attributes=attributes_of(instance),
                )
                for number, instance in enumerate(record.instances, start=len(annotations) + 1)
            ]
        document = coco_document("written by tcm_hf", images, annotations, ["text"])
        output.text("annotations/instances_default.json", json.dumps(document, ensure_ascii=False) + "\n")
    return output.report


def attributes_of(instance: TextInstance) -> dict[str, str]:
    """Transcription and language, where they are known."""
    named = {"text": instance.text, "language": instance.language}
    return {name: value for name, value in named.items() if value is not None}
