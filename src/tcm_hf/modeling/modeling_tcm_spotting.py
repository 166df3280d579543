"""FastTCM as an end-to-end spotter: one model, one checkpoint, photo in, polygons and words out."""

from typing import Any

import torch
from torch import nn
from transformers.utils.generic import can_return_tuple

from .abcnet import ABCNetHead
from .configuration_tcm_spotting import TCMSpottingConfig
from .deepsolo import DeepSoloHead
from .matching import matching_loss
from .modeling_tcm import TCMModel, TCMPreTrainedModel
from .outputs_tcm import backbone_fields
from .outputs_tcm_spotting import TCMTextSpottingOutput
from .spotting_head import FINEST_STRIDE, SpottingHead
from .spotting_labels import check_labels
from .spotting_losses import Labels
from .testr import TESTRHead

SPOTTING_HEADS: dict[str, type[SpottingHead]] = {
    "testr": TESTRHead,
    "abcnet": ABCNetHead,
    "deepsolo": DeepSoloHead,
}


class FastTCMForTextSpotting(TCMPreTrainedModel):
    """TCM's or FastTCM's backbone with a head that finds words and reads them.

    Args:
        config: [`TCMSpottingConfig`].

    Example:
        >>> model = FastTCMForTextSpotting(TCMSpottingConfig())
        >>> outputs = model(pixel_values)  # (B, 3, H, W)
        >>> outputs.control_points, outputs.score_logits, outputs.character_logits
    """

    config: TCMSpottingConfig
    _no_split_modules = [
        *TCMPreTrainedModel._no_split_modules,
        "DeformableDetrEncoderLayer",
        "GroupDecoderLayer",
        "ABCNetHead",
        "FPN",
    ]
    # Places in the image need more digits than bfloat16 has.
    _keep_in_fp32_modules_strict = ["head"]

    def __init__(self, config: TCMSpottingConfig):
        super().__init__(config)
        self.model = TCMModel(config)
        self.model.check_head_stages()
        self.head = SPOTTING_HEADS[config.head_config.head_type](config, self.model.channels)
        self._can_compile_fullgraph = self.head.can_compile_fullgraph
        self.post_init()
        self.freeze_text_tower()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, SpottingHead):
            module.initialize_parameters()

    def cache_text_embeddings(self) -> None:
        """See [`TCMModel.cache_text_embeddings`]."""
        self.model.cache_text_embeddings()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        pixel_mask: torch.Tensor | None = None,
        labels: Labels | None = None,
        output_embeddings: bool | None = None,
        **kwargs,
    ) -> TCMTextSpottingOutput:
        """Finds and reads words.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB, zero in the padding; H and W multiples of the image
                tower's `size_divisor`.
            pixel_mask: (B, H, W), 1 in the image, which begins at the top left, 0 in the padding; None if
                there is none. The head does not look at padding, but the backbone sees it: a padded image
                gives other numbers than the image alone, images of one size do not.
            labels: one dict an image, as `tcm_hf.data.targets_spotting` makes it: `boxes` (n, 4) centre and
                size, `control_points` (n, P, 2) or `bezier_points` (n, 8, 2) as in the output, all in parts
                of the image's width and height; `character_ids` (n, T), places in `config.characters`, their
                number where there is no character; and, unless `matching_loss_weight` is 0,
                `matching_target` (h, w), 1 inside text, in the frame of `pixel_values`, padding included, and
                of any size that is the same for all images. What of it the head reads,
                `head.label_shapes()` tells. There may be `ignored_boxes` (m, 4), centre and size, too: what
                is found there teaches nothing; and `matching_mask` (h, w), 0 where the matching map learns
                nothing.
            output_embeddings: return image embedding, visual prompt and text embedding as well.
            **kwargs: passed on to the backbone.

        Returns:
            [`TCMTextSpottingOutput`]; with `labels` it has a loss.

        Raises:
            ValueError: if a side is no multiple of `size_divisor`, mask or labels do not fit the images, or a
                label is out of its range.
        """
        if pixel_mask is not None and pixel_mask.shape != (pixel_values.shape[0], *pixel_values.shape[-2:]):
            raise ValueError(
                f"`pixel_mask` must be {(pixel_values.shape[0], *pixel_values.shape[-2:])} for these images: "
                f"got {tuple(pixel_mask.shape)}."
            )
        if labels is not None:
            learns_map = self.config.method != "baseline" and bool(self.config.matching_loss_weight)
            check_labels(
                labels,
                self.head.label_shapes() | ({"matching_target": None} if learns_map else {}),
                num_images=len(pixel_values),
                num_characters=len(self.config.characters),
            )
        backbone = self.model(pixel_values, output_embeddings=output_embeddings, **kwargs)
        if pixel_mask is None and any(side % FINEST_STRIDE for side in pixel_values.shape[-2:]):
            # The cells of the feature maps, which are rounded up, do not tell where such an image ends.
            pixel_mask = torch.ones_like(pixel_values[:, 0])
        predictions = self.head(backbone, pixel_mask, labels)
        loss, loss_dict = None, None
        if labels is not None:
            loss_dict = self._losses(predictions, backbone.matching_map, labels)
            loss = torch.stack(list(loss_dict.values())).sum()
        return TCMTextSpottingOutput(
            loss=loss,
            loss_dict=loss_dict,
            **(self.head.outputs(predictions) | backbone_fields(backbone, output_embeddings)),
        )

    def _losses(
        self, predictions: Any, matching_map: torch.Tensor | None, labels: Labels
    ) -> dict[str, torch.Tensor]:
        with torch.autocast(self.device.type, enabled=False):
            losses = self.head.loss(predictions, labels)
            if matching_map is not None and self.config.matching_loss_weight:
                target = torch.stack([label["matching_target"] for label in labels])
                every = torch.ones_like(target[0])
                mask = torch.stack([label.get("matching_mask", every) for label in labels])
                logits = self.model.matching_logits(matching_map.float())
                auxiliary = matching_loss(logits, target, mask, 3.0, balanced=False)
                losses["loss_matching"] = self.config.matching_loss_weight * auxiliary
        return losses


__all__ = ["FastTCMForTextSpotting"]
