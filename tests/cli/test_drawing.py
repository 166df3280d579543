import numpy as np
import pytest
from PIL import Image, ImageFont

from tcm_hf.cli import drawing
from tcm_hf.cli.drawing import Outline, draw_detections, draw_outlines, draw_words

DETECTION = {
    "score": 0.9,
    "label": "text",
    "polygon": [[40.0, 60.0], [200.0, 60.0], [200.0, 100.0], [40.0, 100.0]],
}


@pytest.mark.parametrize("kind", [np.asarray, Image.fromarray])
def test_the_outline_is_drawn_and_the_picture_untouched(kind):
    image = kind(np.zeros((150, 300, 3), dtype=np.uint8))
    drawn = draw_detections(image, [DETECTION], with_scores=False)
    assert drawn.size == (300, 150)
    pixels = np.asarray(drawn).max(axis=2)
    assert pixels[60, 120] > 0
    assert pixels[80, 200] > 0
    assert pixels[80, 120] == 0
    assert np.asarray(image).max() == 0


def test_neighbours_get_different_colours():
    lower = {**DETECTION, "polygon": [[x, y + 50] for x, y in DETECTION["polygon"]]}
    drawn = draw_detections(np.zeros((200, 300, 3), dtype=np.uint8), [DETECTION, lower], with_scores=False)
    assert drawn.getpixel((120, 60)) != drawn.getpixel((120, 150))


def test_lines_grow_with_the_picture():
    def thickness(scale):
        polygon = [[x * scale, y * scale] for x, y in DETECTION["polygon"]]
        black = np.zeros((150 * scale, 300 * scale, 3), dtype=np.uint8)
        drawn = draw_detections(black, [{**DETECTION, "polygon": polygon}], with_scores=False)
        column = np.asarray(drawn)[: 80 * scale, 120 * scale].max(axis=1)
        return int((column > 0).sum())

    assert thickness(10) >= 3 * thickness(1)


def test_dashes_leave_gaps_on_every_side():
    square = [[20, 20], [180, 20], [180, 180], [20, 180]]
    black = Image.new("RGB", (200, 200))
    drawn = np.asarray(draw_outlines(black, [Outline(square, (255, 0, 0), dashed=True)]))[..., 0] > 0
    for side in (drawn[20, 20:180], drawn[180, 20:180], drawn[20:180, 20], drawn[20:180, 180]):
        assert 0.4 < side.mean() < 0.8
    assert not drawn[40:160, 40:160].any()


@pytest.mark.parametrize("corner", [[-5.0, -5.0], [299.0, 149.0], [0.0, 0.0]])
def test_labels_stay_inside(corner):
    detection = {**DETECTION, "polygon": [corner, [20.0, 0.0], [20.0, 10.0]]}
    drawn = draw_detections(np.zeros((150, 300, 3), dtype=np.uint8), [detection])
    assert np.asarray(drawn).any()


def test_nothing_to_draw_gives_an_equal_copy():
    image = Image.new("RGB", (30, 20), "red")
    drawn = draw_detections(image, [])
    assert drawn is not image
    assert drawn.tobytes() == image.tobytes()


def words(*texts, x=40.0, y=60.0):
    """Words below one another."""
    return [
        {
            "text": text,
            "polygon": [
                [x, y + 30 * i],
                [x + 80, y + 30 * i],
                [x + 80, y + 30 * i + 20],
                [x, y + 30 * i + 20],
            ],
        }
        for i, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "text", ["Straße", "日本語", "مرحبا", "𝔘🙂", "a\nb\x07", "\ud800", "\ufffe", " ", "", "W" * 500]
)
@pytest.mark.parametrize("freetype", [True, False])
def test_any_word_is_drawn_with_whatever_font_there_is(monkeypatch, text, freetype):
    if not freetype:
        monkeypatch.setattr(drawing, "_font", lambda size, is_plain: ImageFont.load_default_imagefont())
    black = np.zeros((200, 300, 3), dtype=np.uint8)
    drawn = draw_words(black, words(text))
    assert drawn.size == (300, 200)
    outside = np.asarray(drawn).copy()
    outside[56:85, 36:126] = 0
    assert outside.any() == bool(text.strip() or text == " ")


def test_a_word_stands_beside_its_polygon_and_not_on_others():
    above, below = words("above", "below")
    black = np.zeros((200, 300, 3), dtype=np.uint8)
    alone = np.asarray(draw_words(black, [{**above, "text": ""}, {**below, "text": ""}]))
    labelled = np.asarray(draw_words(black, [above, below]))
    changed = (alone != labelled).any(axis=2)
    assert changed.any()
    assert not changed[62:79, 42:119].any()
    assert not changed[92:109, 42:119].any()


def test_words_at_the_edge_stay_inside():
    black = np.zeros((100, 100, 3), dtype=np.uint8)
    drawn = draw_words(black, words("edge", x=-20.0, y=-5.0) + words("corner", x=80.0, y=95.0))
    assert np.asarray(drawn).any()
