"""Decoding of FCENet maps: golden numbers of the original, round trips, degenerate maps."""

import time

import numpy as np
import pytest

from golden_files import load
from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.processing.decode_fcenet import STRIDES, decode_fcenet
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tcm_hf.processing.polygons import order_clockwise, polygon_area


def golden_maps():
    _, arrays = load("F_fce_post")
    classes = [arrays[f"cls{i}_i8"].astype(np.float32) / 16 for i in range(3)]
    contours = [arrays[f"reg{i}_i16"].astype(np.float32) / 64 for i in range(3)]
    return [x[:2] for x in classes], [x[2:] for x in classes], contours


def farthest_px(found, expected):
    """Largest difference of coordinates, whichever point comes first and whichever way the outline runs."""
    ways = (
        np.roll(way, shift, axis=0) for way in (expected, expected[::-1]) for shift in range(len(expected))
    )
    return min(np.abs(found - way).max() for way in ways)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            (name, part)
            for name in ("ic15_quad", "poly_default")
            for part in ("", ".level0", ".level1", ".level2")
        ),
        ("ic15_quad", "_rescaled"),
    ],
)
def test_decoding_finds_the_polygons_of_the_original(name, part):
    reference, arrays = load("F_fce_post")
    config, levels = reference["configs"][name]["cfg"], slice(None)
    if part.startswith(".level"):
        levels = slice(int(part[-1]), int(part[-1]) + 1)
    polygons, scores = decode_fcenet(
        *(maps[levels] for maps in golden_maps()),
        strides=STRIDES[levels],
        score_threshold=config["score_thr"],
        region_exponent=config["alpha"],
        center_exponent=config["beta"],
        num_contour_points=config["num_reconstr_points"],
        polygon_mode="polygon",  # what the original gives in either mode
    )
    expected = np.split(arrays[f"{name}{part}.xy"], np.cumsum(arrays[f"{name}{part}.len"])[:-1])
    expected_scores = arrays[f"{name}{part}.score"]
    order = np.argsort(-expected_scores)
    np.testing.assert_allclose(scores, expected_scores[order], atol=1e-6)
    scale_xy = (1 / 0.8, 1 / 0.75) if part == "_rescaled" else (1.0, 1.0)
    for polygon, index in zip(polygons, order, strict=True):
        # The original cuts down to whole pixels, then scales.
        assert farthest_px(polygon, expected[index] / scale_xy) <= 1 + 1e-4


