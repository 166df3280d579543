"""Measure a detector on whole photos: image processor, model, polygons, ICDAR metric."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tcm_hf.data.records import TextRecord
from tcm_hf.evaluation.detection import sweep_thresholds
from tcm_hf.training.image_cache import ImageCache

THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(11))
BINARIZE_THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
UNCLIP_RATIOS = (1.5, 1.75, 2.0, 2.25, 2.5)
SHRINK_RATIOS = (0.4,)  # what the targets are shrunk with, see `dbnet_targets`

Prediction = dict[str, Any]


def predict_detector(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    *,
    batch_size: int = 4,
    threshold: float | None = None,
    image_cache: ImageCache | None = None,
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

    Returns:
        One dict a record, in order: `polygons_xy`, list of float32 arrays (P, 2) in pixels of the photo, and
        `scores`, float array (N,), falling.
    """
    predictions: dict[int, Prediction] = {}
    for index, probability_map, size_hw in _probability_maps(
        model, image_processor, records, batch_size, image_cache
    ):
        predictions[index] = _decode(image_processor, probability_map, size_hw, threshold=threshold)
    return [predictions[index] for index in range(len(records))]


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
    thresholds = (threshold, *THRESHOLDS)
    start = time.perf_counter()
    # All that any threshold of the sweep keeps: a high threshold of the processor must not hide a better one.
    predictions = predict_detector(model, image_processor, records, threshold=min(thresholds), **options)
    seconds = time.perf_counter() - start
    rows = sweep_thresholds(predictions, _references(records), thresholds)
    best = max(rows, key=lambda row: row["hmean"])
    return {
        **{name: value for name, value in rows[0].items() if name != "threshold"},
        "best_hmean": best["hmean"],
        "best_threshold": best["threshold"],
        "images_per_second": len(records) / seconds,
    }


def choose_decoding(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    binarize_thresholds: Sequence[float] = BINARIZE_THRESHOLDS,
    unclip_ratios: Sequence[float] = UNCLIP_RATIOS,
    shrink_ratios: Sequence[float] = SHRINK_RATIOS,
    batch_size: int = 4,
    image_cache: ImageCache | None = None,
) -> tuple[dict[str, float | None], list[dict[str, Any]]]:
    """Find the decoding settings of the best hmean; do this on training photos, never on those reported on.

    Args:
        model: The detector.
        image_processor: Its image processor; stays as it is.
        records: The photos to choose on.
        thresholds: Candidates for the least score of a polygon.
        binarize_thresholds: Candidates for the probability above which a pixel is text.
        unclip_ratios: Candidates for how far kernels grow.
        shrink_ratios: Candidates for growing them by undoing this shrinking exactly.
        batch_size: Photos in one forward.
        image_cache: Decoded photos on disk, if any.

    Returns:
        The best settings, to be given to `set_decoding`, and the settings and scores of every combination,
        best first.
    """
    growths: list[dict[str, float | None]] = []
    growths += [{"unclip_ratio": ratio, "shrink_ratio": None} for ratio in unclip_ratios]
    growths += [{"shrink_ratio": ratio} for ratio in shrink_ratios]
    settings = [
        {"threshold": min(thresholds), "binarize_threshold": binarize, **growth}
        for binarize, growth in itertools.product(binarize_thresholds, growths)
    ]
    processors = [set_decoding(copy.copy(image_processor), one) for one in settings]
    predictions: list[dict[int, Prediction]] = [{} for _ in settings]
    for index, probability_map, size_hw in _probability_maps(
        model, image_processor, records, batch_size, image_cache
    ):
        for found, processor in zip(predictions, processors, strict=True):
            found[index] = _decode(processor, probability_map, size_hw)
    rows: list[dict[str, Any]] = []
    for found, one in zip(predictions, settings, strict=True):
        in_order = [found[index] for index in range(len(records))]
        for scores in sweep_thresholds(in_order, _references(records), thresholds):
            rows.append({**one, **scores})
    rows.sort(key=lambda row: -row["hmean"])
    names = ("threshold", "binarize_threshold", "unclip_ratio", "shrink_ratio")
    return {name: rows[0][name] for name in names if name in rows[0]}, rows


def set_decoding(image_processor: Any, settings: Mapping[str, float | None]) -> Any:
    """Make `settings`, as `choose_decoding` returns them, the defaults of an image processor.

    An unclip ratio comes with `shrink_ratio` None: an image processor that has a shrink ratio lets it decide.

    Returns:
        The image processor.
    """
    for name, value in settings.items():
        setattr(image_processor, name, value)
    return image_processor


def _probability_maps(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[TextRecord],
    batch_size: int,
    image_cache: ImageCache | None,
) -> Iterator[tuple[int, torch.Tensor, tuple[int, int]]]:
    """Run the model over photos: index, (H, W) map and (height, width) of each, batch by batch."""
    was_training = model.training
    model.eval()
    waiting: dict[torch.Size, list[tuple[int, torch.Tensor, tuple[int, int]]]] = {}
    try:
        for index, record in enumerate(records):
            image = record.load_image() if image_cache is None else np.array(image_cache.load(record))
            pixels = image_processor(images=image, return_tensors="pt")["pixel_values"][0]
            group = waiting.setdefault(pixels.shape, [])
            group.append((index, pixels, image.shape[:2]))
            if len(group) == batch_size:
                yield from _forward(model, waiting.pop(pixels.shape))
        for group in waiting.values():
            yield from _forward(model, group)
    finally:
        model.train(was_training)


def _forward(
    model: nn.Module, batch: list[tuple[int, torch.Tensor, tuple[int, int]]]
) -> Iterator[tuple[int, torch.Tensor, tuple[int, int]]]:
    device = next(model.parameters()).device
    with torch.no_grad():
        outputs = model(pixel_values=torch.stack([pixels for _, pixels, _ in batch]).to(device))
    maps = outputs["probability_map"].float().cpu()
    for (index, _, size_hw), probability_map in zip(batch, maps, strict=True):
        yield index, probability_map, size_hw


def _decode(
    image_processor: Any, probability_map: torch.Tensor, size_hw: tuple[int, int], **options: Any
) -> Prediction:
    result = image_processor.post_process_text_detection(
        {"probability_map": probability_map[None]}, target_sizes=[size_hw], **options
    )[0]
    return {
        "polygons_xy": [np.asarray(polygon, np.float32) for polygon in result["polygons"]],
        "scores": np.asarray(result["scores"], np.float64),
    }


def _references(records: Sequence[TextRecord]) -> list[dict[str, Any]]:
    return [{"polygons_xy": record.polygons_xy, "ignore": record.ignore} for record in records]
