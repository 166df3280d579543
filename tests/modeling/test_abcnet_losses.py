"""What places of ABCNet's dense head learn, and its recognisers."""

import pytest
import torch
from torchvision.ops import box_convert

from tcm_hf.modeling.abcnet_dense import DenseWords
from tcm_hf.modeling.abcnet_losses import (
    centerness,
    corners_in_pixels,
    dense_losses,
    inside_any,
    moved_curves,
    word_of_places,
)
from tcm_hf.modeling.attention_recognizer import slot_loss
from tcm_hf.modeling.configuration_abcnet import ABCNetHeadConfig
from tcm_hf.modeling.rotated_geometry import grid_points

CONFIG = ABCNetHeadConfig(level_sizes=[64, 128])
SIZES_HW = {8: (8, 24), 16: (4, 12), 32: (2, 6)}
"""Of an image of 64 x 192 pixels."""
SIZE_XY = torch.tensor([192.0, 64.0])
NAMES = {"loss_score", "loss_box", "loss_centerness", "loss_bezier"}


def label_of(
    *boxes: tuple[float, ...], ignored: tuple[tuple[float, ...], ...] = ()
) -> dict[str, torch.Tensor]:
    """Words that fill their boxes (corners in pixels), with straight curves."""
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) / SIZE_XY.repeat(2)
    x0, y0, x1, y1 = corners.unbind(-1)
    along = torch.linspace(0, 1, 4)
    x = x0[:, None] * (1 - along) + x1[:, None] * along
    top = torch.stack([x, y0[:, None].expand_as(x)], dim=-1)
    foot = torch.stack([x.flip(1), y1[:, None].expand_as(x)], dim=-1)
    label = {
        "boxes": box_convert(corners, "xyxy", "cxcywh"),
        "bezier_points": torch.cat([top, foot], dim=1),
    }
    if ignored:
        label["ignored_boxes"] = box_convert(torch.tensor(ignored) / SIZE_XY.repeat(2), "xyxy", "cxcywh")
    return label


def empty_words(batch: int = 1, gradients: bool = False) -> DenseWords:
    """Places in the middle of their cells that say nothing."""
    places = [grid_points(size_hw, stride, 0.5) for stride, size_hw in SIZES_HW.items()]
    strides = [
        torch.full((len(place),), float(stride)) for place, stride in zip(places, SIZES_HW, strict=True)
    ]
    shape = (batch, sum(map(len, places)))
    values = [torch.zeros(*shape, *rest, requires_grad=gradients) for rest in ((), (), (4,), (8, 2))]
    return DenseWords(*values, torch.cat(places), torch.cat(strides))


def owners(dense: DenseWords, label: dict[str, torch.Tensor]) -> torch.Tensor:
    """The word of every place."""
    return word_of_places(dense.places, dense.strides, corners_in_pixels(label["boxes"], SIZE_XY), CONFIG)


