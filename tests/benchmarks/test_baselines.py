"""The benchmarks compare like with like: the plain loops find what the package's functions find."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.polygons import order_clockwise

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def quads() -> list[np.ndarray]:
    """Six rotated words on a landscape page, far enough apart."""
    words = []
    for index, degrees in enumerate((0, 8, -15, 25, -30, 4)):
        angle, half = np.radians(degrees), np.array([[-40, -14], [40, -14], [40, 14], [-40, 14]])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        words.append(half @ turn + (70 + 130 * (index % 3), 60 + 110 * (index // 3)))
    return words


def test_the_plain_targets_are_the_targets():
    from baselines import plain_targets

    ours, plain = dbnet_targets(quads(), [False] * 6, (220, 420)), plain_targets(quads(), (220, 420))
    for name, expected in ours.items():
        # A kernel's outline may be a pixel off: the published program rounds the distance, the loop does not.
        assert np.mean(np.abs(plain[name] - expected) > 0.01) < 0.01, name


@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_the_plain_decoder_finds_the_same_outlines(polygon_mode):
    from baselines import plain_decode

    probability_map = 0.9 * dbnet_targets(quads(), [False] * 6, (220, 420))["probability_map"]
    settings = {
        "binarize_threshold": 0.3,
        "score_threshold": 0.3,
        "unclip_ratio": 1.5,
        "polygon_mode": polygon_mode,
        "min_side_px": 3,
        "arc_length_ratio": 0.001,
    }
    found, scores = decode_dbnet(probability_map, **settings)
    plain = plain_decode(probability_map, **settings)
    assert len(found) == len(plain) == 6
    for polygon, score, (outline, plain_score) in zip(found, scores, plain, strict=True):
        np.testing.assert_allclose(polygon, order_clockwise(outline), atol=1e-3)
        assert score == pytest.approx(plain_score)


@pytest.mark.parametrize("script", ["decode_dbnet.py", "targets_dbnet.py"])
def test_the_script_prints_a_table(script):
    process = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--repeats", "1"], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert "|--" in process.stdout
