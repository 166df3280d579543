"""The images of an evaluation one by one: what a protocol makes of each, beside the sum of all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcm_hf.evaluation.counting import ImageMetric, ImageVerdict, paired

__all__ = ["ImageScore", "score_images", "worst_first"]


@dataclass(frozen=True)
class ImageScore:
    """One image of an evaluation.

    Attributes:
        verdict: which texts were missed and which predictions are false alarms.
        scores: what the metric's `compute` gives for this image alone.
    """

    verdict: ImageVerdict
    scores: Mapping[str, float]

    @property
    def misses(self) -> int:
        """Texts that count and were not found (or not read)."""
        return int(self.verdict.missed.sum())

    @property
    def false_alarms(self) -> int:
        """Predictions that count and are not right."""
        return int(self.verdict.false_alarms.sum())


def score_images(
    make_metric: Callable[[], ImageMetric],
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[Mapping[str, Any]],
) -> tuple[ImageMetric, list[ImageScore]]:
    """Score a corpus and each of its images.

    Args:
        make_metric: the protocol.
        predictions: as for the metric's `measure`, one an image.
        references: the same.

    Returns:
        The metric of all images, and the images in their order.

    Raises:
        ValueError: the lengths differ, or a mapping is not as the metric wants it.
    """
    metric, images = make_metric(), []
    for prediction, reference in paired(predictions, references, "image"):
        of_image = make_metric()
        verdict = of_image.judge(of_image.measure(prediction, reference))
        of_image.add(verdict)
        metric.add(verdict)
        images.append(ImageScore(verdict, of_image.compute()))
    return metric, images


def worst_first(images: Sequence[ImageScore]) -> list[int]:
    """Places of the images with any mistake, most mistakes first, of equal ones the lower hmean first."""
    wrong = [place for place, image in enumerate(images) if image.misses + image.false_alarms]
    return sorted(
        wrong,
        key=lambda place: (
            -(images[place].misses + images[place].false_alarms),
            images[place].scores["hmean"],
        ),
    )
