"""Plane geometry of outlines that cross themselves, have no area, lie far away, or are none at all."""

import contextlib

import numpy as np
import pytest
from fuzz_shapes import any_outlines, outlines
from hypothesis import given
from hypothesis import strategies as st

from tcm_hf.processing import polygon_growing, polygon_overlaps, polygons, word_outlines
from tcm_hf.processing.word_crops import WordCropping, rectify_word

PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def assert_polygon(polygon, least=0):
    assert polygon.ndim == 2 and polygon.shape[1] == 2 and len(polygon) >= least
    assert np.isfinite(polygon).all()


@given(outlines())
def test_order_changes_nothing_but_the_order(points):
    ordered = polygons.order_clockwise(points)
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, points))
    assert polygons.signed_area(ordered) >= 0 or len(points) < 3
    np.testing.assert_array_equal(polygons.order_clockwise(ordered)[:0], ordered[:0])


@given(outlines(least_points=1), st.floats(0, 1e4))
def test_rectangles_and_simple_outlines_are_finite(points, tolerance):
    assert_polygon(polygons.min_area_quad(points), 4)
    assert_polygon(polygons.simplify_polygon(points, tolerance), min(3, len(points)))
    low, high = np.split(polygons.bounding_box(points), 2)
    assert (low <= high).all()


@given(outlines(), outlines(), st.tuples(st.floats(1, 5000), st.floats(1, 5000)))
def test_what_is_cut_lies_in_the_photo_and_shares_are_shares(first, second, size_hw):
    for cut in (polygon_overlaps.clip_to_image(first, size_hw), polygons.clamp_to_image(first, size_hw)):
        assert_polygon(cut)
        assert ((cut >= -1e-3) & (cut <= np.array(size_hw[::-1]) * 1.001 + 1e-3)).all()
    assert -1e-9 <= polygon_overlaps.polygon_iou(first, second) <= 1 + 1e-6


@given(outlines(farthest=500), st.floats(-50, 200))
def test_grown_outlines_are_finite(points, distance):
    for part in polygon_growing.offset_polygon(points, distance):
        assert_polygon(part, 3)
    for part in polygon_growing.grow_on_pixels(points.astype(np.int32), max(distance, 0)):
        assert_polygon(part, 3)


@given(outlines(farthest=300))
def test_a_mask_has_at_most_the_area_of_the_box(points):
    mask = polygons.rasterise_polygon(points, (48, 64))
    assert mask.shape == (48, 64) and mask.dtype == bool


@given(outlines(farthest=2000), st.floats(-0.4, 2), st.one_of(st.none(), st.integers(1, 64)))
def test_a_word_is_cut_out_or_refused(points, margin, height_px):
    with contextlib.suppress(ValueError):  # no area, or outside of the photo
        crop = rectify_word(PHOTO, points, margin, height_px)
        assert crop.dtype == np.uint8 and crop.ndim == 3 and crop.size
        assert crop.shape[1] <= 64 * crop.shape[0]
        assert_polygon(word_outlines.word_outline(points), 4)
        assert_polygon(word_outlines.reading_outline(points), 4)
    with contextlib.suppress(ValueError):
        (crop,) = WordCropping().crop_words(PHOTO, [points], short_side_px=16, margin=margin)
        assert_polygon(crop.corners_xy, 4)


@given(any_outlines())
def test_what_is_not_finite_is_refused_in_words(points):
    if np.isfinite(points).all():
        return
    for function in (polygons.order_clockwise, polygons.min_area_quad, word_outlines.word_outline):
        with pytest.raises(ValueError, match="finite"):
            function(points)
