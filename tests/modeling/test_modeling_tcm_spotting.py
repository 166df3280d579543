"""The end-to-end spotter on tiny configurations."""

import pytest
import torch

from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.deformable_encoder import level_masks
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.modeling.outputs_tcm import TCMModelOutput
from tcm_hf.modeling.spotting_labels import check_labels
from tcm_hf.processing.decode_spotting import decode_spotting
from tiny import SIZE_HW, tiny_images
from tiny_spotter import (
    HEAD,
    POINTS_HEAD,
    RESNET,
    learned_by_heart,
    tiny_spotter,
    tiny_spotting_config,
    tiny_spotting_labels,
    with_chance_words,
)

BACKBONES = {
    "fasttcm": {},
    "tcm": {"method": "tcm"},
    "baseline": {"method": "baseline"},
    "ordinary resnet": {"image_tower_config": RESNET, "matching_stage": 2},
}
LAST = ("score_logits", "control_points", "character_logits")


@pytest.mark.parametrize("backbone", BACKBONES)
@torch.no_grad()
def test_a_spotter_gives_points_scores_and_characters(backbone):
    output = tiny_spotter(**BACKBONES[backbone])(tiny_images())
    assert output.score_logits.shape == (2, 6, 8)
    assert output.control_points.shape == (2, 6, 8, 2)
    assert output.character_logits.shape == (2, 6, 5, 13)
    assert output.proposal_boxes.shape == (2, 6, 4)
    assert (output.matching_map is None) == (backbone == "baseline")
    assert output.loss is None


