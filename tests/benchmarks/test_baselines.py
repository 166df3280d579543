"""The benchmarks compare like with like: the plain loops find what the package's functions find."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.decode_fcenet import decode_fcenet
from tcm_hf.processing.decode_pan import decode_pan
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tcm_hf.processing.polygons import order_clockwise
from text_shapes import tilted

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIZE_HW = (224, 416)
# Six rotated words on a landscape page, far enough apart.
QUADS = [
    tilted((70 + 130 * (index % 3), 60 + 110 * (index // 3)), 80, 28, degrees)
    for index, degrees in enumerate((0, 8, -15, 25, -30, 4))
]
MODES = ("quad", "polygon")


@pytest.fixture(autouse=True)
def import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize("targets", [dbnet_targets, pan_targets, fcenet_targets])
def test_the_plain_targets_are_the_targets(targets):
    import baselines

    plain_targets = getattr(baselines, f"plain_{targets.__name__}")
    ours, plain = targets(QUADS, [False] * 6, SIZE_HW), plain_targets(QUADS, SIZE_HW)
    assert ours.keys() == plain.keys()
    for name, expected in ours.items():
        # A kernel's outline may be a pixel off: the published program rounds the distance, the loop does not.
        assert np.mean(np.abs(plain[name] - expected) > 0.01) < 0.01, name


@pytest.mark.parametrize("polygon_mode", MODES)
def test_the_plain_decoder_of_dbnet_finds_the_same_outlines(polygon_mode):
    from baselines import plain_decode_dbnet
    from decode import dbnet_settings

    probability_map = 0.9 * dbnet_targets(QUADS, [False] * 6, SIZE_HW)["probability_map"]
    settings = dbnet_settings(0.3, 0.3, 1.5, polygon_mode, 3, 0.001)
    assert_same(decode_dbnet(probability_map, **settings), plain_decode_dbnet(probability_map, **settings))


@pytest.mark.parametrize("polygon_mode", MODES)
def test_the_plain_decoder_of_pan_finds_the_same_outlines(polygon_mode):
    from baselines import plain_decode_pan
    from decode import pan_maps

    maps = pan_maps(QUADS, SIZE_HW)
    settings = {"score_threshold": 0.85, "embedding_distance": 0.85, "polygon_mode": polygon_mode}
    assert_same(decode_pan(*maps, **settings), plain_decode_pan(*maps, **settings))


@pytest.mark.parametrize("seed", range(4))
def test_pan_joins_pixels_as_a_queue_would(seed):
    """On noise, where kernels compete for most pixels."""
    from baselines import plain_decode_pan

    rng = np.random.default_rng(seed)
    text, kernel = rng.normal(1, 1, (40, 90)), rng.normal(-1.2, 1, (40, 90))
    embeddings = rng.normal(0, 0.3, (4, 40, 90))
    settings = {"score_threshold": 0.0, "embedding_distance": 0.85, "polygon_mode": "polygon"}
    found = decode_pan(text, kernel, embeddings, **settings)
    assert len(found[0]) > 5
    assert_same(found, plain_decode_pan(text, kernel, embeddings, **settings))


def assert_same(found, plain):
    polygons, scores = found
    assert len(polygons) == len(plain) >= 6
    for polygon, score, (outline, plain_score) in zip(polygons, scores, plain, strict=True):
        np.testing.assert_allclose(polygon, order_clockwise(outline), atol=1e-3)
        assert score == pytest.approx(plain_score, abs=1e-5)


@pytest.mark.parametrize("polygon_mode", MODES)
def test_the_plain_decoder_of_fcenet_finds_the_same_outlines(polygon_mode):
    from baselines import plain_decode_fcenet
    from decode import fcenet_maps

    levels = fcenet_maps(QUADS, SIZE_HW)
    settings = {"score_threshold": 0.3, "polygon_mode": polygon_mode}
    (polygons, scores), plain = decode_fcenet(*levels, **settings), plain_decode_fcenet(*levels, **settings)
    assert len(polygons) == len(plain) == 6
    for polygon, score, (outline, plain_score) in zip(polygons, scores, plain, strict=True):
        assert polygon_iou(polygon, outline) > 0.99
        assert score == pytest.approx(plain_score, abs=1e-5)


@pytest.mark.parametrize("script", ["decode.py", "targets.py"])
def test_the_script_prints_a_table(script):
    process = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--repeats", "1"], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("\n| ") > 3
    for detector in ("DBNet", "PAN", "FCENet"):
        assert f"| {detector} |" in process.stdout
