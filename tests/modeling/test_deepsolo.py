"""DeepSolo's head: explicit points on tiny configurations."""

import numpy as np
import pytest
import torch

from tcm_hf.modeling.configuration_deepsolo import DeepSoloHeadConfig
from tcm_hf.modeling.curve_proposals import CurveProposals, curve_points, level_lines
from tcm_hf.modeling.deepsolo import PointPredictions, reading_costs
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.modeling.query_spotting_head import BatchWords, QueryPredictions
from tcm_hf.modeling.spotting_losses import ctc_losses
from tcm_hf.processing.bezier_curves import bezier_outlines
from tcm_hf.processing.decode_spotting import decode_spotting
from tiny import SIZE_HW, tiny_images
from tiny_spotter import (
    HEAD,
    POINTS_HEAD,
    learned_by_heart,
    tiny_spotter,
    tiny_spotting_config,
    tiny_spotting_labels,
    with_chance_words,
)

FIELDS = ("score_logits", "control_points", "ctc_logits")


def solo(seed: int = 0, head=POINTS_HEAD, **overrides) -> FastTCMForTextSpotting:
    return tiny_spotter(seed=seed, head_config=head, **overrides)


def arc(center_xy=(0.5, 0.5)) -> torch.Tensor:
    """A word that bends upwards in a landscape image, (8, 2)."""
    top = torch.tensor([[-0.2, 0.0], [-0.1, -0.2], [0.1, -0.2], [0.2, 0.0]])
    foot = torch.tensor([[0.2, 0.1], [0.1, -0.1], [-0.1, -0.1], [-0.2, 0.1]])
    return torch.cat([top, foot]) + torch.tensor(center_xy)


def words_of(curves: torch.Tensor, ids: list[list[int]]) -> BatchWords:
    labels = {"bezier_points": curves, "character_ids": torch.tensor(ids)}
    return BatchWords(labels, [len(ids)], [torch.zeros(0, 4)], max(len(ids), 1))


def perfect(head, words: BatchWords, num_queries: int) -> PointPredictions:
    """What would be said if the n-th query of the first image told the n-th word, and all others none."""
    count, points = len(words.labels["bezier_points"]), head.head_config.num_points
    boundaries = head._boundaries(words.labels["bezier_points"])
    logits = torch.zeros(1, num_queries, points, 13)
    logits[..., 12] = 20.0
    for query, ids in enumerate(words.labels["character_ids"].tolist()):
        for place, character in enumerate(ids):
            if character < 12:
                logits[0, query, 2 * place if points > 2 * place else -1] = 20.0 * torch.eye(13)[character]
    scores, places = torch.full((1, num_queries, points), -9.0), torch.rand(1, num_queries, points, 2, 2)
    scores[0, :count], places[0, :count] = 9.0, boundaries
    return PointPredictions(scores, places.mean(dim=3), places, logits)


@torch.no_grad()
def test_points_give_outlines_scores_and_characters():
    output = solo()(tiny_images())
    assert output.score_logits.shape == (2, 6, 9)
    assert output.control_points.shape == (2, 6, 18, 2)
    assert output.ctc_logits.shape == (2, 6, 9, 13)
    assert output.character_logits is None
    assert output.loss is None


@torch.no_grad()
def test_a_batch_of_one_size_gives_what_every_image_gives_alone():
    model, images = solo(), tiny_images(3)
    together = model(images)
    for row in range(3):
        alone = model(images[row : row + 1])
        assert torch.equal(alone.proposal_index[0], together.proposal_index[row])
        for name in FIELDS:
            torch.testing.assert_close(alone[name][0], together[name][row], rtol=1e-4, atol=1e-5)


def test_every_parameter_learns():
    model = solo().train()
    output = model(tiny_images(), labels=tiny_spotting_labels())
    output.loss.backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    of_layers = {"loss_score", "loss_center", "loss_boundary", "loss_characters"}
    expected = {"loss_proposal_score", "loss_proposal_curve", "loss_matching"}
    expected |= of_layers | {f"{name}_0" for name in of_layers}
    assert set(output.loss_dict) == expected
    assert all(loss.isfinite() for loss in output.loss_dict.values())


@pytest.mark.parametrize("words", [(0, 0), (0, 2), (9, 1)])
def test_no_words_and_more_words_than_queries_are_learned_from(words):
    output = solo().train()(tiny_images(), labels=tiny_spotting_labels(words))
    output.loss.backward()
    assert output.loss.isfinite()


def test_untrained_words_are_level_lines_from_left_to_right():
    output = solo()(tiny_images())
    top, foot = output.control_points.split(9, dim=2)
    torch.testing.assert_close(top, foot.flip(2))
    x, y = top.unbind(-1)
    assert (x.diff(dim=-1) > 0).all()
    torch.testing.assert_close(y, y[..., :1].expand_as(y))


