import numpy as np
import pytest

from tcm_hf.data.augmentation import RandomWarpCrop
from tcm_hf.data.augmentation_spotting import (
    SpottingAugmentation,
    default_spotting_augmentation,
    paint_out,
    share_inside,
)

SIZE_HW = (64, 96)


def quad(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


class Window(RandomWarpCrop):
    """Shows the photo from a corner on, at its own scale."""

    def draw_matrix(self, image_hw, polygons_xy, ignore, generator):
        return np.array([[1.0, 0, -20], [0, 1, -10]])


def photo():
    """Grey, with words whose ink is their number; landscape."""
    image = np.full((120, 200, 3), 100, np.uint8)
    boxes = {
        "whole": (30, 20, 80, 40),
        "cut": (90, 20, 140, 40),  # half of it beyond the right side of the window
        "outside": (150, 80, 190, 100),
        "###": (30, 50, 80, 70),
        "low": (30, 42, 80, 46),
    }
    for number, (x0, y0, x1, y1) in enumerate(boxes.values()):
        image[y0:y1, x0:x1] = 200 + 10 * number
    polygons = [quad(*box) for box in boxes.values()]
    texts = [None if text == "###" else text for text in boxes]
    return image, polygons, texts, [text == "###" for text in boxes]


def cropped():
    return SpottingAugmentation(Window(SIZE_HW))(*photo(), np.random.default_rng(0))


def test_a_word_keeps_its_text_its_place_and_where_reading_starts():
    polygons = photo()[1]
    sample = cropped()
    assert sample.image.shape == (*SIZE_HW, 3)
    assert sample.texts == ["whole", None, "low"]
    np.testing.assert_allclose(sample.polygons_xy[0], polygons[0] - [20, 10])
    assert sample.image[15, 35].tolist() == [200, 200, 200]


def test_a_word_that_is_cut_is_gone_from_the_picture():
    sample = cropped()
    assert "cut" not in sample.texts
    assert (sample.image[:, 68:] == 100).all()


def test_what_cannot_be_read_stays_and_is_ignored():
    sample = cropped()
    assert sample.ignore.tolist() == [False, True, True]
    assert (sample.image[42:58, 12:58] == 230).all()


def test_nothing_is_modified_in_place_and_a_seed_gives_the_sample_back():
    image, polygons, texts, ignore = photo()
    before = image.copy(), [polygon.copy() for polygon in polygons]
    augmentation = default_spotting_augmentation(SIZE_HW)
    one, other = (augmentation(image, polygons, texts, ignore, np.random.default_rng(7)) for _ in range(2))
    assert (image == before[0]).all()
    assert all((a == b).all() for a, b in zip(polygons, before[1], strict=True))
    assert (one.image == other.image).all()
    assert one.texts == other.texts


def test_words_are_never_mirrored():
    augmentation = default_spotting_augmentation(SIZE_HW)
    count = 0
    for seed in range(40):
        sample = augmentation(*photo(), np.random.default_rng(seed))
        count += len(sample.polygons_xy)
        for polygon in sample.polygons_xy:
            (ax, ay), (bx, by) = polygon[1] - polygon[0], polygon[3] - polygon[0]
            assert ax * by - ay * bx > 0
    assert count >= 40


def test_a_photo_without_words_is_a_sample_too():
    image = photo()[0]
    sample = default_spotting_augmentation(SIZE_HW)(image, [], [], [], np.random.default_rng(0))
    assert (sample.image.shape, sample.polygons_xy, sample.texts) == ((*SIZE_HW, 3), [], [])
    assert sample.ignore.shape == (0,)


@pytest.mark.parametrize(
    ("polygon", "share"),
    [
        pytest.param(quad(0, 0, 96, 64), 1.0, id="all of the image"),
        pytest.param(quad(86, 10, 106, 20), 0.5, id="half beyond the right side"),
        pytest.param(quad(-10, -5, 10, 5), 0.25, id="a corner"),
        pytest.param(quad(96, 0, 100, 10), 0.0, id="beside the image"),
        pytest.param(quad(-5, 8, 5, 8), 0.0, id="no area"),
    ],
)
def test_the_share_of_a_word_in_the_image_is_measured_by_area(polygon, share):
    assert share_inside(polygon, SIZE_HW) == pytest.approx(share)


def test_painting_out_takes_the_colour_around_and_leaves_the_picture_that_came():
    image = np.full((*SIZE_HW, 3), 50, np.uint8)
    image[20:30, 40:60] = 255
    painted = paint_out(image, [quad(36, 16, 64, 34)])
    assert (painted == 50).all()
    assert (image[20:30, 40:60] == 255).all()
