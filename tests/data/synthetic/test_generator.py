import pickle

import numpy as np
import pytest

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
from tcm_hf.data.synthetic.composition import SyntheticTextOptions
from tcm_hf.data.synthetic.dataset import SyntheticTextDataset
from tcm_hf.data.synthetic.fonts import FontLibrary, builtin_face
from tcm_hf.data.synthetic.generator import SyntheticTextGenerator

SIZE_HW = (270, 480)


def make(**options) -> SyntheticTextGenerator:
    return SyntheticTextGenerator(
        SIZE_HW, FontLibrary([builtin_face()]), options=SyntheticTextOptions(**options)
    )


def assert_same(first: TextRecord, second: TextRecord) -> None:
    np.testing.assert_array_equal(first.image, second.image)
    assert first.texts == second.texts
    assert first.ignore.tolist() == second.ignore.tolist()
    for one, other in zip(first.polygons_xy, second.polygons_xy, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_scene_depends_on_seed_and_index_alone():
    generator = make()
    alone = pickle.loads(pickle.dumps(generator))(7, 3)
    for index in range(4):  # made after others it is the same
        last = generator(7, index)
    assert_same(alone, last)
    assert not np.array_equal(generator(8, 3).image, alone.image)


def test_scenes_are_landscape_word_level_records_inside_the_image():
    generator = make(empty_share=0.0)
    height, width = SIZE_HW
    words = 0
    for index in range(12):
        record = generator(0, index)
        assert record.image.shape == (height, width, 3)
        assert record.image.dtype == np.uint8
        assert record.level == "word"
        for instance in record.instances:
            words += 1
            low, high = instance.polygon_xy.min(0), instance.polygon_xy.max(0)
            assert (low >= 0).all() and (high <= (width, height)).all()
            assert instance.text and " " not in instance.text
            assert len(instance.polygon_xy) % 2 == 0
    assert words > 12


def test_words_do_not_overlap():
    shapely = pytest.importorskip("shapely")
    generator = make(empty_share=0.0, median_words=20)
    for index in range(6):
        polygons = [shapely.Polygon(polygon).buffer(0) for polygon in generator(1, index).polygons_xy]
        for number, polygon in enumerate(polygons):
            for other in polygons[number + 1 :]:
                assert polygon.intersection(other).area < 0.1 * min(polygon.area, other.area)


def test_an_image_can_be_without_text():
    assert make(empty_share=1.0)(0, 0).instances == []


def test_low_words_are_marked_do_not_care():
    generator = make(empty_share=0.0, word_height_px=(4.0, 5.0), curved_share=0.0)
    records = [generator(2, index) for index in range(5)]
    ignored = [skip for record in records for skip in record.ignore]
    assert ignored and all(ignored)


def test_clean_scenes_have_legible_words():
    generator = make(
        empty_share=0.0, degradation=0.0, low_contrast=0.0, board_share=1.0, word_height_px=(14.0, 40.0)
    )
    ignored = [skip for index in range(8) for skip in generator(3, index).ignore]
    assert np.mean(ignored) < 0.15


@pytest.mark.parametrize("size_hw", [(64, 64), (64, 300), (480, 96)])
def test_odd_sizes_work(size_hw):
    generator = SyntheticTextGenerator(size_hw, FontLibrary([builtin_face()]))
    for index in range(6):
        assert generator(0, index).image.shape == (*size_hw, 3)


def test_a_tiny_image_is_refused():
    with pytest.raises(ValueError, match="64"):
        SyntheticTextGenerator((32, 640), FontLibrary([builtin_face()]))


@pytest.mark.parametrize(
    "options",
    [
        {"word_height_px": (9.0, 3.0)},
        {"empty_share": 1.5},
        {"script_shares": {"klingon": 1.0}},
    ],
)
def test_bad_options_name_the_field(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        SyntheticTextOptions(**options)


@pytest.mark.parametrize("shares", [{"chinese": 1.0}, {"chinese": 1.0, "latin": 0.0}, {}])
def test_scripts_without_a_font_are_an_error_before_the_first_scene(shares):
    with pytest.raises(ValueError, match="script_shares"):
        make(script_shares=shares)


def test_of_several_scripts_those_without_a_font_are_left_out():
    assert make(script_shares={"chinese": 9.0, "latin": 0.1}, empty_share=0.0)(0, 0).instances


def test_photo_crops_avoid_every_annotated_text():
    photo = np.full((200, 400, 3), 50, dtype=np.uint8)
    photo[60:90, 100:180] = 255  # the text
    record = TextRecord(
        photo, [TextInstance([[100, 60], [180, 60], [180, 90], [100, 90]], "###", ignore=True)]
    )
    photos = PhotoBackgrounds([record], clearance_px=4)
    crops = [photos.draw(np.random.default_rng(seed), (96, 128)) for seed in range(20)]
    found = [crop for crop in crops if crop is not None]
    assert found
    assert all((crop == 50).all() for crop in found)


def test_a_photo_full_of_text_gives_no_crop():
    full = TextInstance([[0, 0], [100, 0], [100, 80], [0, 80]])
    photos = PhotoBackgrounds([TextRecord(np.zeros((80, 100, 3), np.uint8), [full])])
    assert photos.draw(np.random.default_rng(0), (64, 64)) is None


def test_the_data_set_is_indexed_like_a_list():
    dataset = SyntheticTextDataset(3, 5, make())
    assert len(dataset) == 3
    assert_same(dataset[-1], dataset[2])
    assert [record.name for record in dataset] == ["synth_000000", "synth_000001", "synth_000002"]
    with pytest.raises(IndexError):
        dataset[3]
    assert list(SyntheticTextDataset(0, 5, make())) == []
