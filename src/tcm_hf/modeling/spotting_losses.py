"""Which query is which word (Hungarian matching), and the losses of queries against their words."""

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn
from torchvision.ops import box_convert, generalized_box_iou

Labels = list[dict[str, torch.Tensor]]


class Assignment(NamedTuple):
    """Pairs of a prediction and the word that it has to tell, over a batch."""

    image: torch.Tensor
    """(n,) image of a pair."""
    query: torch.Tensor
    """(n,) its prediction in the image."""
    word: torch.Tensor
    """(n,) its word in the concatenation of the words of all images."""


def focal_cost(logits: torch.Tensor, alpha: float, gamma: float) -> torch.Tensor:
    """What calling something a word costs, focal loss of a positive less that of a negative."""
    probability = logits.sigmoid()
    positive = alpha * (1 - probability) ** gamma * -(probability + 1e-8).log()
    negative = (1 - alpha) * probability**gamma * -(1 - probability + 1e-8).log()
    return positive - negative


def focal_loss(logits: torch.Tensor, target: torch.Tensor, alpha: float, gamma: float) -> torch.Tensor:
    """Focal loss (arXiv 1708.02002, eq. 5) of every logit; `target` is 0 or 1."""
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    error = (logits.sigmoid() - target).abs()
    return (alpha * target + (1 - alpha) * (1 - target)) * error**gamma * cross_entropy


def assign(costs: torch.Tensor, word_counts: list[int]) -> Assignment:
    """The cheapest pairing in every image, every word with a prediction of its own.

    Args:
        costs: (B, Q, n) of every prediction and every word of the batch, in the order of the images.
        word_counts: words of every image.
    """
    # What is not a number must not win.
    costs = costs.detach().float().nan_to_num(nan=1e8, posinf=1e8, neginf=-1e8).cpu()
    images, queries, words, first = [], [], [], 0
    for image, block in enumerate(costs.split(word_counts, dim=2)):
        rows, columns = linear_sum_assignment(block[image].numpy())
        images += [image] * len(rows)
        queries += rows.tolist()
        words += (columns + first).tolist()
        first += word_counts[image]
    return Assignment(*(torch.tensor(values, dtype=torch.long) for values in (images, queries, words)))


def box_costs(
    score_logits: torch.Tensor, boxes: torch.Tensor, words: torch.Tensor, weights: tuple[float, float, float]
) -> torch.Tensor:
    """Costs of proposals: their score, and L1 distance and generalised IoU of the boxes.

    Args:
        score_logits: (B, N), already as `focal_cost`.
        boxes: (B, N, 4), centre and size.
        words: (n, 4), the same of the words.
        weights: of the three.

    Returns:
        (B, N, n).
    """
    flat = boxes.flatten(0, 1)
    corners, word_corners = (box_convert(part, "cxcywh", "xyxy") for part in (flat, words))
    distance = torch.cdist(flat, words, p=1).unflatten(0, boxes.shape[:2])
    overlap = generalized_box_iou(corners, word_corners).unflatten(0, boxes.shape[:2])
    return weights[0] * score_logits[..., None] + weights[1] * distance - weights[2] * overlap


def point_distances(points: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """L1 distance of points, summed over all their numbers: (B, Q, P, 2), (n, P, 2) -> (B, Q, n)."""
    flat = points.flatten(2)
    return torch.cdist(flat.flatten(0, 1), words.flatten(1), p=1).unflatten(0, flat.shape[:2])


def paired_giou_loss(boxes: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """1 - generalised IoU of every pair of boxes, (n, 4) and (n, 4) of centre and size -> (n,)."""
    first, second = (box_convert(part, "cxcywh", "xyxy") for part in (boxes, words))
    inside = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(
        0
    )
    around = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    intersection, hull = inside.prod(-1), around.prod(-1)
    union = boxes[:, 2:].prod(-1) + words[:, 2:].prod(-1) - intersection
    return 1 - intersection / union + (hull - union) / hull


def ctc_losses(logits: torch.Tensor, character_ids: torch.Tensor) -> torch.Tensor:
    """Connectionist temporal classification (Graves et al., 2006) of every word, per character.

    A word of more characters than places (one between equal neighbours counted) teaches nothing.

    Args:
        logits: (n, N, V + 1) of N places along the word, the last class blank.
        character_ids: (n, T), V for none, which only follows the characters.

    Returns:
        (n,).
    """
    blank = logits.shape[-1] - 1
    lengths = (character_ids != blank).sum(dim=1)
    if not len(logits):  # which torch's loss refuses
        return logits.sum(dim=(1, 2))
    losses = nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        character_ids,
        torch.full_like(lengths, logits.shape[1]),
        lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )
    return losses / lengths.clamp(min=1)


def inside_boxes(points: torch.Tensor, boxes: list[torch.Tensor]) -> torch.Tensor:
    """Which points lie in a box of their image.

    Args:
        points: (B, Q, 2).
        boxes: one (m, 4) an image, centre and size.

    Returns:
        (B, Q) bool.
    """
    inside = [
        ((of_image[:, None] - one[:, :2]).abs() * 2 < one[:, 2:]).all(dim=-1).any(dim=-1)
        for of_image, one in zip(points, boxes, strict=True)
    ]
    return torch.stack(inside)


def targets_of(logits: torch.Tensor, pairs: Assignment) -> torch.Tensor:
    """(B, Q, …) of 0 like the logits, 1 where a prediction has a word."""
    target = torch.zeros_like(logits)
    target[pairs.image, pairs.query] = 1.0
    return target


__all__ = [
    "Assignment",
    "Labels",
    "assign",
    "box_costs",
    "ctc_losses",
    "focal_cost",
    "focal_loss",
    "inside_boxes",
    "paired_giou_loss",
    "point_distances",
    "targets_of",
]
