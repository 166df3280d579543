"""Batches of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tcm_hf.data.targets_rotated import pad_rotated_targets


class TextDetectionCollator:
    """Stack samples of equal size into one batch.

    Gives `pixel_values` (B, 3, H, W) float32 and `labels`, a dict of float32 maps with the batch in front:
    (B, H, W) at full size, (B, C, h, w) at a stride, as the head's `label_shapes` says. The label maps of the
    samples may be of any number type (masks as uint8 are the cheap way to keep them).
    """

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Stack `samples`, dicts of `pixel_values` (3, H, W) and `labels` {name: map of any shape}.

        Raises:
            ValueError: If the samples differ in size.
        """
        names = samples[0]["labels"].keys()
        return {
            "pixel_values": stacked_pixels(samples),
            "labels": {
                name: torch.stack([torch.as_tensor(sample["labels"][name]) for sample in samples]).float()
                for name in names
            },
        }


class ListedLabelsCollator:
    """Stack samples of equal size, and leave their labels apart: images differ in what they show.

    Gives `pixel_values` (B, 3, H, W) float32 and `labels`, a list of one dict an image.
    """

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Stack `samples`, dicts of `pixel_values` (3, H, W) and `labels`.

        Raises:
            ValueError: If the samples differ in size.
        """
        return {
            "pixel_values": stacked_pixels(samples),
            "labels": [sample["labels"] for sample in samples],
        }


class RotatedDetectionCollator:
    """Stack samples of equal size, and fill their objects up to the most of an image.

    Gives `pixel_values` (B, 3, H, W) float32 and `labels`: `boxes` (B, M, 5) and `class_labels` (B, M), -1
    where there is no object.
    """

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Stack `samples`, dicts of `pixel_values` (3, H, W) and `labels` as of `rotated_targets`.

        Raises:
            ValueError: If the samples differ in size.
        """
        labels = pad_rotated_targets(
            [{name: np.asarray(value) for name, value in sample["labels"].items()} for sample in samples]
        )
        return {
            "pixel_values": stacked_pixels(samples),
            "labels": {name: torch.from_numpy(value) for name, value in labels.items()},
        }


def stacked_pixels(samples: Sequence[dict[str, Any]]) -> torch.Tensor:
    """(B, 3, H, W) of the `pixel_values` of samples.

    Raises:
        ValueError: If the samples differ in size.
    """
    sizes = {tuple(sample["pixel_values"].shape) for sample in samples}
    if len(sizes) != 1:
        raise ValueError(
            f"Training samples of one batch must have equal sizes: got (3, H, W) in {sorted(sizes)}. "
            "Give every data set the same `size_hw`."
        )
    return torch.stack([sample["pixel_values"] for sample in samples])
