"""Tensors that a checkpoint lists under several names."""

import re
from collections.abc import Mapping

import torch


def with_first_of_twins(
    tensors: Mapping[str, torch.Tensor], twins: Mapping[str, str]
) -> dict[str, torch.Tensor]:
    """The tensors, every first name filled: some formats keep one name of a tensor, not always the first.

    Args:
        tensors: tensors by their original names.
        twins: names (regular expressions) under which a tensor is listed again -> the first name.

    Raises:
        ValueError: if two names of one tensor hold different ones.
    """
    filled = dict(tensors)
    for name, tensor in tensors.items():
        for pattern, target in twins.items():
            if (match := re.fullmatch(pattern, name)) is None:
                continue
            first = match.expand(target)
            kept = filled.setdefault(first, tensor)
            if kept.shape != tensor.shape or not torch.equal(kept, tensor):
                raise ValueError(
                    f"{name} is not the same tensor as {first}: heads of their own for every layer, as "
                    "spotters that refine their outlines layer by layer have, are not in this package's model"
                )
    return filled


__all__ = ["with_first_of_twins"]
