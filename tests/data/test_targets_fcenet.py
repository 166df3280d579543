"""FCENet target maps: golden cases of the original program, round trips, value tables."""

import numpy as np
import pytest
import shapely

import golden_files
from tcm_hf.data.targets_fcenet import fcenet_targets, fourier_signature
from tcm_hf.processing.decode_fcenet import decode_fcenet

WORD = np.array([[40, 24], [136, 24], [136, 72], [40, 72]], dtype=np.float32)
KEYS = ["contour_maps_8", "contour_maps_16", "contour_maps_32", "matching_target", "matching_mask"]


def polygons_of(reference: dict, kind: str) -> list[np.ndarray]:
    return [np.array(polygon) for polygon in reference["inputs"][kind].values()]


def contour_of(coefficients: np.ndarray, points: int = 200) -> np.ndarray:
    """The curve of (2K + 1, 2) coefficients, as the paper's eq. 2 sums it."""
    degree = len(coefficients) // 2
    t = np.arange(points) / points
    waves = np.exp(2j * np.pi * np.outer(t, np.arange(-degree, degree + 1)))
    curve = waves @ (coefficients[:, 0] + 1j * coefficients[:, 1])
    return np.stack([curve.real, curve.imag], axis=1)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    first, second = (shapely.Polygon(points).buffer(0) for points in (first, second))
    return first.intersection(second).area / first.union(second).area


def test_the_signatures_of_sixteen_polygons_are_the_original_ones():
    reference, arrays = golden_files.load("E_fce_signature")
    for name, polygon in reference["inputs"]["polys"].items():
        # Stable order of ties: the arrays of numpy 1.26, on every numpy.
        np.testing.assert_allclose(fourier_signature(np.array(polygon)), arrays[name], atol=1e-9)


def test_sixteen_polygons_give_the_original_maps():
    reference, arrays = golden_files.load("E_fce_targets_ic15")
    params = reference["params"]
    texts, ignored = polygons_of(reference, "polys"), polygons_of(reference, "ignored")
    targets = fcenet_targets(
        texts + ignored,
        [False] * len(texts) + [True] * len(ignored),
        tuple(reference["inputs"]["canvas"]),
        fourier_degree=params["fourier_degree"],
        center_shrink_ratio=params["center_region_shrink_ratio"],
        center_step_px=params["resample_step"],
        level_ranges=params["level_proportion_range"],
    )
    for stride, key in ((8, "p3_maps"), (16, "p4_maps"), (32, "p5_maps")):
        ours, golden = targets[f"contour_maps_{stride}"], arrays[key]
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours[:3], golden[:3], err_msg=key)
        np.testing.assert_allclose(ours[3:], golden[3:], atol=1e-5, err_msg=key)
    np.testing.assert_array_equal(targets["matching_target"], arrays["matching_maps"][0])
    np.testing.assert_array_equal(targets["matching_mask"], arrays["matching_maps"][2])


@pytest.mark.parametrize(("degree", "least"), [(5, 0.9), (8, 0.93)])
def test_every_cell_of_a_text_leads_back_to_its_polygon(degree, least):
    reference, _ = golden_files.load("E_fce_targets_ic15")
    for polygon in polygons_of(reference, "polys"):
        if shapely.Polygon(polygon).area / shapely.Polygon(polygon).length < 5:
            continue  # thin and long: so few coefficients round its ends off
        targets = fcenet_targets(
            [polygon], [False], (640, 704), fourier_degree=degree, level_ranges=[(0, 1)] * 3
        )
        for stride in (8, 16, 32):
            maps = targets[f"contour_maps_{stride}"]
            for y, x in np.argwhere(maps[0])[::7]:
                coefficients = maps[3:, y, x].reshape(2, -1).T.copy()
                coefficients[degree] += (x, y)
                assert iou(contour_of(coefficients) * stride, polygon) > least


