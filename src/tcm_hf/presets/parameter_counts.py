"""How large the presets are: models are built without memory for their weights, and counted."""

from functools import cache
from typing import NamedTuple

import torch

from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection


class ParameterCount(NamedTuple):
    """Numbers of parameters of a model."""

    total: int
    without_text_tower: int
    """What the papers count; the text tower is frozen."""


@cache
def count_parameters(preset: str) -> ParameterCount:
    """Counts the parameters of a preset of `TCMConfig` or `CLIP4STRConfig`.

    Raises:
        ValueError: if there is no such preset.
    """
    with torch.device("meta"):
        if preset in CLIP4STRConfig.presets:
            recognizer = CLIP4STRForTextRecognition(CLIP4STRConfig.from_preset(preset))
            text_side = [
                parameter
                for name, parameter in recognizer.named_parameters()
                if ".text_model." in name or ".text_projection." in name
            ]
            total = recognizer.num_parameters()
        else:
            detector = TCMForTextDetection(TCMConfig.from_preset(preset))
            tower = detector.model.text_tower
            text_side = [] if tower is None else list(tower.parameters())
            total = detector.num_parameters()
    return ParameterCount(total, total - sum(parameter.numel() for parameter in text_side))
