"""Augmentation: polygons follow the pixels, chance comes from the generator, nothing is modified in place."""

import cv2
import numpy as np
import pytest

from tcm_hf.data.augmentation import (
    Compose,
    HorizontalFlip,
    IgnoreSmallText,
    Photometric,
    RandomWarpCrop,
    Sometimes,
    default_training_augmentation,
    keep_polygons_in_window,
    text_height_px,
    warp_image,
)
from tcm_hf.data.augmentation_photometric import (
    Blur,
    ColorJitter,
    Gamma,
    JpegCompression,
    LowResolution,
    MotionBlur,
    Noise,
)
from tcm_hf.processing.polygons import order_clockwise, rasterise_polygon, signed_area

WORD = np.array([[300, 200], [620, 240], [610, 330], [290, 290]], dtype=np.float32)
CURVED = np.array(
    [
        [250, 300],
        [330, 220],
        [470, 190],
        [610, 230],
        [680, 320],
        [620, 360],
        [560, 300],
        [460, 270],
        [360, 300],
        [300, 360],
    ],
    dtype=np.float32,
)
PIXEL_PARTS = [ColorJitter(), Gamma(), Blur(), MotionBlur(), LowResolution(), Noise(), JpegCompression()]


def painted(polygon: np.ndarray, size_hw=(540, 960)) -> np.ndarray:
    """A white polygon, with soft edges, on black."""
    inside = rasterise_polygon(polygon * 2, (size_hw[0] * 2, size_hw[1] * 2))
    small = cv2.resize(inside.astype(np.uint8) * 255, size_hw[::-1], interpolation=cv2.INTER_AREA)
    return cv2.merge([small] * 3)


