"""DBNet target maps: golden cases of the original program, value tables and invariances."""

import numpy as np
import pytest

import golden_files
from tcm_hf.data.targets_dbnet import dbnet_targets

WORD = np.array([[40, 30], [140, 30], [140, 70], [40, 70]], dtype=np.float32)
KEYS = {"probability_map", "probability_mask", "threshold_map", "threshold_mask"}


def assert_equal_to_golden(targets: dict, arrays: dict, kernel: str, mask: str, band: str, threshold: str):
    np.testing.assert_array_equal(targets["probability_map"], golden_files.stored(arrays, kernel) > 0)
    np.testing.assert_array_equal(targets["probability_mask"], golden_files.stored(arrays, mask))
    np.testing.assert_array_equal(targets["threshold_mask"], golden_files.stored(arrays, band))
    # Stored as float16. One pixel on the edge between two branches of the original may fall to either side.
    difference = np.abs(targets["threshold_map"] - arrays[threshold].astype(np.float32))
    assert difference.max() < 2e-3
    assert (difference > 3e-4).sum() <= 1


@pytest.mark.parametrize("case", ["E_db_targets_s04", "E_db_targets_s09"])
def test_sixteen_polygons_give_the_original_maps(case):
    reference, arrays = golden_files.load(case)
    polygons = [np.array(polygon) for polygon in reference["inputs"]["polys"].values()]
    ignored = [np.array(polygon) for polygon in reference["inputs"]["ignored"].values()]
    params = reference["params"]
    targets = dbnet_targets(
        polygons + ignored,
        [False] * len(polygons) + [True] * len(ignored),
        tuple(reference["inputs"]["canvas"]),
        shrink_ratio=params["shrink_ratio"],
        threshold_min=params["thr_min"],
        threshold_max=params["thr_max"],
        min_short_side_px=params["min_short_size"],
    )
    assert_equal_to_golden(targets, arrays, "gt_shrink", "gt_shrink_mask", "gt_thr_mask", "gt_thr")
    rows = targets["threshold_map"][::16]
    assert np.abs(rows - arrays["gt_thr_rows_f32"]).max() < 5e-4 * rows.std() + 1e-6


SINGLE = [
    "quad_axis",
    "quad_rot",
    "arc14_up",
    "arc14_down_rolled",
    "tiny_short_side",
    "border_right",
    "outside_left_top",
    "thin_long",
    "vertical_wave",
    "overlap_quad",
    "L_thin_vanish",
    "bottom_outside",
    "big_curve",
    "fractional",
    "quad_ccw",
    "square_small",
]


@pytest.mark.parametrize("name", SINGLE)
def test_one_polygon_gives_the_original_maps(name):
    reference, arrays = golden_files.load("E_db_targets_single")
    targets = dbnet_targets([np.array(reference["inputs"]["polys"][name])], [False], (640, 640))
    assert_equal_to_golden(
        targets, arrays, *(f"{name}__{key}" for key in ("shrink", "shrink_mask", "thr_mask", "thr"))
    )


@pytest.mark.parametrize("name", ["collinear", "dup_vertex", "self_cross"])
def test_degenerate_polygons_give_the_original_maps(name):
    reference, arrays = golden_files.load("E_db_targets_degenerate")
    targets = dbnet_targets([np.array(reference["polys"][name])], [False], (640, 640))
    keys = ("gt_shrink", "gt_shrink_mask", "gt_thr_mask", "gt_thr")
    assert_equal_to_golden(targets, arrays, *(f"{name}__{key}" for key in keys))


def test_no_text_gives_a_supervised_background_of_landscape_shape():
    targets = dbnet_targets([], [], (96, 160))
    assert set(targets) == KEYS
    for key, value in (
        ("probability_map", 0),
        ("probability_mask", 1),
        ("threshold_map", 0.3),
        ("threshold_mask", 0),
    ):
        assert targets[key].shape == (96, 160) and targets[key].dtype == np.float32
        np.testing.assert_allclose(targets[key], value)


def test_values_on_a_plain_word_follow_the_paper():
    targets = dbnet_targets([WORD], [False], (100, 180))
    # D = 4000 * (1 - 0.16) / 280 = 12: the kernel is x 52..128, y 42..58, the band is 12 px to both sides.
    table = [
        ((90, 50), 1, 1, 0.3),  # middle: in the kernel, too far from any edge for the band
        ((52, 42), 1, 1, 0.3),  # corner of the kernel
        ((51, 50), 0, 1, 0.3 + 0.4 * (1 - 11 / 12)),
        ((40, 50), 0, 1, 0.7),  # on the outline
        ((34, 50), 0, 1, 0.5),  # half the distance outside
        ((27, 50), 0, 0, 0.3),  # beyond the band
    ]
    for (x, y), kernel, band, threshold in table:
        assert targets["probability_map"][y, x] == kernel, (x, y)
        assert targets["threshold_mask"][y, x] == band, (x, y)
        assert targets["threshold_map"][y, x] == pytest.approx(threshold, abs=1e-5), (x, y)
    assert targets["probability_mask"].all()


