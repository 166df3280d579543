"""Text detection accuracy: precision, recall and their harmonic mean by the ICDAR protocols."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from tcm_hf.evaluation.counting import HmeanMetric, paired

__all__ = [
    "DetEvalMetric",
    "Overlaps",
    "TextDetectionMetric",
    "match_one_to_one",
    "measure_overlaps",
    "sweep_thresholds",
]


class _OutlineMetric(HmeanMetric):
    """Counts hits between outlines alone; subclasses say which."""

    def __init__(self, ignore_precision_threshold: float) -> None:
        super().__init__()
        self.ignore_precision_threshold = ignore_precision_threshold

    def update(
        self, predictions: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add images.

        Args:
            predictions: one mapping an image with `polygons_xy`, a list of (P >= 3, 2) arrays; their order
                counts where several could match one text. `scores` are not looked at: all polygons count.
            references: one mapping an image with `polygons_xy` and `ignore`, a flag a polygon (none given:
                all texts count).

        Raises:
            ValueError: the lengths differ, or a polygon is not a finite (P >= 3, 2) array.
        """
        for prediction, reference in paired(predictions, references, "image"):
            self.add(
                measure_overlaps(prediction["polygons_xy"], reference["polygons_xy"], reference.get("ignore"))
            )

    def add(self, overlaps: "Overlaps") -> None:
        """Add one image whose overlaps are known."""
        dropped = overlaps.predictions_to_drop(self.ignore_precision_threshold)
        self._count_image(
            int((~overlaps.ignore).sum()), int((~dropped).sum()), *self._hits(overlaps, dropped)
        )

    def _hits(self, overlaps: "Overlaps", dropped: np.ndarray) -> tuple[float, float]:
        raise NotImplementedError


class TextDetectionMetric(_OutlineMetric):
    """Precision, recall and hmean of ICDAR 2015 task 4.1, one polygon for one text.

    Texts are taken in their order, and each takes the first free prediction with IoU > `iou_threshold`;
    scores play no part. A prediction that lies with more than `ignore_precision_threshold` of its area in one
    do-not-care region is left out. Source: Karatzas et al., "ICDAR 2015 Competition on Robust Reading", and
    its evaluation script.

    Example:
        >>> metric = TextDetectionMetric()
        >>> word = np.array([[0, 0], [90, 0], [90, 30], [0, 30]])
        >>> metric.update([{"polygons_xy": [word + 3]}], [{"polygons_xy": [word, word + 200]}])
        >>> metric.compute()["recall"]
        0.5

    Args:
        iou_threshold: a match needs more than this intersection over union.
        ignore_precision_threshold: see above.
    """

    def __init__(self, iou_threshold: float = 0.5, ignore_precision_threshold: float = 0.5) -> None:
        super().__init__(ignore_precision_threshold)
        self.iou_threshold = iou_threshold

    def _hits(self, overlaps: "Overlaps", dropped: np.ndarray) -> tuple[float, float]:
        matched = len(match_one_to_one(overlaps, dropped, self.iou_threshold))
        return matched, matched


