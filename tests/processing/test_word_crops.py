import math

import cv2
import numpy as np
import pytest

from tcm_hf.processing.polygon_growing import offset_polygon
from tcm_hf.processing.word_crops import WordCropping, rectify_word

SIZE_HW = (400, 640)
WORD_HW = (48, 200)


@pytest.fixture(scope="module")
def word():
    """A rendered word, soft enough to survive two interpolations."""
    image = np.full((*WORD_HW, 3), 230, dtype=np.uint8)
    cv2.putText(image, "Reading", (6, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (20, 40, 90), 3, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1.2)


def difference(crop, word):
    """Mean difference in grey levels, after stretching to the size of the word."""
    stretched = cv2.resize(crop, word.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.abs(stretched.astype(int) - word).mean()


def photo_of(word, u, v):
    """Paint a word into a photo whose pixel centres lie at (u, v) of the word, 0..1 inside."""
    index = [(places * side - 0.5).astype(np.float32) for places, side in ((u, WORD_HW[1]), (v, WORD_HW[0]))]
    photo = cv2.remap(word, *index, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    photo[(u < -0.3) | (u > 1.3) | (v < -0.3) | (v > 1.3)] = 0
    return photo


def pixel_centres():
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]] + 0.5
    return x, y


def flat_photo(word, quad):
    """A word in perspective, its corners at `quad`."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    back = cv2.getPerspectiveTransform(np.asarray(quad, dtype=np.float32), unit)
    x, y = pixel_centres()
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ back.T
    u, v = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    behind = points[..., 2] <= 0
    return photo_of(word, np.where(behind, -9, u), np.where(behind, -9, v))


def arc(points_each, start=-150, end=-30, radius=220, height=60, centre=(320, 330)):
    """The outline of a word on a circle: outer edge, then inner edge; angles in degrees, clockwise."""
    angles = np.radians(np.linspace(start, end, points_each))
    around = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    outer, inner = ((radius + half) * around + centre for half in (height / 2, -height / 2))
    return np.concatenate([outer, inner[::-1]])


def arc_photo(word, start=-150, end=-30, radius=220, height=60, centre=(320, 330)):
    x, y = pixel_centres()
    distance, angle = (
        np.hypot(x - centre[0], y - centre[1]),
        np.degrees(np.arctan2(y - centre[1], x - centre[0])),
    )
    return photo_of(word, (angle - start) / (end - start), (radius + height / 2 - distance) / height)


# --- quads


def test_an_upright_box_is_cut_out_pixel_by_pixel(word):
    photo = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    photo[101:149, 57:257] = word
    crop = rectify_word(photo, [[57, 101], [257, 101], [257, 149], [57, 149]])
    np.testing.assert_array_equal(crop, word)


def test_grey_images_work_too(word):
    crop = rectify_word(word[..., 0], [[0, 0], [200, 0], [200, 48], [0, 48]])
    np.testing.assert_array_equal(crop, word[..., 0])


@pytest.mark.parametrize(("turns", "start"), [(1, 1), (2, 2), (3, 3)])
def test_the_first_point_says_where_reading_starts(word, turns, start):
    """The same box, begun at another corner, is the word turned."""
    box = np.roll([[0, 0], [200, 0], [200, 48], [0, 48]], -start, axis=0)
    np.testing.assert_array_equal(rectify_word(word, box), np.rot90(word, turns))


@pytest.mark.parametrize(
    ("quad", "reason"),
    [
        ([[100, 80], [420, 80], [420, 157], [100, 157]], "larger"),
        ([[100.5, 80.3], [300.5, 80.3], [300.5, 128.3], [100.5, 128.3]], "between the pixels"),
        ([[100, 80], [420, 140], [400, 240], [120, 150]], "in perspective"),
        ([[500, 300], [180, 240], [190, 160], [520, 200]], "upside down"),
        ([[300, 60], [300, 340], [220, 340], [220, 60]], "downwards"),
        ([[200, 60], [440, 240], [400, 290], [160, 110]], "slanting"),
    ],
)
def test_a_warped_word_comes_out_as_it_was(word, quad, reason):
    crop = rectify_word(flat_photo(word, quad), np.array(quad))
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    assert crop.shape[:2] == (round((sides[1] + sides[3]) / 2), round((sides[0] + sides[2]) / 2))
    assert difference(crop, word) < 1.5, reason


def test_anticlockwise_points_do_not_mirror_the_word(word):
    crop = rectify_word(word, [[0, 0], [0, 48], [200, 48], [200, 0]])
    np.testing.assert_array_equal(crop, word)


@pytest.mark.parametrize("height_px", [24, 48, 96])
def test_the_height_can_be_chosen(word, height_px):
    photo = flat_photo(word, [[100, 80], [400, 80], [400, 152], [100, 152]])
    crop = rectify_word(photo, [[100, 80], [400, 80], [400, 152], [100, 152]], height_px=height_px)
    assert crop.shape == (height_px, round(300 * height_px / 72), 3)
    assert difference(cv2.resize(crop, (400, 96), interpolation=cv2.INTER_CUBIC), word) < 3


def test_shrinking_takes_means(word):
    """A fine pattern becomes grey, not a coarse pattern."""
    photo = np.indices((240, 480)).sum(axis=0) % 2 * 255
    box = [[0, 0], [480, 0], [480, 240], [0, 240]]
    crop = rectify_word(photo.astype(np.uint8), box, height_px=24)
    assert np.abs(crop.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("degrees", [0, 30])
def test_a_margin_shows_more_on_every_side(word, degrees):
    turn = cv2.getRotationMatrix2D((320, 200), -degrees, 1.0)
    inner, outer = (
        np.array([[220 - m, 176 - m], [420 + m, 176 - m], [420 + m, 224 + m], [220 - m, 224 + m]])
        @ turn[:, :2].T
        + turn[:, 2]
        for m in (0, 12)
    )
    photo = flat_photo(word, inner)
    grown = rectify_word(photo, inner, margin=0.25).astype(int)
    assert grown.shape[:2] == (72, 224)
    assert np.abs(grown - rectify_word(photo, outer)).max() <= 1
    assert rectify_word(photo, outer, margin=-12 / 72).shape[:2] == WORD_HW


def test_outside_of_the_image_its_border_is_repeated():
    photo = np.full((100, 160, 3), 50, dtype=np.uint8)
    photo[:, 150:] = 200
    crop = rectify_word(photo, [[140, -20], [200, -20], [200, 20], [140, 20]])
    assert crop.shape == (40, 60, 3)
    assert (crop[:, 15:] == 200).all() and (crop[:, :8] == 50).all()


# --- curved words


@pytest.mark.parametrize(("points_each", "tolerance"), [(4, 12), (5, 4), (7, 2), (12, 1.5)])
def test_a_curved_word_comes_out_straight(word, points_each, tolerance):
    crop = rectify_word(arc_photo(word), arc(points_each))
    assert difference(crop, word) < tolerance
    assert crop.shape[0] == pytest.approx(60, abs=1)
    assert crop.shape[1] == pytest.approx(220 * math.radians(120), rel=0.05)


def test_more_points_on_straight_edges_change_nothing(word):
    photo = flat_photo(word, [[100, 80], [400, 80], [400, 152], [100, 152]])
    edge = np.linspace(100, 400, 5)
    outline = [*[(x, 80) for x in edge], *[(x, 152) for x in edge[::-1]]]
    quad = rectify_word(photo, [[100, 80], [400, 80], [400, 152], [100, 152]]).astype(int)
    assert np.abs(rectify_word(photo, np.array(outline)) - quad).max() <= 1


def smile(word):
    """A word along the lower half of a circle, its letters upright."""
    return np.ascontiguousarray(arc_photo(word[::-1, ::-1])[::-1, ::-1])


def grown_outline(points, start=0):
    """As a detector finds it: many points, round corners, beginning anywhere."""
    (shrunk,) = offset_polygon(points, -12)
    (grown,) = offset_polygon(shrunk, 12)
    return np.roll(grown, start, axis=0)


@pytest.mark.parametrize("start", [0, 7, 50])
@pytest.mark.parametrize("direction", [1, -1])
def test_the_outline_that_a_detector_finds_is_straightened_too(word, start, direction):
    (crop,) = WordCropping().crop_words(arc_photo(word), [grown_outline(arc(40), start)[::direction]])
    assert difference(crop.image, word) < 10
    np.testing.assert_allclose(crop.corners_xy, arc(2), atol=12)


def test_a_smiling_word_is_read_towards_the_right(word):
    polygon = np.array(SIZE_HW[::-1]) - grown_outline(arc(40))
    (crop,) = WordCropping().crop_words(smile(word), [polygon])
    assert difference(crop.image, word) < 10


# --- crops for a recogniser


@pytest.mark.parametrize(
    ("size_wh", "short_side_px", "expected_hw", "reason"),
    [
        ((200, 48), None, (48, 200), "as in the photo"),
        ((200, 50), 64, (64, 256), "a long word by its height"),
        ((50, 200), 64, (256, 64), "a tall word by its width"),
        ((50, 50), 64, (64, 64), "a short word"),
        ((640, 1), 64, (64, 4096), "not longer than anything legible"),
        ((1, 400), 64, (4096, 10), "nor higher"),
    ],
)
def test_crops_have_the_letters_in_the_height_that_is_wanted(size_wh, short_side_px, expected_hw, reason):
    width, height = size_wh
    photo = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    (crop,) = WordCropping().crop_words(photo, [box], short_side_px=short_side_px)
    assert crop.image.shape[:2] == expected_hw, reason
    np.testing.assert_array_equal(crop.corners_xy, box)


def test_no_words_give_no_crops():
    photo = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    assert WordCropping().crop_words(photo, []) == []
    assert WordCropping().get_word_corners([]).shape == (0, 4, 2)


# --- degenerate polygons


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([], "area"),
        ([[5, 5]], "area"),
        ([[5, 5], [50, 5]], "area"),
        ([[5, 5], [50, 5], [95, 5]], "area"),
        ([[5, 5], [50, 5], [50, 5], [5, 5]], "area"),
        ([[5, 5], [50, 20], [50, 5], [5, 20]], "area"),
        ([[700, 5], [750, 5], [750, 20], [700, 20]], "outside"),
        ([[5, -50], [50, -50], [50, -20], [5, -20]], "outside"),
        ([[5, 5], [50, 5], [50, float("nan")], [5, 20]], "finite"),
    ],
)
def test_what_holds_no_word_is_an_error(polygon, message):
    with pytest.raises(ValueError, match=message):
        rectify_word(np.zeros((*SIZE_HW, 3), dtype=np.uint8), polygon)


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        ([[5, 5], [50, 5], [5, 20]], "three points"),
        ([[5, 5], [50, 5], [27, 6], [5, 20]], "a dent"),
        ([[5, 5], [50, 5], [50, 5.01], [5, 5.01]], "thinner than a pixel"),
        ([[5, 5], [5.2, 5], [5.2, 5.2], [5, 5.2]], "smaller than a pixel"),
        ([[5, 5], [60, 25], [50, 5], [5, 20]], "crossing itself"),
        ([[5, 5], [50, 5], [50, 20], [30, 20], [5, 20]], "five points"),
        ([[5, 5], [5, 5], [50, 5], [50, 20], [5, 20], [5, 5]], "points twice"),
        ([[-9000, 5], [9000, 5], [9000, 20], [-9000, 20]], "far beyond the image"),
    ],
)
def test_odd_polygons_give_a_crop(polygon, reason):
    photo = np.full((*SIZE_HW, 3), 77, dtype=np.uint8)
    for crop in (
        rectify_word(photo, polygon),
        rectify_word(photo, polygon, height_px=32, margin=0.2),
        WordCropping().crop_words(photo, [np.array(polygon)])[0].image,
    ):
        assert min(crop.shape[:2]) >= 1 and crop.shape[1] <= 64 * max(crop.shape[0], 1), reason
        assert (crop == 77).all(), reason


@pytest.mark.parametrize("wrong", [{"height_px": 0}, {"margin": -0.5}])
def test_a_size_without_pixels_is_an_error(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"`{name}`"):
        rectify_word(np.zeros((50, 80, 3), dtype=np.uint8), [[0, 0], [80, 0], [80, 50], [0, 50]], **wrong)
