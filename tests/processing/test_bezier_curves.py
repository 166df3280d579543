"""Cubic curves along the sides of words."""

import numpy as np
import pytest

from tcm_hf.processing.bezier_curves import bezier_basis, bezier_outlines, fit_bezier


def test_straight_curves_give_even_points_on_a_rectangle():
    top = [[0, 0], [1 / 3, 0], [2 / 3, 0], [1, 0]]
    foot = [[1, 1], [2 / 3, 1], [1 / 3, 1], [0, 1]]
    outline = bezier_outlines(np.array([top + foot]), 3)[0]
    np.testing.assert_allclose(outline, [[0, 0], [0.5, 0], [1, 0], [1, 1], [0.5, 1], [0, 1]], atol=1e-12)


def test_no_words_give_no_outlines():
    assert bezier_outlines(np.zeros((0, 8, 2)), 5).shape == (0, 10, 2)


def test_weights_sum_to_one_and_ends_are_the_outer_points():
    basis = bezier_basis(np.linspace(0, 1, 7))
    np.testing.assert_allclose(basis.sum(axis=1), 1)
    np.testing.assert_allclose(basis[[0, -1]], [[1, 0, 0, 0], [0, 0, 0, 1]])


def test_a_curve_is_found_again_from_points_on_it():
    angle = np.linspace(np.pi, 0, 200)
    arc = np.stack([50 + 40 * np.cos(angle / 3), 30 - 20 * np.sin(angle / 3)], axis=1)
    fitted = fit_bezier(arc)
    np.testing.assert_allclose(fitted[[0, 3]], arc[[0, -1]])
    again = bezier_basis(np.linspace(0, 1, 200)) @ fitted
    distances = np.linalg.norm(again[:, None] - arc, axis=-1)
    assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 0.5


@pytest.mark.parametrize("points", [2, 3, 5])
def test_a_straight_side_gives_a_straight_curve(points):
    side = np.linspace([10, 20], [40, 26], points)
    np.testing.assert_allclose(fit_bezier(side), np.linspace([10, 20], [40, 26], 4), atol=1e-9)


def test_a_side_without_length_stays_a_point():
    np.testing.assert_allclose(fit_bezier(np.full((3, 2), 7.0)), np.full((4, 2), 7.0))


def test_one_point_between_the_ends_bends_the_curve_through_it():
    fitted = fit_bezier(np.array([[0, 0], [10, 5], [20, 0]]))
    np.testing.assert_allclose(bezier_basis(np.array([0.5])) @ fitted, [[10, 5]], atol=1e-9)


def test_wrong_numbers_of_points_are_refused():
    with pytest.raises(ValueError, match="control points"):
        bezier_outlines(np.zeros((1, 16, 2)), 5)
    with pytest.raises(ValueError, match="2 or more"):
        bezier_outlines(np.zeros((1, 8, 2)), 1)
