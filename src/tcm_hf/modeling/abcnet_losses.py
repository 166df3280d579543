"""What ABCNet's dense head learns: which places answer for a word, the losses of boxes and curves."""

import torch
from torch import nn
from torchvision.ops import box_convert, generalized_box_iou_loss, sigmoid_focal_loss

from .abcnet_dense import STRIDES, DenseWords
from .configuration_abcnet import ABCNetHeadConfig
from .global_batch import shared_count
from .spotting_losses import Labels


def dense_losses(
    dense: DenseWords, labels: Labels, sizes_xy: torch.Tensor, config: ABCNetHeadConfig
) -> dict[str, torch.Tensor]:
    """The weighted losses of the dense head (FCOS, arXiv 1904.01355, eq. 2; ABCNet, sec. 3.1).

    The focal loss of all places is divided by the number of places in words; box and curve of a place in a
    word count as much as the place is central.

    Args:
        dense: what the places of B images say.
        labels: one dict an image: `boxes` (n, 4) centre and size, `bezier_points` (n, 8, 2), and, where there
            is text that nothing shall be learned of, `ignored_boxes` (m, 4); in parts of the image's size.
        sizes_xy: (B, 2) width and height of the images in pixels of the network's input.
        config: of the head: ranges of the levels, and weights.

    Returns:
        `loss_score`, `loss_box`, `loss_centerness`, `loss_bezier`; without any word all but the first are 0.
    """
    positive, learned = (torch.zeros_like(dense.score_logits, dtype=torch.bool) for _ in range(2))
    own_boxes, own_curves = [dense.places.new_zeros(0, 4)], [dense.places.new_zeros(0, 8, 2)]
    for image, (label, size_xy) in enumerate(zip(labels, sizes_xy, strict=True)):
        boxes = corners_in_pixels(label["boxes"], size_xy)
        owner = word_of_places(dense.places, dense.strides, boxes, config)
        own = owner >= 0
        ignored = corners_in_pixels(label.get("ignored_boxes", label["boxes"][:0]), size_xy)
        positive[image], learned[image] = own, own | ~inside_any(dense.places, ignored)
        own_boxes.append(boxes[owner[own]])
        own_curves.append((label["bezier_points"] * size_xy)[owner[own]])
    box, curve = torch.cat(own_boxes), torch.cat(own_curves)
    places = dense.places.expand(len(labels), -1, -1)[positive]
    strides = dense.strides.expand(len(labels), -1)[positive][:, None, None]
    central = centerness(places, box)
    weight = central / shared_count(central.sum(), central, least=1e-6)
    overlap = generalized_box_iou_loss(dense.boxes[positive], box)
    offsets = (curve - places[:, None]) / strides
    bend = nn.functional.smooth_l1_loss(dense.curve_offsets[positive], offsets, reduction="none")
    score = sigmoid_focal_loss(
        dense.score_logits[learned],
        positive[learned].float(),
        alpha=config.focal_alpha,
        gamma=config.focal_gamma,
        reduction="sum",
    )
    # An empty sum is 0 and keeps the graph: every parameter of the dense head has a gradient.
    centered = nn.functional.binary_cross_entropy_with_logits(
        dense.centerness_logits[positive], central, reduction="sum"
    )
    count = shared_count(len(box), score)
    return {
        "loss_score": config.score_loss_weight * score / count,
        "loss_box": config.box_loss_weight * (overlap * weight).sum(),
        "loss_centerness": config.centerness_loss_weight * centered / count,
        "loss_bezier": config.bezier_loss_weight * (bend.mean((1, 2)) * weight).sum(),
    }


@torch.no_grad()
def word_of_places(
    places: torch.Tensor, strides: torch.Tensor, boxes: torch.Tensor, config: ABCNetHeadConfig
) -> torch.Tensor:
    """The word that every place answers for (FCOS, sec. 3.2).

    A place belongs to the smallest box that it is inside of, near the centre of, and of its level's size: the
    farthest side is farther away than the level before learns, and not farther than its own level does.

    Args:
        places: (N, 2) in pixels.
        strides: (N,), of `STRIDES`.
        boxes: (n, 4) corners in pixels.
        config: `center_radius` and `level_sizes`.

    Returns:
        (N,) index of the word, -1 for none.
    """
    if not len(boxes):
        return torch.full((len(places),), -1, dtype=torch.long, device=places.device)
    bounds = places.new_tensor([0, *config.level_sizes, float("inf")])
    level = (strides[:, None] == strides.new_tensor(STRIDES)).long().argmax(dim=1)
    to_low, to_high = places[:, None] - boxes[:, :2], boxes[:, 2:] - places[:, None]  # (N, n, 2)
    farthest = torch.maximum(to_low, to_high).amax(-1)
    fits = torch.minimum(to_low, to_high).amin(-1) > 0
    fits &= ((to_high - to_low).abs() < 2 * config.center_radius * strides[:, None, None]).all(-1)
    fits &= (farthest > bounds[level, None]) & (farthest <= bounds[level + 1, None])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1).expand(fits.shape)
    smallest, owner = torch.where(fits, areas, float("inf")).min(dim=1)
    return torch.where(smallest.isfinite(), owner, -1)


def corners_in_pixels(boxes: torch.Tensor, size_xy: torch.Tensor) -> torch.Tensor:
    """Boxes (n, 4), centre and size in parts of an image of `size_xy` (2,) -> corners in pixels."""
    return box_convert(boxes, "cxcywh", "xyxy") * size_xy.repeat(2)


def inside_any(places: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Which places (N, 2) lie inside one of the boxes (m, 4), corners; (N,) bool."""
    after, before = places[:, None] > boxes[None, :, :2], places[:, None] < boxes[None, :, 2:]
    return (after & before).all(-1).any(-1)


def centerness(places: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """How central places (n, 2) are in their boxes (n, 4), 1 in the middle, 0 at a side (FCOS, eq. 3)."""
    to_low, to_high = places - boxes[:, :2], boxes[:, 2:] - places
    nearest, farthest = torch.minimum(to_low, to_high), torch.maximum(to_low, to_high)
    return (nearest / farthest).clamp(min=0).prod(-1).sqrt()


def moved_curves(bezier_points: torch.Tensor, jitter: float) -> torch.Tensor:
    """Control points moved at random, as a detector might find them.

    Top and foot are moved and stretched as a whole; their bends stay.

    Args:
        bezier_points: (n, 8, 2) in pixels.
        jitter: standard deviation, in parts of the word's height at the moved end.

    Returns:
        (n, 8, 2).
    """
    if not jitter:
        return bezier_points
    first, last = (bezier_points[:, a] - bezier_points[:, b] for a, b in ((0, 7), (3, 4)))
    height = torch.stack([first, last], dim=1).norm(dim=-1).amin(dim=1)[:, None, None]
    corners = torch.randn_like(bezier_points[:, :4]).clamp(-2, 2) * (jitter * height)
    along = torch.linspace(0, 1, 4, device=bezier_points.device)[None, :, None]
    top = corners[:, :1] * (1 - along) + corners[:, 1:2] * along
    foot = corners[:, 2:3] * (1 - along) + corners[:, 3:] * along
    return bezier_points + torch.cat([top, foot], dim=1)


__all__ = [
    "centerness",
    "corners_in_pixels",
    "dense_losses",
    "inside_any",
    "moved_curves",
    "word_of_places",
]
