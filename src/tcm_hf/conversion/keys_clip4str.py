r"""Key table of CLIP4STR: names of VamosC/CLIP4STR's `VL4STR` -> of our `CLIP4STRForTextRecognition`.

Source names are those of the Lightning module (`strhub/models/vl_str/system.py`), whose CLIP has OpenAI's.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename, split_qkv
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


__all__ = ["CHARACTER_DECODER", "CLIP4STR"]
