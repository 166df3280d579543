r"""Key tables of CLIP: names of OpenAI (and OpenCLIP) and of timm -> of transformers and of our towers.

Tables only. A table is a list of rules, the first that matches a whole name wins. Source names are OpenAI's
(github.com/openai/CLIP, `clip/model.py`), in which a vision transformer and a ResNet share the prefix
`visual.`.
"""

from tcm_hf.conversion.key_rules import KeyRule, moved, rename, split_qkv, transposed

TRANSFORMER_BLOCKS: list[KeyRule] = [
    split_qkv(
        r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)",
        r"encoder.layers.\1.self_attn.{part}_proj.\2",
    ),
    rename(
        r"transformer\.resblocks\.(\d+)\.attn\.out_proj\.(weight|bias)",
        r"encoder.layers.\1.self_attn.out_proj.\2",
    ),
    rename(r"transformer\.resblocks\.(\d+)\.ln_([12])\.(weight|bias)", r"encoder.layers.\1.layer_norm\2.\3"),
    rename(r"transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(weight|bias)", r"encoder.layers.\1.mlp.fc1.\2"),
    rename(r"transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(weight|bias)", r"encoder.layers.\1.mlp.fc2.\2"),
]
"""Residual attention blocks, alike in both towers."""

TEXT_TOWER: list[KeyRule] = [
    rename(r"token_embedding\.weight", "embeddings.token_embedding.weight"),
    rename(r"positional_embedding", "embeddings.position_embedding.weight"),
    *TRANSFORMER_BLOCKS,
    rename(r"ln_final\.(weight|bias)", r"final_layer_norm.\1"),
]
"""The text half without its projection."""

VISION_TRANSFORMER: list[KeyRule] = [
    rename(r"class_embedding", "embeddings.class_embedding"),
    rename(r"positional_embedding", "embeddings.position_embedding.weight"),
    rename(r"conv1\.weight", "embeddings.patch_embedding.weight"),
    # transformers' own spelling
    rename(r"ln_pre\.(weight|bias)", r"pre_layrnorm.\1"),
    *TRANSFORMER_BLOCKS,
    rename(r"ln_post\.(weight|bias)", r"post_layernorm.\1"),
]
"""The image half of a ViT CLIP without its projection."""

CLIP_MODEL: list[KeyRule] = [
    *moved(VISION_TRANSFORMER, "visual.", "vision_model."),
    transposed(r"visual\.proj", "visual_projection.weight"),
    *moved(TEXT_TOWER, "", "text_model."),
    transposed(r"text_projection", "text_projection.weight"),
    rename(r"logit_scale", "logit_scale"),
]
"""A whole ViT CLIP -> transformers' `CLIPModel`."""

_BATCH_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"


def _residual_stage(stage: int) -> list[KeyRule]:
    """Bottleneck blocks of a stage: OpenAI counts stages from 1, timm from 0."""
    theirs, ours = rf"layer{stage + 1}\.(\d+)\.", rf"stages_{stage}.\1."
    return [
        rename(theirs + r"conv([13])\.weight", ours + r"conv\2_1x1.conv.weight"),
        rename(theirs + rf"bn([13])\.{_BATCH_NORM}", ours + r"conv\2_1x1.bn.\3"),
        rename(theirs + r"conv2\.weight", ours + "conv2_kxk.conv.weight"),
        rename(theirs + rf"bn2\.{_BATCH_NORM}", ours + r"conv2_kxk.bn.\2"),
        rename(theirs + r"downsample\.0\.weight", ours + "shortcut.conv.conv.weight"),
        rename(theirs + rf"downsample\.1\.{_BATCH_NORM}", ours + r"shortcut.conv.bn.\2"),
    ]


RESNET_TRUNK: list[KeyRule] = [
    rename(r"conv([123])\.weight", r"stem_conv\1.conv.weight"),
    rename(rf"bn([123])\.{_BATCH_NORM}", r"stem_conv\1.bn.\2"),
    *_residual_stage(0),
    *_residual_stage(1),
    *_residual_stage(2),
    *_residual_stage(3),
]
"""The trunk of a ResNet CLIP -> timm's names of `resnet50_clip` as a feature extractor, our image trunk."""

ATTENTION_POOL: list[KeyRule] = [
    rename(r"positional_embedding", "position_embedding"),
    rename(r"([qkv])_proj\.(weight|bias)", r"attention.\1_proj.\2"),
    rename(r"c_proj\.(weight|bias)", r"attention.out_proj.\1"),
]
"""CLIP's attention pooling -> our `AttentionPool2d`; positions keep their order, the global token first."""

