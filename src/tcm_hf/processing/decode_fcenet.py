"""Maps of FCENet -> text outlines with scores. Undoes what `fcenet.py` predicts; needs no torch."""

from collections.abc import Sequence

import cv2
import numpy as np

from .contour_suppression import suppress_overlaps
from .decode_dbnet import PolygonMode
from .decoding_settings import check_settings
from .fourier_contours import contour_from_fourier
from .polygons import min_area_quad, order_clockwise

STRIDES = (8, 16, 32)

_FAR_PX = 1e5  # farther out than any picture: the contour of a network that has gone astray
_MIN_AREA_PX = 1.0


def decode_fcenet(
    region_logits: Sequence[np.ndarray],
    center_logits: Sequence[np.ndarray],
    fourier_coefficients: Sequence[np.ndarray],
    *,
    strides: Sequence[int] = STRIDES,
    score_threshold: float = 0.3,
    region_exponent: float = 1.2,
    center_exponent: float = 1.0,
    num_contour_points: int = 50,
    nms_threshold: float = 0.1,
    polygon_mode: PolygonMode = "quad",
    max_candidates: int = 300,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the text instances of one image: FCENet, arXiv 2104.10442, section 3.2.

    Every cell that is likely text and centre of text gives a contour, the inverse Fourier transform of its
    coefficients. Of contours that overlap the best stays: first within every blob of cells, then within a
    level, then over all levels.

    Args:
        region_logits: one `(2, h, w)` a level: not text, text.
        center_logits: one `(2, h, w)` a level: outside, inside the centre region of a text.
        fourier_coefficients: one `(2 (2K + 1), h, w)` a level: real parts for k = -K … K, then imaginary
            parts, in cells of the level, relative to the cell.
        strides: pixels of the network's input a cell of each level.
        score_threshold: a cell gives a contour if its score is above this. The score is the probability of
            text to the power of `region_exponent` times that of a centre to the power of `center_exponent`.
        region_exponent: alpha.
        center_exponent: beta.
        num_contour_points: points a contour.
        nms_threshold: contours whose intersection over union is above this are one text.
        polygon_mode: "quad" gives rectangles of any angle, "polygon" the contours.
        max_candidates: at most so many cells of a level give a contour; of every blob of cells the best ones.

    Returns:
        The outlines and their scores, the best first. Outlines are `(P, 2)` float32 in pixels of the
        network's input, frame of pixel edges, clockwise from the top left, and may leave the image; scores
        `(N,)` float32.

    Raises:
        ValueError: for levels of different number, maps of other shapes, or a setting out of its range:
            thresholds from 0 to 1, exponents of at least 0, 3 points a contour.
    """
    _check_levels(region_logits, center_logits, fourier_coefficients, strides)
    check_settings(
        {
            "score_threshold": score_threshold,
            "region_exponent": region_exponent,
            "center_exponent": center_exponent,
            "num_contour_points": num_contour_points,
            "nms_threshold": nms_threshold,
            "polygon_mode": polygon_mode,
        }
    )
    found = []
    for region, center, coefficients, stride in zip(
        region_logits, center_logits, fourier_coefficients, strides, strict=True
    ):
        score_map = _probability(region) ** region_exponent * _probability(center) ** center_exponent
        cells, blobs = _candidates(score_map, score_threshold, max_candidates)
        contours = _contours(coefficients, cells, stride, num_contour_points)
        scores = score_map[tuple(cells.T)]
        usable = _is_usable(contours)
        best = _best_of_level(contours[usable], scores[usable], blobs[usable], nms_threshold)
        found.append((contours[usable][best], scores[usable][best]))
    contours = np.concatenate([level_contours for level_contours, _ in found])
    scores = np.concatenate([level_scores for _, level_scores in found])
    kept = suppress_overlaps(contours, scores, nms_threshold)
    finish = min_area_quad if polygon_mode == "quad" else order_clockwise
    return [finish(contour) for contour in contours[kept]], scores[kept].astype(np.float32)


def _check_levels(
    region_logits: Sequence[np.ndarray],
    center_logits: Sequence[np.ndarray],
    fourier_coefficients: Sequence[np.ndarray],
    strides: Sequence[int],
) -> None:
    counts = [len(part) for part in (region_logits, center_logits, fourier_coefficients, strides)]
    if len(set(counts)) != 1 or not counts[0]:
        raise ValueError(
            "`region_logits`, `center_logits`, `fourier_coefficients` and `strides` must hold one entry a "
            f"level: got {counts}."
        )
    for maps in zip(region_logits, center_logits, fourier_coefficients, strict=True):
        region, center, coefficients = (tuple(level.shape) for level in maps)
        if len(region) != 3 or region[0] != 2 or center != region or coefficients[1:] != region[1:]:
            raise ValueError(
                "A level must be (2, h, w), (2, h, w) and (2 (2K + 1), h, w): got "
                f"{region}, {center} and {coefficients}. Decode image by image."
            )


def _probability(logits: np.ndarray) -> np.ndarray:
    """`(2, h, w)` logits of no and yes -> probability of yes, `(h, w)` float64."""
    with np.errstate(invalid="ignore"):  # infinite logits
        odds = np.asarray(logits[0], np.float64) - logits[1]
    return 1 / (1 + np.exp(odds.clip(-500, 500)))


def _candidates(
    score_map: np.ndarray, score_threshold: float, max_candidates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cells above the threshold, `(N, 2)` rows and columns, and the number of the blob that each is in."""
    mask = score_map > score_threshold
    cells = np.argwhere(mask)
    blobs = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1][tuple(cells.T)]
    if len(cells) > max_candidates:
        scores = score_map[tuple(cells.T)]
        by_blob = np.lexsort((-scores, blobs))
        rank = np.empty(len(cells), np.int64)
        rank[by_blob] = np.arange(len(cells)) - np.searchsorted(blobs[by_blob], blobs[by_blob])
        # The best cell of every blob, then every second best, … so that large texts do not crowd out others.
        chosen = np.lexsort((-scores, rank))[:max_candidates]
        cells, blobs = cells[chosen], blobs[chosen]
    return cells, blobs


