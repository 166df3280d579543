"""Training targets of spotters: polygons and texts -> control points, curves, boxes, characters."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from tcm_hf.data.target_polygons import checked_polygons
from tcm_hf.data.text_sides import text_sides
from tcm_hf.processing.bezier_curves import fit_bezier
from tcm_hf.processing.character_reading import text_ids

__all__ = ["character_ids", "control_points_of", "spotting_targets"]

Outline = Literal["polygon", "bezier"]


def spotting_targets(
    polygons_xy: Sequence[np.ndarray],
    texts: Sequence[str | None],
    ignore: Sequence[bool],
    size_hw: tuple[int, int],
    *,
    characters: str,
    num_characters: int = 25,
    num_control_points: int = 16,
    matching_stride: int = 4,
) -> dict[str, np.ndarray]:
    """What `FastTCMForTextSpotting` learns from one annotated image, whatever its head.

    Words that have no area inside the image are left out. Ignored words and words without text are no words;
    a head that can leaves their boxes alone, for others they are background. Source: TESTR, arXiv 2204.01918,
    sec. 3.5; ABCNet, arXiv 2002.10200, sec. 3.1.

    Args:
        polygons_xy: one (P >= 3, 2) array a word, in pixels, from where reading starts along the top, then
            back along the foot. Not modified.
        texts: one a polygon; None where it is not known.
        ignore: one flag a polygon, true = do not care.
        size_hw: height and width of the image in pixels. Matching target and mask lie in the frame of what
            the network is shown: of a padded image they want its padding too (target 0, mask 1).
        characters: the model's character set.
        num_characters: T, longer words are cut.
        num_control_points: P, even.
        matching_stride: pixels a cell of matching target and mask.

    Returns:
        In parts of the image's width and height, float32: `boxes` (n, 4), centre and size of what lies in the
        image; `ignored_boxes` (m, 4), the same of what is ignored; `control_points` (n, P, 2), at equal
        distances along top and foot, moved into the image; `bezier_points` (n, 8, 2), control points of a
        cubic curve along each, which may leave the image by half its size. `character_ids` (n, T) int64;
        `matching_target` and `matching_mask`, both (H / stride, W / stride) float32, rounded up: 1 inside
        words, and 0 where nothing is learned: in what is ignored and in no word.

    Raises:
        ValueError: the lengths of the first three differ, or a polygon is not a finite (P >= 3, 2) array.
    """
    polygons = checked_polygons(polygons_xy, ignore)
    if len(texts) != len(polygons):
        raise ValueError(f"`texts` must have one text per polygon: got {len(texts)} for {len(polygons)}.")
    size_xy = np.array(size_hw[::-1], dtype=np.float64)
    matching_target = np.zeros([-(-side // matching_stride) for side in size_hw], np.float32)
    matching_mask = np.ones_like(matching_target)
    boxes, ignored_boxes, points, curves, ids = [], [], [], [], []
    for polygon, text, ignored in zip(polygons, texts, ignore, strict=True):
        inside = control_points_of(polygon / size_xy, num_control_points, "polygon").clip(0, 1)
        low, high = inside.min(axis=0), inside.max(axis=0)
        if ((high - low) * size_xy < 1).any():
            continue
        box = np.concatenate([(low + high) / 2, high - low])
        cells_xy = (polygon / matching_stride).astype(np.int32)
        if ignored or not text:
            ignored_boxes.append(box)
            cv2.fillPoly(matching_mask, [cells_xy], 0.0)
            continue
        boxes.append(box)
        points.append(inside)
        curves.append(control_points_of(polygon / size_xy, 8, "bezier").clip(-0.5, 1.5))
        ids.append(character_ids(text, characters, num_characters))
        cv2.fillPoly(matching_target, [cells_xy], 1.0)
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "ignored_boxes": np.array(ignored_boxes, np.float32).reshape(-1, 4),
        "control_points": np.array(points, np.float32).reshape(-1, num_control_points, 2),
        "bezier_points": np.array(curves, np.float32).reshape(-1, 8, 2),
        "character_ids": np.array(ids, np.int64).reshape(-1, num_characters),
        "matching_target": matching_target,
        "matching_mask": np.maximum(matching_mask, matching_target),
    }


def control_points_of(polygon_xy: np.ndarray, count: int, outline: Outline) -> np.ndarray:
    """Control points of a word: half of them along its top from where reading starts, half along its foot.

    Args:
        polygon_xy: (P >= 3, 2); of an even number of points the first half is the top. Of an odd number the
            sides are found by their shape.
        count: of control points.
        outline: "polygon": points at equal distances along top and foot; "bezier": control points of a cubic
            curve along each.

    Returns:
        (count, 2) float64.
    """
    half = len(polygon_xy) // 2
    sides = text_sides(polygon_xy) if len(polygon_xy) % 2 else (polygon_xy[:half], polygon_xy[half:])
    if outline == "bezier":
        return np.concatenate([fit_bezier(side) for side in sides])
    return np.concatenate([_at_equal_distances(side, count // 2) for side in sides])


def _at_equal_distances(line: np.ndarray, count: int) -> np.ndarray:
    """`count` points along a line, its ends among them."""
    along = np.concatenate([[0], np.hypot(*np.diff(line, axis=0).T).cumsum()])
    where = np.linspace(0, along[-1], count)
    return np.stack([np.interp(where, along, line[:, axis]) for axis in (0, 1)], axis=1)


def character_ids(text: str, characters: str, count: int) -> np.ndarray:
    """Places of a text's characters in the character set, (count,) int64; their number where there is none.

    A letter that the set has in lower case only is taken so; the last character of the set stands for all
    that is not in it.
    """
    ids = text_ids(text[:count], characters)
    return np.array(ids + [len(characters)] * (count - len(ids)), dtype=np.int64)
