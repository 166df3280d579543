"""Non-maximum suppression of rotated boxes by their exact overlap."""

import numpy as np

from .rotated_boxes import rotated_overlaps

# Boxes that are compared with one another, and then with all that wait, at once.
_BLOCK = 128


def rotated_nms(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """From the best score downwards, keep a box unless it overlaps one that is kept already.

    Args:
        boxes: (N, 5) cx, cy, w, h, angle in radians.
        scores: (N,); of equal ones the first comes first.
        iou_threshold: boxes that overlap more than this are one object.

    Returns:
        (M,) int64 indices of the kept boxes, the best first.

    Raises:
        ValueError: if there is not one score a box.
    """
    boxes, scores = np.asarray(boxes, dtype=np.float64), np.asarray(scores)
    if len(boxes) != len(scores):
        raise ValueError(f"Each box needs a score: got {len(scores)} for {len(boxes)}.")
    waiting = np.argsort(-scores, kind="stable")
    kept: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    while len(waiting):
        block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        rivals = rotated_overlaps(boxes[block], boxes[block]) > iou_threshold
        winners = np.ones(len(block), dtype=bool)
        for i in range(len(block)):
            if winners[i]:
                winners[i + 1 :] &= ~rivals[i, i + 1 :]
        kept.append(block[winners])
        if len(waiting):
            overlaps = rotated_overlaps(boxes[kept[-1]], boxes[waiting])
            waiting = waiting[(overlaps <= iou_threshold).all(axis=0)]
    return np.concatenate(kept)


def batched_rotated_nms(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou_threshold: float
) -> np.ndarray:
    """Suppression inside each class on its own.

    `# Parity:` MMRotate moves every class to a place of its own and suppresses once, which in float32 costs
    the last classes precision; here classes never meet.

    Args:
        boxes: (N, 5).
        scores: (N,).
        labels: (N,) class of each box.
        iou_threshold: boxes of one class that overlap more than this are one object.

    Returns:
        (M,) int64 indices of the kept boxes of all classes, the best first.

    Raises:
        ValueError: if there is not one score and one label a box.
    """
    boxes, scores, labels = np.asarray(boxes), np.asarray(scores), np.asarray(labels)
    if not len(boxes) == len(scores) == len(labels):
        raise ValueError(
            f"Each box needs a score and a label: got {len(boxes)}, {len(scores)} and {len(labels)}."
        )
    kept = [np.zeros(0, dtype=np.int64)]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        kept.append(members[rotated_nms(boxes[members], scores[members], iou_threshold)])
    winners = np.sort(np.concatenate(kept))
    return winners[np.argsort(-scores[winners], kind="stable")]