def test_decoding_the_targets_gives_the_polygons_back_once_each():
    angles = np.concatenate([np.linspace(np.pi, 2 * np.pi, 7), np.linspace(2 * np.pi, np.pi, 7)])
    radii = np.repeat([110, 70], 7)
    arc = np.stack([150 + radii * np.cos(angles), 300 + radii * np.sin(angles)], axis=1)
    texts = [
        np.array([[20, 20], [116, 20], [116, 60], [20, 60.0]]),
        np.array([[160, 40], [420, 90], [408, 160], [148, 110.0]]),
        np.array([[300, 220], [620, 220], [620, 330], [300, 330.0]]),
        np.array([[10, 350], [30, 350], [30, 380], [10, 380.0]]),
        arc,
    ]
    targets = fcenet_targets(texts, [False] * len(texts), (384, 640))
    maps = [targets[f"contour_maps_{stride}"] for stride in (8, 16, 32)]
    logits = [[np.stack([-20 * level[i] + 10, 20 * level[i] - 10]) for level in maps] for i in (0, 1)]
    polygons, scores = decode_fcenet(*logits, [level[3:] for level in maps], polygon_mode="polygon")
    assert len(polygons) == len(texts) and (scores > 0.99).all()
    for text in texts:
        assert max(iou(polygon, text) for polygon in polygons) > 0.88


@pytest.mark.parametrize("points", [3, 4, 5, 7, 14, 300, 2000])
def test_a_signature_follows_outlines_of_any_number_of_points(points):
    angles = np.arange(points) / points * 2 * np.pi
    polygon = np.stack([300 + 200 * np.cos(angles), 90 + 50 * np.sin(angles)], axis=1)
    assert iou(contour_of(fourier_signature(polygon)), polygon) > 0.91


def test_a_signature_runs_clockwise_from_the_top_whatever_the_order_of_points():
    table = [WORD, WORD[::-1], np.roll(WORD, 3, axis=0)]
    signatures = [fourier_signature(polygon) for polygon in table]
    for signature in signatures:
        contour = contour_of(signature)
        assert shapely.is_ccw(shapely.LinearRing(contour))  # seen with y up: clockwise on the screen
        assert contour[0] == pytest.approx([88, 24], abs=4)
        np.testing.assert_allclose(signature, signatures[0], atol=0.7)
    np.testing.assert_allclose(fourier_signature(WORD / 8), signatures[0] / 8, atol=1e-12)


def test_no_text_gives_a_supervised_background_of_landscape_shape():
    targets = fcenet_targets([], [], (96, 160))
    assert list(targets) == KEYS
    assert targets["contour_maps_8"].shape == (25, 12, 20)
    assert targets["contour_maps_32"].shape == (25, 3, 5)
    assert targets["matching_target"].shape == targets["matching_mask"].shape == (3, 5)
    for stride in (8, 16, 32):
        maps = targets[f"contour_maps_{stride}"]
        assert maps[2].all() and not maps[:2].any() and not maps[3:].any()
    assert targets["matching_mask"].all() and not targets["matching_target"].any()


def test_the_last_cells_of_an_image_that_strides_do_not_divide_count_like_others():
    """48 x 80 are 3 x 5 patches of a vision transformer, whose maps are rounded up."""
    word = np.array([[50, 34], [78, 34], [78, 47], [50, 47]])
    targets = fcenet_targets([word], [False], (48, 80), level_ranges=[(0, 1)] * 3)
    whole = fcenet_targets([word], [False], (64, 96), level_ranges=[(0, 1)] * 3)
    sizes = {"contour_maps_8": (6, 10), "contour_maps_16": (3, 5), "contour_maps_32": (2, 3)}
    for name, value in targets.items():
        rows, columns = sizes.get(name, (2, 3))
        assert value.shape[-2:] == (rows, columns), name
        np.testing.assert_array_equal(value, whole[name][..., :rows, :columns], err_msg=name)
    assert targets["contour_maps_32"][0, -1, -1] == targets["matching_target"][-1, -1] == 1


def test_values_on_a_plain_word():
    maps = fcenet_targets([WORD], [False], (256, 512))["contour_maps_8"]
    # Columns 5..17, rows 3..9, outline included; the band of 0.3 reaches from row 5.1 to row 6.9.
    assert maps[0].sum() == 13 * 7 and maps[0, 3:10, 5:18].all()
    assert maps[1].sum() == 13 * 2 and maps[1, 5:7, 5:18].all()
    centre_x, centre_y = maps[3 + 5], maps[3 + 11 + 5]
    assert centre_x[6, 11] == pytest.approx(0, abs=0.2) and centre_y[6, 11] == pytest.approx(0, abs=0.2)
    np.testing.assert_allclose(centre_x[6, 5] - centre_x[6, 17], 12)
    np.testing.assert_allclose(centre_y[3, 5] - centre_y[9, 5], 6)
    assert len(np.unique(maps[3 + 6][maps[0] > 0])) == 1  # c_1 is the same in every cell


