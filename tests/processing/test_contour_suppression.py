"""Suppression of overlapping contours: equal to the plain definition, whatever the shapes."""

import numpy as np
import pytest
import shapely

from tcm_hf.processing.contour_suppression import suppress_overlaps
from tcm_hf.processing.fourier_contours import contour_from_fourier
from tcm_hf.processing.polygon_overlaps import polygon_iou


def circles(centers, radii, points=40):
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    outline = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.asarray(centers)[:, None] + np.asarray(radii)[:, None, None] * outline


def plainly(contours, scores, threshold):
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        if all(polygon_iou(contours[index], contours[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


def wobbly(seed, count, spread):
    """Contours as noisy networks give them, many of them crossing themselves."""
    rng = np.random.default_rng(seed)
    coefficients = rng.standard_normal((count, 22)) * spread
    coefficients[:, 6] += 20  # c_1: most are round
    coefficients[:, [5, 16]] = rng.uniform(0, 200, (count, 2))
    return contour_from_fourier(coefficients, 30), rng.permutation(count) / count


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_the_shortcuts_change_nothing(threshold, spread):
    contours, scores = wobbly(3, 60, spread)
    assert suppress_overlaps(contours, scores, threshold).tolist() == plainly(contours, scores, threshold)


def test_many_that_stay_are_compared_with_each_other():
    contours, scores = wobbly(5, 150, 0.5)  # more than are taken together, most of them kept
    contours += 3 * contours.mean(axis=1, keepdims=True)  # farther apart
    kept = suppress_overlaps(contours, scores, 0.1)
    assert len(kept) > 64
    assert kept.tolist() == plainly(contours, scores, 0.1)


def test_texts_side_by_side_stay_and_doubles_go():
    contours = circles([(50, 50), (52, 50), (150, 50), (151, 51), (300, 50)], [30, 30, 30, 29, 10])
    kept = suppress_overlaps(contours, np.array([0.7, 0.9, 0.8, 0.6, 0.5]), 0.1)
    assert kept.tolist() == [1, 2, 4]


def test_a_double_that_starts_elsewhere_or_runs_the_other_way_goes():
    (circle,) = circles([(50, 50)], [30])
    contours = np.stack([circle, np.roll(circle, 13, axis=0), circle[::-1]])
    assert suppress_overlaps(contours, np.array([0.9, 0.8, 0.7]), 0.1).tolist() == [0]


def test_the_threshold_itself_still_passes():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    moved = square + np.array([5, 0])
    contours = np.stack([square, moved])  # intersection over union of exactly 1/3
    assert len(suppress_overlaps(contours, np.array([0.9, 0.8]), 1 / 3 + 1e-9)) == 2
    assert len(suppress_overlaps(contours, np.array([0.9, 0.8]), 1 / 3 - 1e-9)) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(count):
    assert suppress_overlaps(np.zeros((count, 50, 2)), np.ones(count), 0.1).tolist() == list(range(count))


def test_contours_without_area_do_no_harm():
    contours = np.concatenate([np.zeros((2, 40, 2)), circles([(0, 0)], [5])])
    assert 2 in suppress_overlaps(contours, np.array([0.9, 0.8, 0.7]), 0.1)


def test_nothing_overlaps_by_more_than_all_and_nothing_is_compared(monkeypatch):
    monkeypatch.setattr(shapely, "intersection", None)
    contours = np.tile(np.array([[0, 0], [9, 0], [0, 9], [9, 9.0]]), (4, 1, 1))
    assert suppress_overlaps(contours, np.array([0.1, 0.9, 0.5, 0.9]), 1.0).tolist() == [1, 3, 2, 0]
