"""Text detection accuracy: precision, recall and their harmonic mean by the ICDAR protocols and by TIoU."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tcm_hf.evaluation.counting import HmeanMetric, ImageMetric, ImageVerdict, paired
from tcm_hf.evaluation.overlaps import Overlaps, match_one_to_one, measure_overlaps

__all__ = [
    "DetEvalMetric",
    "TIoUMetric",
    "TextDetectionMetric",
    "best_over_thresholds",
    "sweep_thresholds",
]

# A cut or a stranger of less than this part is not punished: annotations are no more exact.
_TIOU_TOLERANCE = 0.01


class _OutlineMetric(HmeanMetric):
    """Counts hits between outlines alone; subclasses say which."""

    def __init__(self, ignore_precision_threshold: float) -> None:
        super().__init__()
        self.ignore_precision_threshold = ignore_precision_threshold

    def measure(self, prediction: Mapping[str, Any], reference: Mapping[str, Any]) -> Overlaps:
        """The overlaps of an image.

        Args:
            prediction: has `polygons_xy`, a list of (P >= 3, 2) arrays; their order counts where several
                could match one text. `scores` are not looked at: all polygons count.
            reference: has `polygons_xy` and `ignore`, a flag a polygon (none given: all texts count).

        Raises:
            ValueError: a polygon is not a finite (P >= 3, 2) array.
        """
        return measure_overlaps(prediction["polygons_xy"], reference["polygons_xy"], reference.get("ignore"))

    def judge(self, measured: Overlaps) -> ImageVerdict:
        """What the protocol makes of an image that was measured; nothing is counted."""
        dropped = measured.predictions_to_drop(self.ignore_precision_threshold)
        text_credit, prediction_credit, pairs = self._credits(measured, dropped)
        return self._verdict(text_credit, prediction_credit, measured.ignore, dropped, pairs)

    def _credits(
        self, overlaps: Overlaps, dropped: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Sequence[tuple[int, int]]]:
        """What each text and each prediction counts, and the pairs that were matched one to one."""
        raise NotImplementedError


class _OneToOneMetric(_OutlineMetric):
    """Pairs as in ICDAR 2015; subclasses say what the two of a pair count."""

    def __init__(self, iou_threshold: float = 0.5, ignore_precision_threshold: float = 0.5) -> None:
        super().__init__(ignore_precision_threshold)
        self.iou_threshold = iou_threshold

    def _credits(
        self, overlaps: Overlaps, dropped: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Sequence[tuple[int, int]]]:
        pairs = match_one_to_one(overlaps, dropped, self.iou_threshold)
        texts, predictions = np.array(pairs, dtype=int).reshape(-1, 2).T
        of_texts, of_predictions = self._shares(overlaps, texts, predictions)
        text_credit = np.zeros(overlaps.ignore.shape, dtype=of_texts.dtype)
        prediction_credit = np.zeros(dropped.shape, dtype=of_predictions.dtype)
        text_credit[texts], prediction_credit[predictions] = of_texts, of_predictions
        return text_credit, prediction_credit, pairs

    def _shares(
        self, overlaps: Overlaps, texts: np.ndarray, predictions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the texts of the pairs count, and the predictions: (M,) both, from indices (M,)."""
        raise NotImplementedError


