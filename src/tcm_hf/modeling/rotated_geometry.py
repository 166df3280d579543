"""Rotated boxes as tensors: coders of the heads, points and anchors, overlaps with gradients.

Boxes are `(cx, cy, w, h, angle)`, pixels of the network's input, angle in radians from x towards y, written
the `le90` way unless said otherwise: the width is the longer side, the angle in [-π/2, π/2).
"""

import math
from typing import Literal

import torch

# Deltas of width and height beyond this are cut off: a box 62 times as large as its prior.
_MAX_SIZE_DELTA = abs(math.log(16 / 1000))
# Two sides nearer than this part of the box's size are one line.
_COINCIDENT = 1e-9


def norm_angle(angles: torch.Tensor) -> torch.Tensor:
    """Angles moved by whole half turns into [-π/2, π/2)."""
    return (angles + math.pi / 2) % math.pi - math.pi / 2


def regularize_boxes(boxes: torch.Tensor) -> torch.Tensor:
    """The same boxes, (…, 5), with the longer side as width and the angle in [-π/2, π/2)."""
    sizes, angles = boxes[..., 2:4], boxes[..., 4]
    swapped = sizes[..., 0] <= sizes[..., 1]
    angles = norm_angle(angles + swapped * (math.pi / 2))
    sizes = torch.where(swapped[..., None], sizes.flip(-1), sizes)
    return torch.cat([boxes[..., :2], sizes, angles[..., None]], dim=-1)


def _turn(vectors: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """(…, 2) vectors turned by (…) radians."""
    cos, sin = angles.cos(), angles.sin()
    x, y = vectors.unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos], dim=-1)