@pytest.mark.parametrize(
    ("width", "levels", "reason"),
    [
        (40, [8], "small"),
        (180, [8, 16], "two ranges overlap at 0.35"),
        (256, [16], "half the image"),
        (330, [16, 32], "two ranges overlap at 0.65"),
        (500, [32], "nearly the image"),
        (900, [32], "larger than the image: upstream leaves it out"),
    ],
)
def test_the_size_of_a_text_decides_its_levels(width, levels, reason):
    text = np.array([[8, 40], [8 + width, 40], [8 + width, 80], [8, 80]])
    targets = fcenet_targets([text], [False], (256, 512))
    found = [stride for stride in (8, 16, 32) if targets[f"contour_maps_{stride}"][0].any()]
    assert found == levels, reason
    assert targets["matching_target"].any(), reason
    masked = fcenet_targets([text], [True], (256, 512))
    found = [stride for stride in (8, 16, 32) if not masked[f"contour_maps_{stride}"][2].all()]
    assert found == levels, reason


@pytest.mark.parametrize(
    ("polygon", "ignored", "reason"),
    [
        (WORD, True, "marked do-not-care"),
        (np.array([[20, 20], [90, 20], [160, 20]]), False, "no area"),
        (np.array([[50, 50]] * 4), False, "one point four times"),
        (np.array([[40, 40], [80, 80], [80, 40], [40, 80]]), False, "a bow tie has no area"),
    ],
)
def test_what_is_not_supervised_is_masked(polygon, ignored, reason):
    targets = fcenet_targets([polygon], [ignored], (128, 192), level_ranges=[(0, 1)] * 3)
    for stride in (8, 16, 32):
        maps = targets[f"contour_maps_{stride}"]
        assert not maps[:2].any() and not maps[3:].any(), reason
        assert 0 < (maps[2] == 0).sum() < maps[2].size, reason
    assert not targets["matching_target"].any() and not targets["matching_mask"].all(), reason


@pytest.mark.parametrize(
    "polygon",
    [
        np.array([[40, 30], [140, 30], [90, 80]]),  # three points
        np.array(
            [[40, 30], [40, 30], [140, 30], [140, 30], [140, 70], [40, 70], [40, 30]]
        ),  # repeated points
        np.array([[40, 30], [140, 30], [140, 70], [90, 20], [40, 70]]),  # crosses itself
        np.array([[-900, 30], [-800, 30], [-800, 70], [-900, 70]]),  # outside the image
        np.array([[40.2, 30.1], [42.3, 30.1], [42.3, 31.4], [40.2, 31.4]]),  # smaller than a cell
    ],
)
def test_odd_polygons_give_finite_maps(polygon):
    for value in fcenet_targets([polygon], [False], (128, 192)).values():
        assert np.isfinite(value).all()


def test_repeated_points_change_nothing():
    doubled = np.repeat(WORD, 2, axis=0)
    for key, expected in fcenet_targets([WORD], [False], (128, 192)).items():
        np.testing.assert_allclose(fcenet_targets([doubled], [False], (128, 192))[key], expected, atol=1e-5)


def test_the_later_of_two_overlapping_texts_has_the_cell():
    first, second = WORD, WORD + np.array([32, 16])
    maps = fcenet_targets([first, second], [False, False], (128, 192), level_ranges=[(0, 1)] * 3)
    alone = fcenet_targets([second], [False], (128, 192), level_ranges=[(0, 1)] * 3)
    inside = alone["contour_maps_8"][0] > 0
    np.testing.assert_array_equal(maps["contour_maps_8"][3:, inside], alone["contour_maps_8"][3:, inside])


def test_polygons_of_the_caller_stay_as_they_were():
    polygons = [WORD.copy(), np.roll(WORD + 30, 1, axis=0)]
    before = [polygon.copy() for polygon in polygons]
    fcenet_targets(polygons, [False, True], (128, 192))
    for polygon, copy in zip(polygons, before, strict=True):
        np.testing.assert_array_equal(polygon, copy)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([WORD], [], (128, 192)), {}, "one flag per polygon"),
        (([WORD * np.nan], [False], (128, 192)), {}, "finite"),
        (([WORD], [False], (0, 192)), {}, r"size_hw.*positive.*\(0, 192\)"),
        (([WORD], [False], (128, 192)), {"level_ranges": [(0, 1)]}, "level_ranges"),
        (([WORD], [False], (128, 192)), {"fourier_degree": 0}, "fourier_degree"),
    ],
)
def test_wrong_input_is_refused_in_words(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        fcenet_targets(*arguments, **options)