def test_lines_end_inside_the_image():
    lines = level_lines(torch.tensor([[0.5, 0.4, 0.3, 0.1], [0.02, 0.99, 0.4, 0.4]]))
    torch.testing.assert_close(lines[0], torch.tensor([[0.35, 0.4], [0.45, 0.4], [0.55, 0.4], [0.65, 0.4]]))
    assert lines[1].min() >= 0.01
    assert lines[1].max() <= 0.99


def test_points_on_curves_are_those_of_the_decoding():
    curves = torch.stack([arc(), arc((0.3, 0.6))])
    found = curve_points(curves.unflatten(1, (2, 4)), 7).flatten(1, 2)
    np.testing.assert_allclose(found, bezier_outlines(curves.numpy(), 7), atol=1e-6)


@torch.no_grad()
def test_every_layer_begins_where_the_last_one_ended():
    model = solo()
    model.head.decoder.shift.layers[-1].bias.copy_(torch.tensor([0.3, -0.2]))
    seen = []
    for layer in model.head.decoder.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2][..., 0, :]))
    output = model(tiny_images(1))
    first, second = seen
    moved = (first.logit() + torch.tensor([0.3, -0.2])).sigmoid()
    torch.testing.assert_close(second, moved)
    last = (second.logit() + torch.tensor([0.3, -0.2])).sigmoid()
    torch.testing.assert_close(output.control_points[:, :, :9], last)


def test_a_curved_word_is_matched_decoded_and_costs_nothing_when_it_is_told():
    head = solo(head=POINTS_HEAD | {"num_points": 9}).head
    words = words_of(torch.stack([arc(), arc((0.5, 0.7))]), [[1, 1, 2, 12, 12], [4, 5, 12, 12, 12]])
    layer = perfect(head, words, 6)
    pairs = head.match_words(layer, words)
    assert pairs.query.tolist() == pairs.word.tolist() == [0, 1]
    losses = head.layer_losses(layer, words)
    assert all(loss < 1e-3 for loss in losses.values()), losses
    proposals = CurveProposals(*[torch.zeros(1, 6)] * 4)
    outputs = head.outputs(QueryPredictions([layer], proposals))
    fields = {name: outputs[name][0].numpy() for name in FIELDS}
    found = decode_spotting(fields, size_hw=SIZE_HW, score_threshold=0.5)
    assert [word.text for word in found.reading.read(found.logits, "0123456789a口")] == ["112", "45"]
    expected = bezier_outlines(words.labels["bezier_points"].numpy(), 9) * SIZE_HW[::-1]
    np.testing.assert_allclose(found.polygons_xy, expected, atol=1e-3)


def test_of_two_queries_in_one_place_the_one_that_reads_the_word_is_its():
    head = solo().head
    words = words_of(arc()[None], [[3, 4, 12, 12, 12]])
    layer = perfect(head, words, 2)
    for part in layer[:3]:
        part[0, 0] = part[0, 1] = part[0, 0].clone()
    layer.ctc_logits[0, 1] = layer.ctc_logits[0, 0]
    layer.ctc_logits[0, 0] = torch.zeros_like(layer.ctc_logits[0, 0])
    assert head.match_words(layer, words).query.tolist() == [1]


@pytest.mark.parametrize("head", [HEAD, POINTS_HEAD], ids=["testr", "deepsolo"])
def test_queries_in_ignored_boxes_are_not_told_that_there_is_no_word(head):
    model = solo(head=head)
    labels = tiny_spotting_labels((1, 0))
    everywhere = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    without = model(tiny_images(), labels=labels).loss_dict
    ignored = [label | {"ignored_boxes": everywhere} for label in labels]
    found = model(tiny_images(), labels=ignored).loss_dict
    # What is left is one query of the first image, which has the word.
    for name in ("loss_proposal_score", "loss_score", "loss_score_0"):
        assert 0 < found[name] < without[name]
    for name in set(found) - {"loss_proposal_score", "loss_score", "loss_score_0"}:
        torch.testing.assert_close(found[name], without[name])


def test_words_outside_the_image_are_learned_at_its_edge():
    head = solo().head
    boundaries = head._boundaries(arc((0.0, 0.5))[None])
    assert boundaries.shape == (1, 9, 2, 2)
    assert boundaries.min() == 0
    assert boundaries[0, 4, 0, 1] < boundaries[0, 4, 1, 1]


