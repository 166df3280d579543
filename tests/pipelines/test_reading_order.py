import math

import numpy as np
import pytest

from tcm_hf.pipelines.reading_order import bounding_quad, group_words, reading_order


def corners(*boxes, degrees=0.0, centre=(320, 200)):
    """Boxes (x0, y0, x1, y1) as corners, turned clockwise around a point."""
    quads = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in boxes], dtype=float)
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (quads.reshape(-1, 4, 2) - centre) @ turn + centre


@pytest.mark.parametrize(
    ("boxes", "expected", "reason"),
    [
        ([], [], "nothing to order"),
        ([(0, 0, 10, 10)], [0], "one text"),
        ([(50, 0, 90, 10), (0, 1, 40, 11)], [1, 0], "one line, left before right although it sits lower"),
        ([(0, 40, 40, 50), (0, 0, 40, 10)], [1, 0], "upper line first"),
        ([(60, 22, 90, 32), (0, 0, 40, 10), (50, 2, 90, 12), (0, 20, 40, 30)], [1, 2, 3, 0], "two lines"),
        ([(100, 10, 200, 60), (0, 20, 50, 30)], [1, 0], "a small word beside a tall one"),
        ([(0, 0, 10, 10), (20, 4, 30, 14), (40, 8, 50, 18)], [0, 1, 2], "a slanting line"),
        ([(0, 0, 40, 10), (0, 0, 40, 10)], [0, 1], "the same text twice"),
        ([(0, 0, 0, 0), (5, 0, 45, 10)], [0, 1], "a text without extent"),
        ([(0, 6 * i, 10, 6 * i + 10) for i in range(10)], list(range(10)), "a slanting column"),
    ],
)
def test_texts_are_read_by_line_then_left_to_right(boxes, expected, reason):
    assert reading_order(corners(*boxes)) == expected, reason


@pytest.mark.parametrize(
    ("boxes", "expected", "reason"),
    [
        ([], [], "nothing to group"),
        ([(0, 0, 40, 10), (44, 0, 80, 10)], [[[0, 1]]], "one line"),
        ([(0, 0, 40, 10), (50, 0, 90, 10)], [[[0, 1]]], "a gap as wide as the words are high"),
        ([(0, 0, 40, 10), (51, 0, 90, 10)], [[[0]], [[1]]], "a wider one"),
        ([(0, 0, 40, 10), (44, 4, 80, 14)], [[[0, 1]]], "half a row lower is the same row"),
        ([(0, 0, 40, 10), (44, 6, 80, 16)], [[[0]], [[1]]], "more is not"),
        ([(0, 0, 40, 20), (44, 0, 60, 8)], [[[0, 1]]], "9.99 with small cents"),
        ([(0, 0, 80, 30), (84, 10, 120, 20)], [[[0]], [[1]]], "a heading and what stands beside it"),
        ([(0, 0, 90, 10), (0, 16, 50, 26)], [[[0], [1]]], "two lines of a paragraph"),
        ([(0, 0, 90, 10), (0, 21, 50, 31)], [[[0]], [[1]]], "a blank line between paragraphs"),
        ([(0, 0, 90, 30), (0, 36, 90, 46)], [[[0]], [[1]]], "a heading is no line of its paragraph"),
        ([(0, 0, 40, 10), (30, 16, 70, 26)], [[[0]], [[1]]], "too little below one another"),
        ([(0, 0, 40, 10), (20, 16, 60, 26)], [[[0], [1]]], "an indented line"),
    ],
)
def test_words_are_grouped_to_lines_and_lines_to_paragraphs(boxes, expected, reason):
    assert group_words(corners(*boxes)) == expected, reason


# Two columns of three lines under a heading: words of 40 x 10, two in each line.
COLUMNS = [
    (0, 0, 90, 20),
    *[(x + dx, y, x + dx + 40, y + 10) for x in (0, 150) for y in (40, 54, 68) for dx in (0, 45)],
]


@pytest.mark.parametrize("degrees", [0, 3, -3, 25, -40, 90, -90, 180])
def test_columns_are_read_one_after_the_other_at_any_angle(degrees):
    words = corners(*COLUMNS, degrees=degrees)
    expected = [[[0]], [[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]
    assert group_words(words) == expected


def test_the_order_of_the_input_does_not_matter():
    words = corners(*COLUMNS, degrees=5)
    shuffled = np.random.default_rng(0).permutation(len(words))
    assert shuffled[reading_order(words[shuffled])].tolist() == list(range(len(words)))


def test_signs_in_one_row_are_read_from_the_left():
    words = corners((40, 40, 160, 72), (260, 44, 380, 76), (40, 150, 160, 182))
    assert group_words(words) == [[[0]], [[1]], [[2]]]


def test_a_curved_line_is_one_line():
    words = []
    for degrees in range(-60, 61, 20):
        word = corners((-30, -210, 30, -190), degrees=degrees, centre=(0, 0))
        words.append(word[0] + (320, 240))
    assert group_words(np.array(words)) == [[list(range(7))]]


def test_single_letters_follow_the_direction_of_their_line():
    boxes = [(0, 0, 60, 12), (66, 0, 74, 12), (80, 0, 140, 12), (146, 0, 154, 12)]
    words = corners(*boxes, degrees=38)
    # The guess for a letter is the direction nearest to the horizontal: these come unturned.
    for letter in (1, 3):
        unturned = corners(boxes[letter])[0]
        words[letter] = unturned - unturned.mean(axis=0) + words[letter].mean(axis=0)
    assert group_words(words) == [[[0, 1, 2, 3]]]


def test_words_upside_down_are_read_from_their_own_left():
    words = corners((0, 0, 40, 10), (45, 0, 90, 10), (0, 15, 50, 25), degrees=180)
    assert group_words(words) == [[[0, 1], [2]]]


def test_many_words_take_little_time():
    boxes = [(x, y, x + 40, y + 10) for y in range(0, 15 * 50, 15) for x in range(0, 45 * 20, 45)]
    assert group_words(corners(*boxes)) == [[list(range(20 * i, 20 * i + 20)) for i in range(50)]]


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_the_rectangle_around_words_has_their_direction(degrees):
    words = corners((0, 0, 40, 10), (45, 2, 90, 14), degrees=degrees)
    np.testing.assert_allclose(bounding_quad(words), corners((0, 0, 90, 14), degrees=degrees)[0], atol=1e-9)


def test_words_at_a_slight_angle_do_not_make_their_line_higher():
    """As detectors find short words: "NO" of "NO PARKING", above two more lines of a sign."""
    no = corners((1046, 294, 1084, 317), degrees=14, centre=(1065, 305))
    others = corners((1091, 300, 1188, 320), (1083, 324, 1156, 341), (1072, 344, 1164, 361))
    assert group_words(np.concatenate([no, others])) == [[[0, 1], [2], [3]]]


def test_signs_beside_each_other_are_not_one_line():
    """Two shop signs of different height, closer than the larger one is high."""
    words = corners((139, 332, 236, 377), (249, 334, 388, 376), (437, 350, 581, 378), (590, 356, 625, 379))
    assert group_words(words) == [[[0, 1]], [[2, 3]]]
