"""Decoding of DBNet maps: golden numbers of the original, round trips, degenerate maps."""

import numpy as np
import pytest

from golden_files import load
from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.polygon_growing import offset_polygon
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tcm_hf.processing.polygons import (
    bounding_box,
    order_clockwise,
    perimeter_px,
    polygon_area,
    rasterise_polygon,
)
from text_shapes import curved, tilted

GOLDEN_CONFIGS = (
    "default_quad", "default_poly", "td_quad", "ic15_quad",
    "ctw_poly", "tt_poly", "tt_poly_filter", "maxcand3_quad",
)  # fmt: skip


def settings(config: dict) -> dict:
    """Our parameters for the configuration of an original post-processor."""
    is_quad = config["text_repr_type"] == "quad"
    filters = is_quad or config.get("filter_min_text_poly", False)
    return {
        "binarize_threshold": config.get("mask_thr", 0.3),
        "score_threshold": config.get("min_text_score", 0.3),
        "unclip_ratio": config.get("unclip_ratio", 1.5),
        "polygon_mode": "quad" if is_quad else "polygon",
        "min_side_px": config.get("min_text_width", 5) if filters else 0,
        "max_candidates": config.get("max_candidates", 3000) + 1,  # the original looks at one more
        "arc_length_ratio": config.get("arcLength_ratio", 0.01)
        if config.get("use_approxPolyDP", True)
        else None,
    }


def as_set(polygons, scores):
    """Sorted by content: the original's order of instances, and its first corner, are OpenCV's affair."""
    rows = [(order_clockwise(polygon), score) for polygon, score in zip(polygons, scores, strict=True)]
    return sorted(rows, key=lambda row: (*np.round(row[0].mean(axis=0), 1), round(float(row[1]), 3)))


@pytest.mark.parametrize("name", GOLDEN_CONFIGS)
def test_decoding_finds_the_polygons_of_the_original(name):
    reference, arrays = load("F_db_post")
    probability_map = arrays["prob_u6"].astype(np.float32) / 64
    found = as_set(*decode_dbnet(probability_map, **settings(reference["configs"][name]["cfg"])))
    ends = np.cumsum(arrays[f"{name}.len"])[:-1]
    expected = as_set(np.split(arrays[f"{name}.xy"], ends), arrays[f"{name}.score"])
    assert len(found) == len(expected)
    for (polygon, score), (expected_polygon, expected_score) in zip(found, expected, strict=True):
        np.testing.assert_allclose(polygon, expected_polygon, atol=1e-3)
        assert score == pytest.approx(expected_score, abs=1e-6)


def kernel_map(polygons, size_hw, probability=0.9, shrink_ratio=0.4):
    """What a perfect network says: shrunk polygons (DBNet, arXiv 1911.08947, eq. 1)."""
    probability_map = np.zeros(size_hw, np.float32)
    for polygon in polygons:
        distance = polygon_area(polygon) * (1 - shrink_ratio**2) / perimeter_px(polygon)
        (kernel,) = offset_polygon(polygon, -distance)
        probability_map[rasterise_polygon(kernel, size_hw)] = probability
    return probability_map


@pytest.mark.parametrize(
    ("polygon", "mode"),
    [
        (tilted((300, 100), 200, 60, 0), "quad"),
        (tilted((300, 120), 240, 60, 25), "quad"),
        (tilted((100, 150), 60, 260, 0), "quad"),
        (tilted((320, 160), 580, 70, -8), "quad"),
        (tilted((500, 100), 90, 80, 45), "polygon"),
        (curved((320, 280), 160, 70), "polygon"),
    ],
)
def test_polygon_to_map_to_polygon_returns_the_polygon(polygon, mode):
    decoded, scores = decode_dbnet(kernel_map([polygon], (320, 640)), polygon_mode=mode, shrink_ratio=0.4)
    assert len(decoded) == 1
    assert polygon_iou(decoded[0] + 0.5, polygon) >= 0.9
    assert scores[0] == pytest.approx(0.9, abs=0.04)


def test_unclip_ratio_of_the_papers_fits_words_but_not_lines():
    word, line = tilted((320, 160), 90, 60, 0), tilted((320, 160), 600, 40, 0)
    for polygon, low, high in ((word, 0.8, 1.0), (line, 0.3, 0.6)):
        decoded, _ = decode_dbnet(kernel_map([polygon], (320, 640)), unclip_ratio=1.5)
        assert low < polygon_iou(decoded[0] + 0.5, polygon) < high


@pytest.mark.parametrize(
    ("fill", "count", "why"),
    [
        (0.0, 0, "empty"),
        (1.0, 1, "full"),
        (np.nan, 0, "not a number is no text"),
    ],
)
@pytest.mark.parametrize("mode", ["quad", "polygon"])
def test_constant_maps(fill, count, why, mode):
    polygons, scores = decode_dbnet(np.full((64, 160), fill, np.float32), polygon_mode=mode)
    assert len(polygons) == count == len(scores), why
    assert scores.dtype == np.float32
    if count:  # grows beyond the map; the caller cuts at the image
        assert (bounding_box(polygons[0])[2:] > (160, 64)).all()