class TextDetectionMetric(_OneToOneMetric):
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

    def _shares(
        self, overlaps: Overlaps, texts: np.ndarray, predictions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return np.ones_like(texts), np.ones_like(predictions)


class TIoUMetric(_OneToOneMetric):
    """Tightness-aware precision, recall and hmean: a match counts what it covers, not 1.

    Matches are those of `TextDetectionMetric`. A text counts IoU (1 - c) with c, the part of it that its
    prediction cuts off; the prediction counts IoU (1 - o) with o, the part of it that lies on other texts
    and not on its own. Source: Liu et al., "Tightness-aware Evaluation Protocol for Scene Text Detection",
    CVPR 2019 (arXiv 1904.00813), and its script, whose published numbers come out.

    Example:
        >>> metric = TIoUMetric()
        >>> word = np.array([[0, 0], [90, 0], [90, 30], [0, 30]])
        >>> metric.update([{"polygons_xy": [word * [0.75, 1]]}], [{"polygons_xy": [word]}])
        >>> result = metric.compute()
        >>> result["recall"], result["precision"]
        (0.5625, 0.75)

    Args:
        iou_threshold: a match needs more than this intersection over union.
        ignore_precision_threshold: a prediction with more than this part of its area in one do-not-care
            region is left out.
    """

    count_names = (*_OneToOneMetric.count_names, "matches")

    def judge(self, measured: Overlaps) -> ImageVerdict:
        """What the protocol makes of an image that was measured; nothing is counted."""
        verdict = super().judge(measured)
        return replace(verdict, counts={**verdict.counts, "matches": len(verdict.pairs)})

    def compute(self) -> dict[str, float]:
        """Accuracy over all images seen, with the keys of `TextDetectionMetric`."""
        return {**super().compute(), "num_matches": self.counts["matches"]}

    def _shares(
        self, overlaps: Overlaps, texts: np.ndarray, predictions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        iou, cut = overlaps.iou[texts, predictions], 1 - overlaps.recall[texts, predictions]
        # Parity: do-not-care texts are strangers too; the script lets them in.
        strangers = overlaps.text_area[predictions] - overlaps.shared_area[texts, predictions]
        return iou * _without(cut), iou * _without(strangers / overlaps.prediction_area[predictions])


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

    def _credits(
        self, overlaps: Overlaps, dropped: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Sequence[tuple[int, int]]]:
        recall, precision = overlaps.recall, overlaps.precision
        covers = (recall > self.recall_threshold) & (precision > self.precision_threshold)
        lonely = covers & (covers.sum(axis=1, keepdims=True) == 1) & (covers.sum(axis=0) == 1)
        lonely &= (
            ~overlaps.ignore[:, None] & ~dropped & (overlaps.center_distance < self.center_distance_threshold)
        )
        text_credit, prediction_credit = lonely.any(axis=1).astype(float), lonely.any(axis=0).astype(float)
        free_texts = ~overlaps.ignore & ~lonely.any(axis=1)
        free_predictions = ~dropped & ~lonely.any(axis=0)
        # Parity: a single piece is enough for a split (an unclear pair gets the lower credit), as upstream.
        for text in np.flatnonzero(free_texts):
            pieces = free_predictions & (precision[text] >= self.precision_threshold)
            if pieces.any() and recall[text, pieces].sum() >= self.recall_threshold:
                free_texts[text] = False
                free_predictions &= ~pieces
                text_credit[text] = prediction_credit[pieces] = self.split_credit
        for prediction in np.flatnonzero(free_predictions):
            texts = free_texts & (recall[:, prediction] >= self.recall_threshold)
            if texts.any() and precision[texts, prediction].sum() >= self.precision_threshold:
                free_texts &= ~texts
                text_credit[texts] = prediction_credit[prediction] = self.merge_credit
        pairs = [(text, prediction) for text, prediction in np.argwhere(lonely).tolist()]
        return text_credit, prediction_credit, pairs


def sweep_thresholds(
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[Mapping[str, Any]],
    thresholds: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    make_metric: Callable[[], ImageMetric] = TextDetectionMetric,
) -> list[dict[str, float]]:
    """Accuracy at several score thresholds, to choose one.

    Choose on images that are not reported on: the best of many thresholds on the test images, which the
    papers print (MMOCR's `eval_hmean`), is not an honest result; `best_over_thresholds` names it. Our
    checkpoints choose theirs on training images.

    Args:
        predictions: as for the metric, with `scores`, one a polygon.
        references: as for the metric.
        thresholds: polygons with a score of at least the threshold are kept.
        make_metric: the protocol.

    Returns:
        What `compute` gives with the key `threshold` added, one entry a threshold in their order.

    Raises:
        ValueError: the lengths differ.
    """
    measure = make_metric().measure
    images = [
        (measure(prediction, reference), np.asarray(prediction["scores"], dtype=float))
        for prediction, reference in paired(predictions, references, "image")
    ]
    rows = []
    for threshold in thresholds:
        metric = make_metric()
        for measured, scores in images:
            metric.add(metric.judge(measured.take_predictions(scores >= threshold)))
        rows.append({"threshold": float(threshold), **metric.compute()})
    return rows


def best_over_thresholds(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The row of a sweep with the best hmean, with its name in `what`.

    Upstream's tables hold such numbers: their threshold was chosen on the images that are reported on.

    Args:
        rows: from `sweep_thresholds`, at least one; of equal ones the first is taken.
    """
    what = "best over thresholds on the test set, as upstream reports it"
    return {"what": what, **max(rows, key=lambda row: row["hmean"])}


def _without(part: np.ndarray) -> np.ndarray:
    """What is left of 1 without a part, or 1 where the part is too small to count."""
    return np.where(part <= _TIOU_TOLERANCE, 1.0, 1 - part)
