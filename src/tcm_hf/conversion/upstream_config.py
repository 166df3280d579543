"""The original's configuration of a detector of ours: `model` of an mmcv configuration."""

from pathlib import Path
from typing import Any

from tcm_hf.conversion.tcm_prompts import prompt_text
from tcm_hf.modeling.configuration_tcm import PromptDecoderConfig, TCMConfig

DETECTORS = {"fcenet": "FCECLIP"}
"""By our `head_type`; all others are OCRCLIP. Baselines are plain detectors of mmocr."""
BASELINES = {"dbnet": "DBNet", "pan": "PANet", "fcenet": "FCENet"}


def upstream_model_config(config: TCMConfig, vocabulary: str | Path | None = None) -> dict[str, Any]:
    """What the original builds this detector from, without optimisation and decoding (see tcm_processing.py).

    Args:
        config: of a detector with CLIP's ResNet or vision transformer.
        vocabulary: see `prompt_text`. Prompts that it does not spell are left out.
    """
    head = config.head_config.head_type
    in_channels = _channels(config)
    model: dict[str, Any] = {
        "type": BASELINES[head] if config.method == "baseline" else DETECTORS.get(head, "OCRCLIP"),
        "pretrained": None,
        "backbone": _backbone(config),
        "neck": _neck(config, in_channels),
        "bbox_head": _bbox_head(config),
    }
    if config.method == "baseline":
        return model
    text = config.text_tower_config
    # FCENet's tower gives C3 … C5, which the original counts from 0.
    stage = config.matching_stage - (1 if head == "fcenet" else 0)
    model |= {
        "context_length": text.max_position_embeddings - config.num_learnable_prompts,
        "use_learnable_prompt": config.num_learnable_prompts > 0,
        "use_learnable_prompt_only": config.prompt_token_ids is None,
        "use_context_decoder": config.text_refiner_config is not None,
        "score_concat_index": stage,
        "scale_matching_score_map": config.learn_temperature,
        "is_v2": config.method == "fasttcm",
        "token_embed_dim": text.hidden_size,
        "text_dim": text.projection_dim,
        "text_encoder": {
            "type": "CLIPTextContextEncoder",
            "context_length": text.max_position_embeddings,
            "embed_dim": text.projection_dim,
            "transformer_width": text.hidden_size,
            "transformer_heads": text.num_attention_heads,
            "transformer_layers": text.num_hidden_layers,
        },
        "prompt_generator": {
            "type": "PromptGenerator",
            "visual_dim": config.image_tower_config.embed_dim,
            "token_embed_dim": text.hidden_size,
        }
        if config.language_prompt
        else None,
        "context_decoder": _decoder(config, config.text_refiner_config),
        "visual_prompt_generator": _decoder(config, config.visual_prompt_config),
    }
    if class_names := _class_names(config, vocabulary):
        model["class_names"] = class_names
    return model


def _class_names(config: TCMConfig, vocabulary: str | Path | None) -> list[str]:
    """The prompts as sentences; none if they are no sentences, or there is no vocabulary to tell."""
    if config.prompt_token_ids is None:
        return [str(label) for label in (config.id2label or {}).values()]
    try:
        return [prompt_text(ids, vocabulary) for ids in config.prompt_token_ids]
    except (ValueError, ImportError):
        return []


def _channels(config: TCMConfig) -> list[int]:
    """Channels that the neck takes, the matching map among them."""
    tower = config.image_tower_config
    if tower.tower_type == "clip_vit":
        channels = [tower.hidden_size] * 4
    else:
        channels = [4 * tower.width * 2**stage for stage in range(4)]
    if config.method != "baseline":
        channels[config.matching_stage] += config.num_classes
    return channels[1:] if config.head_config.head_type == "fcenet" else channels


def _backbone(config: TCMConfig) -> dict[str, Any]:
    tower = config.image_tower_config
    if tower.tower_type == "clip_vit":
        return {
            "type": "CLIPVisionTransformer",
            "patch_size": tower.patch_size,
            "width": tower.hidden_size,
            "output_dim": tower.embed_dim,
            "get_embeddings": True,
            "drop_path_rate": tower.drop_path_rate,
            "layers": tower.num_hidden_layers,
            "input_resolution": tower.image_size,
            "heads": tower.num_attention_heads,
            "out_indices": tower.out_layers,
        }
    baseline = config.method == "baseline"
    return {
        "type": "CLIPResNet" if baseline else "CLIPResNetWithAttention",
        "layers": tower.depths,
        "width": tower.width,
        "output_dim": tower.embed_dim,
        "input_resolution": 32 * tower.grid_size,
        "out_indices": [1, 2, 3] if config.head_config.head_type == "fcenet" else [0, 1, 2, 3],
    }


def _decoder(config: TCMConfig, decoder: PromptDecoderConfig | None) -> dict[str, Any] | None:
    if decoder is None:
        return None
    return {
        "type": "ContextDecoder",
        "transformer_width": decoder.hidden_size,
        "transformer_heads": decoder.num_attention_heads,
        "transformer_layers": decoder.num_hidden_layers,
        "visual_dim": config.image_tower_config.embed_dim,
        "dropout": decoder.dropout,
    }


def _neck(config: TCMConfig, in_channels: list[int]) -> dict[str, Any]:
    channels = config.head_config.neck_channels
    if config.head_config.head_type == "pan":
        return {"type": "FPEM_FFM", "in_channels": in_channels, "conv_out": channels}
    if config.head_config.head_type == "fcenet":
        return {
            "type": "mmdet.FPN",
            "in_channels": in_channels,
            "out_channels": channels,
            "add_extra_convs": "on_output",
            "num_outs": 3,
            "relu_before_extra_convs": True,
            "act_cfg": None,
        }
    return {
        "type": "FPNC",
        "in_channels": in_channels,
        "lateral_channels": channels,
        "out_channels": channels // 4,
    }


def _bbox_head(config: TCMConfig) -> dict[str, Any]:
    head = config.head_config
    if head.head_type == "pan":
        return {
            "type": "PANHead",
            "in_channels": [head.neck_channels] * 4,
            "out_channels": 2 + head.embedding_size,
            "loss": {"type": "PANLoss", "speedup_bbox_thr": head.max_instances},
        }
    if head.head_type == "fcenet":
        return {
            "type": "FCEHead",
            "in_channels": head.neck_channels,
            "scales": [8, 16, 32],
            "fourier_degree": head.fourier_degree,
            "loss": {"type": "FCELoss", "num_sample": head.num_contour_samples},
        }
    if head.head_type == "segnet":
        return {
            "type": "TextSegHead",
            "in_channels": head.neck_channels,
            "text_embedding_dim": config.image_tower_config.embed_dim,
            "loss": {"type": "TextSegLoss", "loss_weight": 1.0, "bbce_loss": head.balanced_probability_loss},
        }
    return {
        "type": "DBHead",
        "in_channels": head.neck_channels,
        "loss": {
            "type": "DBLoss",
            "alpha": head.probability_loss_weight,
            "beta": head.threshold_loss_weight,
            "bbce_loss": head.balanced_probability_loss,
        },
    }


__all__ = ["upstream_model_config"]
