"""What the dense heads for rotated objects share: pyramid, towers, classification, losses."""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import nn
from torchvision.ops import sigmoid_focal_loss
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .detection_head import Labels
from .feature_pyramid import FPN
from .global_batch import shared_count
from .outputs_tcm import TCMModelOutput
from .rotated_assignment import IGNORED
from .rotated_geometry import (
    encode_distances,
    grid_points,
    per_place,
    regularize_boxes,
    rotated_iou_loss,
)

STRIDES = (8, 16, 32, 64, 128)
_MASK_STRIDE = 4
_RARE = 0.01  # how likely a place is an object when training starts (arXiv 1708.02002, sec. 4.1)


class ExtendedFPN(FPN):
    """Feature pyramid with two more levels, strides 64 and 128, made by strided convolutions.

    Args:
        in_channels: channels of C3 … C5, or of finer maps too, which are not read.
        channels: channels of the levels.
        extra_levels_from: `"input"`: C5; `"output"`: the level of stride 32, with ReLUs in between.
    """

    def __init__(self, in_channels: list[int], channels: int, extra_levels_from: str):
        super().__init__(in_channels, channels)
        self.from_input = extra_levels_from == "input"
        first = in_channels[-1] if self.from_input else channels
        self.extra_convs = nn.ModuleList(
            nn.Conv2d(c, channels, 3, stride=2, padding=1) for c in (first, channels)
        )

    def forward(self, feature_maps: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """C3 … C5 -> levels of stride 8 to 128, sizes rounded up, (B, channels, h, w) each."""
        levels = super().forward(feature_maps)
        first = self.extra_convs[0](feature_maps[-1] if self.from_input else levels[-1])
        # Parity: in the form on the output a ReLU precedes the second convolution alone.
        second = self.extra_convs[1](first if self.from_input else first.relu())
        return (*levels, first, second)


class ConvBlock(nn.Module):
    """3x3 convolution, group norm (none for 0 groups), ReLU."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=not groups)
        self.norm = nn.GroupNorm(groups, channels) if groups else nn.Identity()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> the same shape."""
        return self.norm(self.conv(hidden)).relu()


class RotatedMaps(NamedTuple):
    """Predictions of a head, float32, one tensor a level; n places a level, row by row."""

    class_logits: tuple[torch.Tensor, ...]
    """(B, n, K)."""
    box_values: tuple[torch.Tensor, ...]
    """(B, n, 5) as the head predicts them: FCOS distances to the sides in pixels and angle, others deltas."""
    boxes: tuple[torch.Tensor, ...]
    """(B, n, 5) cx, cy, w, h, angle; pixels of the network's input, radians, le90."""
    centerness_logits: tuple[torch.Tensor, ...] | None
    """(B, n); None for RetinaNet."""
    places: tuple[torch.Tensor, ...]
    """(n, 2) points or (n, 5) anchors that the predictions belong to."""
    sizes_hw: tuple[tuple[int, int], ...]
    """Rows and columns of the levels."""


class LevelScales(nn.Module):
    """A learned factor for every level; a part of its own, so that it is there when it was offloaded."""

    def __init__(self):
        super().__init__()
        for level in range(len(STRIDES)):
            self.register_parameter(str(level), nn.Parameter(torch.ones(())))

    def forward(self, values: torch.Tensor, level: int) -> torch.Tensor:
        """Values of any shape times the factor of their level."""
        return values * getattr(self, str(level))


class RotatedHead(nn.Module, ABC):
    """A pyramid, and on each level two towers of convolutions: one for classes, one for boxes.

    Args:
        config: the model's config, its `head_config` of the head's own class.
        in_channels: channels of C3 … C5, the matching map included, or of finer maps too.
        num_anchors: boxes a cell.
        groups: groups of the group norms; 0 for none.
    """

    def __init__(self, config: TCMConfig, in_channels: list[int], num_anchors: int = 1, groups: int = 0):
        super().__init__()
        self.head_config = head = config.head_config
        channels = head.neck_channels
        self.num_classes = len(config.id2label or {})
        self.neck = ExtendedFPN(in_channels, channels, head.extra_levels_from)
        self.class_tower, self.box_tower = (
            nn.Sequential(*(ConvBlock(channels, groups) for _ in range(head.num_convs))) for _ in range(2)
        )
        self.classification = nn.Conv2d(channels, num_anchors * self.num_classes, 3, padding=1)

    def initialize_parameters(self) -> None:
        """Small weights, and classes that are rare at first: without it the focal loss diverges."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.normal_(module.weight, std=0.01)
        for conv in (*self.neck.inner_convs, *self.neck.output_convs, *self.neck.extra_convs):
            init.xavier_uniform_(conv.weight)  # no ReLU follows
        bias: Any = self.classification.bias
        init.constant_(bias, -math.log((1 - _RARE) / _RARE))

    @abstractmethod
    def places(self, sizes_hw: list[tuple[int, int]], device: torch.device) -> list[torch.Tensor]:
        """Points (n, 2) or anchors (n, 5) of the levels."""

    @abstractmethod
    def predict_boxes(self, hidden: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Box values (B, n, 5) and centerness logits (B, n) of a level, from its box tower."""

    @abstractmethod
    def decode(self, places: torch.Tensor, values: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        """Boxes (B, n, 5) of places and box values; `size_hw` of the network's input."""

    @abstractmethod
    def assign(self, places: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """Index of the object of every place; see `rotated_assignment.py`."""

    @abstractmethod
    def box_losses(
        self, places: torch.Tensor, predictions: dict[str, torch.Tensor], targets: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Losses of the P positive places; `predictions` by field of `RotatedMaps`, `targets` (P, 5)."""

    def forward(self, features: TCMModelOutput) -> RotatedMaps:
        """C3 … C5, and maybe finer maps, which it ignores -> predictions of five levels."""
        dtype = self.classification.weight.dtype
        feature_maps: Any = features.feature_maps
        levels = self.neck(tuple(feature_map.to(dtype) for feature_map in feature_maps))
        sizes_hw = [(level.shape[-2], level.shape[-1]) for level in levels]
        size_hw = sizes_hw[0][0] * STRIDES[0], sizes_hw[0][1] * STRIDES[0]
        logits = tuple(
            per_place(self.classification(self.class_tower(level)), self.num_classes) for level in levels
        )
        predicted = [self.predict_boxes(self.box_tower(level), i) for i, level in enumerate(levels)]
        places = self.places(sizes_hw, levels[0].device)
        centerness = tuple(logit for _, logit in predicted if logit is not None)
        return RotatedMaps(
            class_logits=logits,
            box_values=tuple(values for values, _ in predicted),
            boxes=tuple(
                self.decode(place, values, size_hw)
                for place, (values, _) in zip(places, predicted, strict=True)
            ),
            centerness_logits=centerness or None,
            places=tuple(places),
            sizes_hw=tuple(sizes_hw),
        )

    def loss(self, maps: RotatedMaps, labels: Labels) -> dict[str, torch.Tensor]:
        """The weighted losses: `loss_class`, `loss_box` and, but for RetinaNet, `loss_centerness`.

        Args:
            maps: result of `forward`.
            labels: `boxes` (B, M, 5), pixels of the network's input, and `class_labels` (B, M), -1 where a
                row holds no object.
        """
        batch, every_place = len(labels["boxes"]), torch.cat(maps.places)
        predictions = {
            name: torch.cat(levels, dim=1)
            for name in ("box_values", "boxes", "centerness_logits")
            if (levels := getattr(maps, name)) is not None
        }
        logits = torch.cat(maps.class_logits, dim=1)
        classes = torch.zeros_like(logits)
        learned = torch.ones_like(logits[..., 0], dtype=torch.bool)
        positive = torch.zeros_like(learned)
        targets = []
        for i in range(batch):
            present = labels["class_labels"][i] >= 0
            boxes = regularize_boxes(labels["boxes"][i][present].float())
            matched = self.assign(list(maps.places), boxes)
            learned[i], positive[i] = matched != IGNORED, matched >= 0
            own = matched[positive[i]]
            classes[i, positive[i], labels["class_labels"][i][present][own].long()] = 1
            targets.append(boxes[own])
        head = self.head_config
        focal = sigmoid_focal_loss(
            logits[learned], classes[learned], alpha=head.focal_alpha, gamma=head.focal_gamma, reduction="sum"
        )
        chosen = {name: value[positive] for name, value in predictions.items()}
        chosen_places = every_place.expand(batch, -1, -1)[positive]
        return {
            "loss_class": head.class_loss_weight * focal / shared_count(positive.sum(), focal),
            **self.box_losses(chosen_places, chosen, torch.cat(targets)),
        }

    def with_masks(self, labels: Labels, size_hw: tuple[int, int]) -> Labels:
        """The labels with the `class_masks` that the matching loss reads, made of the boxes if missing."""
        if "class_masks" in labels:
            return labels
        masks = class_masks(labels["boxes"], labels["class_labels"], size_hw, self.num_classes)
        return labels | {"class_masks": masks}

    def matching_loss(self, matching_logits: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Matching logits inside the objects, all (B, K, H/4, W/4) of `class_masks` together."""
        masks = labels["class_masks"]
        return foreground_matching_loss(matching_logits, masks, masks.amax(dim=1))


@torch.no_grad()
def class_masks(
    boxes: torch.Tensor, class_labels: torch.Tensor, size_hw: tuple[int, int], num_classes: int
) -> torch.Tensor:
    """Which cells of stride 4 have their centre in an object of each class.

    Args:
        boxes: (B, M, 5), pixels.
        class_labels: (B, M), -1 where a row holds no object.
        size_hw: size of the image, multiples of 4.
        num_classes: K.

    Returns:
        (B, K, H/4, W/4) of 0 and 1.
    """
    cells_hw = size_hw[0] // _MASK_STRIDE, size_hw[1] // _MASK_STRIDE
    centers = grid_points(cells_hw, _MASK_STRIDE, 0.5, boxes.device)
    masks = torch.zeros(len(boxes), num_classes, len(centers), device=boxes.device)
    for mask, some_boxes, labels in zip(masks, boxes.float(), class_labels.long(), strict=True):
        present = labels >= 0
        # Some at a time: all cells of a large image times hundreds of boxes do not fit into memory.
        for part, part_labels in zip(some_boxes[present].split(32), labels[present].split(32), strict=True):
            inside = encode_distances(centers[None], part[:, None]).amin(-1) >= 0  # (n, cells)
            mask += nn.functional.one_hot(part_labels, num_classes).float().T @ inside.float()
    return masks.clamp(max=1).unflatten(-1, cells_hw)


def foreground_matching_loss(
    matching_logits: torch.Tensor, masks: torch.Tensor, foreground: torch.Tensor
) -> torch.Tensor:
    """Cross entropy of the matching logits where there are objects; what is background teaches nothing.

    So the map learns to tell classes from one another, not objects from the rest. Source: the released
    rotated detectors.

    Args:
        matching_logits: (B, K, h, w), brought to the size of the masks.
        masks: (B, K, H, W), 1 where a pixel belongs to an object of the class.
        foreground: (B, H, W), 1 where it belongs to any.

    Returns:
        A scalar: mean over classes and foreground pixels; 0 without any.
    """
    logits = nn.functional.interpolate(
        matching_logits.float(), size=masks.shape[-2:], mode="bilinear", align_corners=False
    )
    losses = nn.functional.binary_cross_entropy_with_logits(logits, masks.float(), reduction="none")
    return (losses.mean(dim=1) * foreground).sum() / shared_count(foreground.sum(), losses)


class CenternessHead(RotatedHead):
    """FCOS and ATSS: overlap loss of the boxes, weighted by how central their places are; and that itself."""

    def box_losses(
        self, places: torch.Tensor, predictions: dict[str, torch.Tensor], targets: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """`loss_box` and `loss_centerness` (FCOS, sec. 3.1 and 3.3)."""
        head = self.head_config
        target = centerness(places[:, :2], targets)
        overlap = rotated_iou_loss(predictions["boxes"], targets, head.iou_loss) * target
        # An empty sum is 0 and keeps the graph, so that every parameter has a gradient.
        central = nn.functional.binary_cross_entropy_with_logits(
            predictions["centerness_logits"], target, reduction="sum"
        )
        box_loss = overlap.sum() / shared_count(target.sum(), target, least=torch.finfo(target.dtype).eps)
        return {
            "loss_box": head.box_loss_weight * box_loss,
            "loss_centerness": head.centerness_loss_weight * central / shared_count(len(targets), target),
        }


def centerness(points: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """How central points are in boxes, 1 at the centre, 0 at a side (FCOS eq. 3), in the boxes' own frames.

    Args:
        points: (P, 2), inside.
        boxes: (P, 5).

    Returns:
        (P,).
    """
    left, top, right, bottom = encode_distances(points, boxes).clamp(min=0).unbind(-1)

    def ratio(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        tiny = torch.finfo(first.dtype).eps
        return torch.minimum(first, second) / torch.maximum(first, second).clamp(min=tiny)

    return (ratio(left, right) * ratio(top, bottom)).sqrt()
