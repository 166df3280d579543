"""What all metrics have in common: a state of plain sums, so that the parts of a corpus can be added up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np


class CountingMetric:
    """Counts over images or words; subclasses add to `counts` and make numbers of them.

    Attributes:
        counts: the whole state, plain numbers that add up over images and processes.
    """

    count_names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all that was seen."""
        self.counts: dict[str, float] = dict.fromkeys(self.count_names, 0)

    def settings(self) -> dict[str, Any]:
        """What decides the counts: metrics with equal settings can be merged."""
        return {name: value for name, value in vars(self).items() if name != "counts"}

    def merge(self, other: Self) -> None:
        """Add what another metric has seen, for instance in another process.

        Raises:
            ValueError: the other metric follows another protocol.
        """
        mine, theirs = self.settings(), other.settings()
        if type(self) is not type(other) or mine != theirs:
            raise ValueError(
                f"Only metrics of one protocol can be merged: got {type(other).__name__} {theirs} for "
                f"{type(self).__name__} {mine}."
            )
        for name, value in other.counts.items():
            self.counts[name] += value


@dataclass(frozen=True)
class ImageVerdict:
    """What a protocol makes of the texts and predictions of one image.

    Attributes:
        text_credit: (R,) what each text counts as found, 0 (missed) to 1; 0 for do-not-care ones.
        prediction_credit: (P,) what each prediction counts as right, 0 (a false alarm) to 1; 0 for those left
            out.
        ignored_texts: (R,) bool, the do-not-care texts.
        ignored_predictions: (P,) bool, predictions that are left out, mostly because they lie on such texts.
        pairs: (text, prediction) that were matched by their outlines. Those without credit were read wrong.
        counts: what the image adds to the counts of the metric.
    """

    text_credit: np.ndarray
    prediction_credit: np.ndarray
    ignored_texts: np.ndarray
    ignored_predictions: np.ndarray
    pairs: Sequence[tuple[int, int]]
    counts: Mapping[str, float]

    @property
    def missed(self) -> np.ndarray:
        """(R,) bool: texts that count and were not found, or not read."""
        return ~self.ignored_texts & (self.text_credit == 0)

    @property
    def false_alarms(self) -> np.ndarray:
        """(P,) bool: predictions that count and are not right."""
        return ~self.ignored_predictions & (self.prediction_credit == 0)


class ImageMetric(CountingMetric):
    """A metric of whole images; subclasses say how an image is measured and judged."""

    def update(
        self, predictions: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add images.

        Args:
            predictions: what was found, one mapping an image; see `measure`.
            references: what is annotated, one mapping an image; see `measure`.

        Raises:
            ValueError: the lengths differ, or a mapping is not as `measure` wants it.
        """
        for prediction, reference in paired(predictions, references, "image"):
            self.add(self.judge(self.measure(prediction, reference)))

    def measure(self, prediction: Mapping[str, Any], reference: Mapping[str, Any]) -> Any:
        """All that can be said of an image before a score threshold; has `take_predictions(chosen)`."""
        raise NotImplementedError

    def judge(self, measured: Any) -> ImageVerdict:
        """What the protocol makes of an image that was measured; nothing is counted."""
        raise NotImplementedError

    def add(self, verdict: ImageVerdict) -> None:
        """Count an image that was judged."""
        for name, value in verdict.counts.items():
            self.counts[name] += value

    def compute(self) -> dict[str, float]:
        """Accuracy over all images seen.

        Raises:
            ValueError: no image was added.
        """
        raise NotImplementedError


class HmeanMetric(ImageMetric):
    """Precision, recall and their harmonic mean over images; subclasses say what a hit is.

    Attributes:
        counts: `images`, `references`, `predictions` (do-not-care ones left out of both), `recall_hits`,
            `precision_hits`.
    """

    count_names: tuple[str, ...] = ("images", "references", "predictions", "recall_hits", "precision_hits")

    def compute(self) -> dict[str, float]:
        """Accuracy over all images seen.

        Returns:
            `precision`, `recall`, `hmean` in 0..1, `num_images`, `num_references`, `num_predictions`
            (do-not-care ones left out) and `num_matches`. Where no image has a text, recall is 1; precision
            is then 1 without predictions, else 0.

        Raises:
            ValueError: no image was added.
        """
        counts = self.counts
        if not counts["images"]:
            raise ValueError("`compute` needs at least one image: got none. Call `update` first.")
        if counts["references"]:
            recall = counts["recall_hits"] / counts["references"]
            precision = counts["precision_hits"] / max(counts["predictions"], 1)
        else:
            recall, precision = 1.0, float(counts["predictions"] == 0)
        total = precision + recall
        return {
            "precision": precision,
            "recall": recall,
            "hmean": 2 * precision * recall / total if total else 0.0,
            "num_images": counts["images"],
            "num_references": counts["references"],
            "num_predictions": counts["predictions"],
            "num_matches": counts["recall_hits"],
        }

    @staticmethod
    def _verdict(
        text_credit: np.ndarray,
        prediction_credit: np.ndarray,
        ignored_texts: np.ndarray,
        ignored_predictions: np.ndarray,
        pairs: Sequence[tuple[int, int]],
    ) -> ImageVerdict:
        counts = {
            "images": 1,
            "references": int((~ignored_texts).sum()),
            "predictions": int((~ignored_predictions).sum()),
            "recall_hits": text_credit.sum().item(),
            "precision_hits": prediction_credit.sum().item(),
        }
        return ImageVerdict(text_credit, prediction_credit, ignored_texts, ignored_predictions, pairs, counts)


def paired(predictions: Sequence[Any], references: Sequence[Any], unit: str) -> Iterator[tuple[Any, Any]]:
    """Predictions beside references.

    Raises:
        ValueError: there are not as many of one as of the other.
    """
    if len(predictions) != len(references):
        raise ValueError(
            f"`predictions` and `references` must have one entry per {unit}: got "
            f"{len(predictions)} and {len(references)}."
        )
    return zip(predictions, references, strict=True)
