"""Matching of queries with words, and the losses between them."""

import pytest
import torch
from torchvision.ops import box_convert, generalized_box_iou, sigmoid_focal_loss

from tcm_hf.modeling.spotting_losses import (
    assign,
    box_costs,
    focal_cost,
    focal_loss,
    inside_boxes,
    paired_giou_loss,
    targets_of,
)


def test_every_word_gets_the_cheapest_query_of_its_own_image():
    costs = torch.full((2, 3, 3), 9.0)
    costs[0, :, :2] = torch.tensor([[1.0, 2.0], [1.5, 9.0], [9.0, 9.0]])
    costs[1, 2, 2] = 0.0
    pairs = assign(costs, [2, 1])
    # Together 2 + 1.5 is less than 1 + 9.
    found = {tuple(pair) for pair in torch.stack(list(pairs), dim=1).tolist()}
    assert found == {(0, 1, 0), (0, 0, 1), (1, 2, 2)}


@pytest.mark.parametrize("counts", [[0, 0], [0, 1], [1, 0]])
def test_images_without_words_match_nothing(counts):
    pairs = assign(torch.rand(2, 4, sum(counts)), counts)
    assert [len(part) for part in pairs] == [sum(counts)] * 3
    assert pairs.image.tolist() == [image for image, count in enumerate(counts) for _ in range(count)]


def test_what_is_not_a_number_is_matched_last():
    pairs = assign(torch.tensor([[[float("nan")], [3.0], [float("inf")]]]), [1])
    assert pairs.query.tolist() == [1]


def test_focal_loss_is_torchvisions():
    logits, target = torch.randn(40) * 4, (torch.arange(40) % 3 == 0).float()
    torch.testing.assert_close(
        focal_loss(logits, target, 0.25, 2.0), sigmoid_focal_loss(logits, target, 0.25, 2.0)
    )


def test_focal_cost_falls_with_the_score():
    costs = focal_cost(torch.tensor([-4.0, -1.0, 0.0, 2.0]), 0.25, 2.0)
    assert (costs.diff() < 0).all()


def test_points_in_boxes_are_found_image_by_image():
    points = torch.tensor([[[0.5, 0.5], [0.5, 0.62], [0.9, 0.1]]]).expand(2, -1, -1)
    boxes = [torch.tensor([[0.5, 0.5, 0.4, 0.2], [0.9, 0.1, 0.1, 0.1]]), torch.zeros(0, 4)]
    assert inside_boxes(points, boxes).tolist() == [[True, False, True], [False, False, False]]


def test_giou_of_pairs_is_the_diagonal_of_torchvisions():
    first, second = (
        torch.rand(7, 4, generator=torch.Generator().manual_seed(seed)) + 0.05 for seed in (0, 1)
    )
    corners = [box_convert(boxes, "cxcywh", "xyxy") for boxes in (first, second)]
    torch.testing.assert_close(paired_giou_loss(first, second), 1 - generalized_box_iou(*corners).diag())
    torch.testing.assert_close(paired_giou_loss(first, first), torch.zeros(7))


def test_a_box_costs_least_where_it_is():
    words = torch.tensor([[0.3, 0.3, 0.2, 0.1], [0.7, 0.6, 0.2, 0.1]])
    boxes = torch.stack([words.flip(0), words])
    costs = box_costs(torch.zeros(2, 2), boxes, words, (2.0, 5.0, 2.0))
    assert costs.shape == (2, 2, 2)
    assert costs.argmin(dim=1).tolist() == [[1, 0], [0, 1]]
    assert costs[1, 0, 0].item() == pytest.approx(-2.0)


def test_targets_are_one_at_pairs_whatever_the_shape():
    pairs = assign(torch.tensor([[[1.0], [0.0]]]), [1])
    assert targets_of(torch.zeros(1, 2, 3), pairs).tolist() == [[[0, 0, 0], [1, 1, 1]]]
