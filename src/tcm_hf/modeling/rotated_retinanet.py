"""RetinaNet (arXiv 1708.02002) for rotated objects."""

import torch
from torch import nn

from .configuration_tcm import TCMConfig
from .global_batch import shared_count
from .rotated_assignment import assign_by_overlap
from .rotated_geometry import decode_deltas, encode_deltas, grid_anchors, per_place
from .rotated_head import STRIDES, RotatedHead


class RotatedRetinaNetHead(RotatedHead):
    """Anchors of several sizes and shapes at every cell are moved, stretched and turned."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        head = config.head_config
        num_anchors = head.scales_per_octave * len(head.anchor_ratios)
        super().__init__(config, in_channels, num_anchors)
        self.box = nn.Conv2d(head.neck_channels, 5 * num_anchors, 3, padding=1)

    def places(self, sizes_hw: list[tuple[int, int]], device: torch.device) -> list[torch.Tensor]:
        """Anchors at the top left corners of the cells."""
        head = self.head_config
        scales = [
            head.anchor_scale * 2 ** (i / head.scales_per_octave) for i in range(head.scales_per_octave)
        ]
        return [
            grid_anchors(size, stride, ratios=head.anchor_ratios, scales=scales, device=device)
            for size, stride in zip(sizes_hw, STRIDES, strict=True)
        ]

    def predict_boxes(self, hidden: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Deltas of the anchors, see `encode_deltas`."""
        return per_place(self.box(hidden), 5), None

    def decode(self, places: torch.Tensor, values: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        """Centres stay inside the image."""
        return decode_deltas(places, values, size_hw=size_hw)

    def assign(self, places: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """See `assign_by_overlap`."""
        head = self.head_config
        return assign_by_overlap(
            torch.cat(places), boxes, positive_iou=head.positive_iou, negative_iou=head.negative_iou
        )

    def box_losses(
        self, places: torch.Tensor, predictions: dict[str, torch.Tensor], targets: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """`loss_box`: absolute error of the deltas, summed over the five, mean over the places."""
        error = (predictions["box_values"] - encode_deltas(places, targets)).abs().sum()
        return {"loss_box": self.head_config.box_loss_weight * error / shared_count(len(targets), error)}
