r"""Key tables of TCM: names of the released OCRCLIP detectors -> of our `TCMForTextDetection`.

Tables only, grouped by module. Source names are those of wenwenyu/TCM (`ocrclip`, on mmocr 0.4), whose towers
have OpenAI's.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename, transposed, without_batch
from tcm_hf.conversion.keys_clip import RESNET_TOWER, TCM_TEXT_TOWER, VIT_TOWER

_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"

VIT_PYRAMID: list[KeyRule] = [
    rename(rf"fpn1\.([0124])\.{_NORM}", r"pyramid.0.\1.\2"),
    rename(rf"fpn2\.([01])\.{_NORM}", r"pyramid.1.\1.\2"),
    rename(r"fpn3\.(weight|bias)", r"pyramid.2.0.\1"),
    rename(r"fpn4\.0\.(weight|bias)", r"pyramid.3.0.\1"),
]
"""What makes maps of four strides of a vision transformer's one."""

IMAGE_TOWERS: dict[str, list[KeyRule]] = {
    "clip_resnet": moved(RESNET_TOWER, "backbone.", "model.image_tower."),
    "clip_vit": moved([*VIT_TOWER, *VIT_PYRAMID], "backbone.", "model.image_tower."),
}
"""By our `tower_type`."""

TEXT_TOWER: list[KeyRule] = moved(TCM_TEXT_TOWER, "text_encoder.", "model.text_tower.")

PROMPTS: list[KeyRule] = [
    KeyRule("contexts", ("model.prompt.sequence.contexts",), without_batch),
    rename("meta_query", "model.prompt.meta_query"),
    rename(
        r"prompt_generator\.prompt_proj\.0\.(weight|bias)",
        r"model.prompt.language_prompt_generator.norm_in.\1",
    ),
    rename(
        r"prompt_generator\.prompt_proj\.1\.(weight|bias)", r"model.prompt.language_prompt_generator.fc1.\1"
    ),
    rename(
        r"prompt_generator\.prompt_proj\.3\.(weight|bias)",
        r"model.prompt.language_prompt_generator.norm_mid.\1",
    ),
    rename(
        r"prompt_generator\.prompt_proj\.4\.(weight|bias)", r"model.prompt.language_prompt_generator.fc2.\1"
    ),
]
"""Learnable prompts, FastTCM's meta query, the language prompt generator."""

MATCHING: list[KeyRule] = [
    transposed("pix_w", "model.similarity_matching.projection.weight"),
    rename("logit_scale", "model.logit_scale"),
]
"""Bimodal similarity matching as FastTCM's code has it, and the learned temperature."""

PROMPT_DECODER: list[KeyRule] = [
    rename(r"memory_proj\.0\.(weight|bias)", r"memory_norm_in.\1"),
    rename(r"memory_proj\.1\.(weight|bias)", r"memory_proj.\1"),
    rename(r"memory_proj\.2\.(weight|bias)", r"memory_norm_out.\1"),
    rename(r"text_proj\.0\.(weight|bias)", r"query_norm.\1"),
    rename(r"text_proj\.1\.(weight|bias)", r"query_proj.\1"),
    rename(r"decoder\.(\d+)\.(self|cross)_attn\.([qkv])_proj\.weight", r"layers.\1.\2_attn.\3_proj.weight"),
    rename(r"decoder\.(\d+)\.(self|cross)_attn\.proj\.(weight|bias)", r"layers.\1.\2_attn.out_proj.\3"),
    rename(r"decoder\.(\d+)\.norm1\.(weight|bias)", r"layers.\1.self_attn_norm.\2"),
    rename(r"decoder\.(\d+)\.norm2\.(weight|bias)", r"layers.\1.cross_attn_norm.\2"),
    rename(r"decoder\.(\d+)\.norm3\.(weight|bias)", r"layers.\1.mlp_norm.\2"),
    rename(r"decoder\.(\d+)\.mlp\.0\.(weight|bias)", r"layers.\1.fc1.\2"),
    rename(r"decoder\.(\d+)\.mlp\.3\.(weight|bias)", r"layers.\1.fc2.\2"),
    rename(r"out_proj\.0\.(weight|bias)", r"output_norm.\1"),
    rename(r"out_proj\.1\.(weight|bias)", r"output_proj.\1"),
]
"""The small decoder behind the visual prompt and the text refiner; the original calls its queries text."""

VISUAL_PROMPTER: list[KeyRule] = [
    *moved(PROMPT_DECODER, "visual_prompt_generator.", "model.visual_prompter.generator."),
    rename("vis_gamma", "model.visual_prompter.gate"),
]

TEXT_REFINER: list[KeyRule] = [
    *moved(PROMPT_DECODER, "context_decoder.", "model.text_refiner.decoder."),
    rename("gamma", "model.text_refiner.gate"),
]

