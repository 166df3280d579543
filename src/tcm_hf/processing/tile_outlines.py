"""Outlines found in overlapping tiles -> outlines of the whole photo, each text once.

For detectors whose maps of several tiles cannot be joined (embeddings and contours belong to their tile). A
text that lies whole in the overlap is found twice; one that a seam cuts is found in pieces, which share what
lies in the overlap.
"""

from collections.abc import Sequence

import numpy as np
import shapely

from .decode_dbnet import PolygonMode
from .polygons import bounding_box, clamp_to_image, min_area_quad, order_clockwise, outline, to_shapely
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
    polygons = [polygon for of_tile in polygons_xy for polygon in of_tile]
    if not polygons:
        return [], np.zeros(0, np.float32)
    all_scores = np.concatenate([np.asarray(one, np.float32) for one in scores])
    tile_of = np.repeat(np.arange(len(tiles)), [len(of_tile) for of_tile in polygons_xy])
    is_cut = np.array(
        [
            _touches_seam(polygon, tiles[tile], size_hw, seam_px)
            for polygon, tile in zip(polygons, tile_of.tolist(), strict=True)
        ]
    )
    shapes = np.array([to_shapely(polygon) for polygon in polygons], dtype=object)
    same = _same_texts(shapes, is_cut, shapely.box(*np.array(tiles).T)[tile_of])
    is_open = np.ones(len(polygons), bool)
    merged: list[tuple[np.ndarray, float]] = []
    for index in np.lexsort((-all_scores, is_cut)).tolist():
        if not is_open[index]:
            continue
        pieces = _reached(index, same, is_open) if is_cut[index] else [index]
        for piece in pieces:
            is_open[[piece, *same[piece]]] = False
        if len(pieces) == 1:
            merged.append((polygons[index], all_scores[index]))
        else:
            score = np.average(all_scores[pieces], weights=shapely.area(shapes[pieces]))
            merged.append((_joined(shapes[pieces], size_hw, polygon_mode), score))
    return [polygon for polygon, _ in merged], np.array([score for _, score in merged], np.float32)


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
