"""Photos with one file of labels for all: ArT's json, MMOCR's json, PaddleOCR's Label.txt, metadata.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.records import DO_NOT_CARE, TextInstance, TextRecord, row_from_record
from tcm_hf.data.writing.losses import EMPTY_TEXTS, IGNORED_TEXTS, LANGUAGES, LINE_LEVEL, read_as_ignored
from tcm_hf.data.writing.output import Report, points_of, text_or_hashes, written

__all__ = ["write_art", "write_imagefolder", "write_mmocr", "write_paddleocr"]


def write_imagefolder(
    records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write photos with a metadata.jsonl beside them, which holds all that we know."""
    rows = []
    with written(folder, copy_images=copy_images) as output:
        for record in records:
            picture = output.picture(record)
            rows.append(row_from_record(record, picture.path, picture.size_hw))
        output.text("metadata.jsonl", "".join(f"{_json(row)}\n" for row in rows))
    return output.report


def write_art(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as train_labels.json beside train_images/gt_0.jpg; names are lost."""
    document = {}
    losses = (LINE_LEVEL, EMPTY_TEXTS, read_as_ignored(DO_NOT_CARE))
    with written(folder, losses, copy_images) as output:
        for number, record in enumerate(records):
            picture = output.picture(record, "train_images", f"gt_{number}")
            document[picture.stem] = list(map(_art_text, record.instances))
        output.text("train_labels.json", f"{_json(document)}\n")
    return output.report


def write_mmocr(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as textspotting_train.json (for detection, too) above images/."""
    entries = []
    with written(folder, [LANGUAGES, LINE_LEVEL, EMPTY_TEXTS], copy_images) as output:
        for record in records:
            picture = output.picture(record, "images")
            height, width = picture.size_hw
            instances = list(map(_mmocr_instance, record.instances))
            entries.append(
                {"img_path": picture.path, "height": height, "width": width, "instances": instances}
            )
        metainfo = {
            "dataset_type": "TextSpotterDataset",
            "task_name": "textspotter",
            "category": [{"id": 0, "name": "text"}],
        }
        output.text("textspotting_train.json", f"{_json({'metainfo': metainfo, 'data_list': entries})}\n")
    return output.report


def write_paddleocr(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as Label.txt above images/; PaddleOCR takes "###" for what is to be ignored."""
    lines = []
    losses = (LANGUAGES, LINE_LEVEL, IGNORED_TEXTS, EMPTY_TEXTS, read_as_ignored(DO_NOT_CARE, "*"))
    with written(folder, losses, copy_images) as output:
        for record in records:
            picture = output.picture(record, "images")
            lines.append(f"{picture.path}\t{_json(list(map(_paddle_text, record.instances)))}\n")
        output.text("Label.txt", "".join(lines))
    return output.report


def _art_text(instance: TextInstance) -> dict[str, Any]:
    language = {} if instance.language is None else {"language": instance.language}
    unknown = DO_NOT_CARE if instance.ignore else ""
    return {
        "transcription": unknown if instance.text is None else instance.text,
        "points": points_of(instance),
        **language,
        "illegibility": instance.ignore,
    }


def _mmocr_instance(instance: TextInstance) -> dict[str, Any]:
    points = points_of(instance)
    xs, ys = zip(*points, strict=True)
    return {
        "polygon": [value for point in points for value in point],
        "bbox": [min(xs), min(ys), max(xs), max(ys)],
        "bbox_label": 0,
        "text": instance.text or "",
        "ignore": instance.ignore,
    }


def _paddle_text(instance: TextInstance) -> dict[str, Any]:
    return {
        "transcription": text_or_hashes(instance),
        "points": points_of(instance),
        "difficult": instance.ignore,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
