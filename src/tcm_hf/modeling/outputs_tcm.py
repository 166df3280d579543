"""What TCM's models return."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers.modeling_outputs import BackboneOutput
from transformers.utils import ModelOutput


@dataclass
class TCMModelOutput(BackboneOutput):
    """Feature pyramid with the matching map, and the embeddings behind it.

    Args:
        feature_maps: maps of the chosen stages; the matching map is concatenated to stage `matching_stage`.
        hidden_states: maps of all stages that the image tower makes (only with `output_hidden_states=True`).
        attentions: always None.
        matching_map: (B, K, H/32, W/32) cosine between image positions and text, in [-1, 1]; times the
            learned scale with `learn_temperature`.
        global_embedding: (B, C) image embedding.
        dense_embedding: (B, C, H/32, W/32) image embedding with the visual prompt.
        text_embedding: (B, K, C) text embedding after similarity matching and refinement.
        image_embedding: (B, C, H/32, W/32) `I` of the paper, before the visual prompt (only with
            `output_embeddings=True`; None for the baseline).
        visual_prompt: (B, C, H/32, W/32) what the text adds to it, gate included: `dense_embedding` is
            `image_embedding + visual_prompt` (only with `output_embeddings=True`; None without a visual
            prompter).
    """

    matching_map: torch.Tensor | None = None
    global_embedding: torch.Tensor | None = None
    dense_embedding: torch.Tensor | None = None
    text_embedding: torch.Tensor | None = None
    image_embedding: torch.Tensor | None = None
    visual_prompt: torch.Tensor | None = None


@dataclass
class TCMTextDetectionOutput(ModelOutput):
    """Maps of the detector; which ones there are depends on the head.

    Args:
        loss: sum of the weighted losses, with `labels`.
        loss_dict: the single weighted losses, with `labels`.
        probability_map: DBNet, SegNet: (B, H, W), how likely a pixel belongs to a shrunk text kernel.
        threshold_map: DBNet: (B, H, W), the learned threshold; with `labels` or in training only.
        binary_map: DBNet: (B, H, W), differentiable binarisation; with `labels` or in training only.
        segmentation_logits: SegNet: (B, K, H, W), one map a class prompt.
        text_logits: PAN: (B, H/4, W/4), whether a pixel is text.
        kernel_logits: PAN: (B, H/4, W/4), whether a pixel belongs to a shrunk text kernel.
        pixel_embeddings: PAN: (B, E, H/4, W/4), near for pixels of one instance.
        region_logits: FCENet: one (B, 2, h, w) a level of stride 8, 16, 32: not text, text.
        center_logits: FCENet: one (B, 2, h, w) a level: outside, inside the text's centre region.
        fourier_coefficients: FCENet: one (B, 2 (2K + 1), h, w) a level: real parts for k = -K … K, then
            imaginary parts, in cells of the level, relative to the cell.
        matching_map: (B, K, h, w), cosine between image positions and text; None for the baseline.
        hidden_states: maps of all stages that the image tower makes (only with `output_hidden_states=True`).
        image_embedding: (B, C, h, w), before the visual prompt (only with `output_embeddings=True`, like
            both that follow; each is None where the model has no such part).
        visual_prompt: (B, C, h, w), what the visual prompt adds to it, gate included.
        text_embedding: (B, K, C), after similarity matching and refinement.
    """

    loss: torch.Tensor | None = None
    loss_dict: dict[str, torch.Tensor] | None = None
    probability_map: torch.Tensor | None = None
    threshold_map: torch.Tensor | None = None
    binary_map: torch.Tensor | None = None
    segmentation_logits: torch.Tensor | None = None
    text_logits: torch.Tensor | None = None
    kernel_logits: torch.Tensor | None = None
    pixel_embeddings: torch.Tensor | None = None
    region_logits: tuple[torch.Tensor, ...] | None = None
    center_logits: tuple[torch.Tensor, ...] | None = None
    fourier_coefficients: tuple[torch.Tensor, ...] | None = None
    matching_map: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    image_embedding: torch.Tensor | None = None
    visual_prompt: torch.Tensor | None = None
    text_embedding: torch.Tensor | None = None


def backbone_fields(backbone: TCMModelOutput, output_embeddings: bool | None) -> dict[str, Any]:
    """What every model on the backbone passes on of it, by field of the model's own output."""
    return {
        "matching_map": backbone.matching_map,
        "hidden_states": backbone.hidden_states,
        "image_embedding": backbone.image_embedding,
        "visual_prompt": backbone.visual_prompt,
        "text_embedding": backbone.text_embedding if output_embeddings else None,
    }


__all__ = ["TCMModelOutput", "TCMTextDetectionOutput", "backbone_fields"]
