r"""Key table of CLIP4STR's adapters: names of `STRAdapter` -> of our model with an adapter.

Source names are those of the Lightning module `strhub/models/str_adapter/system.py`: one decoder whose
embeddings and head have no prefix, and `adapter.*` after the kind of the adapter.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename, split_qkv, transposed
from tcm_hf.conversion.keys_clip import CLIP_MODEL
from tcm_hf.conversion.keys_clip4str import CHARACTER_DECODER


def _encoder_layer(source: str, target: str, number_of_groups: int = 0) -> list[KeyRule]:
    r"""One CLIP layer; `source` is a pattern with that many groups, which `target` may use."""
    kind = rf"\{number_of_groups + 1}"
    return [
        split_qkv(rf"{source}attn\.in_proj_(weight|bias)", rf"{target}self_attn.{{part}}_proj.{kind}"),
        rename(rf"{source}attn\.out_proj\.(weight|bias)", rf"{target}self_attn.out_proj.{kind}"),
        rename(rf"{source}ln_1\.(weight|bias)", rf"{target}layer_norm1.{kind}"),
        rename(rf"{source}ln_2\.(weight|bias)", rf"{target}layer_norm2.{kind}"),
        rename(rf"{source}mlp\.c_fc\.(weight|bias)", rf"{target}mlp.fc1.{kind}"),
        rename(rf"{source}mlp\.c_proj\.(weight|bias)", rf"{target}mlp.fc2.{kind}"),
    ]


LINEAR_ADAPTER: list[KeyRule] = [
    rename(r"adapter\.fc\.0\.weight", "adapter.bottleneck.down.weight"),
    rename(r"adapter\.fc\.2\.weight", "adapter.bottleneck.up.weight"),
]
ATTENTION_ADAPTER: list[KeyRule] = _encoder_layer(r"adapter\.attn\.", "adapter.block.")
LADDER_ADAPTER: list[KeyRule] = [
    rename(r"adapter\.alpha", "adapter.alpha"),
    transposed(r"adapter\.proj", "adapter.projection.weight"),
    rename(r"adapter\.ln_post\.(weight|bias)", r"adapter.post_layernorm.\1"),
    *_encoder_layer(r"adapter\.resblocks\.(\d+)\.", r"adapter.rungs.\1.layer.", 1),
    rename(r"adapter\.resblocks\.(\d+)\.fc\.0\.weight", r"adapter.rungs.\1.down.weight"),
    rename(r"adapter\.resblocks\.(\d+)\.fc\.2\.weight", r"adapter.rungs.\1.up.weight"),
]
"""Whole and linear rungs. Narrow ones have no checkpoints: torch refuses to run the original's."""

STR_ADAPTER: list[KeyRule] = [
    *moved(CLIP_MODEL, "clip_model.", "clip."),
    *moved(CHARACTER_DECODER, "decoder.", "visual_decoder."),
    *LINEAR_ADAPTER,
    *ATTENTION_ADAPTER,
    *LADDER_ADAPTER,
    *moved(CHARACTER_DECODER, "", "visual_decoder."),
]
"""A whole recogniser of any of these kinds."""
