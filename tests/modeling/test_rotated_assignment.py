"""Which place answers for which object: against MMRotate's targets, and by what must hold."""

from functools import cache

import pytest
import torch

import golden_files
from tcm_hf.modeling.rotated_assignment import (
    BACKGROUND,
    IGNORED,
    assign_adaptively,
    assign_by_overlap,
    assign_points,
)
from tcm_hf.modeling.rotated_geometry import (
    encode_deltas,
    encode_distances,
    grid_anchors,
    grid_points,
    regularize_boxes,
)
from tcm_hf.modeling.rotated_head import centerness, class_masks

STRIDES = (8, 16, 32, 64, 128)
SIDE = 128
CLASSES = 15  # what the original calls background


@cache
def stored() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in golden_files.load("rotated_ops")[1].items()}


def levels_of(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.cat([stored()[f"{name}{level}"].reshape(shape) for level in range(5)])


def objects() -> tuple[torch.Tensor, torch.Tensor]:
    return regularize_boxes(stored()["fcos_targets/gt_boxes"]), stored()["fcos_targets/gt_labels"]


def classes(matched: torch.Tensor) -> torch.Tensor:
    return torch.where(matched >= 0, objects()[1][matched.clamp(min=0)], CLASSES)


def points() -> list[torch.Tensor]:
    return [grid_points((SIDE // stride, SIDE // stride), stride, 0.5) for stride in STRIDES]


def anchors(ratios: list[float], scales: list[float]) -> list[torch.Tensor]:
    return [
        grid_anchors((SIDE // stride, SIDE // stride), stride, ratios=ratios, scales=scales)
        for stride in STRIDES
    ]


def test_fcos_targets_are_the_originals():
    boxes, _ = objects()
    matched = assign_points(points(), STRIDES, boxes, center_radius=1.5, first_range_px=64)
    assert torch.equal(classes(matched), levels_of("fcos_targets/labels", (-1,)))
    own = matched >= 0
    places, targets = torch.cat(points())[own], boxes[matched[own]]
    strides = torch.cat([torch.full((len(p), 1), s) for p, s in zip(points(), STRIDES, strict=True)])[own]
    expected = levels_of("fcos_targets/bbox", (-1, 4))[own]
    torch.testing.assert_close(encode_distances(places, targets) / strides, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(targets[:, 4], levels_of("fcos_targets/angle", (-1,))[own])
    torch.testing.assert_close(centerness(places, targets), stored()["fcos_targets/centerness"])


def test_atss_targets_are_the_originals():
    boxes, _ = objects()
    matched = assign_adaptively(anchors([1.0], [4.0]), boxes, num_candidates=9)
    assert torch.equal(classes(matched), levels_of("atss_targets/labels", (-1,)))
    own = matched >= 0
    torch.testing.assert_close(boxes[matched[own]], levels_of("atss_targets/bbox_targets", (-1, 5))[own])


def test_retinanet_targets_are_the_originals():
    boxes, _ = objects()
    every = torch.cat(anchors([1.0, 0.5, 2.0], [4 * 2 ** (i / 3) for i in range(3)]))
    matched = assign_by_overlap(every, boxes, positive_iou=0.5, negative_iou=0.4)
    assert torch.equal(classes(matched), levels_of("retina_targets/labels", (-1,)))
    learned = levels_of("retina_targets/label_weights", (-1,)) > 0
    assert torch.equal(matched != IGNORED, learned)
    own = matched >= 0
    deltas = encode_deltas(every[own], boxes[matched[own]])
    expected = levels_of("retina_targets/bbox_targets", (-1, 5))[own]
    torch.testing.assert_close(deltas, expected, atol=1e-5, rtol=1e-5)


def test_class_masks_are_the_originals_but_for_cells_that_a_side_cuts_in_half():
    boxes, labels = stored()["fcos_targets/gt_boxes"][None], stored()["fcos_targets/gt_labels"][None]
    masks = class_masks(boxes, labels, (SIDE, SIDE), CLASSES)[0]
    differing = masks.amax(0) != stored()["segmask/global"]
    assert differing.sum() <= 4
    assert (masks.flatten()[::11] != stored()["segmask/classes"]).sum() <= 1


@pytest.mark.parametrize("assign", ["points", "adaptively", "by_overlap"])
def test_without_objects_everything_is_background(assign):
    none = torch.zeros(0, 5)
    if assign == "points":
        matched = assign_points(points(), STRIDES, none, center_radius=1.5, first_range_px=64)
    elif assign == "adaptively":
        matched = assign_adaptively(anchors([1.0], [4.0]), none, num_candidates=9)
    else:
        every = torch.cat(anchors([1.0], [4.0]))
        matched = assign_by_overlap(every, none, positive_iou=0.5, negative_iou=0.4)
    assert (matched == BACKGROUND).all() and len(matched) == 341


def test_an_object_that_no_anchor_touches_claims_none():
    far = torch.tensor([[1000.0, 1000, 20, 10, 0]])
    every = torch.cat(anchors([1.0], [4.0]))
    assert (assign_by_overlap(every, far, positive_iou=0.5, negative_iou=0.4) == BACKGROUND).all()


def test_a_box_without_area_claims_nothing():
    flat = torch.tensor([[64.0, 64, 20, 0, 0.3]])
    matched = assign_points(points(), STRIDES, flat, center_radius=1.5, first_range_px=64)
    assert (matched == BACKGROUND).all()
    assert (assign_adaptively(anchors([1.0], [4.0]), flat, num_candidates=9) == BACKGROUND).all()


def test_the_smaller_of_two_boxes_gets_the_point():
    nested = torch.tensor([[64.0, 64, 60, 50, 0], [64.0, 64, 30, 20, 0.1]])
    matched = assign_points(points(), STRIDES, nested, center_radius=1.5, first_range_px=64)
    near = (torch.cat(points()) - 64).abs().amax(-1) < 6
    first_level = torch.arange(len(near)) < 256
    assert (matched[near & first_level] == 1).all()
