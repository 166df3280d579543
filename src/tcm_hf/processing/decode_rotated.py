"""Predictions of a dense rotated detector -> boxes with classes and scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .rotated_boxes import boxes_to_polygons
from .rotated_suppression import batched_rotated_nms

_FAR_PX = 1e6  # farther out than any picture: the box of a network that has gone astray


class RotatedObjects(NamedTuple):
    """Objects of one image, the best first."""

    boxes: np.ndarray
    """(N, 5) float32: cx, cy, w, h in pixels, angle in radians, [-π/2, π/2)."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""
    labels: np.ndarray
    """(N,) int64."""

    @property
    def polygons_xy(self) -> np.ndarray:
        """(N, 4, 2) float32 corners, clockwise on screen."""
        return boxes_to_polygons(self.boxes).astype(np.float32)


def rotated_candidates(
    class_logits: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    centerness_logits: Sequence[np.ndarray] | None = None,
    *,
    score_threshold: float = 0.05,
    max_candidates: int = 2000,
) -> RotatedObjects:
    """All boxes that score enough, before suppression, level by level.

    Args:
        class_logits: (…, K) a level.
        boxes: (…, 5) a level, pixels of the network's input.
        centerness_logits: (…) a level, where the head has them; the score is the product of both
            probabilities (FCOS, arXiv 1904.01355, sec. 3.3).
        score_threshold: classes must be more likely than this, centerness apart (parity).
        max_candidates: pairs of a box and a class that a level may contribute, the likeliest classes first.

    Returns:
        [`RotatedObjects`], each level in the order of its class probabilities.
    """
    found = []
    for level, logits in enumerate(class_logits):
        probs = _sigmoid(logits).reshape(-1, logits.shape[-1])
        place, label = np.nonzero(probs > score_threshold)
        scores = probs[place, label]
        best = np.argsort(-scores, kind="stable")[:max_candidates]
        place, label, scores = place[best], label[best], scores[best]
        if centerness_logits is not None:
            scores = scores * _sigmoid(centerness_logits[level].reshape(-1)[place])
        of_level = boxes[level].reshape(-1, 5)[place]
        sound = _is_sound(of_level) & np.isfinite(scores)
        found.append((of_level[sound], scores[sound], label[sound]))
    if not found:
        raise ValueError("There are no levels: `class_logits` is empty.")
    every_box, every_score, every_label = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return RotatedObjects(
        every_box.astype(np.float32), every_score.astype(np.float32), every_label.astype(np.int64)
    )


def decode_rotated(
    class_logits: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    centerness_logits: Sequence[np.ndarray] | None = None,
    *,
    score_threshold: float = 0.05,
    max_candidates: int = 2000,
    nms_threshold: float = 0.1,
    max_objects: int = 2000,
) -> RotatedObjects:
    """Objects of one image: candidates of every level, of which the best of each place and class stays.

    Args:
        class_logits: (…, K) a level.
        boxes: (…, 5) a level, pixels of the network's input.
        centerness_logits: (…) a level, or None.
        score_threshold: see `rotated_candidates`.
        max_candidates: see `rotated_candidates`.
        nms_threshold: boxes of one class that overlap more than this are one object.
        max_objects: how many to give at most.

    Returns:
        [`RotatedObjects`].
    """
    candidates = rotated_candidates(
        class_logits,
        boxes,
        centerness_logits,
        score_threshold=score_threshold,
        max_candidates=max_candidates,
    )
    kept = batched_rotated_nms(*candidates, nms_threshold)[:max_objects]
    return RotatedObjects(*(values[kept] for values in candidates))


def merge_tile_objects(
    objects: Sequence[RotatedObjects], origins_xy: Sequence[tuple[float, float]], nms_threshold: float = 0.1
) -> RotatedObjects:
    """The objects of overlapping tiles as those of the whole image, each once.

    Args:
        objects: those of each tile, in its own frame.
        origins_xy: where each tile's top left corner lies in the image, pixels.
        nms_threshold: boxes of one class that overlap more than this are one object.

    Returns:
        [`RotatedObjects`] in the image's frame.

    Raises:
        ValueError: if there is not one origin a tile.
    """
    if len(objects) != len(origins_xy):
        raise ValueError(f"Each tile needs an origin: got {len(origins_xy)} for {len(objects)} tiles.")
    moved = [
        tile.boxes + np.array([*origin, 0, 0, 0], dtype=np.float32)
        for tile, origin in zip(objects, origins_xy, strict=True)
    ]
    together = RotatedObjects(
        np.concatenate([np.zeros((0, 5), np.float32), *moved]).astype(np.float32),
        np.concatenate([np.zeros(0, np.float32), *(tile.scores for tile in objects)]),
        np.concatenate([np.zeros(0, np.int64), *(tile.labels for tile in objects)]),
    )
    kept = batched_rotated_nms(*together, nms_threshold)
    return RotatedObjects(*(values[kept] for values in together))


def _is_sound(boxes: np.ndarray) -> np.ndarray:
    """Which boxes (N, 5) can be those of objects: finite, within reach, no side below 0."""
    return (np.abs(boxes) < _FAR_PX).all(axis=1) & (boxes[:, 2:4] >= 0).all(axis=1)  # false for NaN, too


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Without overflow, in float32."""
    return (0.5 * (1 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64)))).astype(np.float32)