RESNET_TOWER: list[KeyRule] = [
    *moved(RESNET_TRUNK, "", "trunk."),
    *moved(ATTENTION_POOL, "attnpool.", "attention_pool."),
]
"""The image half of a ResNet CLIP -> our image tower."""

TCM_TEXT_TOWER: list[KeyRule] = [
    *TEXT_TOWER,
    transposed(r"text_projection", "text_projection.weight"),
]
"""The text half -> our text tower, which holds its projection."""

TRANSFORMERS_CLIP: list[KeyRule] = [
    rename(r"((?:vision|text)_model\..+)", r"\1"),
    rename(r"(visual_projection\.weight|text_projection\.weight|logit_scale)", r"\1"),
]
"""transformers' `CLIPModel` -> itself."""

CLIP_TO_TCM: list[KeyRule] = [
    *moved(RESNET_TOWER, "visual.", "model.image_tower."),
    *moved(TCM_TEXT_TOWER, "", "model.text_tower."),
]
"""A whole ResNet CLIP -> both towers of `TCMForTextDetection`."""

TIMM_RESNET_TOWER: list[KeyRule] = [
    rename(r"stem\.conv([123])\.(conv|bn)\.(.+)", r"trunk.stem_conv\1.\2.\3"),
    rename(r"stages\.(\d)\.(\d+)\.(conv[123]_(?:1x1|kxk)|shortcut\.conv)\.(.+)", r"trunk.stages_\1.\2.\3.\4"),
    rename(r"head\.pos_embed", "attention_pool.position_embedding"),
    rename(r"head\.([qkv])\.(weight|bias)", r"attention_pool.attention.\1_proj.\2"),
    split_qkv(r"head\.qkv\.(weight|bias)", r"attention_pool.attention.{part}_proj.\1"),
    rename(r"head\.proj\.(weight|bias)", r"attention_pool.attention.out_proj.\1"),
]
"""timm's `resnet*_clip` -> our image tower; some versions of timm fuse queries, keys and values."""

TIMM_TO_TCM: list[KeyRule] = moved(TIMM_RESNET_TOWER, "", "model.image_tower.")
"""timm's image half -> the image tower of `TCMForTextDetection`; timm has no text half."""

VIT_TOWER: list[KeyRule] = [
    *VISION_TRANSFORMER,
    transposed(r"proj", "visual_projection.weight"),
]
"""The image half of a ViT CLIP -> our ViT image tower, which holds its projection."""

VIT_CLIP_TO_TCM: list[KeyRule] = [
    *moved(VIT_TOWER, "visual.", "model.image_tower."),
    *moved(TCM_TEXT_TOWER, "", "model.text_tower."),
]
"""A whole ViT CLIP -> both towers of `TCMForTextDetection`."""

TRANSFORMERS_TO_TCM: list[KeyRule] = [
    rename(r"vision_model\.(.+)", r"model.image_tower.\1"),
    rename(r"visual_projection\.weight", "model.image_tower.visual_projection.weight"),
    rename(r"text_model\.(.+)", r"model.text_tower.\1"),
    rename(r"text_projection\.weight", "model.text_tower.text_projection.weight"),
]
"""transformers' `CLIPModel` -> both towers of `TCMForTextDetection`."""

IGNORABLE: dict[str, str] = {
    r"input_resolution|context_length|vocab_size": "a number that the shapes of the tensors tell too",
    r"attn_mask": "the causal mask, which the model makes itself",
    r"(vision_model|text_model)\.embeddings\.position_ids": "0, 1, 2 …, which the model makes itself",
}
"""What CLIP files may hold beside weights, with the reason why it is left out."""

IGNORABLE_FOR_TCM: dict[str, str] = {
    **IGNORABLE,
    r"logit_scale": "CLIP's contrastive temperature; TCM has its own, made at a start value",
}

IGNORABLE_FOR_CLIP4STR: dict[str, str] = {
    rf"clip_model\.(?:{pattern})": reason for pattern, reason in IGNORABLE.items()
}

ABSENT_WITHOUT_CROSS_BRANCH: dict[str, str] = {
    r"clip\.(text_model\..+|text_projection\.weight|logit_scale)": "no cross branch reads captions",
}
"""Our names of what CLIP4STR does not build if the image alone is read."""