def tilted(center, width, height, degrees):
    angle = np.deg2rad(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    return np.array([center + a * width / 2 * along + b * height / 2 * across
                     for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])  # fmt: skip


def curved(center, radius, height, degrees=120):
    angles = np.deg2rad(np.linspace(-90 - degrees / 2, -90 + degrees / 2, 12))
    arc = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([center + (radius + height) * arc, (center + radius * arc)[::-1]])


def ideal_maps(polygons, size_hw, noise=0.0):
    """What a perfect network says, or one whose coefficients are off by `noise` cells."""
    rng, levels = np.random.default_rng(0), ([], [], [])
    targets = fcenet_targets(polygons, [False] * len(polygons), size_hw)
    for stride in STRIDES:
        maps = targets[f"contour_maps_{stride}"]
        for found, plane in zip(levels, maps[:2], strict=False):
            found.append(np.stack([4 - 8 * plane, 8 * plane - 4]))
        levels[2].append(maps[3:] + noise * rng.standard_normal(maps[3:].shape))
    return levels


@pytest.mark.parametrize(
    ("polygon", "least_iou"),
    [
        (curved((320, 280), 160, 60), 0.8),
        (curved((300, 250), 120, 40, 150)[:, ::-1], 0.8),
        (curved((150, 140), 60, 30, 90), 0.8),
        (tilted((300, 150), 200, 60, 0), 0.85),
        (tilted((300, 150), 240, 60, 25), 0.85),
        (tilted((100, 150), 60, 260, 0), 0.85),
        (tilted((320, 160), 580, 90, -8), 0.8),
    ],
)
def test_targets_decode_to_the_text_they_were_made_of(polygon, least_iou):
    (found,), (score,) = decode_fcenet(*ideal_maps([polygon], (320, 640)), polygon_mode="polygon")
    assert len(found) == 50
    assert polygon_iou(found, polygon) >= least_iou
    assert score == pytest.approx(0.9997, abs=1e-3)
    np.testing.assert_array_equal(found, order_clockwise(found))


def test_quads_are_rectangles_around_the_contours():
    word = tilted((300, 150), 240, 60, 25)
    (quad,), _ = decode_fcenet(*ideal_maps([word], (320, 640)))
    assert quad.shape == (4, 2) and quad.dtype == np.float32
    assert polygon_iou(quad, word) > 0.8
    sides = quad - np.roll(quad, 1, axis=0)
    np.testing.assert_allclose((sides * np.roll(sides, 1, axis=0)).sum(axis=1), 0, atol=1)


def test_words_of_all_levels_come_out_once_each():
    words = [
        tilted((80, 40), 90, 30, 0),
        tilted((560, 40), 90, 30, 10),
        tilted((320, 110), 250, 50, 0),  # on two levels
        tilted((320, 230), 600, 80, 0),
    ]
    polygons, scores = decode_fcenet(*ideal_maps(words, (320, 640)), polygon_mode="polygon")
    assert len(polygons) == 4
    for word in words:
        assert max(polygon_iou(word, polygon) for polygon in polygons) > 0.8
    assert (np.diff(scores) <= 0).all()


def circle_maps(radius_px, cell_xy=(12, 5), size_hw=(20, 40), stride=8):
    """One cell of one level that knows a circle around its corner."""
    region = np.stack([np.full(size_hw, 5.0), np.full(size_hw, -5.0)])
    x, y = cell_xy
    region[:, y, x] = -5, 5
    coefficients = np.zeros((22, *size_hw))
    coefficients[6] = radius_px / stride  # c_1
    return [region], [region.copy()], [coefficients]


def test_a_circle_is_found_where_its_cell_is():
    (found,), _ = decode_fcenet(*circle_maps(30), strides=[8], polygon_mode="polygon", num_contour_points=64)
    np.testing.assert_allclose(np.hypot(*(found - (96, 40)).T), 30, rtol=1e-5)
    (quad,), _ = decode_fcenet(*circle_maps(30), strides=[8], num_contour_points=64)
    np.testing.assert_allclose(quad.mean(axis=0), (96, 40), atol=0.1)
    assert polygon_area(quad) == pytest.approx(60 * 60, rel=1e-2)


def test_an_outline_keeps_fractions_and_may_leave_the_image():
    (found,), _ = decode_fcenet(*circle_maps(70.3), strides=[8], polygon_mode="polygon")
    assert found[:, 1].min() == pytest.approx(40 - 70.3, abs=0.2)
    assert not np.allclose(found, np.rint(found))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_maps_that_are_not_numbers_give_no_polygon_that_is_none(which, value):
    maps = circle_maps(30)
    maps[which][0][..., 5, 12] = value
    polygons, scores = decode_fcenet(*maps, strides=[8])
    assert len(polygons) == len(scores)
    assert all(np.isfinite(polygon).all() and np.abs(polygon).max() < 1e4 for polygon in polygons)
    if which == 2:
        assert polygons == []


def test_a_contour_without_area_is_no_text():
    assert decode_fcenet(*circle_maps(0), strides=[8])[0] == []


def test_the_score_is_a_product_of_powers_and_must_exceed_the_threshold():
    maps = circle_maps(30)
    maps[0][0][:, 5, 12] = 0, np.log(0.9 / 0.1)
    maps[1][0][:, 5, 12] = 0, np.log(0.8 / 0.2)
    options = {"strides": [8], "region_exponent": 2.0, "center_exponent": 3.0}
    _, (score,) = decode_fcenet(*maps, **options)
    assert score == pytest.approx(0.9**2 * 0.8**3, rel=1e-5)
    assert decode_fcenet(*maps, score_threshold=0.9**2 * 0.8**3 + 1e-9, **options)[0] == []


def level_maps(scale=0.3, positive=True, size_hw=(736, 1280)):
    rng, sizes = (
        np.random.default_rng(0),
        [(size_hw[0] // stride, size_hw[1] // stride) for stride in STRIDES],
    )
    logit = 8.0 if positive else -8.0
    regions = [np.stack([np.zeros(size), rng.standard_normal(size) + logit]) for size in sizes]
    orders = 1 + np.abs(np.tile(np.arange(-5, 6), 2))[:, None, None]
    return regions, regions, [scale * rng.standard_normal((22, *size)) / orders for size in sizes]


def test_no_text_gives_nothing():
    polygons, scores = decode_fcenet(*level_maps(positive=False))
    assert polygons == [] and scores.shape == (0,) and scores.dtype == np.float32


@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
def test_text_everywhere_takes_bounded_time(scale):
    maps = level_maps(scale)
    decode_fcenet(*(part[2:] for part in maps), strides=STRIDES[2:])  # what is made once
    start = time.process_time()
    polygons, _ = decode_fcenet(*maps)
    assert time.process_time() - start < 1
    assert 0 < len(polygons) <= 900


def test_too_many_candidates_cost_no_text():
    words = [tilted((80 + 160 * i, 60), 130, 50, 0) for i in range(4)]
    maps = ideal_maps([*words, tilted((320, 220), 600, 160, 0)], (320, 640))
    for region in maps[0]:
        region[1, 3:, 30:] -= 0.5  # the words to the right are less sure than the others
    assert len(decode_fcenet(*maps)[0]) == len(decode_fcenet(*maps, max_candidates=6)[0]) == 5


def test_noisy_coefficients_of_neighbours_make_one_text():
    words = [curved((150, 140), 60, 30, 90), tilted((480, 60), 200, 50, 10), tilted((420, 200), 260, 60, -5)]
    polygons, _ = decode_fcenet(*ideal_maps(words, (320, 640), noise=0.1), polygon_mode="polygon")
    assert len(polygons) == 3
    for word in words:
        assert max(polygon_iou(word, polygon) for polygon in polygons) > 0.75
    assert all(polygon_area(polygon) > 100 for polygon in polygons)


def test_wrong_arguments_are_told():
    regions, centers, contours = circle_maps(30)
    with pytest.raises(ValueError, match="polygon_mode"):
        decode_fcenet(regions, centers, contours, strides=[8], polygon_mode="poly")
    for name, value in (
        ("score_threshold", -1),
        ("nms_threshold", 1.1),
        ("region_exponent", -0.5),
        ("center_exponent", float("nan")),
        ("num_contour_points", 2),
        ("num_contour_points", 3.5),
    ):
        with pytest.raises(ValueError, match=rf"`{name}` must be .*: got .*Change"):
            decode_fcenet(regions, centers, contours, strides=[8], **{name: value})
    with pytest.raises(ValueError, match="one entry a level"):
        decode_fcenet(regions, centers, contours)
    with pytest.raises(ValueError, match="image by image"):
        decode_fcenet([regions[0][None]], [centers[0][None]], [contours[0][None]], strides=[8])
    with pytest.raises(ValueError, match="2K"):
        decode_fcenet(regions, centers, [contours[0][:20]], strides=[8])


def test_the_maps_are_not_changed():
    maps = ideal_maps([tilted((300, 150), 240, 60, 25)], (320, 640))
    before = [[level.copy() for level in part] for part in maps]
    decode_fcenet(*maps)
    for part, part_before in zip(maps, before, strict=True):
        for level, level_before in zip(part, part_before, strict=True):
            np.testing.assert_array_equal(level, level_before)
