"""Measure a rotated detector on whole photos: tiles, model, objects, average precision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.evaluation.rotated import RotatedDetectionMetric
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.photo_outputs import photo_outputs
from tcm_hf.training.processes import ALONE, Processes

Objects = dict[str, torch.Tensor]

AP_THRESHOLD = 0.0
"""Least score for average precision: all that the image processor's `candidate_threshold` lets through."""
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def predict_rotated(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[RotatedRecord],
    *,
    batch_size: int = 4,
    threshold: float = AP_THRESHOLD,
    tile: str | int | None = "auto",
    image_cache: ImageCache | None = None,
    processes: Processes = ALONE,
) -> list[Objects]:
    """Find the objects of every record.

    Args:
        model: A `TCMForRotatedObjectDetection`, used in eval mode on its own device.
        image_processor: Its `TCMRotatedImageProcessor`.
        records: The photos; their annotations are not looked at.
        batch_size: Photos, or tiles, in one forward; changes no result.
        threshold: Least score of an object.
        tile: How large photos are cut, see `TCMRotatedImageProcessor.plan_tiles`.
        image_cache: A `TileCache` of decoded photos, if any.
        processes: Those that share photos and tiles; each gets all results.

    Returns:
        The objects of each record, `boxes`, `scores`, `labels` and `polygons` in pixels of the record.
    """
    plans = [image_processor.plan_tiles(record.size_hw(), tile) for record in records]
    places = [(index, part) for index, plan in enumerate(plans) for part in range(len(plan))]
    tiles = [_part(records[index], plans[index][part]) for index, part in places]
    results_of_places: dict[int, Objects] = {}
    for batch in photo_outputs(model, image_processor, tiles, batch_size, image_cache, processes):
        results = image_processor.post_process_rotated_object_detection(
            batch.outputs, threshold, batch.sizes_hw
        )
        results_of_places |= zip(batch.indices, results, strict=True)
    found: list[dict[int, Objects]] = [{} for _ in records]
    for place, result in processes.gathered(results_of_places).items():
        index, part = places[place]
        found[index][part] = result
    return [
        image_processor.merge_tiles([parts[part] for part in sorted(parts)], plan)
        for parts, plan in zip(found, plans, strict=True)
    ]


def evaluate_rotated(
    model: nn.Module, image_processor: Any, records: Sequence[RotatedRecord], **options: Any
) -> dict[str, Any]:
    """Predict and score; `options` as for `predict_rotated`, without threshold.

    Returns:
        What `RotatedDetectionMetric.compute` gives with every candidate, but `precision`, `recall` and `f1`
        at the image processor's own threshold; `num_images`, and `images_per_second`, reading and decoding
        included.

    Raises:
        ValueError: If there are no records.
    """
    if not records:
        raise ValueError("Evaluation needs at least one record: got none. Check the folder and the range.")
    start = time.perf_counter()
    found = predict_rotated(model, image_processor, records, **options)
    seconds = time.perf_counter() - start
    names = class_names_of(model)
    return {
        **_scored(found, records, names).compute(),
        **_rates(found, records, names, image_processor.threshold),
        "num_images": len(records),
        "images_per_second": len(records) / seconds,
    }


def choose_threshold(
    model: nn.Module, image_processor: Any, records: Sequence[RotatedRecord], **options: Any
) -> dict[str, float]:
    """The score threshold of the best F-measure; do this on training photos, never on those reported on.

    Args:
        model: The detector.
        image_processor: Its image processor; stays as it is.
        records: The photos to choose on.
        **options: As for `predict_rotated`, without threshold.

    Returns:
        `threshold`, and the `precision`, `recall` and `f1` that it reaches.
    """
    found, names = predict_rotated(model, image_processor, records, **options), class_names_of(model)
    rows = [{"threshold": threshold, **_rates(found, records, names, threshold)} for threshold in THRESHOLDS]
    return max(rows, key=lambda row: row["f1"])


def class_names_of(model: Any) -> list[str]:
    """Names of a model's labels, in their order."""
    return [model.config.id2label[index] for index in range(len(model.config.id2label))]


def _scored(
    found: Sequence[Objects], records: Sequence[RotatedRecord], class_names: list[str]
) -> RotatedDetectionMetric:
    metric = RotatedDetectionMetric(class_names)
    metric.update(found, [_reference(record, class_names) for record in records])
    return metric


def _rates(
    found: Sequence[Objects], records: Sequence[RotatedRecord], class_names: list[str], threshold: float
) -> dict[str, float]:
    """Precision, recall and F-measure of the objects with at least a score."""
    kept = [
        {name: values[objects["scores"] >= threshold] for name, values in objects.items()}
        for objects in found
    ]
    scores = _scored(kept, records, class_names).compute()
    return {name: scores[name] for name in ("precision", "recall", "f1")}


def _reference(record: RotatedRecord, class_names: list[str]) -> dict[str, np.ndarray]:
    record = record.with_classes(class_names)
    return {
        "boxes": record.boxes(),
        "labels": record.class_labels(class_names),
        "difficult": record.difficult,
    }


def _part(record: RotatedRecord, tile: tuple[int, int, int, int]) -> RotatedRecord:
    """The pixels of a tile of a record; the objects are left behind."""
    x, y = (0, 0) if record.tile is None else record.tile[:2]
    x0, y0, x1, y1 = tile
    return replace(
        record,
        polygons_xy=np.zeros((0, 4, 2)),
        class_names=[],
        difficult=np.zeros(0, bool),
        tile=(x + x0, y + y0, x + x1, y + y1),
    )
