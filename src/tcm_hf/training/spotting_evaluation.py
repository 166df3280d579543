"""Measure a spotter on whole photos: image processor, model, outlines and words, ICDAR metric."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import nn

from tcm_hf.data.records import TextRecord
from tcm_hf.evaluation.detection import TextDetectionMetric
from tcm_hf.evaluation.spotting import TextSpottingMetric
from tcm_hf.training.photo_outputs import photo_outputs
from tcm_hf.training.processes import ALONE

THRESHOLDS = tuple(round(0.2 + 0.1 * step, 1) for step in range(8))
"""Candidates for the least score of a word's place."""
RECOGNITION_THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Candidates for the least score of what it says."""

Reading = dict[str, Any]
Thresholds = tuple[float, float]
"""Least score of a place, least score of a text."""


def read_photos(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    *,
    thresholds: Thresholds | None = None,
    **options: Any,
) -> list[Reading]:
    """Find and read the words of every record.

    Args:
        model: A `FastTCMForTextSpotting`, used in eval mode on its own device.
        image_processor: Its `TCMSpottingImageProcessor`.
        records: The photos; their annotations are not looked at.
        thresholds: Least scores; None takes the image processor's.
        **options: `batch_size`, `image_cache` and `processes` as for `photo_outputs`.

    Returns:
        One dict a record, in order: `polygons_xy`, list of float32 arrays (P, 2) in pixels of the photo,
        `texts`, `scores` of the places, and `text_scores`, float arrays (N,).
    """
    least = thresholds or thresholds_of(image_processor)
    readings: dict[int, Reading] = {}
    for batch in photo_outputs(model, image_processor, records, **options):
        results = image_processor.post_process_text_spotting(
            batch.outputs, threshold=least[0], recognition_threshold=least[1], target_sizes=batch.sizes_hw
        )
        for index, result in zip(batch.indices, results, strict=True):
            readings[index] = {
                "polygons_xy": [np.asarray(polygon, np.float32) for polygon in result["polygons"]],
                "texts": list(result["texts"]),
                "scores": np.asarray(result["scores"], np.float64),
                "text_scores": np.array([reading["score"] for reading in result["readings"]], np.float64),
            }
    readings = options.get("processes", ALONE).gathered(readings)
    return [readings[index] for index in range(len(records))]


def evaluate_spotter(
    model: nn.Module, image_processor: Any, records: Sequence[TextRecord], **options: Any
) -> dict[str, float]:
    """Read and score; `options` as for `read_photos`.

    Returns:
        What `TextSpottingMetric.compute` gives (`precision`, `recall`, `hmean`, counts) at the thresholds;
        `detection_hmean` there, of the outlines alone; `images_per_second`, reading and decoding included;
        and `best_hmean` at `best_threshold` and `best_recognition_threshold`, which tells how good the model
        is while none have been chosen yet. Report `hmean`, not `best_hmean`.

    Raises:
        ValueError: If there are no records.
    """
    if not records:
        raise ValueError("Evaluation needs at least one record: got none. Check the folder and the range.")
    least = options.pop("thresholds", None) or thresholds_of(image_processor)
    start = time.perf_counter()
    # All that any thresholds of the sweep keep.
    lowest = (min(least[0], *THRESHOLDS), min(least[1], *RECOGNITION_THRESHOLDS))
    readings = read_photos(model, image_processor, records, thresholds=lowest, **options)
    seconds = time.perf_counter() - start
    scores, *sweep = sweep_thresholds(readings, records, [least, *_ALL_THRESHOLDS])
    best = max([scores, *sweep], key=lambda row: row["hmean"])
    found = TextDetectionMetric()
    found.update([_above(reading, least) for reading in readings], _references(records))
    return {
        **{name: value for name, value in scores.items() if "threshold" not in name},
        "detection_hmean": found.compute()["hmean"],
        **{f"best_{name}": best[name] for name in ("hmean", "threshold", "recognition_threshold")},
        "images_per_second": len(records) / seconds,
    }


def choose_thresholds(
    model: nn.Module, image_processor: Any, records: Sequence[TextRecord], **options: Any
) -> dict[str, float]:
    """Find the thresholds of the best hmean; do this on training photos, never on those reported on.

    Args:
        model: The spotter.
        image_processor: Its image processor; stays as it is.
        records: The photos to choose on.
        **options: As for `read_photos`.

    Returns:
        `threshold`, `recognition_threshold` and the scores at them.
    """
    lowest = (min(THRESHOLDS), min(RECOGNITION_THRESHOLDS))
    readings = read_photos(model, image_processor, records, thresholds=lowest, **options)
    return max(sweep_thresholds(readings, records, _ALL_THRESHOLDS), key=lambda row: row["hmean"])


def sweep_thresholds(
    readings: Sequence[Reading], records: Sequence[TextRecord], thresholds: Iterable[Thresholds]
) -> list[dict[str, float]]:
    """End-to-end scores at every pair of thresholds.

    Args:
        readings: As of `read_photos`, at thresholds not above any of these.
        records: The photos with their annotations.
        thresholds: The pairs.

    Returns:
        One dict a pair, in order: `threshold`, `recognition_threshold`, and what
        `TextSpottingMetric.compute` gives.
    """
    references, rows = _references(records), []
    for least in thresholds:
        metric = TextSpottingMetric()
        metric.update([_above(reading, least) for reading in readings], references)
        rows.append({"threshold": least[0], "recognition_threshold": least[1], **metric.compute()})
    return rows


def thresholds_of(image_processor: Any) -> Thresholds:
    """Those that an image processor has."""
    return image_processor.threshold, image_processor.recognition_threshold


_ALL_THRESHOLDS = tuple(itertools.product(THRESHOLDS, RECOGNITION_THRESHOLDS))


def _above(reading: Reading, least: Thresholds) -> Reading:
    kept = np.flatnonzero((reading["scores"] >= least[0]) & (reading["text_scores"] >= least[1]))
    return {name: [reading[name][index] for index in kept] for name in ("polygons_xy", "texts")}


def _references(records: Sequence[TextRecord]) -> list[dict[str, Any]]:
    """The annotations; a word whose text is not known is do-not-care."""
    return [
        {
            "polygons_xy": record.polygons_xy,
            "texts": record.texts,
            "ignore": [skip or text is None for skip, text in zip(record.ignore, record.texts, strict=True)],
        }
        for record in records
    ]
