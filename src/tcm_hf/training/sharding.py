"""FSDP cuts parameters along their first dimension, which a single number does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import nn


def scalars_to_vectors(model: nn.Module) -> set[str]:
    """Give the parameters that are single numbers (gates, temperatures) one dimension, in place.

    They broadcast as before, so the model computes the same.

    Args:
        model: The model, before it is wrapped and before its optimizer is made.

    Returns:
        Their names, for `vectors_to_scalars`.
    """
    changed = set()
    for prefix, module in model.named_modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.ndim == 0:
                vector = nn.Parameter(parameter.detach().reshape(1), parameter.requires_grad)
                module.register_parameter(name, vector)
                changed.add(f"{prefix}.{name}" if prefix else name)
    return changed


def vectors_to_scalars(state: Mapping[str, torch.Tensor], names: Collection[str]) -> dict[str, torch.Tensor]:
    """A whole state dict as `from_pretrained` wants it: the named tensors are single numbers again."""
    return {name: tensor.reshape(()) if name in names else tensor for name, tensor in state.items()}
