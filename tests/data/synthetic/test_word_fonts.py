import numpy as np
import pytest
from PIL import ImageFont

from tcm_hf.data.synthetic.fonts import FontFace, FontLibrary, builtin_face
from tcm_hf.data.synthetic.word_fonts import WordFonts, draw_glyphs, probe_face
from tcm_hf.data.synthetic.word_texts import CHARSET_94


def library() -> FontLibrary:
    return FontLibrary([builtin_face()])


def test_every_character_of_a_usable_face_leaves_ink_of_its_own():
    face = probe_face(builtin_face(), CHARSET_94 + "中")
    assert face is not None
    assert face.characters == frozenset(CHARSET_94)
    assert not face.caps_only


def test_a_face_is_drawn_only_for_words_that_it_can_write():
    fonts = WordFonts(library(), CHARSET_94)
    rng = np.random.default_rng(0)
    drawn = fonts.draw(rng, "Exit#7")
    assert drawn is not None
    assert drawn.can_write("Exit#7")
    assert fonts.draw(rng, "中") is None


def test_a_character_that_no_font_has_is_named():
    with pytest.raises(ValueError, match=r"No font has a glyph for '中'"):
        WordFonts(library(), "abc中")


@pytest.mark.parametrize("name", ["OCRBE.otf", "Klingon-pIqaD.ttf", "alfa-beta.ttf"])
def test_faces_that_nobody_reads_are_left_out(tmp_path, name):
    face = builtin_face()
    assert probe_face(FontFace(tmp_path / name, 0, "x", face.characters), "abc") is None


def capitals_for_small_letters(monkeypatch) -> None:
    draw, box = ImageFont.FreeTypeFont.getmask2, ImageFont.FreeTypeFont.getbbox
    for name, method in (("getmask2", draw), ("getbbox", box)):
        monkeypatch.setattr(
            ImageFont.FreeTypeFont,
            name,
            lambda self, text, *args, method=method, **more: method(self, text.upper(), *args, **more),
        )


def test_a_face_of_capitals_writes_small_letters_only_where_their_capitals_are_labels(monkeypatch):
    capitals_for_small_letters(monkeypatch)
    small = "abcdefghijklmnopqrstuvwxyz"
    face = probe_face(builtin_face(), small + small.upper())
    assert face is not None
    assert face.caps_only
    assert face.can_write("heat")
    digits_only = probe_face(builtin_face(), small + "0123")
    assert digits_only is not None
    assert digits_only.characters == frozenset("0123")


def test_ink_is_cut_to_its_box_and_placed_from_the_baseline():
    font = builtin_face().at_size(40)
    ink, (left, top) = draw_glyphs(font, "h")
    assert ink[0].any()
    assert ink[-1].any()
    assert ink[:, 0].any()
    assert ink[:, -1].any()
    assert left >= 0
    assert abs(top + ink.shape[0]) <= 1, "h stands on the baseline"
    low, (_, low_top) = draw_glyphs(font, "p")
    assert low_top + low.shape[0] > 4, "p goes below it"


def test_a_space_has_no_ink():
    assert draw_glyphs(builtin_face().at_size(40), " ")[0].size == 0
