"""Without Clipper, kernels grow to points of the same hull, so quads are the same; see test_polygons.py."""

import cv2
import numpy as np
import pytest

from tcm_hf.processing import polygon_growing
from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.polygon_growing import grow_on_pixels

KERNELS = {
    "rectangle": [[10, 10], [90, 10], [90, 30], [10, 30]],
    "the other way round": [[10, 30], [90, 30], [90, 10], [10, 10]],
    "leaning": [[10, 40], [80, 10], [88, 25], [18, 55]],
    "triangle": [[0, 0], [40, 5], [12, 33]],
    "point twice": [[10, 10], [10, 10], [90, 10], [90, 30], [10, 30], [10, 10]],
    "hexagon": [[30, 10], [60, 10], [75, 30], [60, 50], [30, 50], [15, 30]],
}
SPIKE = [[10, 10], [90, 10], [90, 20], [120, 20], [90, 20], [90, 30], [10, 30]]


def hull(points: np.ndarray) -> set[tuple[int, int]]:
    return set(map(tuple, cv2.convexHull(points.astype(np.int32))[:, 0].tolist()))


@pytest.mark.parametrize("distance_px", [0.0, 0.6, 1.0, 3.3, 12.5])
@pytest.mark.parametrize("name", KERNELS)
def test_the_hull_is_that_of_clipper(name, distance_px, monkeypatch):
    compare_hulls(np.array(KERNELS[name]), distance_px, monkeypatch)


def test_a_line_that_goes_out_and_back_is_grown_round(monkeypatch):
    compare_hulls(np.array(SPIKE), 3.3, monkeypatch)


def compare_hulls(kernel: np.ndarray, distance_px: float, monkeypatch) -> None:
    (expected,) = grow_on_pixels(kernel, distance_px)
    monkeypatch.setattr(polygon_growing, "pyclipper", None)
    (found,) = grow_on_pixels(kernel, distance_px)
    assert found.dtype == np.int32 and hull(found) == hull(expected)


@pytest.mark.parametrize(
    "kernel", [[[3, 3]], [[3, 3], [9, 3]], [[3, 3], [3, 3], [3, 3]]], ids=["point", "line", "one point"]
)
@pytest.mark.parametrize("distance_px", [0.0, 2.0])
def test_what_has_no_area_does_not_grow(kernel, distance_px, monkeypatch):
    assert grow_on_pixels(np.array(kernel), distance_px) == []
    monkeypatch.setattr(polygon_growing, "pyclipper", None)
    assert grow_on_pixels(np.array(kernel), distance_px) == []


def test_quads_of_a_map_are_the_same_to_a_pixel(monkeypatch):
    rng = np.random.default_rng(3)
    canvas = np.zeros((240, 400), np.float32)
    for _ in range(12):
        centre, size = rng.uniform((30, 30), (370, 210)), rng.uniform((12, 6), (70, 16))
        cv2.fillPoly(canvas, [cv2.boxPoints((centre, size, rng.uniform(-40, 40))).astype(np.int32)], 0.9)
    blurred = cv2.GaussianBlur(canvas, (0, 0), 1.5)
    expected, scores = decode_dbnet(blurred)
    monkeypatch.setattr(polygon_growing, "pyclipper", None)
    found, same_scores = decode_dbnet(blurred)
    assert len(found) == len(expected) > 5 and same_scores.tolist() == scores.tolist()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1)