def photo(size_hw=(180, 320), seed=0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def agreement(image: np.ndarray, polygon: np.ndarray) -> float:
    """IoU of the bright pixels and the polygon."""
    seen = image[:, :, 0] > 127
    expected = rasterise_polygon(polygon, seen.shape)
    return (seen & expected).sum() / (seen | expected).sum()


@pytest.mark.parametrize("polygon", [WORD, CURVED], ids=["word", "curved"])
@pytest.mark.parametrize("seed", range(12))
def test_polygons_follow_the_pixels_through_a_warp(polygon, seed):
    crop = RandomWarpCrop((320, 416), wide_angle_probability=0.5)
    image, polygons, _ = crop(painted(polygon), [polygon], [False], np.random.default_rng(seed))
    assert image.shape == (320, 416, 3)
    assert agreement(image, polygons[0]) >= 0.97


@pytest.mark.parametrize("zoom", [0.05, 0.2, 0.5, 0.76, 1.0, 1.7])
def test_a_warp_keeps_half_pixels_at_every_zoom(zoom):
    matrix = np.array([[zoom, 0, 3.5], [0, zoom, -1.25]])
    size_hw = (round(540 * zoom) + 8, round(960 * zoom) + 8)
    image = warp_image(painted(WORD), matrix, size_hw).astype(float)[:, :, 0]
    image -= image[0, -1]  # the mean colour that fills the outside and the edge pixels
    ys, xs = np.indices(image.shape) + 0.5
    expected = WORD.mean(axis=0) * zoom + (3.5, -1.25)
    inside = rasterise_polygon((WORD - WORD.mean(axis=0)) * 1.6 * zoom + expected, image.shape)
    weight = np.where(inside, image - image[inside].min(), 0)
    found = np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_a_warp_that_shrinks_does_not_alias():
    stripes = np.zeros((512, 768, 3), np.uint8)
    stripes[:, ::2] = 255
    small = warp_image(stripes, np.array([[0.25, 0, 0], [0, 0.25, 0]]), (128, 192))
    assert small[4:-4, 4:-4].std() < 3


def test_a_warp_without_change_returns_the_image():
    image = photo()
    np.testing.assert_array_equal(warp_image(image, np.eye(2, 3), (180, 320)), image)


def test_a_window_beside_the_image_shows_the_mean_colour():
    image = np.full((60, 90, 3), (10, 120, 230), np.uint8)
    for zoom in (0.3, 1.0):
        outside = warp_image(image, np.array([[zoom, 0, -500.0], [0, zoom, -500.0]]), (32, 64))
        np.testing.assert_array_equal(outside, np.broadcast_to(image[0, 0], (32, 64, 3)))


def test_a_crop_keeps_the_drawn_text_inside_the_window():
    texts = [WORD, WORD / 4, WORD[:, ::-1] / 3 + 300]
    crop = RandomWarpCrop((160, 320))
    for seed in range(60):
        _, polygons, ignore = crop(photo((540, 960)), texts, [False] * 3, np.random.default_rng(seed))
        whole = [len(polygon) == 4 and not ignored for polygon, ignored in zip(polygons, ignore, strict=True)]
        assert any(whole), seed


def test_a_crop_does_not_aim_at_ignored_text_and_works_without_any():
    crop = RandomWarpCrop((64, 96))
    for polygons, ignore in (([], []), ([WORD], [True])):
        image, kept, flags = crop(photo((540, 960)), polygons, ignore, np.random.default_rng(3))
        assert image.shape == (64, 96, 3)
        assert len(kept) == len(flags) and flags.all()


def test_a_crop_of_a_small_image_shows_it_whole():
    crop = RandomWarpCrop(
        (320, 320), scale=(0.5, 0.5), max_angle_deg=0, wide_angle_probability=0, max_stretch=1
    )
    image = np.full((100, 150, 3), 200, np.uint8)
    image[:50] = 0
    for seed in range(5):
        cropped, _, _ = crop(image, [], [], np.random.default_rng(seed))
        assert (cropped[:, :, 0] < 60).sum() == pytest.approx(25 * 75, rel=0.05)


TABLE = [
    ("inside", [[10, 10], [60, 10], [60, 30], [10, 30]], [False], "same"),
    ("touching the border", [[0, 0], [100, 0], [100, 50], [0, 50]], [False], "same"),
    ("a fifth cut off", [[60, 10], [110, 10], [110, 30], [60, 30]], [False], "clipped"),
    ("half cut off", [[60, 10], [140, 10], [140, 30], [60, 30]], [True], "clipped"),
    ("a sliver left", [[99.99, 10], [160, 10], [160, 30], [99.99, 30]], [], "dropped"),
    ("outside", [[120, 10], [160, 10], [160, 30], [120, 30]], [], "dropped"),
    ("above", [[20, -40], [60, -40], [60, -20], [20, -20]], [], "dropped"),
    ("around the window", [[-50, -50], [150, -50], [150, 100], [-50, 100]], [True], "clipped"),
    ("diagonal beside a corner", [[90, -40], [190, 60], [180, 70], [80, -30]], [], "dropped"),
    ("no area", [[-10, 10], [50, 10], [110, 10]], [], "dropped"),
]


@pytest.mark.parametrize(("reason", "polygon", "flags", "outcome"), TABLE, ids=[row[0] for row in TABLE])
def test_what_a_window_leaves_of_a_polygon(reason, polygon, flags, outcome):
    kept, ignore = keep_polygons_in_window([np.array(polygon, np.float32)], [False], (50, 100))
    assert ignore.dtype == bool and ignore.tolist() == flags
    for left in kept:
        assert left.dtype == np.float32
        assert (left >= 0).all() and (left <= [100, 50]).all()
        assert signed_area(left) > 0
        assert (outcome == "same") == np.array_equal(left, polygon)


def test_ignored_text_stays_ignored_when_clipped():
    _, ignore = keep_polygons_in_window([WORD, WORD], [True, False], (540, 600))
    assert ignore.tolist() == [True, False]


def test_a_flip_mirrors_pixels_and_polygons_and_renumbers_corners():
    image, polygons, _ = HorizontalFlip()(
        painted(CURVED), [CURVED, WORD], [False, False], np.random.default_rng(0)
    )
    assert agreement(image, polygons[0]) >= 0.99
    np.testing.assert_allclose(polygons[1], order_clockwise(polygons[1]))
    back = HorizontalFlip()(image, polygons, [False, False], np.random.default_rng(0))
    np.testing.assert_array_equal(back[0], painted(CURVED))
    for polygon, original in zip(back[1], [CURVED, WORD], strict=True):
        np.testing.assert_allclose(polygon, original)


@pytest.mark.parametrize(
    ("polygon", "height"),
    [
        ([[0, 0], [100, 0], [100, 20], [0, 20]], 20),
        ([[0, 0], [0, 100], [6, 100], [6, 0]], 6),
        ([[0, 0], [30, 0], [30, 30], [0, 30]], 30),
        ([[0, 0], [50, 0], [100, 0], [50, 0]], 0),
    ],
)
def test_text_height_is_the_short_side(polygon, height):
    assert text_height_px(np.array(polygon, dtype=float)) == pytest.approx(height, abs=0.01)


def test_the_height_of_curved_text_is_that_of_its_strip():
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    arc = np.column_stack([np.cos(angles), np.sin(angles)])
    assert text_height_px(np.concatenate([arc * 110, arc[::-1] * 90])) == pytest.approx(20, rel=0.01)


def test_small_text_is_marked_ignore_and_the_rest_untouched():
    low = np.array([[0, 0], [60, 0], [60, 5], [0, 5]], dtype=np.float32)
    _, polygons, ignore = IgnoreSmallText(7)(photo(), [low, low * 2], [False, True], np.random.default_rng(0))
    assert ignore.tolist() == [True, True]
    _, polygons, ignore = IgnoreSmallText(7)(
        photo(), [low, low * 2], [False, False], np.random.default_rng(0)
    )
    assert ignore.tolist() == [True, False]
    np.testing.assert_array_equal(polygons[0], low)


@pytest.mark.parametrize("part", PIXEL_PARTS, ids=lambda part: type(part).__name__)
def test_a_photometric_part_changes_pixels_only_and_leaves_its_input(part):
    image = photo()
    before = image.copy()
    changed, polygons, ignore = Photometric(part)(image, [WORD], [True], np.random.default_rng(1))
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert changed.flags.c_contiguous
    assert (changed != image).any()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(polygons[0], WORD)
    assert ignore.tolist() == [True]
    # The picture is still the same picture.
    assert np.corrcoef(changed.reshape(-1), image.reshape(-1))[0, 1] > 0.5


def test_colour_jitter_with_nothing_to_change_returns_the_image():
    image = photo()
    same = ColorJitter(brightness=0, contrast=0, saturation=0, hue_deg=0)(image, np.random.default_rng(0))
    assert np.abs(same.astype(int) - image).max() <= 1


def test_noise_has_the_drawn_strength():
    grey = np.full((200, 300, 3), 128, np.uint8)
    assert Noise((8, 8))(grey, np.random.default_rng(0)).std() == pytest.approx(8, rel=0.05)


def test_a_seed_gives_the_sample_back_and_another_does_not():
    augmentation = default_training_augmentation((96, 128))
    first, again, other = (
        augmentation(photo((540, 960)), [WORD, CURVED], [False, False], np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first[0], again[0])
    for one, two in zip(first[1], again[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != other[0]).any()


def test_the_default_augmentation_leaves_its_input_and_keeps_its_contract():
    augmentation = default_training_augmentation((96, 160))
    image, texts, ignore = photo((540, 960)), [WORD.copy(), CURVED.copy()], np.array([False, True])
    before = image.copy()
    for seed in range(20):
        changed, polygons, flags = augmentation(image, texts, ignore, np.random.default_rng(seed))
        assert changed.shape == (96, 160, 3) and changed.dtype == np.uint8
        assert flags.dtype == bool and len(flags) == len(polygons)
        for polygon in polygons:
            assert (polygon >= 0).all() and (polygon <= [160, 96]).all()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(texts[0], WORD)
    assert ignore.tolist() == [False, True]


def test_sometimes_means_sometimes():
    generator = np.random.default_rng(0)
    flip = Compose((Sometimes(HorizontalFlip(), 0.25),))
    image = photo()
    changed = [(flip(image, [], [], generator)[0] != image).any() for _ in range(200)]
    assert 0.15 < np.mean(changed) < 0.35


@pytest.mark.parametrize(
    ("image", "ignore", "message"),
    [
        (photo(), [], "one flag per polygon"),
        (photo()[:, :, 0], [False], "RGB of shape"),
        (photo().astype(np.float32), [False], "uint8"),
    ],
)
def test_wrong_input_is_named(image, ignore, message):
    with pytest.raises(ValueError, match=message):
        HorizontalFlip()(image, [WORD], ignore, np.random.default_rng(0))