@pytest.mark.parametrize("backbone", BACKBONES)
@torch.no_grad()
def test_a_batch_of_one_size_gives_what_every_image_gives_alone(backbone):
    model, images = tiny_spotter(**BACKBONES[backbone]), tiny_images(3)
    together = model(images)
    for row in range(3):
        alone = model(images[row : row + 1])
        assert torch.equal(alone.proposal_index[0], together.proposal_index[row])
        for name in LAST:
            torch.testing.assert_close(alone[name][0], together[name][row], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_mask_without_padding_changes_nothing():
    model, images = tiny_spotter(), tiny_images()
    plain, masked = model(images), model(images, pixel_mask=torch.ones(2, *SIZE_HW))
    for name in LAST:
        torch.testing.assert_close(plain[name], masked[name])


class Given(torch.nn.Module):
    """Stands for a projection: what it gives is given."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


@torch.no_grad()
def test_attention_does_not_look_at_padding():
    head = tiny_spotter().head
    # Group norms see all cells, so levels are put in behind them. The last level's mask is that of the first
    # one's cells 0 and 6.
    levels = [torch.randn(1, 32, *size_hw) for size_hw in ((8, 12), (4, 6), (2, 3), (1, 2))]
    head.encoder.input_projections = torch.nn.ModuleList(map(Given, levels))
    mask = torch.zeros(1, *SIZE_HW)
    mask[:, :, :64] = 1
    features = TCMModelOutput(feature_maps=(torch.zeros(1),) * 3)
    before = head(features, mask, None)
    for level, width in zip(levels, (8, 4, 2, 2), strict=True):
        level[..., width:] += 5
    after = head(features, mask, None)
    assert torch.equal(before.proposals.token_index, after.proposals.token_index)
    for first, second in zip(before.layers[-1], after.layers[-1], strict=True):
        torch.testing.assert_close(first, second)


def test_the_finest_levels_cells_are_image_if_a_pixel_is():
    mask = torch.zeros(1, 40, 60)
    mask[:, :33, :17] = 1
    masks = level_masks(mask, [(5, 8), (3, 4), (2, 2), (1, 1)])
    assert [tuple(level.shape[1:]) for level in masks] == [(5, 8), (3, 4), (2, 2), (1, 1)]
    assert [(int(level[0, :, 0].sum()), int(level[0, 0].sum())) for level in masks] == [
        (5, 3),
        (3, 2),
        (2, 1),
        (1, 1),
    ]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_parameter_learns_but_the_frozen_ones(backbone):
    model = tiny_spotter(**BACKBONES[backbone]).train()
    output = model(tiny_images(), labels=tiny_spotting_labels())
    output.loss.backward()
    unused = {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    }
    assert unused == set()
    assert all(
        not parameter.requires_grad for name, parameter in model.named_parameters() if "text_tower" in name
    )
    assert all(loss.isfinite() for loss in output.loss_dict.values())


def test_losses_have_names_for_every_layer():
    output = tiny_spotter().train()(tiny_images(), labels=tiny_spotting_labels())
    of_layers = {"loss_score", "loss_control_points", "loss_characters"}
    expected = {"loss_proposal_score", "loss_proposal_box", "loss_proposal_giou", "loss_matching"}
    assert set(output.loss_dict) == expected | of_layers | {f"{name}_0" for name in of_layers}
    assert output.loss.item() == pytest.approx(sum(loss.item() for loss in output.loss_dict.values()))


@pytest.mark.parametrize("words", [(0, 0), (0, 2)])
def test_images_without_words_can_be_learned_from(words):
    model = tiny_spotter().train()
    output = model(tiny_images(), labels=tiny_spotting_labels(words))
    output.loss.backward()
    assert output.loss.isfinite()


def test_more_words_than_queries_are_learned_as_far_as_they_go():
    output = tiny_spotter().train()(tiny_images(), labels=tiny_spotting_labels((9, 1)))
    assert output.loss.isfinite()


def test_some_steps_lower_the_loss():
    torch.manual_seed(0)
    model = tiny_spotter(head_config=HEAD | {"dropout": 0.0})
    images, labels = tiny_images(), tiny_spotting_labels()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for _ in range(12):
        output = model(images, labels=labels)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_a_new_spotter_starts_at_its_proposals_and_believes_in_nothing():
    model = tiny_spotter()
    output = model(tiny_images())
    centers = output.proposal_boxes[:, :, None, :2].expand_as(output.control_points)
    torch.testing.assert_close(output.control_points, centers, atol=1e-4, rtol=0)
    assert model.head.score.bias.item() == pytest.approx(-4.595, abs=1e-3)


@torch.no_grad()
def test_curves_start_at_their_proposals_and_may_leave_the_image():
    model = tiny_spotter(head_config=HEAD | {"outline": "bezier"})
    output = model(tiny_images())
    centers = output.proposal_boxes[:, :, None, :2].expand_as(output.bezier_points)
    torch.testing.assert_close(output.bezier_points, centers, atol=1e-4, rtol=0)
    model.head.control_point.layers[-1].bias.fill_(20.0)
    torch.testing.assert_close(model(tiny_images()).bezier_points, torch.full_like(centers, 1.5))


@pytest.mark.parametrize("backbone", ["fasttcm", "ordinary resnet"])
@torch.no_grad()
def test_what_is_saved_loads_as_it_was(backbone, tmp_path):
    model = tiny_spotter(**BACKBONES[backbone])
    model.save_pretrained(tmp_path)
    loaded = FastTCMForTextSpotting.from_pretrained(tmp_path)
    assert isinstance(loaded.config, TCMSpottingConfig)
    assert loaded.config.head_config.to_dict() == model.config.head_config.to_dict()
    assert loaded.config.characters == model.config.characters
    assert not loaded.training
    for name in LAST:
        assert torch.equal(loaded(tiny_images())[name], model(tiny_images())[name])


@torch.no_grad()
def test_half_precision_keeps_the_head_exact(tmp_path):
    tiny_spotter().save_pretrained(tmp_path)
    loaded = FastTCMForTextSpotting.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert loaded.head.score.weight.dtype == torch.float32
    assert loaded.model.text_tower.final_layer_norm.weight.dtype == torch.bfloat16
    output = loaded(tiny_images().bfloat16())
    assert output.control_points.dtype == torch.float32
    assert output.score_logits.isfinite().all()


@torch.no_grad()
def test_the_text_embedding_can_be_cached(tmp_path):
    model = tiny_spotter()
    before = model(tiny_images())
    model.cache_text_embeddings()
    model.save_pretrained(tmp_path)
    loaded = FastTCMForTextSpotting.from_pretrained(tmp_path)
    assert loaded.model.text_tower is None
    torch.testing.assert_close(loaded(tiny_images()).score_logits, before.score_logits)


def test_training_leaves_frozen_norms_as_they_are():
    model = tiny_spotter(**BACKBONES["ordinary resnet"]).train()
    before = {name: value.clone() for name, value in model.model.image_tower.named_buffers()}
    assert "trunk.bn1.running_mean" in before
    model(tiny_images(), labels=tiny_spotting_labels()).loss.backward()
    after = dict(model.model.image_tower.named_buffers())
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not [name for name, _ in model.model.image_tower.named_parameters() if ".bn" in name]


@torch.no_grad()
def test_the_ordinary_resnet_takes_images_of_any_size():
    output = tiny_spotter(**BACKBONES["ordinary resnet"])(tiny_images(1, (50, 71)))
    assert output.score_logits.shape == (1, 6, 8)
    assert output.matching_map.shape == (1, 1, 4, 5)


@torch.no_grad()
def test_an_image_with_less_tokens_than_queries_has_less_queries():
    output = tiny_spotter(head_config=HEAD | {"num_queries": 200})(tiny_images(1))
    assert output.score_logits.shape[1] == 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2


def test_labels_that_do_not_fit_are_refused():
    model = tiny_spotter()
    labels = tiny_spotting_labels()
    with pytest.raises(ValueError, match="one an image"):
        model(tiny_images(), labels=labels[:1])
    with pytest.raises(ValueError, match=r"matching_target.* are missing"):
        model(
            tiny_images(),
            labels=[{k: v for k, v in label.items() if k != "matching_target"} for label in labels],
        )
    with pytest.raises(ValueError, match=r"labels\[1\]\['control_points'\]"):
        model(tiny_images(), labels=[labels[0], labels[1] | {"control_points": torch.zeros(1, 16, 2)}])
    with pytest.raises(ValueError, match="pixel_mask"):
        model(tiny_images(), pixel_mask=torch.ones(2, 8, 8))


def changed(name, change):
    """Labels whose first image has another value there."""
    first, second = tiny_spotting_labels()
    return [first | {name: change(first[name])}, second]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("character_ids", lambda ids: ids + 9, r"0 to 12.*from 0 to 13"),
        ("character_ids", lambda ids: ids - 100, "from -100"),
        ("character_ids", lambda ids: ids.float(), "float32"),
        ("boxes", lambda boxes: boxes * 96, "divide pixels"),
        ("boxes", lambda boxes: boxes * torch.tensor([1, 1, -1, 1]), "negative sizes"),
        ("control_points", lambda points: points * torch.nan, "nan"),
        ("control_points", lambda points: points * torch.inf, "inf"),
        ("ignored_boxes", lambda _: torch.zeros(3, 5), r"\(3, 4\)"),
        ("ignored_boxes", lambda _: torch.full((1, 4), 50.0), "`ignored_boxes`.*divide pixels"),
        ("matching_target", lambda target: target[:8], "same for all images"),
        ("matching_mask", lambda _: torch.ones(8, 8), "same for all images"),
    ],
)
def test_labels_out_of_their_range_are_refused(name, change, message):
    labels = changed(name, change) if name in tiny_spotting_labels()[0] else tiny_spotting_labels()
    if name not in labels[0]:
        labels[0][name] = change(None)
    shapes = {"boxes": (4,), "control_points": (8, 2), "character_ids": (5,), "matching_target": None}
    with pytest.raises(ValueError, match=message):
        check_labels(labels, shapes, num_images=2, num_characters=12)


def test_labels_at_the_ends_of_their_range_are_taken():
    labels = tiny_spotting_labels((1, 0))
    labels[0] |= {"character_ids": torch.tensor([[0, 12, 12, 12, 12]]), "ignored_boxes": torch.zeros(0, 4)}
    labels[0]["bezier_points"] = torch.tensor([-0.5, 1.5]).expand(1, 8, 2)
    shapes = {"bezier_points": (8, 2), "character_ids": (5,)}
    check_labels(labels, shapes, num_images=2, num_characters=12)


@torch.no_grad()
def test_the_matching_map_learns_nothing_where_its_mask_is_zero():
    model, labels = tiny_spotter(), tiny_spotting_labels()
    plain = model(tiny_images(), labels=labels).loss_dict["loss_matching"]
    everywhere = [label | {"matching_mask": torch.ones(16, 24)} for label in labels]
    assert model(tiny_images(), labels=everywhere).loss_dict["loss_matching"] == plain
    for label in labels:
        label["matching_mask"] = label["matching_target"]
    masked = model(tiny_images(), labels=labels).loss_dict["loss_matching"]
    assert masked < plain


@pytest.mark.parametrize("head", [HEAD, POINTS_HEAD], ids=["testr", "deepsolo"])
@torch.no_grad()
def test_a_head_can_be_offloaded(head, tmp_path):
    accelerate = pytest.importorskip("accelerate")
    model, images = tiny_spotter(head_config=head), tiny_images()
    before = model(images).score_logits
    accelerate.disk_offload(model.head, tmp_path, execution_device=torch.device("cpu"))
    assert model.head.score.weight.device.type == "meta"
    torch.testing.assert_close(model(images).score_logits, before)


def test_configs_name_the_classes_of_their_parts():
    config = TCMSpottingConfig()
    assert all(isinstance(getattr(config, name), part) for name, part in config.sub_configs.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"characters": "aa"}, "every character once"),
        ({"characters": ""}, "every character once"),
        ({"head_config": {"head_type": "dbnet"}}, "head_type"),
        ({"head_config": HEAD | {"hidden_size": 48}}, "multiple of 32"),
        ({"head_config": HEAD | {"outline": "bezier", "num_control_points": 16}}, "8 control points"),
        ({"head_config": HEAD | {"num_control_points": 7}}, "even"),
        ({"head_config": HEAD | {"num_feature_levels": 2}}, "3 or more"),
        ({"head_config": HEAD | {"num_encoder_layers": -1}}, "`num_encoder_layers`"),
        ({"head_config": HEAD | {"num_attention_heads": 0}}, "`num_attention_heads`"),
        ({"head_config": HEAD | {"encoder_sampling_points": 0}}, "`encoder_sampling_points`"),
        ({"matching_fusion": "multiply"}, "matching_fusion"),
    ],
)
def test_configurations_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_spotting_config(**options)


def test_the_released_settings_are_the_defaults():
    config = TCMSpottingConfig()
    assert (len(config.characters), config.characters[0], config.characters[94]) == (96, " ", "~")
    head = config.head_config
    assert (head.num_queries, head.num_control_points, head.num_characters) == (100, 16, 25)
    assert (head.num_encoder_layers, head.num_decoder_layers, head.hidden_size) == (6, 6, 256)


@pytest.mark.parametrize(("backbone", "reentrant"), [("fasttcm", True), ("ordinary resnet", False)])
def test_recomputed_activations_give_the_same_gradients(backbone, reentrant):
    gradients = []
    for recompute in (False, True):
        config = HEAD | {"dropout": 0.0}
        model = tiny_spotter(**BACKBONES[backbone], head_config=config).train()
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm | torch.nn.Dropout):
                module.eval()
        if recompute:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        model(tiny_images(), labels=tiny_spotting_labels()).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert len(gradients[0]) > 100
    largest = max(gradient.abs().max().item() for gradient in gradients[0].values())
    for name, gradient in gradients[0].items():
        # Reentrant checkpoints add up in another order; a bias before a norm is what large sums leave over.
        atol = 1e-5 * largest + 1e-4 * gradient.abs().max().item()
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=atol, msg=name)


@pytest.mark.slow
def test_four_pictures_are_learned_completely_places_and_words():
    wide = {"hidden_size": 64, "intermediate_size": 128, "num_encoder_layers": 2, "num_decoder_layers": 3}
    model = tiny_spotter(head_config=HEAD | wide | {"dropout": 0.0})
    images, labels = tiny_images(4), with_chance_words(tiny_spotting_labels((2, 1, 1, 2)))
    output = learned_by_heart(model, images, labels, steps=400)
    for row, label in enumerate(labels):
        fields = ("score_logits", "control_points", "character_logits")
        found = decode_spotting(
            {name: output[name][row].numpy() for name in fields}, size_hw=(1, 1), score_threshold=0.5
        )
        words = found.reading.read(found.logits, model.config.characters)
        said = ["".join(model.config.characters[i] for i in ids) for ids in label["character_ids"].tolist()]
        assert sorted(word.text for word in words) == sorted(said)
        for polygon, word in zip(found.polygons_xy, words, strict=True):
            expected = label["control_points"][said.index(word.text)]
            torch.testing.assert_close(torch.from_numpy(polygon), expected, rtol=0, atol=0.03)