def losses_of(dense: DenseWords, labels: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Losses in images of one size."""
    return dense_losses(dense, labels, SIZE_XY.expand(len(labels), -1), CONFIG)


def perfect_words(labels: list[dict[str, torch.Tensor]]) -> DenseWords:
    """What is so, said at every place of a word."""
    dense = empty_words(len(labels))
    dense.score_logits.fill_(-12.0)
    for image, label in enumerate(labels):
        owner = owners(dense, label)
        own = owner >= 0
        places, strides = dense.places[own], dense.strides[own]
        box = corners_in_pixels(label["boxes"], SIZE_XY)[owner[own]]
        curve = (label["bezier_points"] * SIZE_XY)[owner[own]]
        dense.score_logits[image, own] = 12.0
        dense.centerness_logits[image, own] = centerness(places, box).clamp(max=1 - 1e-6).logit()
        distances = torch.cat([places - box[:, :2], box[:, 2:] - places], dim=-1)
        dense.distances[image, own] = distances / strides[:, None]
        dense.curve_offsets[image, own] = (curve - places[:, None]) / strides[:, None, None]
    return dense


def test_a_place_answers_for_the_smallest_word_around_it_on_the_level_of_its_size():
    dense = empty_words()
    owner = owners(dense, label_of((8, 8, 56, 32), (24, 14, 40, 26), (2, 30, 190, 62)))
    levels = {stride: set(owner[dense.strides == stride].tolist()) for stride in SIZES_HW}
    # The long word's farther side is 94 pixels or more from everywhere: not the first level's.
    assert levels == {8: {-1, 0, 1}, 16: {-1, 2}, 32: {-1}}
    assert owner[(dense.places == torch.tensor([36.0, 20.0])).all(-1)].tolist() == [1]
    # In the box, but too far from its centre.
    assert owner[(dense.places == torch.tensor([12.0, 20.0])).all(-1)].tolist() == [-1]


def test_no_place_answers_where_there_is_no_word():
    assert (owners(empty_words(), label_of()) == -1).all()


def test_saying_what_is_so_costs_nothing():
    labels = [label_of((8, 8, 56, 32), (100, 10, 130, 30)), label_of((20, 40, 60, 50))]
    losses = losses_of(perfect_words(labels), labels)
    assert set(losses) == NAMES
    for name in NAMES - {"loss_centerness"}:  # cross entropy with a part is not 0
        assert losses[name].item() == pytest.approx(0, abs=1e-4)
    off = perfect_words(labels)
    off.curve_offsets[:] += 2
    assert losses_of(off, labels)["loss_bezier"].item() == pytest.approx(1.5, rel=1e-4)


@pytest.mark.parametrize("labels", [[label_of()], [label_of(), label_of((8, 8, 56, 32))]])
def test_every_map_gets_a_gradient_with_and_without_words(labels):
    dense = empty_words(len(labels), gradients=True)
    losses = losses_of(dense, labels)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    for values in dense[:4]:
        assert values.grad is not None and values.grad.isfinite().all()
    if len(labels) == 1:
        assert losses["loss_score"] > 0
        assert [losses[name].item() for name in NAMES - {"loss_score"}] == [0, 0, 0]


def test_nothing_is_learned_inside_ignored_boxes_but_of_words():
    dense = empty_words(gradients=True)
    label = label_of((8, 8, 40, 32), ignored=((0, 0, 96, 64),))
    losses_of(dense, [label])["loss_score"].backward()
    owner = owners(dense, label) >= 0
    assert owner.any()
    assert torch.equal(dense.score_logits.grad[0] != 0, (dense.places[:, 0] > 96) | owner)


def test_inside_means_between_the_sides():
    places = torch.tensor([[5.0, 5.0], [1.0, 5.0], [11.0, 5.0], [5.0, 0.0]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [10, 4, 12, 6]])
    assert inside_any(places, boxes).tolist() == [True, True, True, False]
    assert inside_any(places, torch.zeros(0, 4)).tolist() == [False] * 4


def test_centerness_is_one_in_the_middle_and_none_at_a_side():
    box = torch.tensor([[0.0, 0.0, 40.0, 20.0]]).expand(3, -1)
    places = torch.tensor([[20.0, 10.0], [10.0, 10.0], [0.0, 10.0]])
    torch.testing.assert_close(centerness(places, box), torch.tensor([1.0, (1 / 3) ** 0.5, 0.0]))


def test_the_end_of_a_word_counts_with_its_characters_and_the_rest_apart():
    ids = torch.tensor([[0, 2, 2, 2, 2]])
    logits = torch.full((1, 5, 3), -20.0).scatter(2, ids[..., None], 0.0)
    assert slot_loss(logits, ids).item() == pytest.approx(0, abs=1e-5)
    for slot, share in enumerate([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3]):
        wrong = logits.clone()
        wrong[0, slot] = torch.tensor([-20.0, 0.0, -20.0])
        assert slot_loss(wrong, ids).item() == pytest.approx(20 * share, abs=1e-3)


def test_no_words_are_no_loss_and_keep_the_graph():
    logits = torch.zeros(0, 5, 3, requires_grad=True)
    value = slot_loss(logits, torch.zeros(0, 5, dtype=torch.long))
    value.backward()
    assert value.item() == 0


def test_moved_curves_stay_near_and_keep_their_bends():
    curves = label_of((8, 8, 108, 28))["bezier_points"] * SIZE_XY
    assert torch.equal(moved_curves(curves, 0.0), curves)
    torch.manual_seed(0)
    moved = moved_curves(curves, 0.1)
    assert 0 < (moved - curves).abs().max() <= 0.2 * 20
    # Straight sides stay straight.
    for side in (moved[0, :4], moved[0, 4:]):
        torch.testing.assert_close(side.diff(dim=0), side.diff(dim=0)[:1].expand(3, -1), rtol=1e-4, atol=1e-4)
    assert moved_curves(curves[:0], 0.1).shape == (0, 8, 2)
