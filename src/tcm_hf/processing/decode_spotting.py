"""Outputs of any spotter -> outlines and texts of words; which field is read how.

The fields of the outputs tell the head: where a word is stands in `control_points` or `bezier_points`, what
it says in `character_logits` or `ctc_logits` (see `READINGS`). Undoes what spotting heads predict; needs no
torch.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .bezier_curves import bezier_outlines
from .character_reading import READINGS, CharacterReading
from .contour_suppression import suppress_overlaps

__all__ = ["PLACES", "FoundWords", "decode_spotting", "fields_of"]

_FAR = 1e3  # widths of the image from its corner: the place of a network that has gone astray

PLACES = ("control_points", "bezier_points")
"""Fields that tell where words are: outlines, or control points of two cubic curves."""


class FoundWords(NamedTuple):
    """Words of one image, in the order of the queries."""

    polygons_xy: list[np.ndarray]
    """(P, 2) float32 each, pixels at pixel edges: along the top from where reading starts, then the foot
    back; may leave the image."""
    scores: np.ndarray
    """(N,) float32."""
    logits: np.ndarray
    """(N, T, V + 1): what they say, for `reading`."""
    reading: CharacterReading
    """How to read the logits."""

    def take(self, order: np.ndarray) -> "FoundWords":
        """Some of the words, by their places, in this order."""
        polygons = [self.polygons_xy[index] for index in order.tolist()]
        return self._replace(polygons_xy=polygons, scores=self.scores[order], logits=self.logits[order])


def fields_of(names: Mapping[str, object]) -> tuple[str, str, CharacterReading]:
    """Which fields tell where words are and what they say, and how the latter are read.

    Args:
        names: the outputs of a model by field; what is None is not there.

    Raises:
        ValueError: if they are not those of a spotter.
    """
    places = [name for name in PLACES if names.get(name) is not None]
    readings = [one for one in READINGS if names.get(one.field) is not None]
    if names.get("score_logits") is None or len(places) != 1 or len(readings) != 1:
        present = [name for name in names if names[name] is not None]
        raise ValueError(
            "The outputs of a spotter hold `score_logits`, one of "
            f"{list(PLACES)} and one of {[one.field for one in READINGS]}: got {present}. Give all that the "
            "model returned."
        )
    return places[0], readings[0].field, readings[0]


def decode_spotting(
    outputs: Mapping[str, np.ndarray],
    *,
    size_hw: tuple[float, float],
    score_threshold: float = 0.3,
    nms_threshold: float = 1.0,
    points_per_curve: int = 8,
) -> FoundWords:
    """Find the words of one image: TESTR, arXiv 2204.01918, sec. 3, and its relatives.

    Args:
        outputs: of one image, by field, see `fields_of`: `score_logits` `(Q, P')`, the score of a word is the
            sigmoid of their mean, minus infinity where there is none; places `(Q, P, 2)` in parts of width
            and height; logits `(Q, T, V + 1)`.
        size_hw: height and width of the image that the outlines are wanted in, in pixels.
        score_threshold: words have a score above this.
        nms_threshold: of two outlines that overlap more (IoU) the better is kept; 1 keeps all.
        points_per_curve: of a curve, in outlines from curves; at least 2.

    Raises:
        ValueError: if the arrays are not those of a spotter or do not belong together.
    """
    place_field, text_field, reading = fields_of(outputs)
    score_logits, points, logits = (outputs[name] for name in ("score_logits", place_field, text_field))
    if score_logits.ndim != 2 or points.ndim != 3 or points.shape[::2] != (len(score_logits), 2):
        raise ValueError(
            f"`score_logits` must be (Q, P) and `{place_field}` (Q, P, 2): got {score_logits.shape} and "
            f"{points.shape}. Decode image by image."
        )
    if logits.ndim != 3 or len(logits) != len(score_logits):
        raise ValueError(f"`{text_field}` must be ({len(score_logits)}, T, V + 1): got {logits.shape}.")
    scores = _sigmoid(score_logits.astype(np.float64).mean(axis=1))
    is_near = (np.abs(points) < _FAR).all(axis=(1, 2))  # false for NaN, too
    found = np.flatnonzero((scores > score_threshold) & is_near)
    outlines = points[found].astype(np.float64)
    if place_field == "bezier_points":
        outlines = bezier_outlines(outlines, points_per_curve)
    outlines = (outlines * np.array(size_hw[::-1], dtype=np.float64)).astype(np.float32)
    if nms_threshold < 1:
        kept = np.sort(suppress_overlaps(outlines, scores[found], nms_threshold))
        found, outlines = found[kept], outlines[kept]
    return FoundWords(list(outlines), scores[found].astype(np.float32), logits[found], reading)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, np.exp(np.minimum(values, 0))) / (1 + np.exp(-np.abs(values)))
