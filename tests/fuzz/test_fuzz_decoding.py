"""Whatever maps a network gives, decoding gives finite outlines and scores from 0 to 1; needs no torch."""

import numpy as np
from fuzz_shapes import maps
from hypothesis import given
from hypothesis import strategies as st

from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.decode_fcenet import decode_fcenet
from tcm_hf.processing.decode_pan import decode_pan
from tcm_hf.processing.decode_rotated import decode_rotated, merge_tile_objects
from tcm_hf.processing.decode_spotting import decode_spotting
from tcm_hf.processing.tile_outlines import keep_whole_outlines, merge_tile_outlines
from tcm_hf.processing.tiling import merge_tile_maps, plan_tiles

MODES = st.sampled_from(("quad", "polygon"))
SHARES = st.floats(0, 1)


def assert_outlines(polygons, scores, mode=None):
    assert len(polygons) == len(scores)
    assert np.isfinite(scores).all() and (scores >= 0).all() and (scores <= 1).all(), scores
    for polygon in polygons:
        assert polygon.ndim == 2 and polygon.shape[1] == 2 and len(polygon) >= 3, polygon
        assert polygon.dtype == np.float32 and np.isfinite(polygon).all(), polygon
        assert mode != "quad" or len(polygon) == 4


@given(
    maps(),
    MODES,
    st.fixed_dictionaries(
        {},
        optional={
            "binarize_threshold": SHARES,
            "score_threshold": SHARES,
            "unclip_ratio": st.floats(0, 1e9),
            "min_side_px": st.floats(0, 10),
            "max_candidates": st.integers(0, 50),
            "arc_length_ratio": st.one_of(st.none(), st.floats(0, 0.5)),
            "shrink_ratio": st.one_of(st.none(), SHARES),
        },
    ),
)
def test_dbnet(probability_map, mode, settings):
    assert_outlines(*decode_dbnet(probability_map, polygon_mode=mode, **settings), mode)


@st.composite
def pan_maps(draw):
    text = draw(maps(least=-5, most=5))
    kernel = draw(maps(sides=st.just(1), least=-5, most=5))
    embeddings = draw(maps(sides=st.just(1), least=-3, most=3, channels=4))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(4, *text.shape))
    return text, text + kernel, (embeddings + draw(st.floats(0, 2)) * noise).astype(np.float32)


@given(
    pan_maps(),
    MODES,
    st.fixed_dictionaries(
        {"score_threshold": SHARES},
        optional={
            "binarize_threshold": SHARES,
            "kernel_threshold": SHARES,
            "embedding_distance": st.floats(0, 1e6, exclude_min=True),
            "min_area_px": st.integers(0, 20),
        },
    ),
)
def test_pan(all_maps, mode, settings):
    assert_outlines(*decode_pan(*all_maps, polygon_mode=mode, **settings), mode)


