"""Configuration of the end-to-end spotter: TCM's backbone with a head that reads."""

from typing import Literal

from transformers.configuration_utils import PreTrainedConfig

from .configuration_abcnet import ABCNetHeadConfig
from .configuration_deepsolo import DeepSoloHeadConfig
from .configuration_parts import strict_config
from .configuration_tcm import TCMConfig
from .configuration_testr import TESTRHeadConfig
from .presets_spotting import PRESETS

UNKNOWN_CHARACTER = "\u53e3"
"""What stands for a character that is not in the character set, as in the released spotters."""

CHARACTERS_96 = "".join(map(chr, range(ord(" "), ord("~") + 1))) + UNKNOWN_CHARACTER
"""Printable ASCII from the space on: the released character set."""

CHARACTERS_37 = "0123456789abcdefghijklmnopqrstuvwxyz" + UNKNOWN_CHARACTER
"""Digits and lower case letters."""

SPOTTING_HEAD_CONFIGS: dict[str, type[PreTrainedConfig]] = {
    "testr": TESTRHeadConfig,
    "abcnet": ABCNetHeadConfig,
    "deepsolo": DeepSoloHeadConfig,
}


@strict_config
class TCMSpottingConfig(TCMConfig):
    r"""Configuration of [`FastTCMForTextSpotting`]: all of [`TCMConfig`], a head that reads, its characters.

    Args:
        characters: the character set; the id of a character is its place, the id after the last one is no
            character. The last one stands for whatever is not in the set.
        matching_fusion: as in `TCMConfig`, `"add_gated"` here.
        head_config: a config of a spotting head, or a dict with its `head_type`.

    Raises:
        ValueError: as `TCMConfig`, and for characters that occur twice.
    """

    model_type = "tcm_spotting"
    presets = PRESETS
    chosen_parts = TCMConfig.chosen_parts | {"head_config": ("head_type", SPOTTING_HEAD_CONFIGS)}

    characters: str = CHARACTERS_96
    matching_fusion: Literal["concatenate", "concatenate_logits", "add", "add_gated"] = "add_gated"

    def validate_characters(self):
        """A character set has at least one character, and none twice."""
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise ValueError(
                f"`characters` must hold every character once, and at least one: got {self.characters!r}."
            )


__all__ = [
    "CHARACTERS_37",
    "CHARACTERS_96",
    "SPOTTING_HEAD_CONFIGS",
    "UNKNOWN_CHARACTER",
    "TCMSpottingConfig",
]
