import numpy as np
import pytest

from tcm_hf.data.word_pages import WordPage, default_word_page

SIZE_HW = (160, 224)


def words(count, size_hw=(20, 60)):
    """Word pictures that are grey of different brightness, and their numbers as texts."""
    images = [np.full((*size_hw, 3), 60 + 4 * (number % 40), np.uint8) for number in range(count)]
    return images, [str(number) for number in range(count)]


def page(count=30, seed=0, **options):
    return WordPage(SIZE_HW, **options)(*words(count), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_word_lies_where_its_polygon_says(seed):
    sample = page(seed=seed)
    assert sample.image.shape == (*SIZE_HW, 3)
    assert len(sample.polygons_xy) == len(sample.texts) > 5
    for polygon, text in zip(sample.polygons_xy, sample.texts, strict=True):
        x, y = polygon.mean(axis=0).astype(int)
        assert abs(int(sample.image[y, x, 0]) - (60 + 4 * int(text))) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_words_lie_whole_on_the_page_and_not_on_one_another(seed):
    sample = page(seed=seed, max_angle_deg=0.0)
    boxes = [(*polygon.min(axis=0), *polygon.max(axis=0)) for polygon in sample.polygons_xy]
    for x0, y0, x1, y1 in boxes:
        assert x0 >= -1 and y0 >= -1 and x1 <= SIZE_HW[1] + 1 and y1 <= SIZE_HW[0] + 1
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        for a0, b0, a1, b1 in boxes[:index]:
            assert min(x1, a1) - max(x0, a0) < 1 or min(y1, b1) - max(y0, b0) < 1


def test_words_come_in_their_order_until_the_page_is_full():
    sample = page(count=300)
    assert sample.texts == [str(number) for number in range(len(sample.texts))]
    assert len(sample.texts) < 300


def test_all_words_that_have_room_are_there():
    assert page(count=3).texts == ["0", "1", "2"]
    assert not page(count=3).ignore.any()


@pytest.mark.parametrize("size_hw", [(20, 4000), (400, 3), (1, 1)])
def test_pictures_of_any_shape_find_room(size_hw):
    sample = WordPage(SIZE_HW)(*words(2, size_hw), np.random.default_rng(0))
    assert len(sample.texts) == 2


def test_a_page_may_be_empty():
    sample = default_word_page(SIZE_HW)([], [], np.random.default_rng(0))
    assert (sample.image.shape, sample.texts) == ((*SIZE_HW, 3), [])
    assert sample.ignore.dtype == bool


def test_a_seed_gives_the_page_back_and_others_differ():
    make = default_word_page(SIZE_HW)
    one, same, other = (make(*words(9), np.random.default_rng(seed)).image for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
