"""The spotters whose checkpoints are converted: their key tables, and what tells their sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tcm_hf.conversion.abcnet_sizes import abcnet_head, abcnet_tower
from tcm_hf.conversion.key_rules import KeyRule
from tcm_hf.conversion.keys_abcnet import ABCNET, IGNORABLE_FOR_ABCNET, UNUSED_BY_ABCNET
from tcm_hf.conversion.keys_testr import IGNORABLE_FOR_TESTR, TESTR, TWINS_OF_TESTR, UNUSED_BY_TESTR
from tcm_hf.conversion.spotter_settings import Settings, Tensors
from tcm_hf.conversion.testr_sizes import testr_head, testr_tower


class SpotterKind(NamedTuple):
    """One kind of spotter.

    Args:
        name: its converter, and its `head_type`.
        expected: what a checkpoint of it looks like, for errors.
        rules: its key table.
        ignorable: names that are left out -> reason.
        twins: names under which a tensor is stored again -> the name that is taken.
        unused: our names of what the original builds whatever its configuration uses -> reason.
        tower: tells `image_tower_config` by tensors of our names and the configuration.
        head: tells `head_config` by the same.
        character_classes: our name of the tensor with a row for every character and none.
        stem: our name of the first convolution.
        color_format: in which order its pictures have their colours, unless its configuration says.
        threshold: where the configuration says the least score of a word; nothing where the head has it.
        released: fields that the released configurations have in common, and no tensor tells.
        presets: how the names of its presets go on after the method; the first is the likeliest.
    """

    name: str
    expected: str
    rules: Sequence[KeyRule]
    ignorable: Mapping[str, str]
    twins: Mapping[str, str]
    unused: Mapping[str, str]
    tower: Callable[[Tensors, Settings], dict[str, Any]]
    head: Callable[[Tensors, Settings], dict[str, Any]]
    character_classes: str
    stem: str
    color_format: str
    threshold: tuple[str, ...]
    released: Mapping[str, Any]
    presets: tuple[str, ...]


SPOTTERS: dict[str, SpotterKind] = {
    "testr": SpotterKind(
        name="testr",
        expected="TESTR checkpoint: expected names of upstream (testr.backbone.…, testr.transformer.…)",
        rules=TESTR,
        ignorable=IGNORABLE_FOR_TESTR,
        twins=TWINS_OF_TESTR,
        unused=UNUSED_BY_TESTR,
        tower=testr_tower,
        head=testr_head,
        character_classes="head.character.weight",
        stem="model.image_tower.trunk.conv1.weight",
        color_format="RGB",
        threshold=("MODEL", "TRANSFORMER", "INFERENCE_TH_TEST"),
        released={"matching_loss_weight": 2.0},
        presets=("testr-r50-totaltext", "testr-r50-ic15", "testr-r50-ctw1500"),
    ),
    "abcnet": SpotterKind(
        name="abcnet",
        expected=(
            "ABCNet checkpoint: expected names of upstream (backbone.bottom_up.…, proposal_generator.…, "
            "roi_heads.…)"
        ),
        rules=ABCNET,
        ignorable=IGNORABLE_FOR_ABCNET,
        twins={},
        unused=UNUSED_BY_ABCNET,
        tower=abcnet_tower,
        head=abcnet_head,
        character_classes="head.recognizer.character.weight",
        stem="model.image_tower.trunk.conv1.weight",
        color_format="BGR",
        threshold=(),
        released={"head_config": {"proposal_threshold": 0.45}},
        presets=("abcnet-r50-totaltext", "abcnet-r50-ic15", "abcnet-r50-ctw1500"),
    ),
}
"""By the name of the converter."""

__all__ = ["SPOTTERS", "SpotterKind"]
