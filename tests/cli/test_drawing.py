import numpy as np
import pytest
from PIL import Image

from tcm_hf.cli.drawing import draw_detections

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
