r"""Key tables of TCM's rotated object detectors: names of the released code -> of our model. Tables only.

Source names are those of wenwenyu/TCM, `rotated_object_detection`, on MMRotate 1.0 and MMDetection 3.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename
from tcm_hf.conversion.keys_clip import RESNET_TOWER, TCM_TEXT_TOWER
from tcm_hf.conversion.keys_tcm import PROMPT_DECODER, PROMPTS

BACKBONE: list[KeyRule] = [
    *moved(RESNET_TOWER, "backbone.visual.", "model.image_tower."),
    *moved(TCM_TEXT_TOWER, "text_encoder.", "model.text_tower."),
    *PROMPTS,
    *moved(PROMPT_DECODER, "vis_context_decoder.", "model.visual_prompter.generator."),
    rename("vis_gamma", "model.visual_prompter.gate"),
    *moved(PROMPT_DECODER, "text_context_decoder.", "model.text_refiner.decoder."),
    rename("gamma", "model.text_refiner.gate"),
]

NECK_AND_TOWERS: list[KeyRule] = [
    rename(r"neck\.lateral_convs\.([012])\.conv\.(weight|bias)", r"head.neck.inner_convs.\1.\2"),
    rename(r"neck\.fpn_convs\.([012])\.conv\.(weight|bias)", r"head.neck.output_convs.\1.\2"),
    rename(r"neck\.fpn_convs\.3\.conv\.(weight|bias)", r"head.neck.extra_convs.0.\1"),
    rename(r"neck\.fpn_convs\.4\.conv\.(weight|bias)", r"head.neck.extra_convs.1.\1"),
    rename(r"bbox_head\.cls_convs\.(\d)\.conv\.(weight|bias)", r"head.class_tower.\1.conv.\2"),
    rename(r"bbox_head\.cls_convs\.(\d)\.gn\.(weight|bias)", r"head.class_tower.\1.norm.\2"),
    rename(r"bbox_head\.reg_convs\.(\d)\.conv\.(weight|bias)", r"head.box_tower.\1.conv.\2"),
    rename(r"bbox_head\.reg_convs\.(\d)\.gn\.(weight|bias)", r"head.box_tower.\1.norm.\2"),
]
"""Alike in all three."""

ROTATED_HEADS: dict[str, list[KeyRule]] = {
    "rotated_fcos": [
        rename(r"bbox_head\.conv_cls\.(weight|bias)", r"head.classification.\1"),
        rename(r"bbox_head\.conv_reg\.(weight|bias)", r"head.box.\1"),
        rename(r"bbox_head\.conv_angle\.(weight|bias)", r"head.angle.\1"),
        rename(r"bbox_head\.conv_centerness\.(weight|bias)", r"head.centerness.\1"),
        rename(r"bbox_head\.scales\.(\d)\.scale", r"head.level_scales.\1"),
        rename(r"bbox_head\.scale_angle\.scale", "head.angle_scale"),
    ],
    "rotated_atss": [
        rename(r"bbox_head\.atss_cls\.(weight|bias)", r"head.classification.\1"),
        rename(r"bbox_head\.atss_reg\.(weight|bias)", r"head.box.\1"),
        rename(r"bbox_head\.atss_centerness\.(weight|bias)", r"head.centerness.\1"),
        rename(r"bbox_head\.scales\.(\d)\.scale", r"head.level_scales.\1"),
    ],
    "rotated_retinanet": [
        rename(r"bbox_head\.retina_cls\.(weight|bias)", r"head.classification.\1"),
        rename(r"bbox_head\.retina_reg\.(weight|bias)", r"head.box.\1"),
    ],
}
"""By our `head_type`."""

SIGNS: dict[str, str] = {
    "bbox_head.conv_cls.weight": "rotated_fcos",
    "bbox_head.atss_cls.weight": "rotated_atss",
    "bbox_head.retina_cls.weight": "rotated_retinanet",
}
"""A name that only one detector has -> our `head_type`."""

IGNORABLE_FOR_ROTATED_CHECKPOINTS: dict[str, str] = {
    r"prompt_generator\..+": "built by the original and never run",
}


def rotated_rules(detector: str) -> list[KeyRule]:
    """The table of a whole detector; `detector` is our `head_type`."""
    return [*BACKBONE, *NECK_AND_TOWERS, *ROTATED_HEADS[detector]]


__all__ = ["IGNORABLE_FOR_ROTATED_CHECKPOINTS", "SIGNS", "rotated_rules"]
