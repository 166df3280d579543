"""Bezier alignment: what lies between two curves becomes a straight strip of features."""

import torch
from torch import nn

CANONICAL_LEVEL = 1
"""Index of the level (stride 8 of 4, 8, 16) from which words of the canonical height are read."""


class BezierAlign(nn.Module):
    """Straightens words of any size out of the fine levels of a pyramid.

    Source: ABCNet, arXiv 2002.10200, sec. 3.2.

    Args:
        size_hw: rows and columns of the features of a word.
        canonical_height: height in pixels of a word that is read from stride 8; one of half the height is
            read from stride 4, of twice the height from stride 16.
        samples_per_bin: see `bezier_align`.
    """

    strides = (4, 8, 16)

    def __init__(self, size_hw: tuple[int, int], canonical_height: float, samples_per_bin: int = 1):
        super().__init__()
        self.size_hw = size_hw
        self.canonical_height = canonical_height
        self.samples_per_bin = samples_per_bin

    def levels_of(self, curves_xy: torch.Tensor) -> torch.Tensor:
        """(n, 8, 2) control points in pixels -> (n,) index of the level that the word is read from."""
        height = (curves_xy[:, 0] - curves_xy[:, 7]).norm(dim=-1)
        levels = CANONICAL_LEVEL + (height / self.canonical_height).log2().floor()
        return levels.clamp(0, len(self.strides) - 1).long()

    def forward(self, levels: list[torch.Tensor], curves_xy: list[torch.Tensor]) -> torch.Tensor:
        """Features of the words of all images.

        Args:
            levels: (B, C, h, w) of strides 4, 8, 16.
            curves_xy: one (n, 8, 2) an image: control points in pixels of the network's input, the top's from
                where reading starts, then the foot's back.

        Returns:
            (sum of n, C, rows, columns) in the order of images and words.
        """
        words = torch.cat(curves_xy)
        image = torch.cat([words.new_full((len(one),), i) for i, one in enumerate(curves_xy)]).long()
        level = self.levels_of(words)
        features = words.new_zeros(len(words), levels[0].shape[1], *self.size_hw)
        for number, (maps, stride) in enumerate(zip(levels, self.strides, strict=True)):
            for row in range(len(curves_xy)):
                index = ((level == number) & (image == row)).nonzero()[:, 0]
                if len(index):
                    curves = words[index] / stride
                    features[index] = bezier_align(maps[row], curves, self.size_hw, self.samples_per_bin)
        return features


def bezier_align(
    feature_map: torch.Tensor, curves_xy: torch.Tensor, size_hw: tuple[int, int], samples_per_bin: int = 1
) -> torch.Tensor:
    """Features between the top and the foot of words, bilinearly sampled.

    Column j of w columns is at parameter j / w of both curves, row i of h rows at i / h of the straight line
    from the top's to the foot's point: `# Parity:` the upper left corners of the bins, not their centres.
    Outside the map, by more than a cell, features are zero.

    Args:
        feature_map: (C, h, w) of one image.
        curves_xy: (n, 8, 2) control points in cells of the map, pixel edges: 0.5 is the centre of cell 0; the
            top's from where reading starts, then the foot's back.
        size_hw: rows and columns of a word.
        samples_per_bin: places per row and column that are averaged for one feature, spread over a bin whose
            width and height are parts of the larger curve's extent along the axes of the image.

    Returns:
        (n, C, rows, columns), in the dtype of `curves_xy`.
    """
    points = _strip_points(curves_xy, size_hw)  # (n, rows, columns, 2)
    ends = curves_xy[:, [0, 4]] - curves_xy[:, [3, 7]]  # of top and foot
    bin_size = ends.abs().amax(dim=1) / ends.new_tensor([size_hw[1], size_hw[0]])  # (n, 2)
    steps = (torch.arange(samples_per_bin, device=points.device) + 0.5) / samples_per_bin - 0.5
    total = points.new_zeros(len(points), feature_map.shape[0], *size_hw)
    for down in steps:
        for right in steps:
            shift = bin_size * torch.stack([right, down])
            total = total + _sample(feature_map, points + shift[:, None, None])
    return total / samples_per_bin**2


def cubic_basis(t: torch.Tensor) -> torch.Tensor:
    """Weights of the four control points of a cubic Bezier curve at parameters t: (n,) -> (n, 4)."""
    t = t[:, None]
    return torch.cat([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], dim=1)


def _strip_points(curves_xy: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """(n, 8, 2) -> (n, rows, columns, 2) places between the curves."""
    rows, columns = size_hw
    basis = cubic_basis(torch.arange(columns, device=curves_xy.device, dtype=curves_xy.dtype) / columns)
    top, foot = basis @ curves_xy[:, :4], basis @ curves_xy[:, 4:].flip(1)  # (n, columns, 2)
    down = torch.arange(rows, device=curves_xy.device, dtype=curves_xy.dtype)[:, None, None] / rows
    return top[:, None] * (1 - down) + foot[:, None] * down


def _sample(feature_map: torch.Tensor, points_xy: torch.Tensor) -> torch.Tensor:
    """(C, h, w), (n, rows, columns, 2) in cells, pixel edges -> (n, C, rows, columns)."""
    height, width = feature_map.shape[-2:]
    cells = points_xy - 0.5
    size = cells.new_tensor([width, height])
    grid = ((2 * cells + 1) / size - 1).flatten(1, 2)[None]  # (1, n, rows * columns, 2)
    maps = feature_map.to(points_xy.dtype)[None]
    values = nn.functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)[0]
    inside = ((cells >= -1) & (cells <= size)).all(dim=-1)
    return values.transpose(0, 1).unflatten(2, points_xy.shape[1:3]) * inside[:, None]


__all__ = ["BezierAlign", "bezier_align", "cubic_basis"]
