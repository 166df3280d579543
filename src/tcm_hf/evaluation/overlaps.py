"""How predicted outlines lie on annotated ones: areas, overlaps, and pairs one to one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

__all__ = [
    "Overlaps",
    "as_points",
    "as_shapes",
    "match_one_to_one",
    "measure_overlaps",
    "ratio",
    "shared_areas",
]


@dataclass(frozen=True)
class Overlaps:
    """How the predictions of an image lie on its texts.

    Attributes:
        shared_area: (R, P) intersection of every text with every prediction, square pixels.
        reference_area: (R,).
        prediction_area: (P,).
        text_area: (P,) part of a prediction that lies on texts, do-not-care ones too, square pixels.
        center_distance: (R, P) distance of the centres over the mean of the two diagonals.
        ignore: (R,) the texts that are do-not-care.
    """

    shared_area: np.ndarray
    reference_area: np.ndarray
    prediction_area: np.ndarray
    text_area: np.ndarray
    center_distance: np.ndarray
    ignore: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """(R, P) intersection over union; 0 where both have no area."""
        return ratio(self.shared_area, self.reference_area[:, None] + self.prediction_area - self.shared_area)

    @property
    def recall(self) -> np.ndarray:
        """(R, P) part of the text that is covered."""
        return ratio(self.shared_area, self.reference_area[:, None])

    @property
    def precision(self) -> np.ndarray:
        """(R, P) part of the prediction that lies on the text."""
        return ratio(self.shared_area, self.prediction_area)

    def predictions_to_drop(self, precision_threshold: float) -> np.ndarray:
        """(P,) predictions with more than this part of their area in one do-not-care region."""
        return (self.precision[self.ignore] > precision_threshold).any(axis=0)

    def take_predictions(self, chosen: np.ndarray) -> "Overlaps":
        """The same image with some of the predictions only, chosen by a boolean (P,) mask."""
        return Overlaps(
            self.shared_area[:, chosen],
            self.reference_area,
            self.prediction_area[chosen],
            self.text_area[chosen],
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
    references, predictions = as_points(references_xy, "reference"), as_points(predictions_xy, "prediction")
    reference_shapes, prediction_shapes = as_shapes(references), as_shapes(predictions)
    shared_area = shared_areas(reference_shapes, prediction_shapes)
    return Overlaps(
        shared_area,
        shapely.area(reference_shapes),
        shapely.area(prediction_shapes),
        _text_area(shared_area, reference_shapes, prediction_shapes),
        _center_distance(references, predictions),
        flags,
    )


def shared_areas(references: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(R, P) area that each of (R,) shapes shares with each of (P,) shapes."""
    shared_area = np.zeros((len(references), len(predictions)))
    # Only pairs whose upright boxes touch can share an area.
    low, high = np.split(shapely.bounds(references)[:, None], 2, axis=-1)
    other_low, other_high = np.split(shapely.bounds(predictions), 2, axis=-1)
    rows, columns = np.nonzero(((low < other_high) & (other_low < high)).all(axis=-1))
    shared_area[rows, columns] = shapely.area(shapely.intersection(references[rows], predictions[columns]))
    return shared_area


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


def as_points(polygons_xy: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
    """The polygons as float64 arrays.

    Args:
        polygons_xy: (P >= 3, 2) each.
        what: what they are, for the message.

    Raises:
        ValueError: a polygon is not a finite (P >= 3, 2) array.
    """
    polygons = [np.asarray(polygon, dtype=np.float64) for polygon in polygons_xy]
    for index, polygon in enumerate(polygons):
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
            raise ValueError(
                f"The {what} polygon {index} must be finite and of shape (P >= 3, 2): got {polygon.tolist()}."
            )
    return polygons


def as_shapes(polygons: list[np.ndarray]) -> np.ndarray:
    """Valid shapely geometries of polygons from `as_points`, all at once: an (N,) array of objects."""
    if not polygons:
        return np.empty(0, dtype=object)
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    shapes = shapely.polygons(shapely.linearrings(np.concatenate(polygons), indices=owner))
    # Parity: upstream's evaluation repairs crossing outlines like this; the official script refuses them.
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.buffer(shapes[broken], 0)
    return shapes


def _text_area(shared_area: np.ndarray, references: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(P,) area of the predictions that lies on any text."""
    area = shared_area.sum(axis=0)
    # Only where a prediction lies on several texts can these share some of the area.
    several = (shared_area > 0).sum(axis=0) > 1
    if several.any():
        union = shapely.union_all(references)
        area[several] = shapely.area(shapely.intersection(predictions[several], union))
    return area


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
    return ratio(2 * distance, diagonals[0][:, None] + diagonals[1])


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=np.broadcast_to(whole, part.shape) > 0)
