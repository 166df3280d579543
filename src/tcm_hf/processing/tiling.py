"""Large photos in overlapping tiles, and back: one word, one polygon, also where a seam cuts it.

The maps of the tiles are joined before they are decoded (`merge_tile_maps`), so a word that a seam cuts is
one blob like any other. Pure functions. All coordinates are (x, y) in pixels of the whole image, at pixel
edges; tiles are `(x0, y0, x1, y1)` in whole pixels, the last two exclusive.
"""

import math
from collections.abc import Sequence

import numpy as np

Tile = tuple[int, int, int, int]


def plan_tiles(size_hw: tuple[int, int], tile_size_hw: tuple[int, int], overlap_px: int) -> list[Tile]:
    """Cover an image with as few tiles as the overlap allows, evenly spread.

    A tile that sees a word up to its own border knows little of the rest, so the overlap should be wider than
    a word.

    Args:
        size_hw: (height, width) of the image in pixels.
        tile_size_hw: (height, width) of every tile; a side that is longer than the image is cut to it.
        overlap_px: least overlap of neighbours, at least 0 and less than either side of a tile.

    Returns:
        The tiles, row by row from the top left. All have the same size.

    Raises:
        ValueError: for an image or tile without pixels, or an overlap that leaves no way forward.
    """
    if min(*size_hw, *tile_size_hw) < 1:
        raise ValueError(f"Image and tiles need pixels: got an image of {size_hw}, tiles of {tile_size_hw}.")
    if not 0 <= overlap_px < min(tile_size_hw):
        raise ValueError(
            f"`overlap_px` must be from 0 to less than the sides of a tile {tile_size_hw}: got {overlap_px}."
        )
    (rows, height), (columns, width) = (
        (_starts(length, side, overlap_px), min(side, length))
        for length, side in zip(size_hw, tile_size_hw, strict=True)
    )
    return [(x, y, x + width, y + height) for y in rows for x in columns]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = math.ceil((length - overlap) / (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def merge_tile_maps(
    maps: Sequence[np.ndarray], tiles: Sequence[Tile], size_hw: tuple[int, int]
) -> np.ndarray:
    """Join the maps of overlapping tiles to one, as if the image had been processed at once at that scale.

    Where tiles overlap, each counts by its distance from the sides that cut the image, near which a network
    knows least. Tiles are placed on whole pixels of the map.

    Args:
        maps: one `(h, w)` per tile, all of one size, at any scale.
        tiles: as from `plan_tiles`.
        size_hw: (height, width) of the image in pixels.

    Returns:
        `(H, W)` float32 with about the scale of the tiles' maps.

    Raises:
        ValueError: if there is not one map per tile, or they differ in size.
    """
    shapes = {one.shape for one in maps}
    if len(maps) != len(tiles) or len(shapes) != 1:
        raise ValueError(
            f"Expected one map per tile, all of one size: got {len(maps)} maps of sizes {sorted(shapes)} for "
            f"{len(tiles)} tiles."
        )
    (map_h, map_w), (x0, y0, x1, y1) = maps[0].shape, tiles[0]
    scale_y, scale_x = map_h / (y1 - y0), map_w / (x1 - x0)
    height, width = max(map_h, round(size_hw[0] * scale_y)), max(map_w, round(size_hw[1] * scale_x))
    total, weight = np.zeros((2, height, width), dtype=np.float32)
    for one, (x0, y0, x1, y1) in zip(maps, tiles, strict=True):
        top, left = min(round(y0 * scale_y), height - map_h), min(round(x0 * scale_x), width - map_w)
        window = np.s_[top : top + map_h, left : left + map_w]
        trust = np.outer(_trust(map_h, y0 > 0, y1 < size_hw[0]), _trust(map_w, x0 > 0, x1 < size_hw[1]))
        total[window] += trust * one
        weight[window] += trust
    return total / np.maximum(weight, np.finfo(np.float32).tiny)


def _trust(length: int, is_cut_before: bool, is_cut_after: bool) -> np.ndarray:
    """Along one side of a tile: the distance from the nearest cut, as a part of the side."""
    distance = (np.arange(length, dtype=np.float32) + 0.5) / length
    before = distance if is_cut_before else np.ones_like(distance)
    after = distance[::-1] if is_cut_after else np.ones_like(distance)
    return np.minimum(before, after)
