"""What all metrics have in common: a state of plain sums, so that the parts of a corpus can be added up."""

from collections.abc import Iterator, Sequence
from typing import Any, Self


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


class HmeanMetric(CountingMetric):
    """Precision, recall and their harmonic mean over images; subclasses say what a hit is.

    Attributes:
        counts: `images`, `references`, `predictions` (do-not-care ones left out of both), `recall_hits`,
            `precision_hits`.
    """

    count_names = ("images", "references", "predictions", "recall_hits", "precision_hits")

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

    def _count_image(
        self, references: int, predictions: int, recall_hits: float, precision_hits: float
    ) -> None:
        self.counts["images"] += 1
        self.counts["references"] += references
        self.counts["predictions"] += predictions
        self.counts["recall_hits"] += recall_hits
        self.counts["precision_hits"] += precision_hits


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
