"""Tiles of large photos: the image is covered, and a word on a seam is one polygon."""

from itertools import pairwise

import numpy as np
import pytest

from tcm_hf.processing.tiling import merge_tile_maps, plan_tiles


@pytest.mark.parametrize(
    ("size_hw", "tile_hw", "overlap", "count", "why"),
    [
        ((600, 1000), (600, 1000), 50, 1, "just one"),
        ((300, 500), (600, 1000), 50, 1, "smaller than a tile"),
        ((600, 1001), (600, 1000), 50, 2, "one pixel more"),
        ((3000, 4000), (1024, 1024), 128, 4 * 5, "a photo"),
        ((20, 40000), (640, 640), 64, 70, "a thin strip"),
        ((1, 1), (640, 640), 0, 1, "one pixel"),
        ((100, 200), (10, 10), 0, 10 * 20, "no overlap"),
    ],
)
def test_tiles_cover_the_image_and_overlap(size_hw, tile_hw, overlap, count, why):
    tiles = plan_tiles(size_hw, tile_hw, overlap)
    assert len(tiles) == count, why
    covered = np.zeros(size_hw, bool)
    for x0, y0, x1, y1 in tiles:
        assert (y1 - y0, x1 - x0) == (min(tile_hw[0], size_hw[0]), min(tile_hw[1], size_hw[1]))
        assert x0 >= 0 and y0 >= 0
        covered[y0:y1, x0:x1] = True
    assert covered.all()
    for axis in (0, 1):
        starts = sorted({tile[axis] for tile in tiles})
        assert all(b - a <= tile_hw[1 - axis] - overlap for a, b in pairwise(starts))


@pytest.mark.parametrize(
    ("size_hw", "tile_hw", "overlap"),
    [((0, 5), (4, 4), 1), ((5, 5), (0, 4), 0), ((5, 5), (4, 4), 4), ((5, 5), (4, 4), -1)],
)
def test_impossible_tiles_are_told(size_hw, tile_hw, overlap):
    with pytest.raises(ValueError, match="got"):
        plan_tiles(size_hw, tile_hw, overlap)


@pytest.mark.parametrize("scale", [1, 0.5, 0.73])
def test_maps_of_tiles_join_to_the_map_of_the_image(scale):
    """A picture that is linear in x and y is known everywhere, whatever the scale of its tiles."""
    size_hw = (700, 1900)
    tiles = plan_tiles(size_hw, (400, 600), 90)
    maps = []
    for x0, y0, x1, y1 in tiles:
        height, width = round((y1 - y0) * scale), round((x1 - x0) * scale)
        y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
        maps.append((x0 + x * (x1 - x0) / width) / 1900 + (y0 + y * (y1 - y0) / height) / 700)
    whole = merge_tile_maps(maps, tiles, size_hw)
    np.testing.assert_allclose(whole.shape, np.array(size_hw) * scale, atol=2)
    y, x = np.mgrid[: whole.shape[0], : whole.shape[1]] + 0.5
    expected = x / whole.shape[1] + y / whole.shape[0]
    assert np.abs(whole - expected).max() < 2 / 700 / scale


def test_a_tile_counts_less_near_its_seams():
    wrong_at_the_seam, right = np.zeros((60, 80), np.float32), np.ones((60, 80), np.float32)
    wrong_at_the_seam[:, :70] = 1
    whole = merge_tile_maps([wrong_at_the_seam, right], [(0, 0, 80, 60), (60, 0, 140, 60)], (60, 140))
    assert whole.shape == (60, 140)
    assert whole.min() > 0.5
    assert (whole[:, :70] == 1).all()


def test_one_tile_is_the_whole_map_and_unequal_maps_are_told():
    one = np.random.default_rng(0).random((32, 64), np.float32)
    np.testing.assert_allclose(merge_tile_maps([one], [(0, 0, 128, 64)], (64, 128)), one)
    with pytest.raises(ValueError, match="one map per tile"):
        merge_tile_maps([one], [(0, 0, 80, 60), (60, 0, 140, 60)], (60, 140))
    with pytest.raises(ValueError, match="one size"):
        merge_tile_maps([one, one[:16]], [(0, 0, 80, 60), (60, 0, 140, 60)], (60, 140))
