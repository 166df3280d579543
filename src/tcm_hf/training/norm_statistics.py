"""Batch norms under gradient checkpointing: what is computed twice counts once."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class StatisticsOnce:
    """Keeps the running statistics of batch norms as they would be without gradient checkpointing.

    Checkpointed layers see a batch a second time in the backward pass. That would take it into the running
    statistics twice, and the trained model would be another one.

    Args:
        model: Hooks are put on its batch norms.
    """

    def __init__(self, model: nn.Module):
        self._momenta: dict[nn.Module, float | None] = {}
        for module in model.modules():
            if isinstance(module, _BatchNorm) and module.track_running_stats:
                module.register_forward_pre_hook(self._before)
                # Always: torch leaves a layer by an exception as soon as it has recomputed enough.
                module.register_forward_hook(self._after, always_call=True)

    def _before(self, module: Any, args: Any) -> None:
        if module.training and _in_backward():
            self._momenta[module] = module.momentum
            module.momentum = 0.0

    def _after(self, module: Any, args: Any, output: Any) -> None:
        if module in self._momenta:
            module.momentum = self._momenta.pop(module)
            if module.num_batches_tracked is not None:
                module.num_batches_tracked.sub_(1)


def _in_backward() -> bool:
    """Whether autograd is going backward: torch's checkpointing asks in the same way."""
    return torch._C._current_graph_task_id() != -1
