"""Coders, anchors and overlaps as tensors: against MMRotate's numbers, and by what must hold."""

import math
from functools import cache

import pytest
import torch

import golden_files
from tcm_hf.modeling.rotated_geometry import (
    corners,
    decode_deltas,
    decode_distances,
    encode_deltas,
    encode_distances,
    grid_anchors,
    grid_points,
    regularize_boxes,
    rotated_iou,
    rotated_iou_loss,
    rotated_iou_matrix,
)

QUARTER = math.pi / 2


@cache
def stored() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in golden_files.load("rotated_ops")[1].items()}


def close(values: torch.Tensor, name: str, atol: float = 1e-4):
    torch.testing.assert_close(values, stored()[name], atol=atol, rtol=1e-5)


def some_boxes(count: int, seed: int = 0) -> torch.Tensor:
    draw = torch.rand(count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return draw * torch.tensor([60, 40, 30, 30, 6]) + torch.tensor([0, 0, 2, 2, -3])


def test_distances_become_the_originals_boxes():
    distances = stored()["dap/distance"]
    close(decode_distances(stored()["dap/points"], distances[:, :4], distances[:, 4]), "dap/decoded")


def test_boxes_become_the_originals_distances():
    encoded = encode_distances(stored()["dap/points"], stored()["dap/decoded"])
    torch.testing.assert_close(encoded, stored()["dap/encoded"][:, :4], atol=1e-4, rtol=1e-5)


def test_deltas_are_the_originals_both_ways():
    close(encode_deltas(stored()["delta/priors"], stored()["delta/gt"]), "delta/encoded")
    close(decode_deltas(stored()["delta/priors"], stored()["delta/deltas"]), "delta/decoded")


def test_centres_stay_inside_the_image_where_its_size_is_given():
    decoded = decode_deltas(stored()["delta/priors"], stored()["delta/deltas"], size_hw=(128, 128))
    close(decoded, "delta/decoded_maxshape128")
    wide = decode_deltas(
        torch.tensor([[90.0, 30, 10, 10, 0]]), torch.tensor([[5.0, 5, 0, 0, 0]]), size_hw=(40, 100)
    )
    assert wide[0, :2].tolist() == [99, 39]


def test_encoding_and_decoding_undo_one_another():
    boxes, priors = some_boxes(50), regularize_boxes(some_boxes(50, seed=1))
    again = decode_deltas(priors, encode_deltas(priors, boxes))
    torch.testing.assert_close(again, regularize_boxes(boxes))
    points = boxes[:, :2] + 1
    again = decode_distances(points, encode_distances(points, boxes), boxes[:, 4])
    torch.testing.assert_close(regularize_boxes(again), regularize_boxes(boxes))


# columns and rows of the golden anchors' levels
@pytest.mark.parametrize("level, size_hw", list(enumerate([(4, 5), (2, 3), (1, 2), (1, 1), (1, 1)])))
def test_anchors_are_the_originals(level, size_hw):
    stride = 8 * 2**level
    close(grid_anchors(size_hw, stride, ratios=[1.0], scales=[4.0]), f"anchors/atss{level}")
    scales = [4 * 2 ** (i / 3) for i in range(3)]
    close(grid_anchors(size_hw, stride, ratios=[1.0, 0.5, 2.0], scales=scales), f"anchors/retina{level}")


def test_points_are_the_originals_and_run_along_the_rows():
    close(grid_points((16, 16), 8, 0.5), "anchors/fcos0")
    assert grid_points((2, 3), 10, 0.5).tolist() == [[5, 5], [15, 5], [25, 5], [5, 15], [15, 15], [25, 15]]


def test_the_first_corner_of_an_upright_box_is_the_top_left_one():
    found = corners(torch.tensor([[10.0, 5, 8, 4, 0]]))
    assert found.tolist() == [[[6, 3], [14, 3], [14, 7], [6, 7]]]


def test_overlaps_are_the_originals():
    close(rotated_iou_matrix(stored()["iou/boxes1"], stored()["iou/boxes2"]), "iou/iou", 1e-5)


def test_overlaps_have_the_right_gradients():
    boxes = some_boxes(12).requires_grad_()
    others = (boxes.detach() + torch.tensor([2.0, -1, 3, 1, 0.2])).requires_grad_()
    assert torch.autograd.gradcheck(rotated_iou, (boxes, others))


@pytest.mark.parametrize(
    "first, second, overlap, why",
    [
        ([5, 5, 4, 2, 0], [5, 5, 4, 2, 0], 1, "the same box"),
        ([5, 5, 4, 2, 0], [5, 5, 2, 4, QUARTER], 1, "the same box, written otherwise"),
        ([5, 5, 4, 2, 0], [5, 5, 4, 2, QUARTER], 1 / 3, "a cross"),
        ([5, 5, 4, 2, 0], [7, 5, 4, 2, 0], 1 / 3, "half of it"),
        ([5, 5, 4, 2, 0], [9, 5, 4, 2, 0], 0, "side by side"),
        ([5, 5, 4, 2, 0], [5, 5, 0, 2, 0], 0, "one without area"),
        ([5, 5, 0, 0, 0], [5, 5, 0, 0, 0], 0, "none has an area"),
    ],
)
def test_overlap_and_its_gradient_at_the_edges_of_the_method(first, second, overlap, why):
    boxes = torch.tensor([first], dtype=torch.float32, requires_grad=True)
    found = rotated_iou(boxes, torch.tensor([second], dtype=torch.float32))
    assert found.item() == pytest.approx(overlap, abs=1e-6), why
    found.sum().backward()
    assert boxes.grad.isfinite().all(), why


def test_an_equal_box_costs_nothing_and_a_far_one_a_lot():
    boxes = some_boxes(3)
    for mode in ("log", "linear"):
        torch.testing.assert_close(rotated_iou_loss(boxes, boxes, mode), torch.zeros(3).double())
    assert (rotated_iou_loss(boxes, boxes + 500, "log") > 13).all()
    assert (rotated_iou_loss(boxes, boxes + 500, "linear") == 1).all()


def test_no_boxes_have_no_overlaps():
    none = torch.zeros(0, 5)
    assert rotated_iou(none, none).shape == (0,)
    assert rotated_iou_matrix(none, some_boxes(3)).shape == (0, 3)
