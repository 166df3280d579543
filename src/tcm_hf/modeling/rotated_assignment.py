"""Which object a place of a dense rotated detector answers for: FCOS, ATSS and RetinaNet.

Every function takes one image and gives, for each place (all levels after one another), the index of its
object, or `BACKGROUND`, or `IGNORED` where nothing is learned.
"""

from collections.abc import Sequence

import torch

from .rotated_geometry import encode_distances, rotated_iou, rotated_iou_matrix

BACKGROUND = -1
IGNORED = -2


@torch.no_grad()
def assign_points(
    points: Sequence[torch.Tensor],
    strides: Sequence[int],
    boxes: torch.Tensor,
    *,
    center_radius: float,
    first_range_px: float,
) -> torch.Tensor:
    """FCOS (arXiv 1904.01355, sec. 3.2), in the frame of the rotated box.

    A point belongs to the smallest box that it is inside of, near the centre of, and large enough for its
    level: the farthest side is at most `first_range_px` away on the first level, twice that on the second,
    and so on; on the last there is no bound.

    Args:
        points: one (n, 2) a level.
        strides: pixels a cell of the levels.
        boxes: (M, 5).
        center_radius: how far from the centre a point may lie along each axis, in strides.
        first_range_px: bound of the first level.

    Returns:
        (N,) long.
    """
    every = torch.cat(list(points))
    if not len(boxes):
        return torch.full((len(every),), BACKGROUND, dtype=torch.long, device=every.device)
    counts = torch.tensor([len(level) for level in points], device=every.device)

    def spread(values: list[float]) -> torch.Tensor:
        return every.new_tensor(values).repeat_interleave(counts)[:, None]

    bounds = [first_range_px * 2**i for i in range(len(strides) - 1)]
    low, high = spread([-1, *bounds]), spread([*bounds, float("inf")])
    radius = spread([center_radius * stride for stride in strides])
    distances = encode_distances(every[:, None], boxes[None])  # (N, M, 4)
    offsets = (distances[..., :2] - distances[..., 2:]) / 2
    farthest = distances.amax(-1)
    fits = (distances.amin(-1) > 0) & (offsets.abs() < radius[..., None]).all(-1)
    fits &= (farthest >= low) & (farthest <= high)
    areas = (boxes[:, 2] * boxes[:, 3]).expand(fits.shape)
    smallest, matched = torch.where(fits, areas, float("inf")).min(dim=1)
    return torch.where(smallest.isfinite(), matched, BACKGROUND)


@torch.no_grad()
def assign_adaptively(
    anchors: Sequence[torch.Tensor], boxes: torch.Tensor, *, num_candidates: int
) -> torch.Tensor:
    """ATSS (arXiv 1912.02424, algorithm 1) on rotated overlaps.

    On every level the anchors nearest to the centre of a box are its candidates; those that overlap it by
    mean plus standard deviation of all its candidates, and have their centre inside, are its own. Where
    several boxes want an anchor, the one that overlaps it most gets it.

    Args:
        anchors: one (n, 5) a level, one anchor a cell.
        boxes: (M, 5).
        num_candidates: nearest anchors a level.

    Returns:
        (N,) long.
    """
    every = torch.cat(list(anchors))
    matched = torch.full((len(every),), BACKGROUND, dtype=torch.long, device=every.device)
    if not len(boxes):
        return matched
    distances = torch.cdist(every[:, :2], boxes[:, :2])
    candidates, start = [], 0
    for level in anchors:
        count = min(num_candidates, len(level))
        nearest = distances[start : start + len(level)].topk(count, dim=0, largest=False).indices
        candidates.append(nearest + start)
        start += len(level)
    chosen = torch.cat(candidates)  # (C, M)
    pairs = every[chosen].flatten(0, 1), boxes.expand(len(chosen), -1, -1).flatten(0, 1)
    candidate_overlaps = rotated_iou(*pairs).view(chosen.shape)
    threshold = candidate_overlaps.mean(0)
    if len(chosen) > 1:
        threshold = threshold + candidate_overlaps.std(0)
    inside = encode_distances(every[chosen][..., :2], boxes[None]).amin(-1) > 0
    wanted = torch.full_like(distances, -1)
    wanted.scatter_(
        0, chosen, torch.where((candidate_overlaps >= threshold) & inside, candidate_overlaps, -1)
    )
    best, owner = wanted.max(dim=1)
    return torch.where(best >= 0, owner, matched)


@torch.no_grad()
def assign_by_overlap(
    anchors: torch.Tensor, boxes: torch.Tensor, *, positive_iou: float, negative_iou: float
) -> torch.Tensor:
    """RetinaNet (arXiv 1708.02002, sec. 4) on rotated overlaps.

    An anchor belongs to the box that it overlaps most, if that is enough. Each box has at least the anchors
    that overlap it as much as any, provided that any does. `# Parity:` MMDetection gives a box that no
    anchor touches all the anchors that do not touch it; here it has none.

    Args:
        anchors: (N, 5).
        boxes: (M, 5).
        positive_iou: from this overlap on an anchor is its box's.
        negative_iou: below this one it is background; between both it is ignored.

    Returns:
        (N,) long.
    """
    if not len(boxes):
        return torch.full((len(anchors),), BACKGROUND, dtype=torch.long, device=anchors.device)
    overlaps = rotated_iou_matrix(anchors, boxes)
    most, owner = overlaps.max(dim=1)
    matched = torch.where(most < negative_iou, BACKGROUND, IGNORED)
    matched = torch.where(most >= positive_iou, owner, matched)
    best = overlaps.amax(dim=0)
    own = (overlaps == best) & (best > 0)
    # Of several boxes whose best this anchor is, the last.
    last = torch.where(own, torch.arange(len(boxes), device=boxes.device), -1).amax(dim=1)
    return torch.where(last >= 0, last, matched)
