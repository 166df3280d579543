"""Decoding of PAN maps: golden numbers of the original, round trips, pixel aggregation, degenerate maps."""

import numpy as np
import pytest

from golden_files import load
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.processing.decode_pan import decode_pan
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tcm_hf.processing.polygons import bounding_box, order_clockwise
from text_shapes import curved, tilted

SIZE_HW = (320, 640)
# Our parameters for the configurations of the original post-processor, whose one threshold is two of ours.
GOLDEN = {
    "poly": ({"polygon_mode": "polygon"}, (1, 1)),
    "quad": ({"polygon_mode": "quad"}, (1, 1)),
    "poly_lowconf": (
        {"polygon_mode": "polygon", "score_threshold": 0.6, "embedding_distance": 0.6, "min_area_px": 30},
        (1, 1),
    ),
    "poly_rescaled": ({"polygon_mode": "polygon"}, (1 / (0.8 * 0.25), 1 / (0.75 * 0.25))),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_decoding_finds_the_polygons_of_the_original(name):
    _, arrays = load("F_pan_post")
    settings, scale_xy = GOLDEN[name]
    maps = arrays["pred_i8"].astype(np.float32) / 16
    polygons, scores = decode_pan(maps[0], maps[1], maps[2:], **settings)
    ends = np.cumsum(arrays[f"{name}.len"])[:-1]
    expected = np.split(arrays[f"{name}.xy"], ends)
    assert len(polygons) == len(expected)
    for polygon, expected_polygon in zip(polygons, expected, strict=True):
        np.testing.assert_allclose(polygon * scale_xy, order_clockwise(expected_polygon), atol=1e-3)
    np.testing.assert_allclose(scores, arrays[f"{name}.score"], atol=1e-5)


def ideal_maps(polygons, size_hw=SIZE_HW, embeddings=None):
    """What a perfect network says at a quarter of the size: `embeddings` has a vector a text."""
    targets = pan_targets(polygons, [False] * len(polygons), size_hw)
    numbers, kernels = (targets[key][::4, ::4].astype(int) for key in ("instance_map", "kernel_map"))
    if embeddings is None:
        embeddings = 3 * np.eye(len(polygons), max(len(polygons), 4))
    vectors = np.concatenate([np.zeros((1, len(embeddings[0]))), embeddings]).astype(np.float32)
    return (
        np.where(numbers > 0, 5, -5).astype(np.float32),
        np.where(kernels > 0, 5, -5).astype(np.float32),
        np.moveaxis(vectors[numbers], -1, 0),
    )


def in_input(polygon):
    """Cells -> input pixels, edge frame: cell i was taught the label of pixel 4 i."""
    return 4 * polygon + 0.5


@pytest.mark.parametrize(
    ("polygon", "mode", "least"),
    [
        (tilted((300, 100), 200, 60, 0), "quad", 0.9),
        (tilted((300, 120), 240, 60, 25), "quad", 0.9),
        (tilted((100, 150), 60, 260, 0), "quad", 0.9),
        (tilted((320, 160), 580, 40, -8), "quad", 0.9),
        (tilted((300, 120), 60, 20, 10), "quad", 0.7),
        (tilted((300, 120), 40, 14, 0), "quad", 0.55),  # three rows of cells, half of the outer two outside
        (tilted((500, 100), 90, 80, 45), "polygon", 0.9),
        (curved((320, 280), 160, 70), "polygon", 0.9),
        (curved((320, 280), 160, 30), "polygon", 0.85),
    ],
)
def test_polygon_to_maps_to_polygon_returns_the_polygon(polygon, mode, least):
    decoded, scores = decode_pan(*ideal_maps([polygon]), polygon_mode=mode)
    assert len(decoded) == 1
    assert polygon_iou(in_input(decoded[0]), polygon) >= least
    assert scores[0] == pytest.approx(0.9933, abs=1e-4)


def test_curved_text_keeps_its_bend_in_polygon_mode():
    polygon = curved((320, 280), 160, 60)
    (found,), _ = decode_pan(*ideal_maps([polygon]), polygon_mode="polygon")
    assert len(found) > 12
    (quad,), _ = decode_pan(*ideal_maps([polygon]))
    assert quad.shape == (4, 2)
    assert polygon_iou(in_input(found), polygon) > polygon_iou(in_input(quad), polygon) + 0.2


def test_touching_words_with_different_embeddings_stay_apart():
    words = [tilted((160, 100), 200, 60, 0), tilted((360, 100), 200, 60, 0), tilted((260, 160), 400, 60, 0)]
    decoded, _ = decode_pan(*ideal_maps(words))
    assert len(decoded) == 3
    for word in words:
        assert max(polygon_iou(in_input(polygon), word) for polygon in decoded) > 0.85


def test_touching_words_with_one_embedding_meet_in_the_middle():
    words = [tilted((160, 100), 200, 60, 0), tilted((360, 100), 200, 60, 0)]
    decoded, _ = decode_pan(*ideal_maps(words, embeddings=np.ones((2, 4))))
    assert len(decoded) == 2
    for word, polygon in zip(words, sorted(decoded, key=lambda points: points[0, 0]), strict=True):
        assert polygon_iou(in_input(polygon), word) > 0.85


def one_row(kernel_columns, text_columns, embeddings):
    """Maps of a single row of text in the middle of 5: embeddings are one number a column."""
    logits = np.full((2, 5, len(embeddings)), -5, np.float32)
    logits[0, 2, text_columns] = 5
    logits[1, 2, kernel_columns] = 5
    maps = np.zeros((1, 5, len(embeddings)), np.float32)
    maps[0, 2] = embeddings
    return logits[0], logits[1], maps


def columns_of(logits_and_embeddings, **settings):
    """First and last column of every text; a second row makes outlines with an area."""
    maps = [np.repeat(values, 2, axis=-2) for values in logits_and_embeddings]
    polygons, _ = decode_pan(*maps, min_area_px=1, score_threshold=0, **settings)
    return sorted(bounding_box(polygon)[[0, 2]].astype(int).tolist() for polygon in polygons)


@pytest.mark.parametrize(
    ("kernels", "text", "embeddings", "distance", "expected", "why"),
    [
        ([1, 2], range(0, 8), [0] * 8, 0.85, [[0, 7]], "grows to both sides"),
        ([1, 2], [0, 1, 2, 4, 5], [0] * 8, 0.85, [[0, 2]], "does not cross the background"),
        ([1, 2], range(0, 8), [0, 0, 0, 0, 1, 0, 0, 0], 0.85, [[0, 3]], "nor a pixel too far away"),
        ([1, 2], range(0, 8), [0, 0, 0, 0, 1, 0, 0, 0], 1.0, [[0, 3]], "strictly nearer"),
        ([1, 2], range(0, 8), [0, 0, 0, 0, 1, 0, 0, 0], 1.01, [[0, 7]], "near enough"),
        ([1, 2], range(0, 8), [0, 1, 0, 0.1, 0.9, 2, 2, 2], 0.5, [[1, 4]], "the mean of the kernel counts"),
        ([1, 6], range(0, 8), [0] * 8, 0.85, [[0, 3], [4, 7]], "meet half-way"),
        ([1, 6], range(0, 8), [0, 0, 0, 0, 2, 2, 2, 2], 0.85, [[0, 3], [4, 7]], "meet where vectors change"),
        ([1, 6], range(0, 8), [0, 0, 2, 2, 2, 2, 2, 2], 0.85, [[0, 1], [2, 7]], "not half-way"),
        ([1, 5], range(0, 8), [0] * 8, 0.85, [[0, 3], [4, 7]], "a tie goes to the kernel nearer the origin"),
        ([1, 2, 7], range(0, 7), [0] * 8, 0.85, [[0, 6]], "a kernel pixel outside the region is none"),
    ],
)
def test_pixels_join_the_first_kernel_near_enough(kernels, text, embeddings, distance, expected, why):
    maps = one_row(kernels, list(text), np.array(embeddings, np.float32))
    assert columns_of(maps, embedding_distance=distance) == expected, why


def test_one_pixel_is_kernel_enough():
    text, kernel = np.full((2, 46, 80), -5, np.float32)
    text[10:20, 30:60] = 5
    kernel[15, 33] = 5
    (quad,), scores = decode_pan(text, kernel, np.zeros((4, 46, 80), np.float32))
    np.testing.assert_allclose(quad, [[30, 10], [59, 10], [59, 19], [30, 19]], atol=1e-3)
    assert scores == pytest.approx([0.9933], abs=1e-4)


def test_kernels_that_touch_at_a_corner_are_two():
    text, kernel = np.full((2, 40, 80), -5, np.float32)
    text[10:30, 10:70] = 5
    kernel[12:20, 12:40] = 5
    kernel[20:28, 40:68] = 5
    assert len(decode_pan(text, kernel, np.zeros((4, 40, 80), np.float32))[0]) == 2


@pytest.mark.parametrize("mode", ["quad", "polygon"])
@pytest.mark.parametrize(
    ("text", "kernel", "embedding", "count", "why"),
    [
        (-5, -5, 0, 0, "empty"),
        (5, -5, 0, 0, "text without a kernel"),
        (-5, 5, 0, 0, "kernel without text"),
        (5, 5, 0, 1, "the whole map"),
        (5, 5, np.nan, 1, "nothing has to join"),
        (np.nan, np.nan, np.nan, 0, "not a number is no text"),
        (np.inf, np.inf, 0, 1, "as sure as can be"),
        (-1e9, 1e9, 0, 0, "no overflow"),
    ],
)
def test_constant_maps(text, kernel, embedding, count, why, mode):
    maps = [np.full(shape, value, np.float32) for shape, value in
            (((46, 80), text), ((46, 80), kernel), ((4, 46, 80), embedding))]  # fmt: skip
    polygons, scores = decode_pan(*maps, polygon_mode=mode)
    assert len(polygons) == count == len(scores), why
    assert scores.dtype == np.float32
    if count:
        np.testing.assert_allclose(bounding_box(polygons[0]), [0, 0, 79, 45], atol=1e-3)


def test_a_map_without_pixels_has_no_text():
    assert decode_pan(np.zeros((0, 80)), np.zeros((0, 80)), np.zeros((4, 0, 80)))[0] == []


@pytest.mark.parametrize("mode", ["quad", "polygon"])
def test_lines_of_one_pixel_are_no_text(mode):
    text = np.full((46, 80), -5, np.float32)
    text[20, 10:70] = 5
    assert decode_pan(text, text, np.zeros((4, 46, 80), np.float32), polygon_mode=mode)[0] == []


def test_thresholds_of_area_and_score():
    text = np.full((46, 80), -5, np.float32)
    text[10:14, 10:20] = 1  # 40 pixels, sigmoid(1) = 0.731
    maps = text, text, np.zeros((4, 46, 80), np.float32)
    assert len(decode_pan(*maps, score_threshold=0.73, min_area_px=40)[0]) == 1
    assert len(decode_pan(*maps, score_threshold=0.74, min_area_px=40)[0]) == 0
    assert len(decode_pan(*maps, score_threshold=0.73, min_area_px=41)[0]) == 0
    assert len(decode_pan(*maps, score_threshold=0.73, binarize_threshold=0.74)[0]) == 0
    assert len(decode_pan(*maps, score_threshold=0.73, kernel_threshold=0.74)[0]) == 0


def test_decoding_moves_with_the_maps():
    maps = ideal_maps([tilted((200, 100), 160, 60, 12)])
    still, _ = decode_pan(*maps)
    moved, _ = decode_pan(*(np.roll(values, (30, 60), axis=(-2, -1)) for values in maps))
    np.testing.assert_allclose(moved[0], still[0] + [60, 30], atol=1e-3)


def test_the_maps_are_not_changed_and_may_be_views():
    maps = ideal_maps([tilted((300, 120), 240, 60, 25), tilted((300, 220), 240, 60, -5)])
    before = [values.copy() for values in maps]
    straight = decode_pan(*maps)
    for values, copy in zip(maps, before, strict=True):
        np.testing.assert_array_equal(values, copy)
    views = [np.asfortranarray(values) for values in maps]
    wide = [np.repeat(values, 2, axis=-1)[..., ::2].astype(np.float64) for values in maps]
    for same in (views, wide):
        polygons, scores = decode_pan(*same)
        np.testing.assert_array_equal(polygons, straight[0])
        np.testing.assert_array_equal(scores, straight[1])


@pytest.mark.parametrize(
    ("shapes", "settings", "message"),
    [
        (((1, 8, 9), (8, 9), (4, 8, 9)), {}, r"\(E, h, w\)"),
        (((8, 9), (9, 8), (4, 8, 9)), {}, r"\(E, h, w\)"),
        (((8, 9), (8, 9), (8, 9)), {}, r"\(E, h, w\)"),
        (((8, 9), (8, 9), (8, 9, 4)), {}, r"\(E, h, w\)"),
        *(
            (((8, 9), (8, 9), (4, 8, 9)), {name: value}, name)
            for name, value in (
                ("polygon_mode", "poly"),
                ("binarize_threshold", 1.5),
                ("kernel_threshold", -0.1),
                ("score_threshold", float("nan")),
                ("embedding_distance", 0),
                ("min_area_px", -1),
                ("min_area_px", None),
            )
        ),
    ],
)
def test_wrong_arguments_are_told(shapes, settings, message):
    with pytest.raises(ValueError, match=message):
        decode_pan(*(np.zeros(shape, np.float32) for shape in shapes), **settings)


def test_a_way_as_long_as_noise_makes_it_is_left_in_bounded_time():
    # A single way through the whole map, row by row: one round a pixel, were it followed to its end.
    text = np.full((120, 200), -9, np.float32)
    text[::2] = 9
    text[1::4, -1] = text[3::4, 0] = 9
    kernel = np.full_like(text, -9)
    kernel[0, :3] = 9
    polygons, scores = decode_pan(
        text, kernel, np.zeros((4, *text.shape), np.float32), polygon_mode="polygon"
    )
    assert len(polygons) == len(scores) == 1
    # So far as the map is high and wide: at most two rows of it.
    assert bounding_box(polygons[0])[3] <= 4
