"""Average precision of rotated objects, as DOTA and PASCAL VOC count it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from tcm_hf.evaluation.counting import paired
from tcm_hf.processing.rotated_boxes import rotated_overlaps

__all__ = ["RotatedDetectionMetric", "average_precision"]

COCO_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps that AP50:95 is the mean over."""


def average_precision(
    recall: np.ndarray, precision: np.ndarray, style: Literal["voc07", "voc12"] = "voc12"
) -> float:
    """Area under a curve of precision over recall.

    Args:
        recall: (N,) rising, with each detection from the best down.
        precision: (N,).
        style: `"voc07"`: mean of the best precision at recall 0, 0.1 … 1 or beyond (PASCAL VOC 2007, DOTA);
            `"voc12"`: area under that best precision (PASCAL VOC 2010 and later).

    Returns:
        A number in [0, 1]; 0 without detections.

    Raises:
        ValueError: for an unknown style.
    """
    if style not in ("voc07", "voc12"):
        raise ValueError(f"`style` must be 'voc07' or 'voc12': got {style!r}.")
    # Best precision at this recall or any beyond.
    best = np.maximum.accumulate(np.asarray(precision, dtype=np.float64)[::-1])[::-1]
    recall = np.asarray(recall, dtype=np.float64)
    if style == "voc07":
        # With room for rounding: 0.30000000000000004 is a recall of 0.3.
        steps = np.searchsorted(recall, np.arange(11) / 10 - 1e-9)
        return float(np.append(best, 0)[steps].mean())
    return float((np.diff(recall, prepend=0) * best).sum())


