"""Run a model over whole photos: what every evaluation begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.processes import ALONE, Processes

SizeHW = tuple[int, int]


class PhotoBatch(NamedTuple):
    """What a model says of some photos."""

    indices: list[int]
    """Of their records."""
    sizes_hw: list[SizeHW]
    """Height and width of the photos as they came."""
    outputs: Any
    """Of the model, one row a photo."""


def photo_outputs(
    model: nn.Module,
    image_processor: Any,
    records: Sequence[Any],
    batch_size: int = 4,
    image_cache: ImageCache | None = None,
    processes: Processes = ALONE,
) -> Iterator[PhotoBatch]:
    """Run a model over photos, those of equal processed size together: `batch_size` changes no result.

    Args:
        model: The model, used in eval mode on its own device.
        image_processor: Its image processor.
        records: The photos, with `load_image`; their annotations are not looked at.
        batch_size: Photos in one forward.
        image_cache: Decoded photos on disk, if any.
        processes: Those that share the photos; only the batches of this one's share come.

    Yields:
        Batches; every record is in one of one process, in whatever order.
    """
    was_training = model.training
    model.eval()
    waiting: dict[torch.Size, list[tuple[int, torch.Tensor, SizeHW]]] = {}
    try:
        for index in processes.share(len(records)):
            record = records[index]
            image = record.load_image() if image_cache is None else np.array(image_cache.load(record))
            pixels = image_processor(images=image, return_tensors="pt")["pixel_values"][0]
            group = waiting.setdefault(pixels.shape, [])
            group.append((index, pixels, image.shape[:2]))
            if len(group) == batch_size:
                yield _forward(model, waiting.pop(pixels.shape))
        for group in waiting.values():
            yield _forward(model, group)
    finally:
        model.train(was_training)


def _forward(model: nn.Module, group: list[tuple[int, torch.Tensor, SizeHW]]) -> PhotoBatch:
    indices, pixels, sizes_hw = zip(*group, strict=True)
    weights = next(model.parameters(), None)
    device = "cpu" if weights is None else weights.device  # an export has none
    with torch.no_grad():
        outputs = model(pixel_values=torch.stack(pixels).to(device))
    return PhotoBatch(list(indices), list(sizes_hw), outputs)