TEXT_SIDE: list[KeyRule] = [*TEXT_TOWER, *PROMPTS, *MATCHING, *VISUAL_PROMPTER, *TEXT_REFINER]

FPNC: list[KeyRule] = [
    rename(r"neck\.(lateral|smooth)_convs\.(\d)\.conv\.weight", r"head.neck.\1_convs.\2.weight"),
]
"""DBNet's neck."""

DBNET: list[KeyRule] = [
    *FPNC,
    rename(rf"bbox_head\.binarize\.([01346])\.{_NORM}", r"head.probability.\1.\2"),
    rename(rf"bbox_head\.threshold\.([01346])\.{_NORM}", r"head.threshold.\1.\2"),
]

SEGNET: list[KeyRule] = [
    *FPNC,
    rename(rf"bbox_head\.binarize\.([01346])\.{_NORM}", r"head.pixel_embedding.\1.\2"),
    rename(r"bbox_head\.fc\.weight", "head.text_projection.weight"),
    rename(r"bbox_head\.logit_scale", "head.logit_scale"),
]


def _reduction(level: int) -> list[KeyRule]:
    """The original counts maps from C2, we from 0."""
    theirs, ours = rf"neck\.reduce_conv_c{level + 2}", f"head.neck.reduce_convs.{level}"
    return [
        rename(theirs + r"\.0\.(weight|bias)", ours + r".conv.\1"),
        rename(theirs + rf"\.1\.{_NORM}", ours + r".norm.\1"),
    ]


def _enhancement(step: int) -> list[KeyRule]:
    """One step up and one down in every enhancement module; the original counts from 1."""
    theirs = rf"neck\.fpems\.(\d+)\.(up|down)_add{step + 1}"
    ours = rf"head.neck.enhancements.\1.\2_scale.{step}"
    return [
        rename(theirs + r"\.(depthwise|pointwise)_conv\.(weight|bias)", ours + r".\3_conv.\4"),
        rename(theirs + rf"\.bn\.{_NORM}", ours + r".norm.\3"),
    ]


PAN: list[KeyRule] = [
    *(rule for level in range(4) for rule in _reduction(level)),
    *(rule for step in range(3) for rule in _enhancement(step)),
    rename(r"bbox_head\.out_conv\.(weight|bias)", r"head.prediction.\1"),
]

FCENET: list[KeyRule] = [
    rename(r"neck\.lateral_convs\.(\d)\.conv\.(weight|bias)", r"head.neck.inner_convs.\1.\2"),
    rename(r"neck\.fpn_convs\.(\d)\.conv\.(weight|bias)", r"head.neck.output_convs.\1.\2"),
    rename(r"bbox_head\.out_conv_cls\.(weight|bias)", r"head.classification.\1"),
    rename(r"bbox_head\.out_conv_reg\.(weight|bias)", r"head.contour.\1"),
]

HEADS: dict[str, list[KeyRule]] = {"dbnet": DBNET, "pan": PAN, "fcenet": FCENET, "segnet": SEGNET}
"""By our `head_type`."""

SIGNS: dict[str, str] = {
    "bbox_head.threshold.0.weight": "dbnet",
    "bbox_head.fc.weight": "segnet",
    "bbox_head.out_conv.weight": "pan",
    "bbox_head.out_conv_cls.weight": "fcenet",
}
"""A name that only one detector has -> our `head_type`."""

IGNORABLE_FOR_TCM_CHECKPOINTS: dict[str, str] = {
    r"ema_.+": "a moving average that mmcv keeps beside the weights",
}

UNUSED: dict[str, str] = {
    r"model\.text_refiner\..+": "its configuration does not refine the text embedding",
    r"model\.visual_prompter\.gate": "its configuration has no visual prompt",
    r"model\.similarity_matching\..+": "its own code cannot multiply this shape: FastTCM's equation 9 holds",
}
"""Our names of what the original builds whatever its configuration uses."""

ABSENT_FROM_BASELINE: dict[str, str] = {
    r"model\.text_tower\..+": "the baseline has no text side",
    r"model\.image_tower\.(attention_pool|post_layernorm|visual_projection)\..+": (
        "the baseline has no joint embedding space"
    ),
}
"""Our names of what a plain detector on CLIP's tower has no use for."""


def tcm_rules(tower: str, detector: str) -> list[KeyRule]:
    """The table of a whole detector.

    Args:
        tower: our `tower_type`, a key of `IMAGE_TOWERS`.
        detector: our `head_type`, a key of `HEADS`.
    """
    return [*IMAGE_TOWERS[tower], *TEXT_SIDE, *HEADS[detector]]


__all__ = [
    "ABSENT_FROM_BASELINE",
    "HEADS",
    "IGNORABLE_FOR_TCM_CHECKPOINTS",
    "IMAGE_TOWERS",
    "SIGNS",
    "UNUSED",
    "tcm_rules",
]
