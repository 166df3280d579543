"""What ABCNet's dense head says of places becomes words: the best places, one for every word."""

from typing import NamedTuple

import torch
from torchvision.ops import nms

from .abcnet_dense import STRIDES, DenseWords
from .configuration_abcnet import ABCNetHeadConfig


class FoundCurves(NamedTuple):
    """The n words of one image, best first."""

    scores: torch.Tensor
    """(n,), square root of score times centredness."""
    boxes: torch.Tensor
    """(n, 4), corners x0, y0, x1, y1 in pixels of the network's input."""
    bezier_points: torch.Tensor
    """(n, 8, 2), in pixels of the network's input."""
    place_index: torch.Tensor
    """(n,), the places that they are from."""


@torch.no_grad()
def find_curves(dense: DenseWords, sizes_xy: torch.Tensor, config: ABCNetHeadConfig) -> list[FoundCurves]:
    """Words of every image.

    Source: FCOS, arXiv 1904.01355, sec. 3. `# Parity:` the threshold is for the score before centredness is
    in it, and boxes are compared before they are clipped to the image.

    Args:
        dense: what the places say.
        sizes_xy: (B, 2) width and height of the images in pixels, without padding; a word whose box lies
            outside is none.
        config: of the head: thresholds and numbers.
    """
    probabilities = dense.score_logits.sigmoid()
    scores = probabilities * dense.centerness_logits.sigmoid()
    candidates = probabilities > config.proposal_threshold
    boxes, curves, found = dense.boxes, dense.curves, []
    for row, size_xy in enumerate(sizes_xy):
        index = _best_of_levels(scores[row], candidates[row], dense.strides, config.candidates_per_level)
        index = index[nms(boxes[row, index], scores[row, index], config.nms_threshold)][: config.max_words]
        low, high = boxes[row, index].split(2, dim=-1)
        index = index[((low < size_xy) & (high > 0) & (low < high)).all(dim=-1)]
        found.append(FoundCurves(scores[row, index].sqrt(), boxes[row, index], curves[row, index], index))
    return found


def _best_of_levels(
    scores: torch.Tensor, candidates: torch.Tensor, strides: torch.Tensor, count: int
) -> torch.Tensor:
    """Index of the `count` best candidates of every level, scores, candidates and strides (N,) each."""
    chosen = []
    for stride in STRIDES:
        index = (candidates & (strides == stride)).nonzero()[:, 0]
        chosen.append(index[scores[index].topk(min(count, len(index))).indices])
    return torch.cat(chosen)


__all__ = ["FoundCurves", "find_curves"]
