"""Pixel losses that detectors and the matching map share; sums are those of the batch of all processes."""

import torch

from .global_batch import joined, total

EPS = 1e-6


def balanced_mean(
    pixel_loss: torch.Tensor,
    positive: torch.Tensor,
    mask: torch.Tensor,
    negative_ratio: float,
    negatives_without_text: int = 0,
) -> torch.Tensor:
    """Mean over all positives and the hardest negatives, `negative_ratio` of them per positive.

    Args:
        pixel_loss: loss per pixel.
        positive: 1 where the pixel belongs to text, same shape.
        mask: 1 where the pixel counts, same shape.
        negative_ratio: kept negatives per positive.
        negatives_without_text: kept negatives where there is no positive at all.

    Returns:
        A scalar; 0 if nothing is kept.
    """
    positive = positive * mask
    negative = mask - positive
    positive_count = int(total(positive.sum()))
    wanted = int(positive_count * negative_ratio) if positive_count else negatives_without_text
    negative_count = min(int(total(negative.sum())), wanted)
    own_hardest = (pixel_loss * negative).flatten().topk(min(negative_count, negative.numel())).values
    hardest = joined(own_hardest)
    if len(hardest) > negative_count:
        hardest = hardest.topk(negative_count).values
    return (total((pixel_loss * positive).sum()) + hardest.sum()) / (positive_count + negative_count + EPS)


def dice_loss(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`1 - 2 |P G| / (|P| + |G|)` over the masked pixels of the whole batch."""
    intersection = total((prediction * target * mask).sum())
    return 1 - 2 * intersection / (total((prediction * mask).sum() + (target * mask).sum()) + EPS)
