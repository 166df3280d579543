"""Plane geometry: tables with degenerate rows, and round trips."""

import subprocess
import sys

import numpy as np
import pytest
import shapely

from tcm_hf.processing.polygon_growing import offset_polygon
from tcm_hf.processing.polygon_overlaps import clip_to_image, polygon_iou
from tcm_hf.processing.polygons import (
    as_polygon,
    bounding_box,
    clamp_to_image,
    min_area_quad,
    order_clockwise,
    perimeter_px,
    polygon_area,
    rasterise_polygon,
    short_side_px,
    signed_area,
    simplify_polygon,
    unshrink_distance_px,
)

WIDE = np.array([[10, 20], [110, 20], [110, 50], [10, 50]], np.float32)  # clockwise on the screen
BOW_TIE = [[0, 0], [10, 10], [10, 0], [0, 10]]
DIAMOND = [[10, 0], [20, 10], [10, 20], [0, 10]]


def shifted(polygon, right):
    return polygon + np.array([right, 0], np.float32)


def turned(polygon, degrees):
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.mean(polygon, axis=0)
    return (np.asarray(polygon) - middle) @ rotation + middle


def test_import_needs_no_torch():
    code = (
        "import sys, tcm_hf.processing.polygons, tcm_hf.processing.decode_dbnet, tcm_hf.processing.tiling, "
        "tcm_hf.processing.image_loading; assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("polygon", "area", "why"),
    [
        (WIDE, 3000, "clockwise is positive"),
        (WIDE[::-1], -3000, "anticlockwise is negative"),
        (WIDE + 1e6, 3000, "far away no digits are lost"),
        (BOW_TIE, 0, "the two halves of a bow-tie cancel"),
        ([[0, 0], [5, 5], [9, 9]], 0, "collinear"),
        ([[0, 0], [5, 5]], 0, "two points"),
        ([], 0, "no point"),
    ],
)
def test_signed_area(polygon, area, why):
    assert signed_area(polygon) == pytest.approx(area, abs=1e-6), why
    assert polygon_area(polygon) == abs(signed_area(polygon))


def test_perimeter_is_closed():
    assert perimeter_px(WIDE) == 260
    assert perimeter_px([[0, 0], [3, 4]]) == 10
    assert perimeter_px([[1, 1]]) == 0


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("step", [1, -1])
def test_order_starts_at_the_top_left_and_runs_clockwise(shift, step):
    shuffled = np.roll(WIDE, shift, axis=0)[::step]
    np.testing.assert_array_equal(order_clockwise(shuffled), WIDE)


@pytest.mark.parametrize(
    ("polygon", "first", "why"),
    [
        (DIAMOND, (10, 0), "of two corners as far to the top left the higher one"),
        (turned(WIDE, 20), turned(WIDE, 20)[0], "a line that falls to the right"),
        ([[50, 0], [60, 5], [10, 95], [0, 90]], (50, 0), "a steep line that falls to the left"),
        ([[3, 4]], (3, 4), "one point"),
        ([[5, 5], [1, 1]], (1, 1), "a bar"),
    ],
)
def test_order_of_special_shapes(polygon, first, why):
    ordered = order_clockwise(polygon)
    np.testing.assert_allclose(ordered[0], first, atol=1e-4, err_msg=why)
    assert signed_area(ordered) >= 0
    assert order_clockwise([]).shape == (0, 2)


