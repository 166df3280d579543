"""Rotated boxes in numpy: ways to write them, polygons, exact overlaps, suppression."""

import math
from functools import cache

import numpy as np
import pytest
import shapely

import golden_files
from tcm_hf.processing.rotated_boxes import (
    boxes_to_bounds,
    boxes_to_polygons,
    convex_intersections,
    norm_angle,
    polygons_to_boxes,
    regularize_boxes,
    rotated_overlaps,
)
from tcm_hf.processing.rotated_suppression import batched_rotated_nms, rotated_nms

QUARTER = math.pi / 2


@cache
def stored() -> dict[str, np.ndarray]:
    return golden_files.load("rotated_ops")[1]


def some_boxes(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.uniform(0, 160, count), rng.uniform(0, 90, count), rng.uniform(1, 60, (count, 2)),
         rng.uniform(-4, 4, count)]
    )  # fmt: skip


def test_ways_of_writing_are_the_originals():
    np.testing.assert_allclose(regularize_boxes(stored()["box/rbox"]), stored()["box/le90"], atol=1e-4)
    np.testing.assert_allclose(boxes_to_bounds(stored()["box/rbox"]), stored()["box/hbox"], atol=1e-4)
    corners = boxes_to_polygons(stored()["box/le90"])[:, [2, 1, 0, 3]]  # the original begins elsewhere
    np.testing.assert_allclose(corners.reshape(-1, 8), stored()["box/qbox"], atol=1e-4)
    boxes = polygons_to_boxes(stored()["box/qbox"].reshape(-1, 4, 2))
    np.testing.assert_allclose(boxes, regularize_boxes(stored()["box/qbox_to_rbox"]), atol=1e-3)


@pytest.mark.parametrize(
    "box, version, expected, why",
    [
        ([5, 3, 4, 2, 0.5], "le90", [5, 3, 4, 2, 0.5], "is written so already"),
        ([5, 3, 2, 4, 0.5], "le90", [5, 3, 4, 2, 0.5 - QUARTER], "the longer side is the width"),
        ([5, 3, 4, 2, 0.5 + math.pi], "le90", [5, 3, 4, 2, 0.5], "half a turn is nothing"),
        ([5, 3, 4, 2, QUARTER], "le90", [5, 3, 4, 2, -QUARTER], "the range is open above"),
        ([5, 3, 4, 2, -1.0], "le135", [5, 3, 4, 2, math.pi - 1], "from -45 degrees on"),
        ([5, 3, 4, 2, 0.5], "oc", [5, 3, 2, 4, 0.5 - QUARTER], "the side that points up right is the width"),
        ([5, 3, 4, 2, 0], "oc", [5, 3, 2, 4, -QUARTER], "upright"),
        ([5, 3, 4, 2, -0.5], "oc", [5, 3, 4, 2, -0.5], "is written so already"),
        ([5, 3, 4, 4, 0], "le90", [5, 3, 4, 4, -QUARTER], "a square takes its other side"),
        ([5, 3, 0, 0, 0], "le90", [5, 3, 0, 0, -QUARTER], "a point"),
    ],
)
def test_one_box_is_written_in_one_way(box, version, expected, why):
    found = regularize_boxes(np.array([box]), version)
    np.testing.assert_allclose(found, [expected], atol=1e-12, err_msg=why)
    again = np.array([expected])
    assert rotated_overlaps(np.array([box]), again)[0, 0] == pytest.approx(float(box[2] * box[3] > 0)), why


@pytest.mark.parametrize("version", ["le90", "le135", "oc"])
def test_a_polygon_gives_its_box_back(version):
    boxes = regularize_boxes(some_boxes(200), version)
    back = polygons_to_boxes(boxes_to_polygons(boxes), version)
    assert rotated_overlaps(boxes, back, paired=True).min() > 1 - 1e-9
    start = {"le90": -QUARTER, "le135": -QUARTER / 2, "oc": -QUARTER}[version]
    width = QUARTER if version == "oc" else math.pi
    assert ((back[:, 4] >= start) & (back[:, 4] < start + width)).all()


def test_the_box_of_a_polygon_is_the_smallest():
    polygons = np.random.default_rng(0).uniform(0, 90, (40, 7, 2))
    boxes = polygons_to_boxes(polygons)
    areas = [shapely.MultiPoint(polygon).minimum_rotated_rectangle.area for polygon in polygons]
    np.testing.assert_allclose(boxes[:, 2] * boxes[:, 3], areas, rtol=1e-9)


def test_degenerate_polygons_give_boxes_without_area():
    for polygon in ([[3, 4]] * 4, [[0, 0], [4, 2], [8, 4], [6, 3]], [[3, 4]]):
        box = polygons_to_boxes(np.array([polygon], dtype=float))[0]
        assert box[2] * box[3] == pytest.approx(0, abs=1e-9) and np.isfinite(box).all()


def test_corners_run_clockwise_from_the_top_left():
    corners = boxes_to_polygons(np.array([[10, 5, 8, 4, 0]]))
    assert corners.tolist() == [[[6, 3], [14, 3], [14, 7], [6, 7]]]


def test_overlaps_are_the_originals():
    boxes, others = stored()["iou/boxes1"], stored()["iou/boxes2"]
    np.testing.assert_allclose(rotated_overlaps(boxes, others), stored()["iou/iou"], atol=2e-6)
    np.testing.assert_allclose(rotated_overlaps(boxes, others, "iof"), stored()["iou/iof"], atol=2e-6)