@st.composite
def fcenet_levels(draw):
    strides = draw(st.sampled_from(((8,), (8, 16, 32))))
    levels = []
    for stride in strides:
        region = draw(maps(sides=st.integers(1, 32 // stride * 3), least=-4, most=6, channels=2))
        center = region + draw(numbers_of(2))
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        coefficients = random.normal(size=(22, *region.shape[1:])) * draw(
            st.sampled_from((0, 1, 5, 1e6, 1e30))
        )
        coefficients = coefficients.astype(np.float32)
        coefficients[draw(st.integers(0, 21))] += draw(numbers_of(1))[0]
        levels.append((region, center, coefficients))
    return tuple(map(list, zip(*levels, strict=True))), strides


def numbers_of(count):
    finite = st.floats(-100, 100, width=32)
    odd = st.sampled_from((np.nan, np.inf, -np.inf, 1e38))
    values = st.lists(st.one_of(finite, finite, odd), min_size=count, max_size=count)
    return values.map(lambda listed: np.array(listed, np.float32).reshape(-1, 1, 1))


@given(
    fcenet_levels(),
    MODES,
    st.fixed_dictionaries(
        {},
        optional={
            "score_threshold": SHARES,
            "region_exponent": st.floats(0, 100),
            "center_exponent": st.floats(0, 100),
            "num_contour_points": st.integers(3, 60),
            "nms_threshold": SHARES,
            "max_candidates": st.integers(0, 20),
        },
    ),
)
def test_fcenet(levels_and_strides, mode, settings):
    levels, strides = levels_and_strides
    assert_outlines(*decode_fcenet(*levels, strides=strides, polygon_mode=mode, **settings), mode)


@st.composite
def spotted(draw):
    count, places = draw(st.integers(0, 5)), draw(st.sampled_from(("control_points", "bezier_points")))
    points = draw(maps(sides=st.just(8), channels=max(count, 1)))[:count, :, :2]
    texts = draw(st.sampled_from(("character_logits", "ctc_logits")))
    logits = draw(maps(sides=st.just(5), channels=max(count, 1), least=-9, most=9))[:count]
    scores = draw(maps(sides=st.integers(1, 5), least=-9, most=9))
    scores = np.resize(scores, (count, scores.shape[1])).astype(np.float32)
    return {"score_logits": scores, places: points, texts: logits}


@given(spotted(), st.floats(0, 1), st.floats(0, 1), st.integers(2, 9))
def test_spotting(outputs, threshold, overlap, points_per_curve):
    found = decode_spotting(
        outputs,
        size_hw=(480, 640),
        score_threshold=threshold,
        nms_threshold=overlap,
        points_per_curve=points_per_curve,
    )
    assert_outlines(found.polygons_xy, found.scores)
    for word in found.reading.read(found.logits, "abcd"):
        assert len(word.text) == len(word.characters) == len(word.character_scores)


@given(
    maps(sides=st.integers(1, 9), least=-5, most=5, channels=3),
    st.lists(maps(sides=st.just(9), least=-50, most=50), min_size=5, max_size=5),
    SHARES,
)
def test_rotated_objects(logits, parameters, overlap):
    logits = logits.transpose(1, 2, 0)
    boxes = np.stack([one[: logits.shape[0], : logits.shape[1]] for one in parameters], axis=-1)
    found = decode_rotated([logits], [boxes], max_candidates=60, nms_threshold=overlap)
    assert_outlines(list(found.polygons_xy), found.scores, "quad")
    merged = merge_tile_objects([found, found], [(0, 0), (3, 0)], overlap)
    assert_outlines(list(merged.polygons_xy), merged.scores, "quad")


@given(st.data(), st.tuples(st.integers(1, 80), st.integers(1, 80)), st.integers(1, 40), MODES)
def test_tiles(data, size_hw, side, mode):
    tiles = plan_tiles(size_hw, (side, side), side // 6)
    assert {(tile[2] - tile[0], tile[3] - tile[1]) for tile in tiles} == {
        (min(side, size_hw[1]), min(side, size_hw[0]))
    }
    covered = np.zeros(size_hw, bool)
    for x0, y0, x1, y1 in tiles:
        covered[y0:y1, x0:x1] = True
    assert covered.all()
    whole = data.draw(maps(sides=st.just(80)))[: size_hw[0], : size_hw[1]]
    joined = merge_tile_maps([whole[y0:y1, x0:x1] for x0, y0, x1, y1 in tiles], tiles, size_hw)
    assert joined.shape == size_hw
    found = [decode_dbnet(whole[y0:y1, x0:x1], min_side_px=0)[0] for x0, y0, x1, y1 in tiles]
    moved = [
        [polygon.clip(0, side) + np.array(tile[:2], np.float32) for polygon in polygons]
        for polygons, tile in zip(found, tiles, strict=True)
    ]
    scores = [np.linspace(0, 1, len(polygons), dtype=np.float32) for polygons in moved]
    merged, merged_scores = merge_tile_outlines(moved, scores, tiles, size_hw, seam_px=1.5, polygon_mode=mode)
    assert len(merged) == len(merged_scores) and all(np.isfinite(one).all() for one in merged)
    kept = keep_whole_outlines(moved, scores, tiles, size_hw, seam_px=1.5)
    assert len(set(kept.tolist())) == len(kept) <= sum(map(len, moved))
