"""Upper and lower side of texts: golden cases of the original program, value tables, the centre band."""

import numpy as np
import pytest

import golden_files
from tcm_hf.data.text_sides import center_band, text_sides

WIDE = np.array([[10, 10], [110, 10], [110, 40], [10, 40]], dtype=np.float64)


def test_the_sides_of_sixteen_polygons_are_those_of_the_original():
    reference, arrays = golden_files.load("E_fce_signature")
    for name, polygon in reference["inputs"]["polys"].items():
        upper, lower = text_sides(np.array(polygon))
        np.testing.assert_array_equal(upper, arrays[f"{name}__top"], err_msg=name)
        np.testing.assert_array_equal(lower, arrays[f"{name}__bot"], err_msg=name)


@pytest.mark.parametrize(
    ("polygon", "upper", "reason"),
    [
        (WIDE, WIDE[:2], "a wide quad runs along its long edges"),
        (np.roll(WIDE, 1, axis=0), WIDE[:2], "wherever its points begin"),
        (WIDE[::-1], WIDE[1::-1], "and in whichever direction they go"),
        (WIDE * [0.45, 1.5], WIDE[:2] * [0.45, 1.5], "as high as wide is still read across"),
        (WIDE * [0.1, 2], WIDE[1:3] * [0.1, 2], "more than twice as high as wide is read downwards"),
    ],
)
def test_values(polygon, upper, reason):
    sides = text_sides(polygon)
    np.testing.assert_allclose(sides[0], upper, err_msg=reason)
    assert len(sides[0]) == len(sides[1]) == 2


@pytest.mark.parametrize(("above", "below"), [(4, 5), (5, 5), (6, 5), (7, 7), (12, 10)])
def test_a_curved_text_ends_at_its_short_edges_wherever_its_points_begin(above, below):
    angles = np.linspace(1.1 * np.pi, 1.9 * np.pi, above), np.linspace(1.9 * np.pi, 1.1 * np.pi, below)
    upper, lower = (
        np.stack([200 + radius * np.cos(angle), 150 + radius * np.sin(angle)], axis=1)
        for radius, angle in zip((100, 75), angles, strict=True)
    )
    for shift in (0, 1, 4):
        sides = text_sides(np.roll(np.concatenate([upper, lower]), shift, axis=0))
        np.testing.assert_array_equal(sides[0], upper)
        np.testing.assert_array_equal(sides[1], lower)


def test_the_longest_edge_of_a_triangle_counts_as_two():
    triangle = np.array([[0, 0], [90, 0], [45, 20]], dtype=np.float64)
    upper, lower = text_sides(triangle)
    assert len(upper) == len(lower) == 2 and [45, 0] in upper.tolist()
    x, y = center_band(upper, lower).reshape(-1, 2).T
    assert ((y >= 0) & (9 * y <= 4 * np.minimum(x, 90 - x) + 1e-9)).all(), "the band leaves the triangle"


def test_the_center_band_has_the_shrunk_height_and_leaves_the_ends_out():
    cells = center_band(*text_sides(WIDE))
    # 100 px are 25 steps; a quarter of the height of 30 is 7.5 px, one whole step, at either end.
    assert cells.shape == (23, 4, 2)
    np.testing.assert_allclose(cells[0, 0], [14, 25 - 4.5])
    np.testing.assert_allclose(cells[-1, 2], [106, 25 + 4.5], atol=1e-6)
    assert np.ptp(center_band(*text_sides(WIDE), shrink_ratio=0.5)[..., 1]) == pytest.approx(15)


def test_a_text_shorter_than_a_step_has_a_band_from_end_to_end():
    cells = center_band(*text_sides(WIDE / 40))
    assert cells.shape == (2, 4, 2)
    assert np.ptp(cells[..., 0]) == pytest.approx(2.5)
