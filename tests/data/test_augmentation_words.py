import numpy as np
import pytest

from tcm_hf.data.augmentation_words import (
    MAX_SIZE_HW,
    Invert,
    WordAugmentation,
    WordWarp,
    default_word_augmentation,
    light_word_augmentation,
)


def word_like(height: int, width: int) -> np.ndarray:
    """Dark strokes on a light ground, landscape."""
    image = np.full((height, width, 3), (230, 220, 200), np.uint8)
    image[height // 4 : -height // 4, width // 8 : -width // 8 : 3] = (20, 30, 60)
    return image


@pytest.mark.parametrize("make", [light_word_augmentation, default_word_augmentation])
@pytest.mark.parametrize("size_hw", [(1, 1), (2, 90), (31, 100), (64, 256), (300, 900), (200, 12)])
def test_every_crop_stays_a_picture_of_at_most_the_working_size(make, size_hw):
    augmentation, image = make(), word_like(*size_hw)
    for seed in range(20):
        result = augmentation(image, np.random.default_rng(seed))
        assert result.dtype == np.uint8
        assert result.shape == (
            *(min(side, most) for side, most in zip(size_hw, MAX_SIZE_HW, strict=True)),
            3,
        )


@pytest.mark.parametrize("make", [light_word_augmentation, default_word_augmentation])
def test_a_seed_decides_the_result_and_the_original_stays(make):
    image = word_like(40, 120)
    before = image.copy()
    first, again, other = (make()(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(image, before)


def test_without_any_play_the_warp_changes_nothing():
    image = word_like(40, 120)
    still = WordWarp(margin=0, rotation_deg=0, shear=0, perspective=0)
    assert np.array_equal(still(image, np.random.default_rng(0)), image)


def test_a_warp_keeps_the_middle_of_a_word_in_its_middle():
    image = np.zeros((40, 160, 3), np.uint8)
    image[18:22, 78:82] = 255
    for seed in range(30):
        warped = default_word_augmentation().warp(image, np.random.default_rng(seed))[..., 0]
        rows, columns = np.nonzero(warped > 40)
        assert abs(rows.mean() - 19.5) < 8
        assert abs(columns.mean() - 79.5) < 16


def test_parts_apply_with_their_probability():
    still = WordWarp(margin=0, rotation_deg=0, shear=0, perspective=0)
    image = word_like(20, 60)
    sometimes = WordAugmentation(still, ((0.3, Invert()),))
    changed = [
        not np.array_equal(sometimes(image, np.random.default_rng(seed)), image) for seed in range(300)
    ]
    assert 0.2 < np.mean(changed) < 0.4
