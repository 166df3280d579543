"""Outlines found in overlapping tiles -> outlines of the whole photo, each text once.

For detectors whose maps of several tiles cannot be joined (embeddings and contours belong to their tile). A
text that lies whole in the overlap is found twice; one that a seam cuts is found in pieces, which share what
lies in the overlap.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import shapely

from .decode_dbnet import PolygonMode
from .polygon_overlaps import outline, to_shapely
from .polygons import bounding_box, clamp_to_image, min_area_quad, order_clockwise
from .tiling import Tile

_SAME_TEXT = 0.5  # shared part of what both tiles can see of two outlines
_LEAST_PIECE = 0.5  # shared area of two pieces of a text, in squares of its height


def merge_tile_outlines(
    polygons_xy: Sequence[Sequence[np.ndarray]],
    scores: Sequence[np.ndarray],
    tiles: Sequence[Tile],
    size_hw: tuple[float, float],
    *,
    seam_px: float,
    polygon_mode: PolygonMode = "quad",
) -> tuple[list[np.ndarray], np.ndarray]:
    """Keep one outline of a text that several tiles saw, rather a whole than a cut one; join cut ones.

    Args:
        polygons_xy: per tile, its `(P, 2)` outlines in pixels of the whole photo, at pixel edges.
        scores: per tile, one score an outline.
        tiles: `(x0, y0, x1, y1)` each, as from `plan_tiles`.
        size_hw: (height, width) of the photo in pixels.
        seam_px: an outline that comes so near to a side of its tile that is no side of the photo is taken for
            cut.
        polygon_mode: "quad" joins pieces to the smallest rectangle around them, "polygon" to their union.

    Returns:
        The outlines and their scores, in no particular order; the score of joined pieces is their mean by
        area.
    """
    seen = _AllTiles(polygons_xy, scores, tiles, size_hw, seam_px)
    merged: list[tuple[np.ndarray, float]] = []
    for pieces in _texts(seen, np.lexsort((-seen.scores, seen.is_cut)), joins=True):
        if len(pieces) == 1:
            merged.append((seen.polygons[pieces[0]], seen.scores[pieces[0]]))
        else:
            score = np.average(seen.scores[pieces], weights=shapely.area(seen.shapes[pieces]))
            merged.append((_joined(seen.shapes[pieces], size_hw, polygon_mode), score))
    return [polygon for polygon, _ in merged], np.array([score for _, score in merged], np.float32)


def keep_whole_outlines(
    polygons_xy: Sequence[Sequence[np.ndarray]],
    scores: Sequence[np.ndarray],
    tiles: Sequence[Tile],
    size_hw: tuple[float, float],
    *,
    seam_px: float,
) -> np.ndarray:
    """Keep one outline of a text that several tiles saw: the best whole one, or else the largest cut one.

    For texts that were read: what pieces say cannot be joined.

    Args:
        polygons_xy: as in `merge_tile_outlines`, like the others.
        scores: as there.
        tiles: as there.
        size_hw: as there.
        seam_px: as there.

    Returns:
        Places of the kept ones, counted through all tiles, ascending.
    """
    seen = _AllTiles(polygons_xy, scores, tiles, size_hw, seam_px)
    areas = shapely.area(seen.shapes)
    order = np.lexsort((-seen.scores, np.where(seen.is_cut, -areas, 0), seen.is_cut))
    return np.sort([pieces[0] for pieces in _texts(seen, order, joins=False)]).astype(int)


class _AllTiles:
    """The outlines of all tiles in one row, and what is known of each; `same` says which show one text."""

    def __init__(
        self,
        polygons_xy: Sequence[Sequence[np.ndarray]],
        scores: Sequence[np.ndarray],
        tiles: Sequence[Tile],
        size_hw: tuple[float, float],
        seam_px: float,
    ):
        self.polygons = [polygon for of_tile in polygons_xy for polygon in of_tile]
        self.scores = np.concatenate([np.asarray(one, np.float32) for one in scores])
        tile_of = np.repeat(np.arange(len(tiles)), [len(of_tile) for of_tile in polygons_xy])
        self.is_cut = np.array(
            [
                _touches_seam(polygon, tiles[tile], size_hw, seam_px)
                for polygon, tile in zip(self.polygons, tile_of.tolist(), strict=True)
            ],
            dtype=bool,
        )
        self.shapes = np.array([to_shapely(polygon) for polygon in self.polygons], dtype=object)
        views = shapely.box(*np.array(tiles).T)[tile_of]
        self.same = _same_texts(self.shapes, self.is_cut, views) if self.polygons else []


def _texts(seen: _AllTiles, order: np.ndarray, joins: bool) -> Iterator[list[int]]:
    """The outlines of each text, from the first in the order on; `joins` also gathers cut pieces of it."""
    is_open = np.ones(len(seen.polygons), bool)
    for index in order.tolist():
        if not is_open[index]:
            continue
        pieces = _reached(index, seen.same, is_open) if joins and seen.is_cut[index] else [index]
        for piece in pieces:
            is_open[[piece, *seen.same[piece]]] = False
        yield pieces


def _touches_seam(polygon_xy: np.ndarray, tile: Tile, size_hw: tuple[float, float], seam_px: float) -> bool:
    """Whether an outline reaches a side of its tile that is not a side of the photo."""
    xmin, ymin, xmax, ymax = bounding_box(polygon_xy)
    x0, y0, x1, y1 = tile
    return bool(
        (x0 > 0 and xmin < x0 + seam_px)
        or (y0 > 0 and ymin < y0 + seam_px)
        or (x1 < size_hw[1] and xmax > x1 - seam_px)
        or (y1 < size_hw[0] and ymax > y1 - seam_px)
    )


def _same_texts(shapes: np.ndarray, is_cut: np.ndarray, views: np.ndarray) -> list[list[int]]:
    """For every outline those that are of the same text: they share most of what both tiles can see.

    Args:
        shapes: (N,) shapely geometries.
        is_cut: (N,) whether a seam cuts them.
        views: (N,) the tile of each, as a geometry.
    """
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    first, second = first[first != second], second[first != second]
    shared = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    areas = shapely.area(shapes)
    both_whole = ~(is_cut[first] | is_cut[second])
    seen = np.minimum(
        np.where(both_whole, areas[first], shapely.area(shapely.intersection(shapes[first], views[second]))),
        np.where(both_whole, areas[second], shapely.area(shapely.intersection(shapes[second], views[first]))),
    )
    # At most the height of a text, straight or curved. Neighbours that overlap a little on a seam, where
    # little is to be seen of one, share less than a piece of a letter.
    heights = 2 * areas / np.maximum(shapely.length(shapes), 1e-6)
    least = np.where(both_whole, 0, _LEAST_PIECE * np.minimum(heights[first], heights[second]) ** 2)
    is_same = (shared > _SAME_TEXT * seen) & (shared >= least)
    same: list[list[int]] = [[] for _ in shapes]
    for one, other in zip(first[is_same].tolist(), second[is_same].tolist(), strict=True):
        same[one].append(other)
    return same


def _reached(start: int, same: list[list[int]], is_open: np.ndarray) -> list[int]:
    """The open outlines that a chain of same ones leads to, the first included."""
    reached, todo = {start}, [start]
    while todo:
        new = [other for other in same[todo.pop()] if is_open[other] and other not in reached]
        reached.update(new)
        todo += new
    return sorted(reached)


def _joined(pieces: np.ndarray, size_hw: tuple[float, float], polygon_mode: PolygonMode) -> np.ndarray:
    union = outline(shapely.union_all(pieces))
    if polygon_mode == "polygon":
        return union
    return order_clockwise(clamp_to_image(min_area_quad(union), size_hw))
