"""PAN target maps: golden case of the original program, value tables and degenerate texts."""

import numpy as np
import pytest

import golden_files
from tcm_hf.data.targets_pan import pan_targets

WORD = np.array([[40, 30], [140, 30], [140, 70], [40, 70]], dtype=np.float32)
OTHER = WORD + np.array([0, 60])
SIZE_HW = (160, 200)


@pytest.mark.parametrize("case", ["E_pan_targets_ctw_1.0_0.7", "E_pan_targets_ic15_1.0_0.5"])
def test_sixteen_polygons_give_the_original_maps(case):
    reference, arrays = golden_files.load(case)
    polygons = [np.array(polygon) for polygon in reference["inputs"]["polys"].values()]
    ignored = [np.array(polygon) for polygon in reference["inputs"]["ignored"].values()]
    text_ratio, kernel_ratio = reference["params"]["shrink_ratio"]
    targets = pan_targets(
        polygons + ignored,
        [False] * len(polygons) + [True] * len(ignored),
        tuple(reference["inputs"]["canvas"]),
        text_ratio=text_ratio,
        kernel_ratio=kernel_ratio,
        max_shrink_px=reference["params"]["max_shrink"],
    )
    region, kernel = golden_files.stored(arrays, "gt_kernels")
    np.testing.assert_array_equal(targets["instance_map"], region)
    np.testing.assert_array_equal(targets["kernel_map"], kernel)
    np.testing.assert_array_equal(targets["text_mask"], golden_files.stored(arrays, "gt_mask"))


def test_no_text_gives_a_supervised_background_of_landscape_shape():
    targets = pan_targets([], [], (96, 160))
    for key, value in (("instance_map", 0), ("kernel_map", 0), ("text_mask", 1)):
        assert targets[key].shape == (96, 160) and targets[key].dtype == np.float32
        assert (targets[key] == value).all()
    assert len(targets) == 3


def test_values_on_plain_words_follow_the_paper():
    targets = pan_targets([WORD, OTHER], [False, False], SIZE_HW)
    # D = 4000 * (1 - 0.25) / 280 = 10.7, rounded to 11: the kernels are 11 px inside, outlines included.
    table = [((90, 50), 1, 1), ((51, 41), 1, 1), ((50, 41), 1, 0), ((40, 30), 1, 0), ((39, 30), 0, 0),
             ((90, 110), 2, 2), ((140, 130), 2, 0), ((90, 80), 0, 0)]  # fmt: skip
    for (x, y), region, kernel in table:
        assert targets["instance_map"][y, x] == region, (x, y)
        assert targets["kernel_map"][y, x] == kernel, (x, y)
    assert targets["text_mask"].all()


def test_large_texts_shrink_by_no_more_than_the_limit():
    large = WORD * 4
    row = pan_targets([large], [False], (400, 700), max_shrink_px=20)["kernel_map"][200]
    assert np.flatnonzero(row)[[0, -1]].tolist() == [180, 540]
    row = pan_targets([large], [False], (400, 700), max_shrink_px=100)["kernel_map"][200]
    assert np.flatnonzero(row)[[0, -1]].tolist() == [203, 517]  # D = 64000 * 0.75 / 1120 = 42.9


def test_ignored_texts_are_masked_and_have_no_number():
    targets = pan_targets([WORD, OTHER], [True, False], SIZE_HW)
    assert targets["text_mask"][50, 90] == 0 and targets["text_mask"][110, 90] == 1
    assert set(np.unique(targets["instance_map"])) == {0, 1}
    assert targets["instance_map"][50, 90] == 0 and targets["kernel_map"][110, 90] == 1


def test_small_texts_are_supervised_unless_told_otherwise():
    sliver = np.array([[10, 10], [80, 10], [80, 13], [10, 13]])
    kept = pan_targets([sliver, WORD], [False, False], SIZE_HW)
    assert kept["text_mask"].all()
    assert kept["instance_map"][11, 40] == 1 and kept["instance_map"][50, 90] == 2
    left_out = pan_targets([sliver, WORD], [False, False], SIZE_HW, min_short_side_px=8)
    assert left_out["text_mask"][11, 40] == 0
    assert left_out["instance_map"][11, 40] == 0 and left_out["instance_map"][50, 90] == 1


def test_a_text_whose_kernel_vanishes_keeps_its_region():
    thin = np.array([[10, 140], [190, 140], [190, 142], [10, 142]])
    targets = pan_targets([thin, WORD], [False, False], SIZE_HW, kernel_ratio=0.1)
    assert targets["instance_map"][141, 100] == 1 and targets["text_mask"].all()
    assert set(np.unique(targets["kernel_map"])) == {0, 2}


@pytest.mark.parametrize(
    "polygon",
    [
        [[20, 20], [60, 20], [100, 20]],  # collinear
        [[20, 20], [20, 20], [20, 20]],  # a point
        [[20, 20], [100, 60], [100, 20], [20, 60]],  # bow-tie
        [[20, 20], [20, 20], [100, 20], [100, 60], [20, 60]],  # a corner twice
        [[-500, -500], [-400, -500], [-400, -450], [-500, -450]],  # outside
        [[20.7, 20.2], [21.1, 20.2], [21.0, 20.9]],  # smaller than a pixel
        [[-3e5, -3e5], [3e5, -3e5], [3e5, 3e5], [-3e5, 3e5]],  # far larger than the map
    ],
)
@pytest.mark.parametrize("ignored", [True, False])
def test_odd_polygons_leave_the_others_alone(polygon, ignored):
    targets = pan_targets([WORD, np.array(polygon), OTHER], [False, ignored, False], SIZE_HW)
    assert targets["kernel_map"][110, 90] == (2 if ignored else 3)
    for value in targets.values():
        assert np.isfinite(value).all()


def test_a_kernel_stays_inside_its_region_even_where_the_outline_crosses_itself():
    rng = np.random.default_rng(0)
    for _ in range(8):
        polygon = rng.uniform(10, 150, (6, 2))
        for kernel_ratio in (0.5, 0.9):
            targets = pan_targets([polygon], [False], SIZE_HW, kernel_ratio=kernel_ratio)
            assert targets["kernel_map"].any()
            assert not targets["kernel_map"][targets["instance_map"] == 0].any()


def test_the_polygons_of_the_caller_stay_as_they_were():
    polygon = WORD.astype(np.float64) + 0.25
    before = polygon.copy()
    pan_targets([polygon], [False], SIZE_HW)
    np.testing.assert_array_equal(polygon, before)


@pytest.mark.parametrize(
    ("polygons", "ignore", "message"),
    [([WORD], [], "one flag per polygon"), ([WORD[:2]], [False], r"shape \(P >= 3, 2\)")],
)
def test_wrong_input_is_named(polygons, ignore, message):
    with pytest.raises(ValueError, match=message):
        pan_targets(polygons, ignore, SIZE_HW)
