"""Moving average of the weights: evaluated and saved, while the live weights go on training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """Keeps average = decay * average + (1 - decay) * weights, parameters and buffers alike.

    Early on the decay is (1 + step) / (10 + step) if that is smaller, so that the random start is forgotten
    fast. Frozen tensors and integers are just copied.

    Args:
        model: The model in training.
        decay: Between 0 and 1; about 1 - 10 / steps suits a short training.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.average = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights after optimizer step `step` (1, 2, …) into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        floats: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
        for name, tensor in _tensors(model).items():
            average = self.average[name]
            if average.device != tensor.device:
                average = self.average[name] = average.to(tensor.device)
            if tensor.is_floating_point():
                floats[0].append(average)
                floats[1].append(tensor.detach())
            else:
                average.copy_(tensor)
        torch._foreach_lerp_(floats[0], floats[1], 1 - decay)

    @contextmanager
    def applied_to(self, model: nn.Module) -> Iterator[None]:
        """Inside this context `model` holds the average; after it, its own weights again."""
        live = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}
        _copy_into(model, self.average)
        try:
            yield
        finally:
            _copy_into(model, live)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The average, by name of the tensor."""
        return dict(self.average)

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on with the average of a `state_dict`."""
        self.average = {name: tensor.clone() for name, tensor in state.items()}

    def copy_to(self, model: nn.Module) -> None:
        """Replace the weights of `model` by the average for good."""
        _copy_into(model, self.average)

    def restart_from(self, model: nn.Module) -> None:
        """Make the weights of `model` the average (used when resuming from a saved average)."""
        self.average = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every trained parameter and every buffer that is saved."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    frozen = {name for name, _ in model.named_parameters()} - trained
    return {name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if name not in frozen}


@torch.no_grad()
def _copy_into(model: nn.Module, values: dict[str, torch.Tensor]) -> None:
    for name, tensor in _tensors(model).items():
        tensor.copy_(values[name])
