import pickle

import cv2
import numpy as np
import pytest

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
from tcm_hf.data.synthetic.fonts import FontLibrary, builtin_face
from tcm_hf.data.synthetic.word_backgrounds import WordBackgrounds
from tcm_hf.data.synthetic.word_degradations import degrade_word
from tcm_hf.data.synthetic.word_generator import MAX_HEIGHT_PX, MIN_HEIGHT_PX, SyntheticWordGenerator
from tcm_hf.data.synthetic.word_lettering import Lettering, LetterStyle, on_canvas, set_word
from tcm_hf.data.synthetic.word_painting import paint_word
from tcm_hf.data.synthetic.word_texts import CHARSET_94, WordTexts
from tcm_hf.data.synthetic.word_views import MAX_WIDTH_PX, draw_view


@pytest.fixture(scope="module")
def generator() -> SyntheticWordGenerator:
    return SyntheticWordGenerator(WordTexts(words=["river", "Museum"]), FontLibrary([builtin_face()]))


def test_pictures_are_rgb_of_the_promised_height_with_a_label_of_the_charset(generator):
    labels = set()
    for index in range(120):
        record = generator(3, index)
        image = record.load_image()
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert MIN_HEIGHT_PX <= image.shape[0] <= MAX_HEIGHT_PX, record
        assert image.shape[1] >= 4
        assert 1 <= len(record.text) <= 25
        assert set(record.text) <= set(CHARSET_94)
        assert image.std() > 1, f"nothing to see of {record.text!r}"
        labels.add(record.text)
    assert len(labels) > 60
    assert {"RIVER", "river"} & labels


def test_the_same_seed_and_index_give_the_same_picture_in_any_order_and_process(generator):
    other = pickle.loads(pickle.dumps(generator))
    wanted = [generator(1, index) for index in range(40)]
    for index in reversed(range(40)):
        again = other(1, index)
        assert again.text == wanted[index].text
        np.testing.assert_array_equal(again.load_image(), wanted[index].load_image())


def test_another_seed_gives_other_pictures(generator):
    assert [generator(1, index).text for index in range(9)] != [
        generator(2, index).text for index in range(9)
    ]


def test_photos_lie_behind_words():
    purple = np.full((200, 500, 3), (130, 20, 140), np.uint8)
    photos = PhotoBackgrounds([TextRecord(purple, [TextInstance(np.array([[0, 0], [9, 0], [9, 9]]))])])
    backgrounds = WordBackgrounds(photos)
    rng = np.random.default_rng(0)
    drawn = [backgrounds.draw(rng, (30, 80)) for _ in range(60)]
    assert {image.shape for image in drawn} == {(30, 80, 3)}
    assert any((image == purple[0, 0]).all() for image in drawn)


# --- the parts ---

PLAIN = LetterStyle()


def lettering(text: str, style: LetterStyle = PLAIN) -> Lettering:
    found = set_word(np.random.default_rng(0), builtin_face().at_size(40), text, style)
    assert found is not None
    return found


def test_letters_one_by_one_make_the_same_word_as_all_at_once():
    whole = lettering("HEAT").ink
    single = lettering("HEAT", LetterStyle(spacing_px=1e-6)).ink
    assert abs(whole.shape[1] - single.shape[1]) <= 4
    assert abs(int(whole.sum()) - int(single.sum())) < 0.05 * whole.sum()


def test_spacing_widens_a_word_and_small_capitals_shrink_all_but_the_first_letter():
    plain = lettering("HHH").ink
    assert lettering("HHH", LetterStyle(spacing_px=10)).ink.shape[1] == pytest.approx(
        plain.shape[1] + 20, abs=2
    )
    small = lettering("HHH", LetterStyle(small_share=0.7))
    third = small.ink.shape[1] // 3
    assert not small.ink[: small.ink.shape[0] // 5, -third:].any()
    assert small.baseline_px == pytest.approx(small.ink.shape[0], abs=1)


def test_neighbours_keep_their_distance_from_the_word():
    word = lettering("no")
    sides = {side: lettering("HH") for side in ("left", "right", "above", "below")}
    setting = on_canvas(word, sides, gap_px=12, pad_px=40)
    left, top, right, bottom = setting.box_xyxy
    assert setting.others is not None
    assert setting.others.any()
    np.testing.assert_array_equal(setting.ink[top:bottom, left:right], word.ink)
    assert not setting.others[top - 5 : bottom + 5, left - 11 : right + 11].any()


def test_the_whole_word_lies_in_its_crop():
    setting = on_canvas(lettering("Wide"), {}, 0, 40)
    for seed in range(80):
        view = draw_view(np.random.default_rng(seed), setting, 30, 64)
        height, width = view.size_hw
        assert height <= 64
        assert width <= MAX_WIDTH_PX
        pad = 200
        room = view.warp.moved(pad, pad).render(setting.ink, (0, 0), (height + 2 * pad, width + 2 * pad))
        inside = room[pad : pad + height, pad : pad + width].sum(dtype=np.int64)
        assert inside > 0.9 * room.sum(dtype=np.int64), f"seed {seed}"


def test_letters_stand_out_from_a_busy_background():
    setting = on_canvas(lettering("Stand"), {}, 0, 40)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        view = draw_view(rng, setting, 30, 64)
        background = rng.integers(0, 256, (*view.size_hw, 3), dtype=np.uint8)
        image, contrast = paint_word(rng, setting, view, cv2.GaussianBlur(background, (0, 0), 2), 1.0)
        assert image.shape == background.shape
        assert contrast > 20, f"seed {seed}"


def test_a_bad_photo_has_the_same_size_and_keeps_faint_letters():
    image = np.full((30, 90, 3), 120, np.uint8)
    image[5:25, 40:50] = 145
    for seed in range(60):
        bad = degrade_word(np.random.default_rng(seed), image, 20.0, 25.0, 1.0).astype(int)
        assert bad.shape == image.shape
        difference = bad[8:22, 42:48].mean((0, 1)) - bad[8:22, 10:30].mean((0, 1))
        assert np.abs(difference).max() > 8, f"seed {seed}"
    assert degrade_word(np.random.default_rng(0), image, 20.0, 25.0, 0.0) is image