def test_bad_points_are_told():
    with pytest.raises(ValueError, match="pairs"):
        as_polygon([1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        as_polygon([[0, 0], [np.nan, 1]])
    with pytest.raises(ValueError, match="at least one point"):
        min_area_quad([])
    with pytest.raises(ValueError, match="at least one point"):
        bounding_box([])


@pytest.mark.parametrize("degrees", [0, 1, 17, 45, 89, 90, 133, 180, 271])
def test_min_area_quad_finds_a_rotated_rectangle_in_our_corner_order(degrees):
    """The corner order of cv2.boxPoints changed in OpenCV 4.13; ours may not."""
    rectangle = turned(WIDE, degrees)
    dense = np.concatenate(
        [np.linspace(a, b, 7) for a, b in zip(rectangle, np.roll(rectangle, -1, 0), strict=True)]
    )
    quad = min_area_quad(np.random.default_rng(0).permutation(dense))
    np.testing.assert_allclose(quad, order_clockwise(rectangle), atol=1e-3)
    assert short_side_px(quad) == pytest.approx(30, abs=1e-3)


@pytest.mark.parametrize("points", [[[5, 5]], [[5, 5], [9, 9]], [[5, 5], [9, 9], [7, 7], [6, 6]]])
def test_min_area_quad_of_flat_points_has_four_corners_and_no_area(points):
    quad = min_area_quad(points)
    assert quad.shape == (4, 2)
    assert polygon_area(quad) < 1e-3


def test_bounding_box_is_xyxy():
    np.testing.assert_array_equal(bounding_box(WIDE), [10, 20, 110, 50])


@pytest.mark.parametrize("degrees", [0, 33])
def test_shrink_then_grow_returns_the_rectangle_up_to_round_corners(degrees):
    polygon = turned(WIDE, degrees)
    (shrunk,) = offset_polygon(polygon, -10)
    assert polygon_area(shrunk) == pytest.approx(80 * 10, rel=0.01)
    (grown,) = offset_polygon(shrunk, 10)
    assert polygon_iou(grown, polygon) > 0.96


def test_offset_tells_of_vanished_and_broken_polygons():
    dumbbell = [[0, 0], [30, 0], [30, 12], [60, 12], [60, 0], [90, 0], [90, 30], [60, 30], [60, 18], [30, 18],
                [30, 30], [0, 30]]  # fmt: skip
    assert offset_polygon(WIDE, -15.5) == []
    assert len(offset_polygon(dumbbell, -5)) == 2
    assert offset_polygon([[0, 0], [1, 1]], -5) == []
    assert offset_polygon([], 5) == []


@pytest.mark.parametrize(("width", "height"), [(30, 30), (120, 30), (600, 30), (20, 300)])
def test_unshrinking_knows_how_far_a_rectangle_was_shrunk(width, height):
    taken = width * height * (1 - 0.4**2) / (2 * (width + height))
    w, h = width - 2 * taken, height - 2 * taken
    assert unshrink_distance_px([[0, 0], [w, 0], [w, h], [0, h]], 0.4) == pytest.approx(taken)
    assert unshrink_distance_px([[0, 0], [5, 5], [9, 9]], 0.4) == pytest.approx(0, abs=1e-6)


def test_clip_cuts_exactly_and_clamp_keeps_the_number_of_corners():
    size_hw = (40, 100)
    clipped = clip_to_image(WIDE, size_hw)
    np.testing.assert_array_equal(clipped, [[10, 20], [100, 20], [100, 40], [10, 40]])
    corner_outside = np.array([[-20, 10], [10, -20], [60, 30], [30, 60]])
    assert polygon_area(clip_to_image(corner_outside, size_hw)) == pytest.approx(
        shapely.Polygon(corner_outside).intersection(shapely.box(0, 0, 100, 40)).area
    )
    assert clamp_to_image(corner_outside, size_hw).shape == (4, 2)
    assert bounding_box(clamp_to_image(corner_outside, size_hw)).tolist() == [0, 0, 60, 40]


@pytest.mark.parametrize(
    ("polygon", "points", "why"),
    [
        (shifted(WIDE, 200), 0, "outside"),
        (shifted(WIDE, 90), 0, "touches the border from outside"),
        ([], 0, "empty"),
        ([[5, 5], [-5, 5]], 0, "no area"),
        (WIDE, 4, "inside"),
    ],
)
def test_clip_of_special_polygons(polygon, points, why):
    assert clip_to_image(np.array(polygon), (60, 100) if points == 0 else (60, 200)).shape == (points, 2), why


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        (WIDE, WIDE, 1),
        (WIDE, WIDE[::-1], 1),
        (WIDE, shifted(WIDE, 50), 1 / 3),
        (WIDE, shifted(WIDE, 100), 0),
        (WIDE, [[0, 0], [5, 5]], 0),
        ([], [], 0),
    ],
)
def test_iou(first, second, iou):
    assert polygon_iou(first, second) == pytest.approx(iou)


def test_iou_repairs_crossing_outlines():
    assert 0 < polygon_iou(BOW_TIE, [[0, 0], [10, 0], [10, 10], [0, 10]]) <= 0.5


@pytest.mark.parametrize(
    ("polygon", "pixels", "why"),
    [
        ([[2, 3], [9, 3], [9, 6], [2, 6]], 21, "edges on the grid"),
        ([[2.4, 2.4], [5.6, 2.4], [5.6, 5.6], [2.4, 5.6]], 16, "centres 2.5..5.5"),
        ([[2.6, 2.6], [5.4, 2.6], [5.4, 5.4], [2.6, 5.4]], 4, "centres 3.5 and 4.5"),
        ([[-50, -50], [50, -50], [50, 50], [-50, 50]], 12 * 20, "larger than the picture"),
        ([[30, 0], [40, 0], [40, 9]], 0, "outside"),
        ([[3, 3], [9, 9]], 0, "no area"),
        ([], 0, "empty"),
    ],
)
def test_rasterise_counts_pixel_centres(polygon, pixels, why):
    mask = rasterise_polygon(polygon, (12, 20))
    assert mask.shape == (12, 20)
    assert mask.sum() == pixels, why


def test_rasterise_of_a_curved_polygon_equals_shapely():
    angles = np.linspace(0, 2 * np.pi, 23)[:-1]
    radius = 8 + 3 * np.cos(5 * angles)
    star = np.stack([21.3 + 1.7 * radius * np.cos(angles), 11.9 + radius * np.sin(angles)], axis=1)
    y, x = np.mgrid[:25, :45] + 0.5
    np.testing.assert_array_equal(
        rasterise_polygon(star, (25, 45)), shapely.contains_xy(shapely.Polygon(star.astype(np.float32)), x, y)
    )


def test_simplify_drops_points_on_straight_sides_only():
    dense = np.concatenate(
        [np.linspace(a, b, 9)[:-1] for a, b in zip(WIDE, np.roll(WIDE, -1, 0), strict=True)]
    )
    np.testing.assert_array_equal(simplify_polygon(dense, 0.5), WIDE)
    assert len(simplify_polygon([[0, 0], [1, 0], [0, 1], [0.5, 0.1]], 50)) >= 3
