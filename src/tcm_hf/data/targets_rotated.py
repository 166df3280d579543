"""Labels of `TCMForRotatedObjectDetection`: boxes and classes, padded so that images make a batch."""

from collections.abc import Sequence

import numpy as np

from tcm_hf.processing.rotated_boxes import polygons_to_boxes

NO_OBJECT = -1
"""Class label of a row that only fills a batch."""


def rotated_targets(
    polygons_xy: np.ndarray, class_labels: np.ndarray, *, min_side_px: float = 1.0
) -> dict[str, np.ndarray]:
    """Boxes to learn of one image.

    Args:
        polygons_xy: (N, 4, 2), pixels of the network's input.
        class_labels: (N,).
        min_side_px: objects with a shorter side are left out: nothing can be learned from them.

    Returns:
        `boxes` (M, 5) float32 (cx, cy, w, h, angle in radians, le90), `class_labels` (M,) int64.

    Raises:
        ValueError: if there is not one label a polygon.
    """
    class_labels = np.asarray(class_labels, dtype=np.int64)
    boxes = polygons_to_boxes(np.asarray(polygons_xy).reshape(-1, 4, 2)).astype(np.float32)
    if len(boxes) != len(class_labels):
        raise ValueError(f"Each polygon needs a class label: got {len(class_labels)} for {len(boxes)}.")
    kept = boxes[:, 2:4].min(axis=1, initial=np.inf) >= min_side_px
    return {"boxes": boxes[kept], "class_labels": class_labels[kept]}


def pad_rotated_targets(targets: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The targets of several images as one batch.

    Args:
        targets: one of `rotated_targets` an image.

    Returns:
        `boxes` (B, M, 5) float32 and `class_labels` (B, M) int64 with M the largest number of objects;
        rows without an object have the label `NO_OBJECT`.
    """
    most = max((len(target["boxes"]) for target in targets), default=0)
    boxes = np.zeros((len(targets), most, 5), dtype=np.float32)
    labels = np.full((len(targets), most), NO_OBJECT, dtype=np.int64)
    for i, target in enumerate(targets):
        boxes[i, : len(target["boxes"])] = target["boxes"]
        labels[i, : len(target["boxes"])] = target["class_labels"]
    return {"boxes": boxes, "class_labels": labels}


__all__ = ["NO_OBJECT", "pad_rotated_targets", "rotated_targets"]
