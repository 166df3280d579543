import cv2
import numpy as np
import pytest

from tcm_hf.data.synthetic.composition import SceneView, draw_warp
from tcm_hf.data.synthetic.fonts import builtin_face
from tcm_hf.data.synthetic.layout import TextLine, lay_out
from tcm_hf.data.synthetic.placing import annotate_word, blend_ink, blend_layers
from tcm_hf.data.synthetic.warps import BlockWarp, translation

SIZE_HW = (400, 640)


def block_of(*lines: str):
    return lay_out(
        [TextLine(tuple(line.split()), "latin", builtin_face(), 30, gap_px=9) for line in lines], 0, 0.3, 8
    )


def warped(block, seed: int, curved_share: float) -> BlockWarp:
    rng = np.random.default_rng(seed)
    warp = draw_warp(rng, block, SceneView(20.0, -8.0, 12.0, 0.5), curved_share, SIZE_HW)
    outline = warp.outline()
    return warp.moved(*(np.array(SIZE_HW[::-1]) / 2 - (outline.min(0) + outline.max(0)) / 2))


def filled(polygon_xy: np.ndarray, grow_px: float) -> np.ndarray:
    mask = np.zeros(SIZE_HW, dtype=np.uint8)
    points = np.round((polygon_xy - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 1, shift=4)
    if grow_px:
        cv2.polylines(mask, [points], True, 1, round(2 * grow_px), shift=4)
    return mask


@pytest.mark.parametrize("curved_share", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(12))
def test_polygons_cover_all_the_ink_and_little_else(seed, curved_share):
    block = block_of("Harbour view HOTEL")
    warp = warped(block, seed, curved_share)
    assert (warp.bend is not None) == (curved_share == 1.0)
    ink = np.zeros(SIZE_HW, dtype=np.uint8)
    blend_ink(ink, block, warp)
    cover = np.zeros(SIZE_HW, dtype=np.uint8)
    for word in block.words:
        instance, height_px = annotate_word(word, warp)
        cover |= filled(instance.polygon_xy, 1.0)
        # Pull every corner towards the middle by a sixth of the height: ink must now stick out.
        middle = instance.polygon_xy.mean(0)
        smaller = middle + (instance.polygon_xy - middle) * (
            1 - 0.35 * height_px / np.ptp(instance.polygon_xy, 0).max()
        )
        inside = filled(instance.polygon_xy, 1.0) * (ink > 100)
        assert (inside & (1 - filled(smaller, 0))).any()
    assert not ((ink > 100) & (cover == 0)).any()


@pytest.mark.parametrize(("curved_share", "points"), [(0.0, {4}), (1.0, {6, 8, 10, 12, 14, 16})])
def test_straight_words_are_quads_and_bent_words_follow_the_bend(curved_share, points):
    block = block_of("Riverside Bakery")
    warp = warped(block, 3, curved_share)
    polygons = [annotate_word(word, warp)[0].polygon_xy for word in block.words]
    assert {len(polygon) for polygon in polygons} <= points
    for polygon in polygons:
        half = len(polygon) // 2
        x, y = polygon.T
        assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0  # clockwise on screen
        assert (np.diff(x[:half]) > 0).all() and (np.diff(x[half:]) < 0).all()


def test_each_word_of_a_block_has_its_own_polygon_in_reading_order():
    block = block_of("one two", "three")
    assert [word.text for word in block.words] == ["one", "two", "three"]
    boxes = [word.box_xyxy for word in block.words]
    assert boxes[0][2] < boxes[1][0]
    assert boxes[0][3] <= boxes[2][1]


def test_opaque_layers_replace_the_image_and_leave_the_rest():
    block = block_of("A")
    height, width = block.ink.shape
    image = np.full((*SIZE_HW, 3), 90, dtype=np.uint8)
    layers = np.ones((height, width, 4), dtype=np.float32)
    blend_layers(image, layers, BlockWarp((width, height), None, translation(100, 50)), shaded=False)
    assert (image[50, 100] == 255).all()
    assert (image[:, 300:] == 90).all()
