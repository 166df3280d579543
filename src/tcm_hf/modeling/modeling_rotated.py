"""TCM's backbone with a dense head for rotated objects, for example in photos from above."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .configuration_rotated import TCMRotatedDetectionConfig
from .modeling_tcm import TCMModel, TCMPreTrainedModel
from .outputs_tcm import backbone_fields
from .rotated_atss import RotatedATSSHead
from .rotated_classes import copy_head, fused_convs, replace_prompts
from .rotated_fcos import RotatedFCOSHead
from .rotated_head import RotatedHead, RotatedMaps
from .rotated_retinanet import RotatedRetinaNetHead

ROTATED_HEADS: dict[str, type[RotatedHead]] = {
    "rotated_fcos": RotatedFCOSHead,
    "rotated_atss": RotatedATSSHead,
    "rotated_retinanet": RotatedRetinaNetHead,
}


@dataclass
class TCMRotatedDetectionOutput(ModelOutput):
    """Predictions of the rotated detector, one tensor a level of stride 8 to 128 with A boxes a cell.

    Args:
        loss: sum of the weighted losses, with `labels`.
        loss_dict: the single weighted losses, with `labels`.
        class_logits: (B, h, w, A, K) a level.
        boxes: (B, h, w, A, 5) a level: cx, cy, w, h in pixels of the network's input, angle in radians from x
            towards y, [-π/2, π/2).
        centerness_logits: (B, h, w, A) a level; None for RetinaNet.
        matching_map: (B, K, h, w), cosine between image positions and class prompts; None for the baseline.
        hidden_states: feature maps of all four stages (only with `output_hidden_states=True`).
        image_embedding: (B, C, h, w), before the visual prompt (only with `output_embeddings=True`, like
            both that follow).
        visual_prompt: (B, C, h, w), what the visual prompt adds to it, gate included.
        text_embedding: (B, K, C), after refinement.
    """

    loss: torch.Tensor | None = None
    loss_dict: dict[str, torch.Tensor] | None = None
    class_logits: tuple[torch.Tensor, ...] | None = None
    boxes: tuple[torch.Tensor, ...] | None = None
    centerness_logits: tuple[torch.Tensor, ...] | None = None
    matching_map: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    image_embedding: torch.Tensor | None = None
    visual_prompt: torch.Tensor | None = None
    text_embedding: torch.Tensor | None = None


class TCMForRotatedObjectDetection(TCMPreTrainedModel):
    """TCM or FastTCM with a rotated FCOS, ATSS or RetinaNet; the class prompts name what is looked for.

    Images may have any size that is a multiple of 32.

    Args:
        config: [`TCMRotatedDetectionConfig`].
    """

    config: TCMRotatedDetectionConfig
    # Their necks add level to level.
    _no_split_modules = [
        *TCMPreTrainedModel._no_split_modules,
        *(head.__name__ for head in ROTATED_HEADS.values()),
    ]
    # Places in the image need more digits than bfloat16 has.
    _keep_in_fp32_modules_strict = ["head"]

    def __init__(self, config: TCMRotatedDetectionConfig):
        super().__init__(config)
        self.model = TCMModel(config)
        self.model.check_head_stages()
        self.head = ROTATED_HEADS[config.head_config.head_type](config, self.model.channels)
        self.post_init()
        self.freeze_text_tower()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, RotatedHead):
            module.initialize_parameters()

    def cache_text_embeddings(self) -> None:
        """See [`TCMModel.cache_text_embeddings`]."""
        self.model.cache_text_embeddings()

    def set_class_prompts(
        self,
        id2label: dict[int, str],
        prompt_token_ids: list[list[int]] | None = None,
        label2id: dict[str, int] | None = None,
    ) -> list[str]:
        """Gives the detector other classes, any number of them, named by free text.

        `model.set_class_prompts(**tcm_hf.class_prompts(["ship", "oil rig"]))` makes the token ids of words. A
        class that keeps its name keeps what was learned about it, also where its prompt is worded anew; the
        others start from nothing but their text embedding and want training.

        Args:
            id2label: name of every class.
            prompt_token_ids: CLIP's token ids of their prompts, in the same order; see
                [`TCMRotatedDetectionConfig`]. The baseline has none.
            label2id: the names' numbers; made of `id2label`.

        Returns:
            The names of the classes that want training.

        Raises:
            ValueError: if names and prompts do not fit together or into the text tower, or the text
                embedding is cached: there is no text tower then. The model is left as it was.
        """
        if self.config.text_embedding_cached:
            raise ValueError(
                "The class embeddings are cached, so the text tower is gone: load the checkpoint from before "
                "`cache_text_embeddings()`."
            )
        names = {int(index): name for index, name in id2label.items()}
        changes: dict[str, Any] = {"id2label": names}
        changes["label2id"] = label2id or {name: index for index, name in names.items()}
        if self.model.prompt is not None:
            changes["prompt_token_ids"] = prompt_token_ids
        type(self.config).from_dict(self.config.to_dict() | changes)  # raises before anything has changed
        before = {name: int(index) for index, name in (self.config.id2label or {}).items()}
        for name, value in changes.items():
            setattr(self.config, name, value)
        replace_prompts(self.model)
        old, device, dtype = self.head, self.device, self.head.classification.weight.dtype
        self.head = ROTATED_HEADS[self.config.head_config.head_type](self.config, self.model.channels)
        self.head.apply(self._init_weights)
        kept = [(before[name], index) for index, name in names.items() if name in before]
        stage = self.config.matching_stage
        fused = fused_convs(self.head, self.model.matching_fusion, self.config.stages, stage)
        copy_head(old.to("cpu", torch.float32), self.head, kept, fused)
        self.head.to(device, dtype).train(self.training)
        return [name for name in names.values() if name not in before]

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: dict[str, torch.Tensor] | None = None,
        output_embeddings: bool | None = None,
        **kwargs,
    ) -> TCMRotatedDetectionOutput:
        """Finds objects.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB; H and W multiples of the image tower's `size_divisor`.
            labels: `boxes` (B, M, 5), cx, cy, w, h in pixels of `pixel_values` and angle in radians, and
                `class_labels` (B, M), -1 in rows that hold no object. `class_masks` (B, K, H/4, W/4) are made
                of the boxes where they are not given.
            output_embeddings: return image embedding, visual prompt and text embedding as well.
            **kwargs: passed on to the backbone.

        Returns:
            [`TCMRotatedDetectionOutput`]; with `labels` it has a loss.

        Raises:
            ValueError: if a side is no multiple of `size_divisor`, or the labels do not fit the image or are
                out of their range.
        """
        if labels is not None:
            self._check_labels(labels, pixel_values)
        backbone = self.model(pixel_values, output_embeddings=output_embeddings, **kwargs)
        maps = self.head(backbone)
        loss, loss_dict = None, None
        if labels is not None:
            size_hw = pixel_values.shape[-2], pixel_values.shape[-1]
            loss_dict = self._losses(maps, backbone.matching_map, labels, size_hw)
            loss = torch.stack(list(loss_dict.values())).sum()
        return TCMRotatedDetectionOutput(
            loss=loss,
            loss_dict=loss_dict,
            class_logits=_on_grid(maps.class_logits, maps.sizes_hw),
            boxes=_on_grid(maps.boxes, maps.sizes_hw),
            centerness_logits=_on_grid(maps.centerness_logits, maps.sizes_hw),
            **backbone_fields(backbone, output_embeddings),
        )

    def _losses(
        self,
        maps: RotatedMaps,
        matching_map: torch.Tensor | None,
        labels: dict[str, torch.Tensor],
        size_hw: tuple[int, int],
    ) -> dict[str, torch.Tensor]:
        with torch.autocast(self.device.type, enabled=False):
            losses = self.head.loss(maps, labels)
            if matching_map is not None and self.config.matching_loss_weight:
                logits = self.model.matching_logits(matching_map.float())
                auxiliary = self.head.matching_loss(logits, self.head.with_masks(labels, size_hw))
                losses["loss_matching"] = self.config.matching_loss_weight * auxiliary
        return losses

    def _check_labels(self, labels: dict[str, torch.Tensor], pixel_values: torch.Tensor) -> None:
        if missing := [name for name in ("boxes", "class_labels") if name not in labels]:
            raise ValueError(f"`labels` must hold `boxes` and `class_labels`: {missing} are missing.")
        boxes, classes = labels["boxes"], labels["class_labels"]
        batch = pixel_values.shape[0]
        if boxes.ndim != 3 or boxes.shape[::2] != (batch, 5) or classes.shape != boxes.shape[:2]:
            raise ValueError(
                f"`labels` must hold `boxes` (B, M, 5) and `class_labels` (B, M) for {batch} images: got "
                f"{tuple(boxes.shape)} and {tuple(classes.shape)}."
            )
        if classes.numel() and (
            classes.is_floating_point() or classes.min() < -1 or classes.max() >= self.head.num_classes
        ):
            low, high = classes.min().item(), classes.max().item()
            raise ValueError(
                f"`class_labels` must be whole numbers below {self.head.num_classes}, the number of classes, "
                f"-1 for no object: got {classes.dtype} from {low} to {high}."
            )
        present = boxes[classes >= 0]
        if not present.isfinite().all() or (present[:, 2:4] < 0).any():
            raise ValueError(
                "`boxes` of objects must be finite, width and height not negative; give a row that holds no "
                "object the class label -1."
            )
        masks = labels.get("class_masks")
        if masks is not None and (masks.ndim != 4 or masks.shape[:2] != (batch, self.head.num_classes)):
            raise ValueError(
                f"`class_masks` must be {(batch, self.head.num_classes)} maps (h, w): got "
                f"{tuple(masks.shape)}."
            )


def _on_grid(
    levels: tuple[torch.Tensor, ...] | None, sizes_hw: tuple[tuple[int, int], ...]
) -> tuple[torch.Tensor, ...] | None:
    """(B, h * w * A, …) a level -> (B, h, w, A, …), from which the size of the input can be told."""
    if levels is None:
        return None
    return tuple(level.unflatten(1, (*size_hw, -1)) for level, size_hw in zip(levels, sizes_hw, strict=True))


__all__ = ["TCMForRotatedObjectDetection", "TCMRotatedDetectionOutput"]
