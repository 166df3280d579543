"""Outlines of overlapping tiles: each text once, whole ones before cut ones."""

import numpy as np
import pytest

from tcm_hf.processing.polygons import polygon_area
from tcm_hf.processing.tile_outlines import keep_whole_outlines, merge_tile_outlines

SIZE_HW = (100, 300)
LEFT, RIGHT = (0, 0, 180, 100), (120, 0, 300, 100)


def box(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def merged(left, right, seam_px=2.0):
    polygons = [[polygon for polygon, _ in side] for side in (left, right)]
    scores = [np.array([score for _, score in side], np.float32) for side in (left, right)]
    found, found_scores = merge_tile_outlines(polygons, scores, [LEFT, RIGHT], SIZE_HW, seam_px=seam_px)
    return sorted(
        (round(float(score), 2), polygon.min(0).tolist(), polygon.max(0).tolist())
        for polygon, score in zip(found, found_scores, strict=True)
    )


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([], [], []),
        # seen by both: the better one
        ([(box(130, 20, 170, 40), 0.7)], [(box(131, 20, 171, 41), 0.8)], [(0.8, [131, 20], [171, 41])]),
        # cut by the left tile's seam, whole in the right one: the whole one, although its score is lower
        ([(box(140, 20, 180, 40), 0.9)], [(box(140, 20, 230, 40), 0.6)], [(0.6, [140, 20], [230, 40])]),
        # neighbours that touch but are two texts
        ([(box(130, 20, 150, 40), 0.9)], [(box(150, 20, 170, 40), 0.6)],
         [(0.6, [150, 20], [170, 40]), (0.9, [130, 20], [150, 40])]),
        # the border of the photo is no seam
        ([(box(0, 0, 40, 20), 0.5)], [(box(260, 80, 300, 100), 0.4)],
         [(0.4, [260, 80], [300, 100]), (0.5, [0, 0], [40, 20])]),
        # cut by both seams, longer than the overlap: one text, its score the mean by area
        ([(box(40, 20, 180, 40), 0.9)], [(box(120, 20, 190, 40), 0.6)], [(0.8, [40, 20], [190, 40])]),
        # both cut, above one another
        ([(box(40, 20, 180, 40), 0.9)], [(box(120, 60, 260, 80), 0.6)],
         [(0.6, [120, 60], [260, 80]), (0.9, [40, 20], [180, 40])]),
        # a neighbour of which the left tile sees a sliver only, overlapping a little
        ([(box(130, 20, 180, 40), 0.9)], [(box(177, 20, 240, 40), 0.6)],
         [(0.6, [177, 20], [240, 40]), (0.9, [130, 20], [180, 40])]),
    ],
)  # fmt: skip
def test_one_outline_a_text(left, right, expected):
    assert merged(left, right) == expected


def test_a_small_text_inside_a_large_one_is_the_same_text():
    assert merged([(box(10, 10, 110, 50), 0.9), (box(20, 20, 60, 40), 0.8)], []) == [
        (0.9, [10, 10], [110, 50])
    ]


def test_crossing_outlines_do_not_stop_the_job():
    bow_tie = np.array([[130, 10], [170, 40], [170, 10], [130, 40]], np.float32)
    assert len(merged([(bow_tie, 0.9)], [(bow_tie, 0.5)])) == 1


def test_pieces_of_a_tilted_text_become_a_quad_or_their_union():
    left = np.array([[40, 20], [180, 55], [180, 75], [40, 40]], np.float32)
    right = np.array([[120, 40], [260, 75], [260, 95], [120, 60]], np.float32)
    arguments = ([[left], [right]], [np.ones(1), np.ones(1)], [LEFT, RIGHT], SIZE_HW)
    (quad,), _ = merge_tile_outlines(*arguments, seam_px=2)
    (union,), _ = merge_tile_outlines(*arguments, seam_px=2, polygon_mode="polygon")
    assert quad.shape == (4, 2)
    assert quad.min() >= 0
    assert polygon_area(union) == pytest.approx(220 * 20, rel=0.01)
    assert polygon_area(quad) == pytest.approx(polygon_area(union), rel=0.1)


def test_a_text_through_many_tiles_is_one():
    tiles = [(x, 0, x + 100, 100) for x in range(0, 901, 80)]
    pieces = [[box(max(x, 30), 40, min(x + 100, 950), 60)] for x, _, _, _ in tiles]
    scores = [np.ones(1)] * len(tiles)
    (polygon,), _ = merge_tile_outlines(pieces, scores, tiles, (100, 1000), seam_px=2)
    np.testing.assert_allclose(polygon, box(30, 40, 950, 60), atol=1e-3)


@pytest.mark.parametrize(("seam_px", "expected"), [(2.0, 0.9), (8.0, 0.6)])
def test_how_near_to_a_seam_an_outline_is_cut_depends_on_the_map(seam_px, expected):
    """The left one ends 5 px before the seam; where it counts as cut, the whole one is taken."""
    ((score, _, _),) = merged([(box(130, 20, 175, 40), 0.9)], [(box(131, 20, 185, 40), 0.6)], seam_px=seam_px)
    assert score == expected


@pytest.mark.parametrize(
    ("left", "right", "kept", "why"),
    [
        ([box(20, 10, 60, 20)], [box(150, 10, 180, 20)], [0, 1], "two words"),
        ([box(90, 10, 100, 20)], [box(90, 10, 130, 20)], [1], "only the right tile sees all of it"),
        ([box(40, 10, 100, 20)], [box(80, 10, 130, 20)], [0], "no tile does: the larger piece"),
        ([box(84, 10, 98, 20)], [box(84.5, 10, 98, 20)], [1], "both do: the better one"),
        ([box(20, 10, 60, 20)], [], [0], "one tile is empty"),
        ([], [], [], "nothing at all"),
    ],
)
def test_of_words_that_were_read_one_outline_is_kept_as_it_is(left, right, kept, why):
    tiles = [(0, 0, 100, 50), (80, 0, 200, 50)]
    scores = [np.full(len(left), 0.8), np.full(len(right), 0.9)]
    found = keep_whole_outlines([left, right], scores, tiles, (50, 200), seam_px=1.0)
    assert found.tolist() == kept, why