class RotatedDetectionMetric:
    """Mean average precision over classes: AP50 in both styles, and the mean over overlaps of 0.5 to 0.95.

    Detections of a class are taken from the best score down over all images. Each looks at the object of its
    class in its image that it overlaps most: with enough overlap it is a hit if the object is free, a false
    alarm if it is taken, and not counted if the object is difficult; without, a false alarm. Source: the
    development kits of PASCAL VOC and DOTA, on exact overlaps of rotated boxes.

    Example:
        >>> metric = RotatedDetectionMetric(["ship"])
        >>> ship = np.array([[50, 40, 30, 10, 0.4]])
        >>> metric.update(
        ...     [{"boxes": ship, "scores": [0.9], "labels": [0]}], [{"boxes": ship, "labels": [0]}]
        ... )
        >>> metric.compute()["map50"]
        1.0

    Args:
        class_names: names of the labels.
        iou_thresholds: overlaps from which a detection is a hit; the first is that of `map50` and of `ap`.
    """

    def __init__(self, class_names: Sequence[str], iou_thresholds: Sequence[float] = COCO_THRESHOLDS) -> None:
        self.class_names = list(class_names)
        self.iou_thresholds = np.array(iou_thresholds, dtype=np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._scores: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._overlaps: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._objects: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._difficult: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._counts = np.zeros(len(self.class_names), dtype=np.int64)

    def update(
        self, predictions: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add images.

        Args:
            predictions: one mapping an image with `boxes` (N, 5), `scores` (N,) and `labels` (N,).
            references: one mapping an image with `boxes` (M, 5), `labels` (M,) and, where there are any,
                `difficult` (M,).

        Raises:
            ValueError: the lengths differ, or a label is not one of the classes.
        """
        for prediction, reference in paired(predictions, references, "image"):
            boxes, labels = _boxes_and_labels(prediction, len(self.class_names))
            objects, classes = _boxes_and_labels(reference, len(self.class_names))
            scores = np.asarray(prediction["scores"], dtype=np.float64)
            difficult = np.asarray(reference.get("difficult", np.zeros(len(objects))), dtype=bool)
            if len(scores) != len(boxes) or len(difficult) != len(objects):
                raise ValueError(
                    f"Each box needs a score, each object a flag: got {len(scores)} scores for {len(boxes)} "
                    f"boxes, {len(difficult)} flags for {len(objects)} objects."
                )
            for label in np.union1d(labels, classes):
                self._add(
                    label, boxes[labels == label], scores[labels == label], objects[classes == label],
                    difficult[classes == label],
                )  # fmt: skip

    def _add(
        self, label: int, boxes: np.ndarray, scores: np.ndarray, objects: np.ndarray, difficult: np.ndarray
    ) -> None:
        first = sum(map(len, self._difficult[label]))  # objects are numbered over all images
        most = np.zeros(len(boxes))
        owner = np.full(len(boxes), -1)
        if len(objects) and len(boxes):
            overlaps = rotated_overlaps(boxes, objects)
            most, owner = overlaps.max(axis=1), overlaps.argmax(axis=1) + first
        self._scores[label].append(scores)
        self._overlaps[label].append(most)
        self._objects[label].append(owner)
        self._difficult[label].append(difficult)
        self._counts[label] += int((~difficult).sum())

    def merge(self, other: Self) -> None:
        """Add what another metric has seen, for instance in another process.

        Raises:
            ValueError: the other metric has other classes or overlaps.
        """
        if self.class_names != other.class_names or list(self.iou_thresholds) != list(other.iou_thresholds):
            raise ValueError(
                "Only metrics with the same classes and overlaps can be merged: got "
                f"{other.class_names} for {self.class_names}."
            )
        for label in range(len(self.class_names)):
            first = sum(map(len, self._difficult[label]))
            self._objects[label] += [np.where(own < 0, own, own + first) for own in other._objects[label]]
            self._scores[label] += other._scores[label]
            self._overlaps[label] += other._overlaps[label]
            self._difficult[label] += other._difficult[label]
        self._counts = self._counts + other._counts

    def compute(self) -> dict[str, Any]:
        """The figures so far.

        Returns:
            `map50`: mean over the classes that occur, VOC 2012 style; `map50_voc07`: VOC 2007 style, DOTA's
            own; `map50_95`: mean over all overlaps too; `ap50`: `map50`'s parts by class name (None where a
            class does not occur); `num_objects` by class name. `precision`, `recall` and `f1` are those of
            all detections that were given, whatever their score. Without any object all are 0.
        """
        table = {style: self._table(style) for style in ("voc07", "voc12")}
        occurs = self._counts > 0
        ap50 = table["voc12"][:, 0]

        def mean(values: np.ndarray) -> float:
            return float(values[occurs].mean()) if occurs.any() else 0.0

        return {
            "map50": mean(ap50),
            "map50_voc07": mean(table["voc07"][:, 0]),
            "map50_95": mean(table["voc12"]),
            "ap50": {name: float(ap50[i]) if occurs[i] else None for i, name in enumerate(self.class_names)},
            "num_objects": dict(zip(self.class_names, self._counts.tolist(), strict=True)),
            **self._rates(),
        }

    def _rates(self) -> dict[str, float]:
        hits = [self._hits(label, self.iou_thresholds[0]) for label in range(len(self.class_names))]
        right, found, there = sum(map(np.sum, hits)), sum(map(len, hits)), self._counts.sum()
        return {
            "precision": float(right / max(found, 1)),
            "recall": float(right / max(there, 1)),
            "f1": float(2 * right / max(found + there, 1)),
        }

    def _table(self, style: Literal["voc07", "voc12"]) -> np.ndarray:
        """(classes, thresholds) average precisions."""
        return np.array(
            [
                [self._class_precision(label, threshold, style) for threshold in self.iou_thresholds]
                for label in range(len(self.class_names))
            ]
        ).reshape(len(self.class_names), len(self.iou_thresholds))

    def _class_precision(self, label: int, threshold: float, style: Literal["voc07", "voc12"]) -> float:
        hits = self._hits(label, threshold)
        if not len(hits) or not self._counts[label]:
            return 0.0
        found = np.cumsum(hits)
        return average_precision(found / self._counts[label], found / np.arange(1, len(found) + 1), style)

    def _hits(self, label: int, threshold: float) -> np.ndarray:
        """Of the detections of a class that count, the best first: whether they are hits."""
        if not self._scores[label]:
            return np.zeros(0, dtype=bool)
        scores, overlaps, objects, difficult = (
            np.concatenate(parts[label])
            for parts in (self._scores, self._overlaps, self._objects, self._difficult)
        )
        order = np.argsort(-scores, kind="stable")
        overlaps, objects = overlaps[order], objects[order]
        enough = (overlaps >= threshold) & (objects >= 0)
        counted = ~(enough & np.append(difficult, False)[objects])
        # Of the detections that overlap one object enough, the best is the hit.
        hits = np.zeros(len(objects), dtype=bool)
        hits[np.flatnonzero(enough)[np.unique(objects[enough], return_index=True)[1]]] = True
        return (hits & counted)[counted]


def _boxes_and_labels(image: Mapping[str, Any], num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(image["boxes"], dtype=np.float64).reshape(-1, 5)
    labels = np.asarray(image["labels"], dtype=np.int64).reshape(-1)
    if len(labels) != len(boxes):
        raise ValueError(f"Each box needs a label: got {len(labels)} for {len(boxes)}.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"Labels must be from 0 to {num_classes - 1}: got {sorted(set(labels.tolist()))}.")
    return boxes, labels