class DetEvalMetric(_OutlineMetric):
    """Precision, recall and hmean of ICDAR 2013 (DetEval), where a text may be split and texts may be merged.

    A text and a prediction match when the text is covered to more than `recall_threshold` and the prediction
    to more than `precision_threshold`, no other pair does so for either, and their centres are near. Texts
    and predictions left over may match one to many (`split_credit`) and many to one (`merge_credit`).
    Source: Wolf and Jolion, "Object count/area graphs", IJDAR 2006, in the form of the ICDAR 2013 evaluation.

    Args:
        recall_threshold: part of a text that must be covered.
        precision_threshold: part of a prediction that must lie on the text; also the limit beyond which a
            prediction in a do-not-care region is left out.
        center_distance_threshold: largest distance of the centres over the mean diagonal.
        split_credit: what a text counts that several predictions cover, and each of these.
        merge_credit: what each text counts that shares its prediction, and the prediction.
    """

    def __init__(
        self,
        recall_threshold: float = 0.8,
        precision_threshold: float = 0.4,
        center_distance_threshold: float = 1.0,
        split_credit: float = 0.8,
        merge_credit: float = 1.0,
    ) -> None:
        super().__init__(precision_threshold)
        self.recall_threshold = recall_threshold
        self.precision_threshold = precision_threshold
        self.center_distance_threshold = center_distance_threshold
        self.split_credit = split_credit
        self.merge_credit = merge_credit

    def _hits(self, overlaps: "Overlaps", dropped: np.ndarray) -> tuple[float, float]:
        recall, precision = overlaps.recall, overlaps.precision
        covers = (recall > self.recall_threshold) & (precision > self.precision_threshold)
        lonely = covers & (covers.sum(axis=1, keepdims=True) == 1) & (covers.sum(axis=0) == 1)
        lonely &= (
            ~overlaps.ignore[:, None] & ~dropped & (overlaps.center_distance < self.center_distance_threshold)
        )
        free_texts = ~overlaps.ignore & ~lonely.any(axis=1)
        free_predictions = ~dropped & ~lonely.any(axis=0)
        recall_hits = precision_hits = float(lonely.sum())
        # Parity: a single piece is enough for a split (an unclear pair gets the lower credit), as upstream.
        for text in np.flatnonzero(free_texts):
            pieces = free_predictions & (precision[text] >= self.precision_threshold)
            if pieces.any() and recall[text, pieces].sum() >= self.recall_threshold:
                free_texts[text] = False
                free_predictions &= ~pieces
                recall_hits += self.split_credit
                precision_hits += self.split_credit * pieces.sum()
        for prediction in np.flatnonzero(free_predictions):
            texts = free_texts & (recall[:, prediction] >= self.recall_threshold)
            if texts.any() and precision[texts, prediction].sum() >= self.precision_threshold:
                free_texts &= ~texts
                recall_hits += self.merge_credit * texts.sum()
                precision_hits += self.merge_credit
        return float(recall_hits), float(precision_hits)


@dataclass(frozen=True)
class Overlaps:
    """How the predictions of an image lie on its texts.

    Attributes:
        shared_area: (R, P) intersection of every text with every prediction, square pixels.
        reference_area: (R,).
        prediction_area: (P,).
        center_distance: (R, P) distance of the centres over the mean of the two diagonals.
        ignore: (R,) the texts that are do-not-care.
    """

    shared_area: np.ndarray
    reference_area: np.ndarray
    prediction_area: np.ndarray
    center_distance: np.ndarray
    ignore: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """(R, P) intersection over union; 0 where both have no area."""
        return _ratio(
            self.shared_area, self.reference_area[:, None] + self.prediction_area - self.shared_area
        )

    @property
    def recall(self) -> np.ndarray:
        """(R, P) part of the text that is covered."""
        return _ratio(self.shared_area, self.reference_area[:, None])

    @property
    def precision(self) -> np.ndarray:
        """(R, P) part of the prediction that lies on the text."""
        return _ratio(self.shared_area, self.prediction_area)

    def predictions_to_drop(self, precision_threshold: float) -> np.ndarray:
        """(P,) predictions with more than this part of their area in one do-not-care region."""
        return (self.precision[self.ignore] > precision_threshold).any(axis=0)

    def take_predictions(self, chosen: np.ndarray) -> "Overlaps":
        """The same image with some of the predictions only, chosen by a boolean (P,) mask."""
        return Overlaps(
            self.shared_area[:, chosen],
            self.reference_area,
            self.prediction_area[chosen],
            self.center_distance[:, chosen],
            self.ignore,
        )


def measure_overlaps(
    predictions_xy: Sequence[np.ndarray],
    references_xy: Sequence[np.ndarray],
    ignore: Iterable[bool] | None = None,
) -> Overlaps:
    """Areas of all predictions, all texts and what they share.

    Outlines that cross themselves are repaired with `buffer(0)`, which may keep only a part of their area.

    Args:
        predictions_xy: (P >= 3, 2) arrays, any orientation.
        references_xy: the same for the texts.
        ignore: a do-not-care flag a text; none given: all count.

    Raises:
        ValueError: a polygon is not a finite (P >= 3, 2) array, or the number of flags is wrong.
    """
    flags = np.zeros(len(references_xy), dtype=bool) if ignore is None else np.array(list(ignore), dtype=bool)
    if len(flags) != len(references_xy):
        raise ValueError(
            f"`ignore` must have one flag per polygon: got {len(flags)} for {len(references_xy)}."
        )
    references, predictions = _points(references_xy, "reference"), _points(predictions_xy, "prediction")
    reference_shapes, prediction_shapes = _shapes(references), _shapes(predictions)
    shared_area = np.zeros((len(references), len(predictions)))
    # Only pairs whose upright boxes touch can share an area.
    low, high = np.split(shapely.bounds(reference_shapes)[:, None], 2, axis=-1)
    other_low, other_high = np.split(shapely.bounds(prediction_shapes), 2, axis=-1)
    rows, columns = np.nonzero(((low < other_high) & (other_low < high)).all(axis=-1))
    shared = shapely.intersection(reference_shapes[rows], prediction_shapes[columns])
    shared_area[rows, columns] = shapely.area(shared)
    return Overlaps(
        shared_area,
        shapely.area(reference_shapes),
        shapely.area(prediction_shapes),
        _center_distance(references, predictions),
        flags,
    )


