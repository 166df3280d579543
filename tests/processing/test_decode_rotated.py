"""From levels of predictions to objects; the original's numbers are in test_golden_rotated."""

import numpy as np
import pytest

from tcm_hf.processing.decode_rotated import decode_rotated, rotated_candidates


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def two_levels() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Level 0: one box twice, and another; level 1: the first box again, of class 1."""
    first, other = [30, 20, 16, 8, 0.4], [80, 40, 20, 10, -1.0]
    logits = [
        np.array([[logit(0.9), -9], [logit(0.8), -9], [-9, logit(0.6)]]),
        np.array([[-9, logit(0.7)]]),
    ]
    return logits, [np.array([first, first, other], dtype=np.float32), np.array([first], dtype=np.float32)]


def test_the_best_box_of_each_place_and_class_stays():
    found = decode_rotated(*two_levels())
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.6], rtol=1e-6)
    assert found.labels.tolist() == [0, 1, 1]
    assert found.boxes[:, 0].tolist() == [30, 30, 80]
    assert found.polygons_xy.shape == (3, 4, 2) and found.polygons_xy.dtype == np.float32


def test_centerness_lowers_the_score_but_not_below_the_threshold():
    logits, boxes = two_levels()
    centerness = [np.array([logit(0.1), logit(0.5), logit(0.5)]), np.array([logit(0.5)])]
    found = decode_rotated(logits, boxes, centerness, score_threshold=0.5)
    np.testing.assert_allclose(found.scores, [0.4, 0.35, 0.3], rtol=1e-6)  # the second of the twins


def test_one_box_may_be_of_two_classes():
    found = decode_rotated([np.array([[2.0, 1.0]])], [np.array([[9.0, 9, 4, 2, 0]], dtype=np.float32)])
    assert found.labels.tolist() == [0, 1]


def test_only_the_best_candidates_of_a_level_and_the_best_objects_are_kept():
    logits, boxes = two_levels()
    assert len(rotated_candidates(logits, boxes, max_candidates=1).scores) == 2
    assert decode_rotated(logits, boxes, max_objects=2).scores.tolist() == pytest.approx([0.9, 0.7])


def test_nothing_found_is_empty_arrays():
    logits, boxes = two_levels()
    found = decode_rotated(logits, boxes, score_threshold=0.95)
    assert found.boxes.shape == (0, 5) and found.scores.shape == found.labels.shape == (0,)
    assert found.polygons_xy.shape == (0, 4, 2)


def test_extreme_logits_do_not_overflow():
    logits = [np.array([[1000.0, -1000.0]], dtype=np.float32)]
    found = decode_rotated(logits, [np.array([[9.0, 9, 4, 2, 0]])])
    assert found.scores.tolist() == [1]


def test_no_levels_are_an_error():
    with pytest.raises(ValueError, match="no levels"):
        decode_rotated([], [])


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e30])
def test_a_box_that_is_none_takes_nothing_from_the_others(place, odd):
    logits, boxes = two_levels()
    expected = decode_rotated(logits, boxes)
    broken = np.array([[50, 50, 9, 5, 0.1]], np.float32)
    broken[0, place] = odd
    found = decode_rotated([*logits, np.array([[9.0, 9.0]])], [*boxes, broken])
    assert np.isfinite(found.polygons_xy).all()
    np.testing.assert_array_equal(found.boxes, expected.boxes)


def test_a_side_below_zero_is_no_box():
    found = decode_rotated([np.array([[9.0]])], [np.array([[50, 50, -9, 5, 0.1]], np.float32)])
    assert len(found.boxes) == 0