def test_overlaps_are_exact_for_boxes_that_share_sides_corners_and_places():
    boxes, others = some_boxes(120), some_boxes(120, seed=1)
    others[:20] = boxes[:20]
    others[20:40] = boxes[20:40] + np.random.default_rng(2).normal(scale=1e-10, size=(20, 5))
    others[40:60] = boxes[40:60] + np.random.default_rng(3).normal(scale=1e-7, size=(20, 5))
    others[60:80] = boxes[60:80] * [1, 1, 0.5, 1, 1]  # two common sides
    others[80:100] = others[80:100].round() * [1, 1, 1, 1, 0]
    boxes[80:100] = others[80:100] + np.array([2, 0, 0, 0, QUARTER])
    first, second = (shapely.polygons(boxes_to_polygons(each)) for each in (boxes, others))
    shared = shapely.area(shapely.intersection(first[:, None], second))
    exact = shared / (shapely.area(first)[:, None] + shapely.area(second) - shared)
    np.testing.assert_allclose(rotated_overlaps(boxes, others), exact, atol=1e-7)


@pytest.mark.parametrize(
    "first, second, overlap, why",
    [
        ([5, 5, 4, 2, 0], [5, 5, 4, 2, QUARTER], 1 / 3, "a cross"),
        ([5, 5, 4, 2, 0], [9, 5, 4, 2, 0], 0, "side by side"),
        ([5, 5, 4, 2, 0], [9, 7, 4, 2, 0], 0, "a common corner"),
        ([5, 5, 4, 2, 0.3], [5, 5, 2, 4, 0.3 - QUARTER], 1, "written otherwise"),
        ([5, 5, 0, 2, 0], [5, 5, 4, 2, 0], 0, "one without area"),
        ([5, 5, 0, 0, 0], [5, 5, 0, 0, 0], 0, "none has an area"),
        ([1e6, 1e6, 4, 2, 0], [1e6, 1e6, 4, 2, QUARTER], 1 / 3, "far from the origin"),
    ],
)
def test_overlap_at_the_edges_of_the_method(first, second, overlap, why):
    assert rotated_overlaps(np.array([first]), np.array([second]))[0, 0] == pytest.approx(overlap), why


def test_convex_polygons_of_any_shape_and_sense_are_intersected():
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], dtype=float)
    triangle = np.array([[2, -2], [6, 2], [2, 6]], dtype=float)
    exact = shapely.Polygon(square).intersection(shapely.Polygon(triangle)).area
    assert convex_intersections(square[None], triangle[None])[0] == pytest.approx(exact)
    assert convex_intersections(square[None, ::-1], triangle[None, ::-1])[0] == pytest.approx(exact)


def test_empty_arrays_have_no_overlaps():
    none = np.zeros((0, 5))
    assert rotated_overlaps(none, some_boxes(3)).shape == (0, 3)
    assert rotated_overlaps(none, none, paired=True).shape == (0,)
    assert boxes_to_polygons(none).shape == (0, 4, 2)
    assert polygons_to_boxes(np.zeros((0, 4, 2))).shape == (0, 5)


@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.5"])
def test_suppression_keeps_what_the_original_keeps(threshold):
    boxes, scores, labels = (stored()[f"nms/{name}"] for name in ("boxes", "scores", "labels"))
    kept = rotated_nms(boxes, scores, float(threshold))
    np.testing.assert_array_equal(kept, stored()[f"nms/keep_agnostic_{threshold}"])
    kept = batched_rotated_nms(boxes, scores, labels, float(threshold))
    np.testing.assert_array_equal(kept, stored()[f"nms/keep_batched_{threshold}"])


def test_suppression_in_blocks_is_the_plain_greedy_one():
    centers = some_boxes(60)
    rng = np.random.default_rng(5)
    boxes = centers[rng.integers(0, 60, 700)] + rng.normal(size=(700, 5)) * [2, 2, 1, 1, 0.1]
    scores = rng.integers(0, 40, 700) / 40  # with ties
    overlaps = rotated_overlaps(boxes, boxes)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if not any(overlaps[i, j] > 0.3 for j in kept):
            kept.append(i)
    assert rotated_nms(boxes, scores, 0.3).tolist() == kept


def test_classes_do_not_suppress_one_another_wherever_they_are():
    boxes = np.tile([[9000.0, 9000, 30, 10, 0.2]], (3, 1))
    assert batched_rotated_nms(boxes, np.array([0.5, 0.9, 0.7]), np.array([0, 14, 0]), 0.1).tolist() == [1, 2]


def test_nothing_in_nothing_out():
    assert rotated_nms(np.zeros((0, 5)), np.zeros(0), 0.1).tolist() == []
    assert batched_rotated_nms(np.zeros((0, 5)), np.zeros(0), np.zeros(0), 0.1).tolist() == []


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: norm_angle(np.zeros(1), "le45"), "le135"),
        (lambda: boxes_to_polygons(np.zeros((2, 4))), "(N, 5)"),
        (lambda: polygons_to_boxes(np.zeros((2, 8))), "(N, P, 2)"),
        (lambda: rotated_overlaps(some_boxes(1), some_boxes(1), "giou"), "giou"),
        (lambda: rotated_overlaps(some_boxes(1), some_boxes(2), paired=True), "1 and 2"),
        (lambda: rotated_nms(some_boxes(2), np.zeros(1), 0.1), "1 for 2"),
        (lambda: batched_rotated_nms(some_boxes(2), np.zeros(2), np.zeros(1), 0.1), "2, 2 and 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)
