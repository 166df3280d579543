"""Batch norms over the batch of all processes: two processes normalise as one with twice the batch does."""

from __future__ import annotations

import torch
from timm.layers import convert_sync_batchnorm
from torch import distributed, nn

from tcm_hf.modeling.global_batch import exchanged_sum


def synchronise_batch_norms(model: nn.Module, device_type: str) -> None:
    """Let the batch norms of a model, in place, use the statistics of all processes while they train.

    Names, weights and what they do in evaluation stay. On a GPU they become torch's `SyncBatchNorm`, which
    the CPU does not have; there they become `ProcessBatchNorm`.

    Args:
        model: The model, before it is wrapped; hooks on batch norms are to be put on afterwards.
        device_type: Of the device that it trains on.
    """
    if device_type != "cpu":
        convert_sync_batchnorm(model)
        return
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = ProcessBatchNorm


class ProcessBatchNorm(nn.BatchNorm2d):
    """Batch norm whose mean and variance in training are those of the pixels of all processes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same; in evaluation as in `nn.BatchNorm2d`."""
        if not self.training or not distributed.is_initialized():
            return super().forward(input)
        pixels = input.to(torch.promote_types(input.dtype, torch.float32))
        count = exchanged_sum(pixels.new_tensor(pixels[:, 0].numel()))
        mean = exchanged_sum(pixels.sum((0, 2, 3))) / count
        centered = pixels - mean[:, None, None]
        variance = exchanged_sum(centered.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        result = centered * scale[:, None, None]
        return (result if not self.affine else result + self.bias[:, None, None]).to(input.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        part = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, part)
        self.running_var.lerp_(variance, part)