def test_costs_of_reading_are_per_image_and_per_character():
    logits = torch.randn(2, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[1, 2, 12], [3, 3, 3], [5, 12, 12]])
    costs = reading_costs(logits, ids, [2, 1])
    assert costs.shape == (2, 3, 3)
    assert (costs[0, :, 2] == 0).all()
    assert (costs[1, :, :2] == 0).all()
    torch.testing.assert_close(costs[0, 1, :2], ctc_losses(logits[0, 1].expand(2, -1, -1), ids[:2]))
    assert reading_costs(logits, ids[:0], [0, 0]).shape == (2, 3, 0)


@pytest.mark.parametrize(
    ("ids", "places", "reason"),
    [
        ([0, 1, 2], 3, "a place a character is enough"),
        ([0, 0, 1], 4, "equal neighbours need a blank between them"),
        ([0, 0, 1], 3, "where there is none the word teaches nothing"),
        ([3, 3, 3], 3, "a word without characters is blanks alone"),
    ],
)
def test_connectionist_losses(ids, places, reason):
    logits = torch.zeros(1, places, 4, requires_grad=True)
    loss = ctc_losses(logits, torch.tensor([ids]))
    assert loss.isfinite().all(), reason
    loss.sum().backward()
    assert (logits.grad.abs().sum() > 0) == (loss.item() > 0), reason
    assert (loss.item() == 0) == (ids == [0, 0, 1] and places == 3), reason


@torch.no_grad()
def test_what_is_saved_loads_as_it_was(tmp_path):
    model = solo()
    model.save_pretrained(tmp_path)
    loaded = FastTCMForTextSpotting.from_pretrained(tmp_path)
    assert isinstance(loaded.config.head_config, DeepSoloHeadConfig)
    assert loaded.config.head_config.to_dict() == model.config.head_config.to_dict()
    for name in FIELDS:
        assert torch.equal(loaded(tiny_images())[name], model(tiny_images())[name])


def test_mixed_precision_keeps_places_exact():
    model = solo().train()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(tiny_images(), labels=tiny_spotting_labels())
    output.loss.backward()
    assert output.control_points.dtype == torch.float32
    assert output.loss.isfinite()


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputed_activations_give_the_same_gradients(reentrant):
    gradients = []
    for recompute in (False, True):
        model = solo(head=POINTS_HEAD | {"dropout": 0.0}).train()
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm | torch.nn.Dropout):
                module.eval()
        if recompute:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        model(tiny_images(), labels=tiny_spotting_labels()).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_labels_need_curves_and_no_boxes():
    labels = [
        {name: label[name] for name in ("bezier_points", "character_ids", "matching_target")}
        for label in tiny_spotting_labels()
    ]
    model = solo()
    assert model(tiny_images(), labels=labels).loss.isfinite()
    labels[1] = labels[1] | {"character_ids": torch.zeros(1, 7, dtype=torch.long)}
    with pytest.raises(ValueError, match=r"labels\[1\]\['character_ids'\]"):
        model(tiny_images(), labels=labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_points": 4}, "one a character"),
        ({"num_points": 1, "num_characters": 1}, "num_points"),
        ({"hidden_size": 48}, "multiple of 32"),
        ({"num_control_points": 8}, "num_control_points"),
    ],
)
def test_configurations_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_spotting_config(head_config=POINTS_HEAD | options)


def test_the_published_settings_are_the_defaults():
    head = DeepSoloHeadConfig()
    assert (head.num_queries, head.num_points, head.num_encoder_layers, head.num_decoder_layers) == (
        100,
        25,
        6,
        6,
    )
    assert (head.center_loss_weight, head.boundary_loss_weight, head.character_loss_weight) == (1.0, 0.5, 0.5)


@pytest.mark.slow
def test_four_pictures_are_learned_completely_places_and_words():
    wide = {"hidden_size": 64, "intermediate_size": 128, "num_encoder_layers": 2, "num_decoder_layers": 3}
    model = solo(head=POINTS_HEAD | wide | {"num_points": 12, "dropout": 0.0})
    images, labels = tiny_images(4), with_chance_words(tiny_spotting_labels((2, 1, 1, 2)))
    output = learned_by_heart(model, images, labels, steps=250)
    for row, label in enumerate(labels):
        fields = {name: output[name][row].numpy() for name in FIELDS}
        found = decode_spotting(fields, size_hw=(1, 1), score_threshold=0.5)
        words = found.reading.read(found.logits, model.config.characters)
        said = ["".join(model.config.characters[i] for i in ids) for ids in label["character_ids"].tolist()]
        assert sorted(word.text for word in words) == sorted(said)
        for polygon, word in zip(found.polygons_xy, words, strict=True):
            curves = label["bezier_points"][said.index(word.text)]
            expected = bezier_outlines(curves[None].numpy(), 12)[0]
            np.testing.assert_allclose(polygon, expected, atol=0.03)