def match_one_to_one(overlaps: Overlaps, dropped: np.ndarray, iou_threshold: float) -> list[tuple[int, int]]:
    """Pairs (text, prediction) of ICDAR 2015: each text in turn takes the first free prediction that fits.

    Args:
        overlaps: of one image.
        dropped: (P,) predictions that take no part.
        iou_threshold: a pair needs more than this intersection over union.
    """
    fits = (overlaps.iou > iou_threshold) & ~overlaps.ignore[:, None] & ~dropped
    pairs: list[tuple[int, int]] = []
    texts, predictions = set(), set()
    for text, prediction in np.argwhere(fits).tolist():
        if text not in texts and prediction not in predictions:
            texts.add(text)
            predictions.add(prediction)
            pairs.append((text, prediction))
    return pairs


def sweep_thresholds(
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[Mapping[str, Any]],
    thresholds: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    make_metric: Callable[[], TextDetectionMetric | DetEvalMetric] = TextDetectionMetric,
) -> list[dict[str, float]]:
    """Accuracy at several score thresholds, to choose one.

    Choose on images that are not reported on: the best of many thresholds on the test images, which the
    papers print (MMOCR's `eval_hmean`), is not an honest result. Our checkpoints choose theirs on training
    images.

    Args:
        predictions: as for `TextDetectionMetric.update`, with `scores`, one a polygon.
        references: as for `TextDetectionMetric.update`.
        thresholds: polygons with a score of at least the threshold are kept.
        make_metric: the protocol.

    Returns:
        What `compute` gives with the key `threshold` added, one entry a threshold in their order;
        `max(result, key=lambda row: row["hmean"])` is the best.

    Raises:
        ValueError: the lengths differ.
    """
    overlaps = [
        measure_overlaps(prediction["polygons_xy"], reference["polygons_xy"], reference.get("ignore"))
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    rows = []
    for threshold in thresholds:
        metric = make_metric()
        for image, prediction in zip(overlaps, predictions, strict=True):
            metric.add(image.take_predictions(np.asarray(prediction["scores"], dtype=float) >= threshold))
        rows.append({"threshold": float(threshold), **metric.compute()})
    return rows


def _points(polygons_xy: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
    polygons = [np.asarray(polygon, dtype=np.float64) for polygon in polygons_xy]
    for index, polygon in enumerate(polygons):
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
            raise ValueError(
                f"The {what} polygon {index} must be finite and of shape (P >= 3, 2): got {polygon.tolist()}."
            )
    return polygons


def _shapes(polygons: list[np.ndarray]) -> np.ndarray:
    """Valid shapely geometries of all polygons at once."""
    if not polygons:
        return np.empty(0, dtype=object)
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    shapes = shapely.polygons(shapely.linearrings(np.concatenate(polygons), indices=owner))
    # Parity: upstream's evaluation repairs crossing outlines like this; the official script refuses them.
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.buffer(shapes[broken], 0)
    return shapes


def _center_distance(references: list[np.ndarray], predictions: list[np.ndarray]) -> np.ndarray:
    """Distance of the mean corners over the mean diagonal (first corner to the one half way round)."""
    centers, diagonals = zip(
        *(
            (
                np.array([polygon.mean(axis=0) for polygon in polygons]).reshape(-1, 2),
                np.array([np.hypot(*(polygon[len(polygon) // 2] - polygon[0])) for polygon in polygons]),
            )
            for polygons in (references, predictions)
        ),
        strict=True,
    )
    distance = np.linalg.norm(centers[0][:, None] - centers[1], axis=-1)
    return _ratio(2 * distance, diagonals[0][:, None] + diagonals[1])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=np.broadcast_to(whole, part.shape) > 0)