def _contours(coefficients: np.ndarray, cells: np.ndarray, stride: int, num_points: int) -> np.ndarray:
    """Contours of the cells, `(N, P, 2)` in pixels of the network's input."""
    # Parity: the original cuts coordinates down to whole pixels before it compares contours; here they stay
    # exact, up to one pixel farther from the origin.
    with np.errstate(invalid="ignore"):  # infinite coefficients
        relative = contour_from_fourier(coefficients[:, cells[:, 0], cells[:, 1]].T, num_points)
    return (relative + cells[:, None, ::-1]) * stride


def _is_usable(contours: np.ndarray) -> np.ndarray:
    """Which of the contours `(N, P, 2)` are finite, within reach and have an area (lobes subtracted)."""
    near = (np.abs(contours) < _FAR_PX).all(axis=(1, 2))  # false for NaN, too
    contours = np.where(near[:, None, None], contours, 0)
    following = np.roll(contours, -1, axis=1)
    doubled = contours[..., 0] * following[..., 1] - contours[..., 1] * following[..., 0]
    return near & (np.abs(doubled.sum(axis=1)) >= 2 * _MIN_AREA_PX)


def _best_of_level(
    contours: np.ndarray, scores: np.ndarray, blobs: np.ndarray, nms_threshold: float
) -> np.ndarray:
    """Indices of the contours that stay after suppression in every blob of cells, then in the level."""
    # Parity: blobs come first in the original. A contour that falls to the best of its blob stays out, even
    # if that one falls to another blob's.
    order = np.argsort(blobs, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(blobs[order])) + 1)
    best = np.concatenate(
        [blob[suppress_overlaps(contours[blob], scores[blob], nms_threshold)] for blob in members]
    )
    return best[suppress_overlaps(contours[best], scores[best], nms_threshold)]
