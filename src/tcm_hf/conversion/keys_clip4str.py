r"""Key table of CLIP4STR: names of VamosC/CLIP4STR's `VL4STR` -> of our `CLIP4STRForTextRecognition`.

Source names are those of the Lightning module (`strhub/models/vl_str/system.py`), whose CLIP has OpenAI's.
"""

from collections.abc import Iterable, Mapping

import torch

from tcm_hf.conversion.key_rules import (
    KeyRule,
    apply_rules,
    moved,
    rename,
    split_in_three,
    split_qkv,
    transpose,
)
from tcm_hf.conversion.keys_clip import CLIP_MODEL

CHARACTER_DECODER: list[KeyRule] = [
    split_qkv(
        r"layers\.(\d+)\.(self|cross)_attn\.in_proj_(weight|bias)", r"layers.\1.\2_attn.{part}_proj.\3"
    ),
    rename(r"layers\.(\d+)\.(self|cross)_attn\.out_proj\.(weight|bias)", r"layers.\1.\2_attn.out_proj.\3"),
    rename(r"layers\.(\d+)\.linear([12])\.(weight|bias)", r"layers.\1.fc\2.\3"),
    rename(r"layers\.(\d+)\.norm(1|2|_q|_c)\.(weight|bias)", r"layers.\1.norm\2.\3"),
    rename(r"text_embed\.embedding\.weight", "text_embed.weight"),
    rename(r"pos_queries", "pos_queries"),
    rename(r"norm\.(weight|bias)", r"norm.\1"),
    rename(r"head\.(weight|bias)", r"head.\1"),
]
"""One decoder; both branches have the same names."""

CLIP4STR: list[KeyRule] = [
    *moved(CLIP_MODEL, "clip_model.", "clip."),
    *moved(CHARACTER_DECODER, "visual_decoder.", "visual_decoder."),
    *moved(CHARACTER_DECODER, "cross_decoder.", "cross_decoder."),
]
"""A whole recogniser."""


def _undo(rule: KeyRule, parts: list[torch.Tensor]) -> torch.Tensor:
    """The tensor that the rule made these of."""
    if rule.change is split_in_three:
        return torch.cat(parts)
    return parts[0].T if rule.change is transpose else parts[0]


def in_original_names(
    tensors: Mapping[str, torch.Tensor], names: Iterable[str], rules: Iterable[KeyRule] = tuple(CLIP4STR)
) -> dict[str, torch.Tensor]:
    """Our tensors as the original holds them: the table backwards.

    Args:
        tensors: weights (or gradients) under our names.
        names: original names wanted.
        rules: the key table.

    Returns:
        A tensor for every name.

    Raises:
        ValueError: if no rule knows a name.
        KeyError: if one of our tensors is missing.
    """
    rules = list(rules)
    original = {}
    for name in names:
        rule = next((rule for rule in rules if apply_rules({name: torch.zeros(3, 1)}, [rule]).sources), None)
        if rule is None:
            raise ValueError(f"No rule of the table knows the name {name!r}.")
        ours = apply_rules({name: torch.zeros(3, 1)}, [rule]).sources
        original[name] = _undo(rule, [tensors[part] for part in ours])
    return original


__all__ = ["CHARACTER_DECODER", "CLIP4STR", "in_original_names"]
