import numpy as np
import pytest

from tcm_hf.processing.polygon_growing import offset_polygon
from tcm_hf.processing.polygons import min_area_quad
from tcm_hf.processing.word_outlines import outline_corners, reading_outline, smooth_curve, word_outline

BOX = [[10, 10], [110, 10], [110, 40], [10, 40]]
TALL = [[10, 10], [40, 10], [40, 110], [10, 110]]


def turned(quad, degrees):
    """A quad turned clockwise around the origin."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.array(quad, dtype=float) @ turn


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    ("quad", "expected", "reason"),
    [
        (BOX, BOX, "upright"),
        (TALL, TALL, "a tall word comes upright"),
        (turned(BOX, 50), turned(BOX, 50), "along a slope, downhill"),
        (turned(BOX, -50), turned(BOX, -50), "uphill"),
        (turned(BOX, 75), np.roll(turned(BOX, 75), 1, axis=0), "steep words come upright"),
        (turned(BOX, 180), BOX, "never upside down"),
        ([[10, 10], [40, 10], [40, 35], [10, 35]], [[10, 10], [40, 10], [40, 35], [10, 35]], "short"),
    ],
)
def test_quads_are_read_towards_the_right_or_come_upright(quad, expected, reason, shift, direction):
    if reason == "never upside down":
        expected = np.roll(turned(BOX, 180), 2, axis=0)
    given = np.roll(np.array(quad)[::direction], shift, axis=0)
    np.testing.assert_allclose(reading_outline(given), expected, atol=1e-4, err_msg=reason)


def found(quad, corner_px=8):
    """The outline that a detector finds of a quad: round corners, many points."""
    (shrunk,) = offset_polygon(np.array(quad, dtype=float), -corner_px)
    (grown,) = offset_polygon(shrunk, corner_px)
    return grown


def test_straight_outlines_become_their_rectangle():
    np.testing.assert_allclose(reading_outline(found(BOX)), BOX, atol=0.1)


def test_outlines_that_lean_become_their_rectangle():
    """Nothing is cut off; only bent ones are followed."""
    leaning = found([[10, 10], [110, 10], [150, 50], [50, 50]])
    np.testing.assert_allclose(reading_outline(leaning), min_area_quad(leaning))


def test_short_outlines_become_their_rectangle():
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    circle = np.stack([50 + 20 * np.cos(angles), 40 + 20 * np.sin(angles)], axis=1)
    outline = reading_outline(circle)
    assert outline.shape == (4, 2)
    np.testing.assert_allclose(outline.mean(axis=0), (50, 40), atol=0.5)


def banana(points=40, up=True):
    """A bent band from (100, 200) to (300, 200), 30 px high."""
    angles = np.linspace(-np.pi * 0.85, -np.pi * 0.15, points)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outer, inner = 112 * around + (200, 250), 82 * around + (200, 250)
    band = np.concatenate([outer, inner[::-1]])
    return band if up else band * (1, -1) + (0, 400)


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("shift", [0, 13, 57])
def test_the_ends_of_a_bent_outline_are_found(up, shift):
    band = banana(up=up)
    outline = reading_outline(np.roll(band, shift, axis=0))
    assert len(outline) % 2 == 0 and len(outline) >= 8
    expected = outline_corners(banana(2, up))
    if not up:  # mirrored: clockwise again, from the upper left
        expected = expected[[3, 2, 1, 0]]
    np.testing.assert_allclose(outline_corners(outline), expected, atol=6)


def test_a_bent_outline_that_stands_upright_is_read_downwards():
    outline = reading_outline(banana() @ np.array([[0, 1], [-1, 0]]))  # turned clockwise by a quarter
    top_left, top_right, _, _ = outline_corners(outline)
    assert top_right[1] > top_left[1] + 100


@pytest.mark.parametrize(
    ("polygon", "expected", "reason"),
    [
        (BOX, BOX, "a quad as it is"),
        (np.roll(BOX, 2, axis=0), np.roll(BOX, 2, axis=0), "upside down if the label says so"),
        ([BOX[0], BOX[3], BOX[2], BOX[1]], BOX, "anticlockwise"),
        (banana(5), banana(5), "points that face one another"),
        ([BOX[0], BOX[0], *BOX[1:]], BOX, "a point twice"),
        ([*BOX, [10, 25]], BOX, "an odd number of points"),
        ([[60, 10], *BOX[1:], BOX[0]], None, "begun within an edge"),
    ],
)
def test_labels_begin_where_reading_begins(polygon, expected, reason):
    outline = word_outline(np.array(polygon))
    if expected is None:
        np.testing.assert_allclose(np.sort(outline, axis=0), np.sort(BOX, axis=0), atol=1e-3, err_msg=reason)
    else:
        np.testing.assert_allclose(outline, expected, atol=1e-3, err_msg=reason)


def test_labels_with_odd_points_keep_the_direction_of_their_first_point():
    upside_down = [BOX[2], BOX[3], BOX[0], BOX[1], [110, 25]]
    np.testing.assert_allclose(word_outline(np.array(upside_down)), np.roll(BOX, 2, axis=0), atol=1e-3)


def test_a_smooth_curve_passes_its_points_and_follows_parabolas():
    at = np.array([0.0, 1.0, 3.0, 4.0, 6.0])
    curve, slope = smooth_curve(at, (at**2)[:, None], np.linspace(0, 6, 25))
    np.testing.assert_allclose(curve[:, 0], np.linspace(0, 6, 25) ** 2, atol=1e-9)
    np.testing.assert_allclose(slope[:, 0], 2 * np.linspace(0, 6, 25), atol=1e-9)


def test_two_points_make_a_straight_line():
    curve, slope = smooth_curve(np.array([0.0, 2.0]), np.array([[1.0], [5.0]]), np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(curve[:, 0], [1, 2, 5])
    np.testing.assert_allclose(slope[:, 0], 2)
