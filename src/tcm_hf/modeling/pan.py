"""PAN (arXiv 1908.05900) in one file: neck, head and losses."""

from typing import NamedTuple

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .detection_head import DetectionHead, Labels
from .outputs_tcm import TCMModelOutput

DICE_EPS = 1e-3
PREDICTION_STRIDE = 4


class SeparableConv(nn.Module):
    """Depthwise 3x3 and pointwise 1x1 convolution, norm, ReLU; the biases are those of published files."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.depthwise_conv = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels)
        self.pointwise_conv = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C, h / stride, w / stride)."""
        return self.norm(self.pointwise_conv(self.depthwise_conv(x))).relu()


class FPEM(nn.Module):
    """Feature pyramid enhancement, from coarse to fine and back. Source: PAN, section 3.2."""

    def __init__(self, channels: int):
        super().__init__()
        self.up_scale = nn.ModuleList(SeparableConv(channels, stride=1) for _ in range(3))
        self.down_scale = nn.ModuleList(SeparableConv(channels, stride=2) for _ in range(3))

    def forward(self, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        """Four maps of strides 4, 8, 16, 32 -> four of the same shapes."""
        levels = list(levels)
        for conv, fine in zip(self.up_scale, (2, 1, 0), strict=True):
            levels[fine] = conv(levels[fine] + repeated(levels[fine + 1], levels[fine]))
        for conv, coarse in zip(self.down_scale, (1, 2, 3), strict=True):
            levels[coarse] = conv(levels[coarse - 1] + repeated(levels[coarse], levels[coarse - 1]))
        return levels


class ReduceConv(nn.Module):
    """1x1 convolution, norm, ReLU."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, h, w) -> (B, channels, h, w)."""
        return self.norm(self.conv(x)).relu()


class FPEMFFM(nn.Module):
    """Neck of PAN: cascaded enhancement modules whose outputs are summed level by level."""

    def __init__(self, in_channels: list[int], channels: int, num_enhancements: int):
        super().__init__()
        self.reduce_convs = nn.ModuleList(ReduceConv(c, channels) for c in in_channels)
        self.enhancements = nn.ModuleList(FPEM(channels) for _ in range(num_enhancements))

    def forward(self, feature_maps: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """C2 … C5 -> four maps of their strides, `channels` channels each."""
        levels = [conv(x) for conv, x in zip(self.reduce_convs, feature_maps, strict=True)]
        cascade = []
        for enhancement in self.enhancements:
            levels = enhancement(levels)
            cascade.append(levels)
        return tuple(torch.stack(same_level).sum(dim=0) for same_level in zip(*cascade, strict=True))


class PyramidConv(nn.Conv2d):
    """1x1 convolution of a pyramid: what it gives for all levels resized to the finest and concatenated.

    Resizing is linear and the weights of bilinear interpolation sum to one, so the few output channels are
    resized instead of the many input channels: a tenth of the time.
    """

    def forward(self, levels: tuple[torch.Tensor, ...]) -> torch.Tensor:  # type: ignore[override]
        """Maps of equal channels, finest level first -> (B, out_channels, h, w) float32 at its size."""
        size_hw, weights = levels[0].shape[-2:], self.weight.chunk(len(levels), dim=1)
        fine = nn.functional.conv2d(levels[0], weights[0], self.bias).float()
        coarse = [
            nn.functional.conv2d(level, weight).float()
            for level, weight in zip(levels[1:], weights[1:], strict=True)
        ]
        resized = [
            nn.functional.interpolate(x, size=size_hw, mode="bilinear", align_corners=False) for x in coarse
        ]
        return torch.stack([fine, *resized]).sum(dim=0)


def repeated(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`x` at height and width of `like`, by repeating pixels."""
    return nn.functional.interpolate(x, size=like.shape[-2:])


class PANMaps(NamedTuple):
    """Maps of the head at stride 4, float32: (B, h, w), (B, h, w) and (B, E, h, w)."""

    text_logits: torch.Tensor
    kernel_logits: torch.Tensor
    pixel_embeddings: torch.Tensor


class PANHead(DetectionHead):
    """Neck and head of PAN."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        options = self.head_config
        self.neck = FPEMFFM(in_channels, options.neck_channels, options.num_enhancements)
        self.prediction = PyramidConv(
            len(in_channels) * options.neck_channels, 2 + options.embedding_size, kernel_size=1
        )

    def initialize_parameters(self) -> None:
        """Starts the prediction near zero: with as few outputs, the rule for convolutions saturates it."""
        init.normal_(self.prediction.weight, std=0.01)

    def forward(self, features: TCMModelOutput, for_training: bool = False) -> PANMaps:
        """C2 … C5 -> maps at stride 4; decoding and loss read the same ones."""
        prediction = self.prediction(self.neck(features.feature_maps))
        return PANMaps(prediction[:, 0], prediction[:, 1], prediction[:, 2:])

    def loss(self, maps: PANMaps, labels: Labels) -> dict[str, torch.Tensor]:
        """The four weighted losses of PAN, eq. 1 … 8, each the mean over the images.

        `# Parity:` the targets are brought to the predictions' stride (nearest), not the other way round.

        Args:
            maps: result of `forward`.
            labels: `instance_map` (B, H, W), 0 = no text, i + 1 = instance i; `kernel_map` (B, H, W), the
                same numbers inside the shrunk kernels; `text_mask` (B, H, W), 1 where a pixel is supervised.

        Returns:
            `loss_text`, `loss_kernel`, `loss_aggregation`, `loss_discrimination`: scalars.
        """
        instances, kernels, mask = (
            labels[name][..., ::PREDICTION_STRIDE, ::PREDICTION_STRIDE]
            for name in ("instance_map", "kernel_map", "text_mask")
        )
        mask = mask.float()
        text, kernel = (instances > 0).float(), (kernels > 0).float()
        sampled = hard_negative_mask(maps.text_logits.detach(), text, mask, self.head_config.negative_ratio)
        aggregation, discrimination = self.embedding_losses(
            maps.pixel_embeddings.float(), (instances * mask).long(), (kernels * mask).long()
        )
        options = self.head_config
        return {
            "loss_text": squared_dice_loss(maps.text_logits, text, sampled).mean(),
            "loss_kernel": options.kernel_loss_weight
            * squared_dice_loss(maps.kernel_logits, kernel, text * mask).mean(),
            "loss_aggregation": options.embedding_loss_weight * aggregation.mean(),
            "loss_discrimination": options.embedding_loss_weight * discrimination.mean(),
        }

    def embedding_losses(
        self, embeddings: torch.Tensor, instances: torch.Tensor, kernels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Aggregation and discrimination loss of every image; an instance without a kernel takes no part.

        Args:
            embeddings: (B, E, h, w).
            instances: (B, h, w) integers, 0 = no supervised text, i + 1 = instance i.
            kernels: (B, h, w), the same numbers inside the shrunk kernels.

        Returns:
            Two (B,): PAN eq. 3 and eq. 5; 0 for an image with too few instances.
        """
        options, count = self.head_config, int(torch.maximum(instances, kernels).max()) + 1
        pixels, instances, kernels = embeddings.flatten(2), instances.flatten(1), kernels.flatten(1)
        text_sizes, kernel_sizes = segment_sizes(instances, count), segment_sizes(kernels, count)
        means = segment_sums(pixels, kernels, count) / kernel_sizes.clamp(min=1)[:, None]  # (B, E, count)
        valid = (text_sizes > 0) & (kernel_sizes > 0)
        valid[:, 0] = False
        chosen, is_chosen = drawn_instances(valid, options.max_instances)

        own_mean = means.gather(2, instances[:, None].expand_as(pixels))
        distance = torch.linalg.vector_norm(pixels - own_mean, dim=1)
        pull = (distance - options.aggregation_margin).relu().square().log1p()
        pull = segment_sums(pull[:, None], instances, count)[:, 0] / text_sizes.clamp(min=1)  # (B, count)
        number = is_chosen.sum(dim=1)
        aggregation = (pull.gather(1, chosen) * is_chosen).sum(dim=1) / number.clamp(min=1)

        means = means.gather(2, chosen[:, None].expand(-1, means.shape[1], -1))
        distance = torch.linalg.vector_norm(means[..., None] - means[..., None, :], dim=1)
        push = (options.discrimination_margin - distance).relu().square().log1p()
        is_pair = (is_chosen[:, :, None] & is_chosen[:, None]).triu(diagonal=1)
        # Parity: the sum over unordered pairs is divided by n (n - 1), half of what eq. 5 gives.
        discrimination = (push * is_pair).sum(dim=(1, 2)) / (number * (number - 1)).clamp(min=1)
        return aggregation, discrimination

    def matching_loss(self, matching_logits: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Dice of the matching logits against whole text regions, upsampled to the size of the image."""
        target = (labels["instance_map"] > 0).float()
        logits = nn.functional.interpolate(
            matching_logits.float(), size=target.shape[-2:], mode="bilinear", align_corners=False
        )
        target, mask = (x[:, None].expand_as(logits) for x in (target, labels["text_mask"].float()))
        sampled = hard_negative_mask(logits.detach(), target, mask, self.head_config.negative_ratio)
        return squared_dice_loss(logits, target, sampled).mean()

    def label_shapes(self, size_hw: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Target maps at full size."""
        return dict.fromkeys(("instance_map", "kernel_map", "text_mask"), size_hw)


def squared_dice_loss(logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`1 - 2 sum(P G) / (sum(P²) + sum(G²))` of every map, P = sigmoid: PAN eq. 7 and 8.

    Args:
        logits: (…, h, w).
        target: 1 inside, same shape.
        mask: 1 where a pixel counts, same shape.

    Returns:
        (…): in [0, 1]; 0 where nothing counts.
    """
    probability, target = logits.float().sigmoid() * mask, target * mask
    intersection = (probability * target).sum(dim=(-2, -1)) + DICE_EPS
    total = probability.square().sum(dim=(-2, -1)) + target.square().sum(dim=(-2, -1)) + 2 * DICE_EPS
    return 1 - 2 * intersection / total


def hard_negative_mask(
    scores: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, negative_ratio: float
) -> torch.Tensor:
    """Pixels that enter a dice loss: all positives and the highest-scored negatives of every map.

    `# Parity:` a negative that is not supervised may take a place among them and is masked afterwards.

    Args:
        scores: (…, h, w), higher = more like text.
        target: 1 inside text, same shape.
        mask: 1 where a pixel is supervised, same shape.
        negative_ratio: kept negatives per supervised positive.

    Returns:
        1 where a pixel counts, same shape; the mask itself for a map without positives.
    """
    negative = target < 0.5
    positive_count = (~negative & (mask > 0.5)).sum(dim=(-2, -1))
    keep = (positive_count * negative_ratio).long().minimum(negative.sum(dim=(-2, -1)))
    ranked = scores.masked_fill(~negative, -torch.inf).flatten(-2).sort(dim=-1, descending=True).values
    least = ranked.gather(-1, (keep - 1).clamp(min=0)[..., None])[..., None]
    return torch.where((keep == 0)[..., None, None], mask, mask * ((scores >= least) | ~negative))


def segment_sizes(segments: torch.Tensor, count: int) -> torch.Tensor:
    """(B, N) numbers of segments below `count` -> (B, count) how often each occurs."""
    sizes = torch.zeros(segments.shape[0], count, device=segments.device)
    return sizes.scatter_add(1, segments, torch.ones_like(segments, dtype=sizes.dtype))


def segment_sums(values: torch.Tensor, segments: torch.Tensor, count: int) -> torch.Tensor:
    """(B, E, N) values and (B, N) numbers of segments -> (B, E, count) sums."""
    sums = values.new_zeros(*values.shape[:2], count)
    return sums.scatter_add(2, segments[:, None].expand_as(values), values)


def drawn_instances(valid: torch.Tensor, max_instances: int) -> tuple[torch.Tensor, torch.Tensor]:
    """At most `max_instances` of the valid ones of every image, drawn at random where there are more.

    Args:
        valid: (B, count) booleans.
        max_instances: how many to keep.

    Returns:
        (B, n) numbers and (B, n) booleans: False where an image has fewer than n.
    """
    priority = valid.float()
    if valid.sum(dim=1).max() > max_instances:
        priority = priority * (1 + torch.rand_like(priority))
    chosen = priority.topk(min(max_instances, valid.shape[1]), dim=1)
    return chosen.indices, chosen.values > 0
