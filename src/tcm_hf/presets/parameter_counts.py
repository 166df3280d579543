"""How large the presets are: models are built without memory for their weights, and counted."""

from functools import cache
from typing import NamedTuple

import torch

from tcm_hf.presets.families import family_of

TEXT_SIDES = (".text_tower.", ".text_model.", ".clip.text_projection.")
"""Parts that the papers leave out; TCM's tower holds its projection, CLIP4STR's CLIP has it beside."""


class ParameterCount(NamedTuple):
    """Numbers of parameters of a model."""

    total: int
    without_text_tower: int
    """What the papers count; the text tower is frozen."""


@cache
def count_parameters(preset: str) -> ParameterCount:
    """Counts the parameters of a preset.

    Raises:
        ValueError: if there is no such preset.
    """
    family = family_of(preset)
    with torch.device("meta"):
        model = family.model(family.config.from_preset(preset))
    text_side = [
        parameter.numel()
        for name, parameter in model.named_parameters()
        if any(part in f".{name}" for part in TEXT_SIDES)
    ]
    return ParameterCount(model.num_parameters(), model.num_parameters() - sum(text_side))
