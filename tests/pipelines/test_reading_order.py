import pytest

from tcm_hf.pipelines.reading_order import reading_order


@pytest.mark.parametrize(
    ("boxes", "expected", "reason"),
    [
        ([], [], "nothing to order"),
        ([(0, 0, 10, 10)], [0], "one text"),
        ([(50, 0, 90, 10), (0, 1, 40, 11)], [1, 0], "one line, left before right although it sits lower"),
        ([(0, 40, 40, 50), (0, 0, 40, 10)], [1, 0], "upper line first"),
        ([(60, 22, 90, 32), (0, 0, 40, 10), (50, 2, 90, 12), (0, 20, 40, 30)], [1, 2, 3, 0], "two lines"),
        ([(100, 10, 200, 60), (0, 20, 50, 30)], [1, 0], "a small word beside a tall one is in its line"),
        ([(0, 0, 10, 10), (20, 4, 30, 14), (40, 8, 50, 18)], [0, 1, 2], "a slanting line"),
    ],
)
def test_texts_are_read_by_line_then_left_to_right(boxes, expected, reason):
    assert reading_order(boxes) == expected, reason


def test_a_slanting_page_does_not_become_one_line():
    steps = [(0, 6 * i, 10, 6 * i + 10) for i in range(10)]
    assert reading_order(steps) == list(range(10))