def test_the_threshold_map_stays_in_its_range():
    targets = dbnet_targets(
        [WORD, WORD + 20], [False, False], (120, 180), threshold_min=0.2, threshold_max=0.9
    )
    assert targets["threshold_map"].min() == np.float32(0.2)
    assert targets["threshold_map"].max() == np.float32(0.9)


@pytest.mark.parametrize(
    ("polygon", "ignored", "reason"),
    [
        (WORD, True, "marked do-not-care"),
        (WORD * [1, 0.15], False, "lower than 8 px"),
        (np.array([[20, 20], [90, 20], [160, 20]]), False, "no area"),
    ],
)
def test_what_is_not_supervised_is_masked_and_has_no_band(polygon, ignored, reason):
    targets = dbnet_targets([polygon], [ignored], (100, 180))
    assert not targets["probability_map"].any(), reason
    assert not targets["threshold_mask"].any(), reason
    assert 0 < (targets["probability_mask"] == 0).sum() < 5000, reason


def test_a_text_whose_kernel_vanishes_is_not_supervised():
    thin = np.array([[40, 30], [140, 30], [140, 34], [40, 34]])  # D = 1.6 is rounded to 2, half its height
    targets = dbnet_targets([thin], [False], (100, 180), min_short_side_px=2)
    assert not targets["probability_map"].any() and not targets["threshold_mask"].any()
    assert (targets["probability_mask"] == 0).sum() == 101 * 5


def test_a_shifted_polygon_gives_shifted_maps():
    curved = np.array([[60, 60], [100, 40], [140, 60], [130, 90], [100, 72], [70, 90]], dtype=np.float32)
    near, far = (dbnet_targets([curved + shift], [False], (200, 320)) for shift in ((0, 0), (70, 50)))
    for key in KEYS:
        np.testing.assert_allclose(far[key][50:, 70:], near[key][:-50, :-70], atol=1e-6)


def test_the_order_of_corners_and_of_texts_does_not_matter():
    other = WORD + np.array([60, 25])
    expected = dbnet_targets([WORD, other], [False, False], (140, 220))
    for polygons in ([other, WORD], [WORD[::-1], np.roll(other, 2, axis=0)]):
        for key, value in dbnet_targets(polygons, [False, False], (140, 220)).items():
            np.testing.assert_allclose(value, expected[key], atol=1e-6)


def test_polygons_outside_the_map_change_nothing():
    empty = dbnet_targets([], [], (64, 96))
    for shift in ((-400, 0), (400, 0), (0, -400), (0, 400)):
        for key, value in dbnet_targets([WORD + shift], [False], (64, 96)).items():
            np.testing.assert_array_equal(value, empty[key])


def test_a_text_larger_than_the_map_fills_it():
    targets = dbnet_targets([WORD * 20 - [1800, 1000]], [False], (64, 96))
    assert targets["probability_map"].all()


def test_the_polygons_of_the_caller_stay_as_they_were():
    polygon = WORD.astype(np.float64) + 0.25
    before = polygon.copy()
    dbnet_targets([polygon], [False], (100, 180))
    np.testing.assert_array_equal(polygon, before)


def test_the_kernel_of_a_dumbbell_keeps_both_halves():
    dumbbell = np.array(
        [
            [0, 0],
            [60, 0],
            [60, 28],
            [100, 28],
            [100, 0],
            [160, 0],
            [160, 60],
            [100, 60],
            [100, 32],
            [60, 32],
            [60, 60],
            [0, 60],
        ]
    )
    kernel = dbnet_targets([dumbbell + 20], [False], (100, 200))["probability_map"]
    assert kernel[50, 50] == 1 and kernel[50, 150] == 1 and kernel[50, 100] == 0


@pytest.mark.parametrize(
    ("polygons", "ignore", "message"),
    [
        ([WORD], [], "one flag per polygon"),
        ([WORD[:2]], [False], r"shape \(P >= 3, 2\)"),
        ([WORD.reshape(-1)], [False], r"shape \(P >= 3, 2\)"),
        ([WORD * np.nan], [False], "finite"),
    ],
)
def test_wrong_input_is_named(polygons, ignore, message):
    with pytest.raises(ValueError, match=message):
        dbnet_targets(polygons, ignore, (100, 180))
