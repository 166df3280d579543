"""Photos with rotated objects: DOTA's label files, or a metadata.jsonl. Texts can be objects, too."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tcm_hf.data.dota import write_dota_labels
from tcm_hf.data.records import TextRecord
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.writing.losses import LANGUAGES, LINE_LEVEL, NOT_QUADS, TRANSCRIPTIONS
from tcm_hf.data.writing.output import Report, quad_of, written

__all__ = ["write_dota", "write_objects"]

_LOSSES = (TRANSCRIPTIONS, LANGUAGES, LINE_LEVEL, NOT_QUADS)


def write_dota(
    records: Iterable[RotatedRecord | TextRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write photos as images/NAME.png and labelTxt/NAME.txt; texts are objects of the class "text"."""
    with written(folder, _LOSSES, copy_images) as output:
        output.path_of("labelTxt").mkdir()
        for record in records:
            picture = output.picture(record, "images")
            write_dota_labels(output.path_of(f"labelTxt/{picture.stem}.txt"), _as_objects(record))
    return output.report


def write_objects(
    records: Iterable[RotatedRecord | TextRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write photos with a metadata.jsonl (file_name, polygons, classes, ignore a line) beside them."""
    lines = []
    with written(folder, _LOSSES, copy_images) as output:
        for record in records:
            picture, objects = output.picture(record), _as_objects(record)
            row = {
                "file_name": picture.path,
                "polygons": np.round(objects.polygons_xy.astype(np.float64), 2).tolist(),
                "classes": objects.class_names,
                "ignore": objects.difficult.tolist(),
            }
            lines.append(f"{json.dumps(row, ensure_ascii=False)}\n")
        output.text("metadata.jsonl", "".join(lines))
    return output.report


def _as_objects(record: RotatedRecord | TextRecord) -> RotatedRecord:
    if isinstance(record, RotatedRecord):
        return record
    quads = np.array([quad_of(polygon) for polygon in record.polygons_xy]).reshape(-1, 4, 2)
    nothing = np.zeros((0, 0, 3), np.uint8)  # the picture is placed already
    return RotatedRecord(nothing, quads, ["text"] * len(quads), record.ignore, name=record.name)
