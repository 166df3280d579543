r"""Key tables of the released TESTR of TCM: names of detectron2's checkpoints -> `FastTCMForTextSpotting`.

Tables only. Heads that the original holds once and lists several times (`ctrl_point_class.0` … one a decoder
layer, `bbox_class` and `transformer.bbox_class_embed`) are one tensor here: the first is taken.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename, split_qkv
from tcm_hf.conversion.keys_tcm import TEXT_SIDE

_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"


def _stage(stage: int) -> list[KeyRule]:
    """Bottleneck blocks: detectron2 counts stages from res2, torchvision from layer1."""
    theirs, ours = rf"res{stage + 1}\.(\d+)\.", rf"layer{stage}.\1."
    return [
        rename(theirs + r"conv([123])\.weight", ours + r"conv\2.weight"),
        rename(theirs + rf"conv([123])\.norm\.{_NORM}", ours + r"bn\2.\3"),
        rename(theirs + r"shortcut\.weight", ours + "downsample.0.weight"),
        rename(theirs + rf"shortcut\.norm\.{_NORM}", ours + r"downsample.1.\2"),
    ]


DETECTRON2_RESNET: list[KeyRule] = [
    rename(r"stem\.conv1\.weight", "conv1.weight"),
    rename(rf"stem\.conv1\.norm\.{_NORM}", r"bn1.\1"),
    *(rule for stage in range(1, 5) for rule in _stage(stage)),
]
"""detectron2's ResNet -> timm's and torchvision's names."""

_ENCODER_LAYER = r"transformer\.encoder\.layers\.(\d+)\."
_ENCODER = r"encoder.layers.\1."

ENCODER: list[KeyRule] = [
    rename(r"input_proj\.(\d+)\.([01])\.(weight|bias)", r"encoder.input_projections.\1.\2.\3"),
    rename(r"transformer\.level_embed", "encoder.level_embedding"),
    rename(_ENCODER_LAYER + r"self_attn\.(\w+)\.(weight|bias)", _ENCODER + r"self_attn.\2.\3"),
    rename(_ENCODER_LAYER + r"norm1\.(weight|bias)", _ENCODER + r"self_attn_layer_norm.\2"),
    rename(_ENCODER_LAYER + r"linear([12])\.(weight|bias)", _ENCODER + r"mlp.fc\2.\3"),
    rename(_ENCODER_LAYER + r"norm2\.(weight|bias)", _ENCODER + r"final_layer_norm.\2"),
]
"""Deformable encoder -> transformers' Deformable DETR layers."""

PROPOSALS: list[KeyRule] = [
    rename(r"transformer\.enc_output\.(weight|bias)", r"proposals.token_proj.\1"),
    rename(r"transformer\.enc_output_norm\.(weight|bias)", r"proposals.token_norm.\1"),
    rename(r"transformer\.pos_trans\.(weight|bias)", r"proposals.position_proj.\1"),
    rename(r"transformer\.pos_trans_norm\.(weight|bias)", r"proposals.position_norm.\1"),
    rename(r"transformer\.bbox_class_embed\.(weight|bias)", r"proposals.score.\1"),
    rename(r"transformer\.bbox_embed\.layers\.(\d)\.(weight|bias)", r"proposals.box.layers.\1.\2"),
]


def _decoder(suffix: str, ours: str) -> list[KeyRule]:
    """One of the two decoders; the original keeps the layers of both in one module."""
    theirs, layer = r"transformer\.decoder\.layers\.(\d+)\.", rf"{ours}.layers.\1."
    return [
        split_qkv(
            theirs + rf"attn_(intra|inter){suffix}\.in_proj_(weight|bias)",
            layer + r"\2_attn.{part}_proj.\3",
        ),
        rename(
            theirs + rf"attn_(intra|inter){suffix}\.out_proj\.(weight|bias)", layer + r"\2_attn.o_proj.\3"
        ),
        rename(theirs + rf"attn_cross{suffix}\.(\w+)\.(weight|bias)", layer + r"cross_attn.\2.\3"),
        rename(theirs + rf"norm_(intra|inter|cross){suffix}\.(weight|bias)", layer + r"\2_attn_norm.\3"),
        rename(theirs + rf"linear([12]){suffix}\.(weight|bias)", layer + r"mlp.fc\2.\3"),
        rename(theirs + rf"norm3{suffix}\.(weight|bias)", layer + r"mlp_norm.\2"),
    ]


DECODERS: list[KeyRule] = [
    *_decoder("", "control_point_decoder"),
    *_decoder("_text", "character_decoder"),
    rename(r"ctrl_point_embed\.weight", "control_point_decoder.member_embedding.weight"),
    rename(r"text_embed\.weight", "character_decoder.member_embedding.weight"),
]

PREDICTIONS: list[KeyRule] = [
    rename(r"ctrl_point_class\.0\.(weight|bias)", r"score.\1"),
    rename(r"ctrl_point_coord\.0\.layers\.(\d)\.(weight|bias)", r"control_point.layers.\1.\2"),
    rename(r"text_class\.(weight|bias)", r"character.\1"),
]

TESTR: list[KeyRule] = [
    *moved(DETECTRON2_RESNET, "testr.backbone.0.backbone.", "model.image_tower.trunk."),
    *moved(TEXT_SIDE, "testr.backbone.0.", ""),
    rename(r"testr\.backbone\.0\.score_map_concat_gamma", "model.matching_fusion.gate"),
    *moved([*ENCODER, *PROPOSALS, *DECODERS, *PREDICTIONS], "testr.", "head."),
]
"""The whole spotter."""

IGNORABLE_FOR_TESTR: dict[str, str] = {
    r"testr\.text_pos_embed\.inv_freq": "frequencies that the model computes itself",
    r"testr\.ctrl_point_(?:class|coord)\.[1-9]\d*\..+": "the same tensor as that of decoder layer 0",
    r"testr\.bbox_(?:class|coord)\..+": "the same tensor as in the transformer",
    r".*num_batches_tracked": "a counter that frozen norms do not have",
    r"pixel_(?:mean|std)": "how images are normalised: a matter of the image processor here",
}

TWINS_OF_TESTR: dict[str, str] = {
    r"testr\.ctrl_point_(class|coord)\.[1-9]\d*\.(.+)": r"testr.ctrl_point_\1.0.\2",
    r"testr\.bbox_class\.(.+)": r"testr.transformer.bbox_class_embed.\1",
    r"testr\.bbox_coord\.(.+)": r"testr.transformer.bbox_embed.\1",
}
"""Names under which the original lists a tensor again -> the name that is taken."""

UNUSED_BY_TESTR: dict[str, str] = {
    r"model\.matching_fusion\.gate": "its configuration adds the matching map as it is",
}
"""Our names of what the original builds whatever its configuration uses."""

__all__ = ["IGNORABLE_FOR_TESTR", "TESTR", "TWINS_OF_TESTR", "UNUSED_BY_TESTR"]
