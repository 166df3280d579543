"""Measure a detector on whole photos: image processor, model, polygons, ICDAR metric."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from tcm_hf.data.records import TextRecord
from tcm_hf.evaluation.detection import sweep_thresholds
from tcm_hf.training.detectors import Decoding, detector_of
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.photo_outputs import SizeHW, photo_outputs
from tcm_hf.training.processes import ALONE, Processes

THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))

Prediction = dict[str, Any]
Decodable = tuple[int, Any, SizeHW]
"""Number of the record, maps as of the image processor's `split_images`, (height, width) of the photo."""


def predict_detector(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    *,
    batch_size: int = 4,
    threshold: float | None = None,
    image_cache: ImageCache | None = None,
    processes: Processes = ALONE,
) -> list[Prediction]:
    """Detect the text of every record.

    Images are batched with images of equal processed size only, so that `batch_size` changes no result.

    Args:
        model: A `TCMForTextDetection` (or any model with its output contract), used in eval mode on its own
            device.
        image_processor: Its `TCMImageProcessor`.
        records: The photos; their annotations are not looked at.
        batch_size: Photos in one forward.
        threshold: Least score of a polygon; None takes the image processor's.
        image_cache: Decoded photos on disk, if any.
        processes: Those that share the photos; each gets all results.

    Returns:
        One dict a record, in order: `polygons_xy`, list of float32 arrays (P, 2) in pixels of the photo, and
        `scores`, float array (N,), falling.
    """
    predictions: dict[int, Prediction] = {}
    for index, maps, size_hw in _maps(model, image_processor, records, batch_size, image_cache, processes):
        predictions[index] = _decode(image_processor, maps, size_hw, threshold=threshold)
    return _in_order(processes.gathered(predictions))


def evaluate_detector(
    model: nn.Module, image_processor: Any, records: Sequence[TextRecord], **options: Any
) -> dict[str, float]:
    """Predict and score; `options` as for `predict_detector`.

    Returns:
        What `TextDetectionMetric.compute` gives (`precision`, `recall`, `hmean`, counts) at the threshold;
        `images_per_second`, reading and decoding included; and `best_hmean` at the `best_threshold` of the
        scores, which tells how good the maps are while no threshold has been chosen yet. Report `hmean`, not
        `best_hmean`.

    Raises:
        ValueError: If there are no records.
    """
    if not records:
        raise ValueError("Evaluation needs at least one record: got none. Check the folder and the range.")
    threshold = options.pop("threshold", None)
    threshold = image_processor.threshold if threshold is None else threshold
    start = time.perf_counter()
    predictions: dict[int, Prediction] = {}
    # All that any threshold of the sweep keeps: a high threshold of the processor must not hide a better one.
    candidates: dict[int, Prediction] = {}
    seconds_of_the_sweep = 0.0
    for index, maps, size_hw in _maps(model, image_processor, records, **options):
        predictions[index] = _decode(image_processor, maps, size_hw, threshold=threshold)
        decoded = time.perf_counter()
        candidates[index] = _decode(image_processor, maps, size_hw, threshold=min(THRESHOLDS))
        seconds_of_the_sweep += time.perf_counter() - decoded
    processes = options.get("processes", ALONE)
    predictions, candidates = processes.gathered(predictions), processes.gathered(candidates)
    seconds = time.perf_counter() - start - seconds_of_the_sweep
    (scores,) = sweep_thresholds(_in_order(predictions), _references(records), [threshold])
    sweep = sweep_thresholds(_in_order(candidates), _references(records), THRESHOLDS)
    best = max([scores, *sweep], key=lambda row: row["hmean"])
    return {
        **{name: value for name, value in scores.items() if name != "threshold"},
        "best_hmean": best["hmean"],
        "best_threshold": best["threshold"],
        "images_per_second": len(records) / seconds,
    }


def choose_decoding(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    *,
    decodings: Sequence[Decoding] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    batch_size: int = 4,
    image_cache: ImageCache | None = None,
    processes: Processes = ALONE,
) -> tuple[Decoding, list[dict[str, Any]]]:
    """Find the decoding settings of the best hmean; do this on training photos, never on those reported on.

    Photos are decoded at the least threshold, polygons of lower scores left out afterwards. That is the same
    as decoding at each threshold for DBNet and PAN, and nearly the same for FCENet, which decodes only the
    best cells of a picture that has very many.

    Args:
        model: The detector.
        image_processor: Its image processor; stays as it is.
        records: The photos to choose on.
        decodings: Candidates: settings of the image processor by name, all but the score threshold; those of
            the model's detector in `DETECTORS` when None.
        thresholds: Candidates for the least score of a polygon.
        batch_size: Photos in one forward.
        image_cache: Decoded photos on disk, if any.
        processes: Those that share the photos; each gets all results.

    Returns:
        The best settings, to be given to `set_decoding`, and the settings and scores of every combination,
        best first; of equals the one named first comes first.
    """
    if decodings is None:
        decodings = detector_of(model.config).decodings
    settings: list[Decoding] = [{"threshold": min(thresholds), **one} for one in decodings]
    processors = [set_decoding(copy.copy(image_processor), one) for one in settings]
    predictions: list[dict[int, Prediction]] = [{} for _ in settings]
    for index, maps, size_hw in _maps(model, image_processor, records, batch_size, image_cache, processes):
        for found, processor in zip(predictions, processors, strict=True):
            found[index] = _decode(processor, maps, size_hw)
    rows: list[dict[str, Any]] = []
    for found, one in zip(predictions, settings, strict=True):
        for scores in sweep_thresholds(
            _in_order(processes.gathered(found)), _references(records), thresholds
        ):
            rows.append({**one, **scores})
    rows.sort(key=lambda row: -row["hmean"])
    names = {name for one in settings for name in one}
    return {name: value for name, value in rows[0].items() if name in names}, rows


def set_decoding(image_processor: Any, settings: Mapping[str, float | None]) -> Any:
    """Make `settings`, as `choose_decoding` returns them, the defaults of an image processor.

    Returns:
        The image processor.
    """
    for name, value in settings.items():
        setattr(image_processor, name, value)
    return image_processor


def _maps(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    batch_size: int = 4,
    image_cache: ImageCache | None = None,
    processes: Processes = ALONE,
) -> Iterator[Decodable]:
    """Run the model over photos, batch by batch."""
    for batch in photo_outputs(model, image_processor, records, batch_size, image_cache, processes):
        all_maps = image_processor.split_images(batch.outputs)
        yield from zip(batch.indices, all_maps, batch.sizes_hw, strict=True)


def _decode(image_processor: Any, maps: Any, size_hw: SizeHW, **settings: Any) -> Prediction:
    whole = (0, 0, size_hw[1], size_hw[0])
    result = image_processor.post_process_tiles([maps], [whole], size_hw, **settings)
    return {
        "polygons_xy": [np.asarray(polygon, np.float32) for polygon in result["polygons"]],
        "scores": np.asarray(result["scores"], np.float64),
    }


def _in_order(predictions: Mapping[int, Prediction]) -> list[Prediction]:
    return [predictions[index] for index in range(len(predictions))]


def _references(records: Sequence[TextRecord]) -> list[dict[str, Any]]:
    return [{"polygons_xy": record.polygons_xy, "ignore": record.ignore} for record in records]