@pytest.mark.parametrize("size", [1, 2])
def test_dots_are_no_text(size):
    probability_map = np.zeros((32, 96), np.float32)
    probability_map[10 : 10 + size, 50 : 50 + size] = 1
    assert decode_dbnet(probability_map)[0] == []


def test_decoding_moves_with_the_map():
    word = tilted((100, 60), 120, 40, 12)
    still, _ = decode_dbnet(kernel_map([word], (200, 500)))
    moved, _ = decode_dbnet(np.roll(kernel_map([word], (200, 500)), (70, 310), axis=(0, 1)))
    np.testing.assert_allclose(moved[0], still[0] + [310, 70], atol=1e-3)


def test_landscape_axes_are_not_swapped():
    polygons, _ = decode_dbnet(kernel_map([tilted((550, 40), 100, 40, 0)], (80, 640)), shrink_ratio=0.4)
    np.testing.assert_allclose(bounding_box(polygons[0]), [500, 20, 600, 60], atol=2)


def test_score_is_the_mean_inside_and_its_threshold_is_inclusive():
    probability_map = np.zeros((64, 128), np.float32)
    probability_map[20:40, 20:100] = 0.5
    assert decode_dbnet(probability_map, score_threshold=0.5)[1] == [0.5]
    assert len(decode_dbnet(probability_map, score_threshold=0.51)[1]) == 0
    assert len(decode_dbnet(probability_map, binarize_threshold=0.5)[1]) == 0


def test_small_instances_go_by_their_grown_short_side():
    probability_map = np.zeros((64, 128), np.float32)
    probability_map[20:24, 20:100] = 1  # 3 high between pixel centres, grows by 1.5 * 237 / 164 on both sides
    (quad,), _ = decode_dbnet(probability_map, min_side_px=7)
    assert np.ptp(quad[:, 1]) == pytest.approx(7.0, abs=0.6)
    assert decode_dbnet(probability_map, min_side_px=9)[0] == []
    assert decode_dbnet(probability_map, min_side_px=9, polygon_mode="polygon")[0] == []
    assert len(decode_dbnet(probability_map, min_side_px=0, polygon_mode="polygon")[0]) == 1


def test_zero_unclip_gives_the_kernel():
    probability_map = np.zeros((64, 128), np.float32)
    probability_map[20:40, 20:100] = 1
    (quad,), _ = decode_dbnet(probability_map, unclip_ratio=0)
    np.testing.assert_allclose(bounding_box(quad), [20, 20, 99, 39], atol=1e-3)


def test_curved_text_keeps_its_bend_in_polygon_mode():
    polygon = curved((320, 280), 160, 60)
    (found,), _ = decode_dbnet(kernel_map([polygon], (320, 640)), polygon_mode="polygon", shrink_ratio=0.4)
    assert len(found) > 8
    (quad,), _ = decode_dbnet(kernel_map([polygon], (320, 640)), shrink_ratio=0.4)
    assert polygon_iou(found + 0.5, polygon) > polygon_iou(quad + 0.5, polygon) + 0.2


def test_coarse_simplification_loses_long_lines():
    """Why the default is not mmocr's 0.01."""
    line = kernel_map([tilted((320, 160), 600, 40, 0)], (320, 640))
    assert len(decode_dbnet(line)[0]) == 1
    assert len(decode_dbnet(line, arc_length_ratio=0.01)[0]) == 0


def test_max_candidates_bounds_the_work():
    words = [tilted((100 + 150 * i, 50), 100, 40, 0) for i in range(4)]
    assert len(decode_dbnet(kernel_map(words, (100, 700)), max_candidates=2)[0]) == 2


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        decode_dbnet(np.zeros((1, 32, 64), np.float32))
    with pytest.raises(ValueError, match="polygon_mode"):
        decode_dbnet(np.zeros((32, 64), np.float32), polygon_mode="poly")


def test_the_map_is_not_changed_and_may_be_a_view():
    probability_map = kernel_map([tilted((100, 50), 100, 40, 5)], (100, 200))
    before = probability_map.copy()
    straight = decode_dbnet(probability_map)
    strided = decode_dbnet(np.asfortranarray(probability_map))
    np.testing.assert_array_equal(probability_map, before)
    np.testing.assert_array_equal(straight[0][0], strided[0][0])


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_inside_a_blob_gives_no_score_that_is_none(hole):
    probability_map = np.zeros((40, 60), np.float32)
    probability_map[5:35, 5:55] = 0.9
    probability_map[15:25, 20:40] = hole
    polygons, scores = decode_dbnet(probability_map)
    assert len(polygons) == len(scores) and ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("ratio", [1e6, 1e15, np.inf])
@pytest.mark.parametrize("mode", ["quad", "polygon"])
def test_growth_ends_where_it_covers_the_map(ratio, mode):
    probability_map = np.zeros((40, 60), np.float32)
    probability_map[5:15, 5:30] = 1
    (polygon,), _ = decode_dbnet(probability_map, unclip_ratio=ratio, polygon_mode=mode)
    assert np.isfinite(polygon).all() and len(polygon) < 1000
    assert rasterise_polygon(polygon, (40, 60)).all()
