"""Batches of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


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
        sizes = {tuple(sample["pixel_values"].shape) for sample in samples}
        if len(sizes) != 1:
            raise ValueError(
                f"Training samples of one batch must have equal sizes: got (3, H, W) in {sorted(sizes)}. "
                "Give every data set the same `size_hw`."
            )
        names = samples[0]["labels"].keys()
        return {
            "pixel_values": torch.stack([sample["pixel_values"] for sample in samples]),
            "labels": {
                name: torch.stack([torch.as_tensor(sample["labels"][name]) for sample in samples]).float()
                for name in names
            },
        }
