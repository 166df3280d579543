"""The papers' augmentation: polygons follow the pixels, no text is cut, chance comes from the generator."""

import cv2
import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from tcm_hf.data.augmentation_papers import MEAN_RGB, EastCrop, TorchvisionPixels, paper_augmentation
from tcm_hf.processing.polygons import polygon_area, rasterise_polygon, signed_area

WORD = np.array([[300, 200], [620, 240], [610, 330], [290, 290]], dtype=np.float32)
OTHER = np.array([[700, 60], [900, 60], [900, 110], [700, 110]], dtype=np.float32)
SIZE_HW = (320, 416)


def painted(*polygons: np.ndarray, size_hw=(540, 960)) -> np.ndarray:
    """White polygons, with soft edges, on black."""
    image = np.zeros(size_hw, np.uint8)
    for polygon in polygons:
        inside = rasterise_polygon(polygon * 2, (size_hw[0] * 2, size_hw[1] * 2)).astype(np.uint8) * 255
        image = np.maximum(image, cv2.resize(inside, size_hw[::-1], interpolation=cv2.INTER_AREA))
    return cv2.merge([image] * 3)


def middle_of_white(image: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of what is bright in and around a polygon."""
    middle = polygon.mean(axis=0)
    around = rasterise_polygon((polygon - middle) * 1.1 + middle, image.shape[:2])
    weight = np.where(around, image[..., 0].astype(float), 0)
    ys, xs = np.indices(weight.shape) + 0.5
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


def middle_of_polygon(polygon: np.ndarray) -> np.ndarray:
    moments = cv2.moments(polygon.reshape(-1, 1, 2).astype(np.float32))
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"]


def shape(polygon: np.ndarray) -> np.ndarray:
    """What turning and resizing leave of a quadrilateral: its sides in parts, the shortest first."""
    sides = np.sort(np.linalg.norm(np.diff(polygon, axis=0, append=polygon[:1]), axis=1))
    return sides / sides.sum()


@pytest.mark.parametrize("seed", range(12))
def test_polygons_follow_the_pixels_to_a_fifth_of_a_pixel(seed):
    crop = EastCrop(SIZE_HW, fill_rgb=(0.0, 0.0, 0.0))
    image, polygons, ignore = crop(painted(WORD), [WORD], [False], np.random.default_rng(seed))
    assert image.shape == (*SIZE_HW, 3)
    assert not ignore[0]
    seen = image[..., 0] > 127
    expected = rasterise_polygon(polygons[0], SIZE_HW)
    assert (seen & expected).sum() / (seen | expected).sum() > 0.95
    np.testing.assert_allclose(middle_of_white(image, polygons[0]), middle_of_polygon(polygons[0]), atol=0.2)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_mirrored_text_starts_at_its_upper_left_and_runs_clockwise(side):
    curved = np.array([[300, 200], [400, 180], [500, 200], [500, 260], [400, 240], [300, 260]], np.float32)
    crop = EastCrop((64 * side, 96), mirror_probability=1.0, max_angle_deg=0.0)
    _, (polygon,), _ = crop(painted(curved), [curved], [False], np.random.default_rng(side))
    assert signed_area(polygon) > 0
    assert polygon[0, 0] < polygon[1, 0] < polygon[2, 0]
    assert polygon[0, 1] < polygon[5, 1]


def test_no_text_is_cut_and_one_is_there():
    texts = [WORD, OTHER, WORD * 0.4 + (40, 380)]
    # Turned further, one would leave the frame.
    crop = EastCrop(SIZE_HW, max_angle_deg=5.0, fill_rgb=(0.0, 0.0, 0.0))
    counts = []
    for seed in range(60):
        image, polygons, ignore = crop(painted(*texts), texts, [False] * 3, np.random.default_rng(seed))
        counts.append(len(polygons))
        assert not ignore.any()
        assert all(min(abs(shape(p) - shape(text)).max() for text in texts) < 0.01 for p in polygons)
        # And nothing of a text is seen that has no polygon.
        expected = np.any([rasterise_polygon(polygon, SIZE_HW) for polygon in polygons], axis=0)
        seen = image[..., 0] > 200
        assert (seen & ~expected).sum() < 0.02 * expected.sum()
        assert image.shape == (*SIZE_HW, 3)
    assert set(counts) == {1, 2, 3}


def test_ignored_texts_neither_stop_a_cut_nor_count_as_text():
    covering = np.array([[0, 0], [960, 0], [960, 540], [0, 540]], np.float32)
    crop = EastCrop(SIZE_HW)
    seen_whole = 0
    for seed in range(20):
        _, polygons, ignore = crop(
            painted(WORD), [WORD, covering], [False, True], np.random.default_rng(seed)
        )
        assert list(ignore) == [False, True]
        seen_whole += polygon_area(polygons[0]) < 5000
    assert seen_whole < 15


@pytest.mark.parametrize("texts", [[], [WORD]], ids=["no text", "ignored text only"])
def test_a_photo_without_texts_comes_whole_and_is_filled_up_with_the_mean(texts):
    crop = EastCrop((200, 320), mirror_probability=0.0, max_angle_deg=0.0, scale=(1.0, 1.0))
    photo = np.full((540, 960, 3), 200, np.uint8)
    image, polygons, ignore = crop(photo, texts, [True] * len(texts), np.random.default_rng(0))
    assert (image[:180] == 200).all()
    assert (image[180:] == np.array(MEAN_RGB, np.uint8)).all()
    for polygon in polygons:
        np.testing.assert_allclose(polygon, WORD / 3, atol=1e-4)
    assert ignore.all()


def test_a_text_larger_than_the_photo_or_a_tiny_photo_breaks_nothing():
    beyond = np.array([[-50, -50], [1000, -50], [1000, 600], [-50, 600]], np.float32)
    image, _, _ = EastCrop(SIZE_HW)(painted(WORD), [beyond], [False], np.random.default_rng(1))
    assert image.shape == (*SIZE_HW, 3)
    dot = np.array([[1, 1], [3, 1], [3, 2], [1, 2]], np.float32)
    for seed in range(20):
        image, polygons, _ = EastCrop(SIZE_HW)(
            np.zeros((3, 5, 3), np.uint8), [dot], [False], np.random.default_rng(seed)
        )
        assert image.shape == (*SIZE_HW, 3)
        assert all(np.isfinite(polygon).all() for polygon in polygons)


def test_shrinking_first_loses_sharpness_and_no_size():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (160, 240, 3), np.uint8)
    options = {"mirror_probability": 0.0, "max_angle_deg": 0.0}
    word = np.array([[20, 20], [220, 20], [220, 140], [20, 140]], np.float32)
    samples = [
        EastCrop((160, 240), scale=(zoom, zoom), max_tries=0, **options)(
            photo, [word], [False], np.random.default_rng(0)
        )
        for zoom in (0.5, 1.0, 3.0)
    ]
    soft, same, large = (image.astype(float).std() for image, _, _ in samples)
    assert soft < 0.7 * same
    assert same == large
    for _, polygons, _ in samples:
        np.testing.assert_allclose(polygons[0], word, atol=1e-4)


def test_the_same_generator_gives_the_same_sample_and_nothing_else_is_touched():
    photo, before = painted(WORD, OTHER), torch.get_rng_state()
    photo.flags.writeable = False
    first, second, third = (
        paper_augmentation(SIZE_HW)(photo, [WORD, OTHER], [False, True], np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    assert (first[0] == second[0]).all()
    for one, other in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first[0] != third[0]).any()
    assert (torch.get_rng_state() == before).all()


def test_any_pixel_transform_of_torchvision_is_a_part():
    grey = TorchvisionPixels(v2.RandomGrayscale(p=1.0))(
        np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8), np.random.default_rng(0)
    )
    assert grey.shape == (20, 30, 3)
    assert (grey[..., 0] == grey[..., 1]).all()


@pytest.mark.skipif(not hasattr(tv_tensors, "KeyPoints"), reason="this torchvision has no KeyPoints")
def test_key_points_of_torchvision_are_mirrored_a_pixel_off():
    """Why the matrix is ours. If this fails, torchvision counts from edges now: its key points would do."""
    crop = EastCrop((540, 960), mirror_probability=1.0, max_angle_deg=0.0, max_tries=0)
    _, (ours,), _ = crop(painted(WORD), [WORD], [False], np.random.default_rng(0))
    points = tv_tensors.KeyPoints(torch.from_numpy(WORD), canvas_size=(540, 960))
    theirs = functional.horizontal_flip(points).numpy()
    np.testing.assert_allclose(np.sort(theirs[:, 0]), np.sort(ours[:, 0]) - 1, atol=1e-3)
