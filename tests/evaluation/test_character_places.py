"""Where characters are guessed to be, and how many a box without text has."""

import numpy as np
import pytest

from tcm_hf.evaluation.character_places import (
    aspect_ratio,
    character_centers,
    false_alarm_length,
    unread_length,
)


def box(width, height, left=10, top=20) -> np.ndarray:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float) + np.array([left, top])


def test_characters_of_a_box_lie_along_its_middle():
    np.testing.assert_allclose(character_centers(box(80, 20), 4), [[20, 30], [40, 30], [60, 30], [80, 30]])
    assert character_centers(box(80, 20), 0).shape == (0, 2)


def test_a_standing_box_is_filled_from_its_bottom_up():
    np.testing.assert_allclose(character_centers(box(20, 80), 2), [[20, 80], [20, 40]])


def test_a_turned_box_carries_its_characters_along():
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    centers = character_centers(box(80, 20) @ turn, 5)
    np.testing.assert_allclose(centers, character_centers(box(80, 20), 5) @ turn)


def test_a_polygon_is_followed_and_an_odd_point_changes_little():
    bent = np.array([[0, 0], [50, 0], [100, 50], [100, 70], [50, 20], [0, 20]], dtype=float)
    np.testing.assert_allclose(character_centers(bent, 2), [[25, 10], [75, 35]])
    odd = np.insert(bent, 1, [25, 0], axis=0)
    assert np.abs(character_centers(odd, 8) - character_centers(bent, 8)).max() < 12


@pytest.mark.parametrize(
    ("width", "height", "unread", "false_alarm"),
    [(100, 20, 5, 1), (20, 100, 5, 5), (30, 30, 2, 1), (400, 4, 10, 1), (4, 400, 10, 10), (0, 0, 2, 1)],
)
def test_lengths_guessed_from_a_shape(width, height, unread, false_alarm):
    assert unread_length(box(width, height)) == unread
    assert false_alarm_length(box(width, height)) == false_alarm


def test_aspect_ratio_is_length_over_height():
    assert aspect_ratio(box(80, 20)) == pytest.approx(4, abs=1e-4)