def decode_distances(points: torch.Tensor, distances: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Boxes from the distances of points to their four sides.

    Args:
        points: (…, 2).
        distances: (…, 4) to the left, top, right and bottom side, along the box's own axes.
        angles: (…,), in any range.

    Returns:
        (…, 5), angles in [-π/2, π/2); sides are not swapped.
    """
    to_low, to_high = distances[..., :2], distances[..., 2:]
    centers = points + _turn((to_high - to_low) / 2, angles)
    return torch.cat([centers, to_low + to_high, norm_angle(angles)[..., None]], dim=-1)


def encode_distances(points: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Distances of points to the sides of boxes, (…, 4), as `decode_distances` takes; negative outside."""
    offsets = _turn(points - boxes[..., :2], -boxes[..., 4])
    half = boxes[..., 2:4] / 2
    return torch.cat([half + offsets, half - offsets], dim=-1)


def encode_deltas(priors: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """What moves priors onto boxes. Width meets height where that turns the prior less.

    Args:
        priors: (…, 5).
        boxes: (…, 5), any way of writing.

    Returns:
        (…, 5): way of the centre along the prior's own axes in sizes of the prior, logarithms of the ratios
        of the sides, angle.
    """
    boxes = regularize_boxes(boxes)
    ways, sizes = boxes[..., :2] - priors[..., :2], boxes[..., 2:4]
    turns = norm_angle(boxes[..., 4] - priors[..., 4])
    quarter_on = norm_angle(boxes[..., 4] - priors[..., 4] + math.pi / 2)
    swapped = turns.abs() >= quarter_on.abs()
    turns = torch.where(swapped, quarter_on, turns)
    sizes = torch.where(swapped[..., None], sizes.flip(-1), sizes)
    prior_sizes = priors[..., 2:4]
    ways = _turn(ways, -priors[..., 4]) / prior_sizes
    return torch.cat([ways, (sizes / prior_sizes).log(), turns[..., None]], dim=-1)


def decode_deltas(
    priors: torch.Tensor, deltas: torch.Tensor, *, size_hw: tuple[int, int] | None = None
) -> torch.Tensor:
    """Priors moved by deltas: undoes `encode_deltas`.

    Args:
        priors: (…, 5).
        deltas: (…, 5); those of the sides are cut off at ±log(62.5).
        size_hw: centres are kept inside an image of this size.

    Returns:
        (…, 5), the longer side as width.
    """
    centers = priors[..., :2] + _turn(deltas[..., :2] * priors[..., 2:4], priors[..., 4])
    if size_hw is not None:
        # Parity: as MMRotate, up to the index of the last pixel, though its frame is that of pixel edges.
        centers = torch.stack(
            [centers[..., 0].clamp(0, size_hw[1] - 1), centers[..., 1].clamp(0, size_hw[0] - 1)], dim=-1
        )
    sizes = priors[..., 2:4] * deltas[..., 2:4].clamp(-_MAX_SIZE_DELTA, _MAX_SIZE_DELTA).exp()
    angles = priors[..., 4] + deltas[..., 4]
    return regularize_boxes(torch.cat([centers, sizes, angles[..., None]], dim=-1))


def per_place(maps: torch.Tensor, values: int) -> torch.Tensor:
    """Maps of a level -> its places, row by row: (B, A * values, h, w) -> (B, h * w * A, values), float32."""
    return maps.movedim(1, -1).flatten(1).unflatten(1, (-1, values)).float()


def grid_points(
    size_hw: tuple[int, int], stride: int, offset: float, device: torch.device | str | None = None
) -> torch.Tensor:
    """Points of the cells of a level, row by row.

    Args:
        size_hw: rows and columns.
        stride: pixels a cell.
        offset: place in the cell: 0.5 its centre (FCOS), 0 its top left corner (anchors).
        device: where to put them.

    Returns:
        (rows * columns, 2) x, y in pixels, float32.
    """
    y, x = (torch.arange(size, device=device, dtype=torch.float32) + offset for size in size_hw)
    grid_y, grid_x = torch.meshgrid(y * stride, x * stride, indexing="ij")
    return torch.stack([grid_x.flatten(), grid_y.flatten()], dim=-1)


def grid_anchors(
    size_hw: tuple[int, int],
    stride: int,
    *,
    ratios: list[float],
    scales: list[float],
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Anchors of a level: at each cell all ratios, of each ratio all scales.

    Args:
        size_hw: rows and columns.
        stride: pixels a cell; an anchor of scale 1 and ratio 1 has this side.
        ratios: height over width before the longer side becomes the width.
        scales: sides in strides.
        device: where to put them.

    Returns:
        (rows * columns * ratios * scales, 5).
    """
    ratio = torch.tensor(ratios, device=device, dtype=torch.float32)[:, None]
    scale = torch.tensor(scales, device=device, dtype=torch.float32)[None]
    sizes = torch.stack([stride * scale / ratio.sqrt(), stride * scale * ratio.sqrt()], dim=-1).flatten(0, 1)
    places = grid_points(size_hw, stride, 0, device)[:, None]
    # Parity: sides are differences of rounded corners, so that some squares are a hair wider than high, and
    # their angle is 0 instead of -π/2. Deltas turn with it, and published weights know these anchors.
    low, high = places - sizes / 2, places + sizes / 2
    boxes = torch.cat([(low + high) / 2, high - low, torch.zeros_like(low[..., :1])], dim=-1)
    return regularize_boxes(boxes.flatten(0, 1))


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """(…, 5) -> (…, 4, 2) corners, clockwise on screen; at angle 0 the first is the top left one."""
    signs = boxes.new_tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return boxes[..., None, :2] + _turn(signs * boxes[..., None, 2:4], boxes[..., None, 4])


def _exact(boxes: torch.Tensor) -> torch.Tensor:
    """In double precision where the device has it."""
    return boxes.float() if boxes.device.type == "mps" else boxes.double()


def rotated_iou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Exact intersection over union of pairs of boxes, with gradients for both.

    Cyrus and Beck cut each side of a box to the part inside the other, Green's theorem sums the shared area;
    the same as `processing.rotated_boxes`, where it is explained.

    Args:
        boxes: (N, 5).
        others: (N, 5).

    Returns:
        (N,) in [0, 1], in the dtype of `boxes`.
    """
    dtype, boxes, others = boxes.dtype, _exact(boxes), _exact(others)
    areas, other_areas = (each[:, 2] * each[:, 3] for each in (boxes, others))
    origin = boxes[:, None, :2].detach()
    shared = _shared_areas(corners(boxes) - origin, corners(others) - origin)
    union = (areas + other_areas - shared).clamp(min=torch.finfo(areas.dtype).tiny)
    solid = (areas > 0) & (other_areas > 0)
    return torch.where(solid, shared / union, 0).clamp(0, 1).to(dtype)


def _shared_areas(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    first_ways, second_ways = (points.roll(-1, dims=1) - points for points in (first, second))
    first_inside = _distances(first, second, second_ways)
    second_inside = _distances(second, first, first_ways)
    coincident = _COINCIDENT if first.dtype == torch.float64 else 1e-5
    tolerance = coincident * first_ways.detach().abs().amax(dim=(1, 2))[:, None, None]
    first_on = torch.maximum(first_inside.abs(), first_inside.roll(-1, dims=1).abs()) <= tolerance
    second_on = torch.maximum(second_inside.abs(), second_inside.roll(-1, dims=1).abs()) <= tolerance
    on_one_line = first_on | second_on.mT
    same_way = torch.einsum("nix,njx->nij", first_ways, second_ways) > 0
    nowhere = torch.zeros_like(on_one_line)
    shared = _cut_area(
        first, first_ways, first_inside, tolerance, on_one_line & same_way, on_one_line & ~same_way
    ) + _cut_area(second, second_ways, second_inside, tolerance, nowhere, on_one_line.mT)
    return shared.clamp(min=0)


def _cross(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _distances(points: torch.Tensor, starts: torch.Tensor, ways: torch.Tensor) -> torch.Tensor:
    """[n, i, j] distance of point i from the line of side j, positive inside."""
    lengths = ways.square().sum(-1).clamp(min=torch.finfo(ways.dtype).tiny).sqrt()[:, None]
    return _cross(ways[:, None], points[:, :, None] - starts[:, None]) / lengths


def _cut_area(
    starts: torch.Tensor,
    ways: torch.Tensor,
    inside: torch.Tensor,
    tolerance: torch.Tensor,
    ignored: torch.Tensor,
    outside: torch.Tensor,
) -> torch.Tensor:
    change = inside.roll(-1, dims=1) - inside
    parallel = change.abs() <= tolerance
    crossing = -inside / torch.where(parallel, 1, change)
    begin = torch.where((change > 0) & ~parallel & ~ignored, crossing, 0).amax(-1).clamp(min=0)
    end = torch.where((change < 0) & ~parallel & ~ignored, crossing, 1).amin(-1).clamp(max=1)
    never = (outside | (parallel & (inside < 0) & ~ignored)).any(-1)
    part = torch.where(never, 0, (end - begin).clamp(min=0))
    return (part * _cross(starts, ways)).sum(-1) / 2


@torch.no_grad()
def rotated_iou_matrix(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Exact intersection over union of all boxes with all others, without gradients.

    Args:
        boxes: (N, 5).
        others: (M, 5).

    Returns:
        (N, M) in [0, 1].
    """
    overlaps = boxes.new_zeros(len(boxes), len(others))
    lows, highs = ((c.amin(1), c.amax(1)) for c in (corners(boxes), corners(others)))
    (low, high), (other_low, other_high) = lows, highs
    near = (torch.minimum(high[:, None], other_high) > torch.maximum(low[:, None], other_low)).all(-1)
    first, second = near.nonzero(as_tuple=True)
    overlaps[first, second] = rotated_iou(boxes[first], others[second])
    return overlaps


def rotated_iou_loss(
    boxes: torch.Tensor, targets: torch.Tensor, mode: Literal["log", "linear"] = "log"
) -> torch.Tensor:
    """Loss of every pair of boxes: `-log(IoU)` or `1 - IoU`.

    Args:
        boxes: (N, 5) predictions.
        targets: (N, 5).
        mode: which of both.

    Returns:
        (N,).
    """
    overlaps = rotated_iou(boxes, targets)
    return -overlaps.clamp(min=1e-6).log() if mode == "log" else 1 - overlaps
