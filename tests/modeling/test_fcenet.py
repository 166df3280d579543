"""FCENet's neck, head and losses: golden numbers of the original, and what must hold for any numbers."""

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.fcenet import FCENetHead, FCENetMaps
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.outputs_tcm import TCMModelOutput

CHANNELS = [8, 16, 32, 65]
GOLDEN_LEVELS = {"contour_maps_8": "p3_maps", "contour_maps_16": "p4_maps", "contour_maps_32": "p5_maps"}


def head_with(**options):
    torch.manual_seed(0)
    config = TCMConfig(
        method="baseline",
        image_tower_config={"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8},
        head_config={"head_type": "fcenet", "neck_channels": 8, **options},
    )
    return FCENetHead(config, CHANNELS).eval()


def noise(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def golden_labels(empty=False):
    _, arrays = golden_files.load("E_fce_targets_ic15")
    labels = {ours: torch.from_numpy(arrays[theirs].copy())[None] for ours, theirs in GOLDEN_LEVELS.items()}
    for maps in labels.values():
        if empty:
            maps[:, :2] = maps[:, 3:] = 0
    matching = torch.from_numpy(arrays["matching_maps"])[None]
    return {**labels, "matching_target": matching[:, 0], "matching_mask": matching[:, 2]}


def maps_of(leaves):
    classes, contours = leaves[::2], leaves[1::2]
    return FCENetMaps(tuple(x[:, :2] for x in classes), tuple(x[:, 2:] for x in classes), tuple(contours))


@pytest.mark.parametrize(("case", "empty"), [("fce.n1", False), ("fce.empty", True)])
def test_loss_and_gradient_are_the_originals(case, empty):
    reference, arrays = golden_files.load("D_losses")
    leaves = []
    for level, side in enumerate((80, 40, 20)):
        leaves.append(torch.from_numpy(noise(20 + level, (2, 4, side, side)))[:1].requires_grad_())
        leaves.append(torch.from_numpy(2 * noise(30 + level, (2, 22, side, side)))[:1].requires_grad_())
    losses = head_with().loss(maps_of(leaves), golden_labels(empty))
    names = {"region": "text", "center": "center", "contour_x": "reg_x", "contour_y": "reg_y"}
    for ours, theirs in names.items():
        expected = reference["losses"][case][f"loss_{theirs}"]
        np.testing.assert_allclose(
            losses[f"loss_{ours}"].item(), expected, rtol=1e-4, atol=1e-6, err_msg=ours
        )
    sum(losses.values()).backward()
    for index, leaf in enumerate(leaves):
        stored = arrays[f"{case}.grad{index}"]
        gradient = golden_files.sub(leaf.grad.numpy())
        np.testing.assert_allclose(
            gradient.reshape(-1), stored.reshape(-1), atol=5e-4 * max(stored.std(), 1e-6)
        )


@pytest.mark.parametrize(("case", "balanced"), [("bbce.n1", True), ("dice.n1", False)])
def test_matching_loss_and_gradient_are_the_originals(case, balanced):
    reference, arrays = golden_files.load("D_losses")
    logits = torch.from_numpy(3 * noise(40, (2, 1, 20, 20)))[:1].requires_grad_()
    loss = head_with(balanced_matching_loss=balanced).matching_loss(logits, golden_labels())
    expected = reference["losses"][f"fceident.{case}"]["loss_pix_cls"]
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-4)
    loss.backward()
    stored = arrays[f"fceident.{case}.grad0"]
    np.testing.assert_allclose(logits.grad.numpy(), stored, atol=5e-4 * stored.std())


def test_matching_loss_of_a_batch_is_the_mean_of_its_images():
    head, labels = head_with(), golden_labels()
    turned = {name: torch.cat([value, value.flip(-1)]) for name, value in labels.items()}
    logits = torch.from_numpy(3 * noise(40, (2, 1, 20, 20)))
    alone = [
        head.matching_loss(
            logits[i : i + 1], {name: value[i : i + 1] for name, value in turned.items()}
        ).item()
        for i in range(2)
    ]
    # The original weights each image by the masks of all others: 2.825 for its two images, not about 1.4.
    assert head.matching_loss(logits, turned).item() == pytest.approx(np.mean(alone), rel=1e-6)


SIZE_HW = (64, 96)
WORDS = [
    np.array([[8, 8], [34, 10], [32, 22], [7, 20]], np.float32),  # stride 8
    np.array([[20, 30], [70, 30], [70, 58], [20, 58]], np.float32),  # strides 8 and 16
    np.array([[2, 2], [94, 2], [94, 62], [2, 62]], np.float32),  # stride 32
]


def features_of(batch=2):
    torch.manual_seed(1)
    strides = (4, 8, 16, 32)
    maps = tuple(
        torch.randn(batch, c, SIZE_HW[0] // stride, SIZE_HW[1] // stride)
        for c, stride in zip(CHANNELS, strides, strict=True)
    )
    return TCMModelOutput(feature_maps=maps)


def labels_for(words, ignore=None):
    targets = fcenet_targets(words, ignore or [False] * len(words), SIZE_HW)
    return {name: torch.from_numpy(value)[None] for name, value in targets.items()}


def test_maps_of_three_levels_in_landscape():
    head = head_with()
    maps = head(features_of())
    assert [tuple(x.shape) for x in maps.region_logits] == [(2, 2, 8, 12), (2, 2, 4, 6), (2, 2, 2, 3)]
    assert [x.shape for x in maps.center_logits] == [x.shape for x in maps.region_logits]
    assert [tuple(x.shape) for x in maps.fourier_coefficients] == [
        (2, 22, 8, 12),
        (2, 22, 4, 6),
        (2, 22, 2, 3),
    ]
    assert head.label_shapes(SIZE_HW) == {name: tuple(x.shape[1:]) for name, x in labels_for(WORDS).items()}


def test_finer_maps_than_it_reads_change_nothing():
    head, features = head_with(), features_of()
    torch.manual_seed(0)
    without = FCENetHead(TCMConfig(method="baseline", head_config=head.head_config), CHANNELS[1:]).eval()
    assert without.state_dict().keys() == head.state_dict().keys()
    without.load_state_dict(head.state_dict())
    found = without(TCMModelOutput(feature_maps=features.feature_maps[1:]))
    for field, levels in head(features)._asdict().items():
        for one, other in zip(levels, getattr(found, field), strict=True):
            assert torch.equal(one, other), field


def test_degree_sets_the_number_of_coefficients():
    head = head_with(fourier_degree=2)
    assert head(features_of()).fourier_coefficients[0].shape[1] == 10
    assert head.label_shapes(SIZE_HW)["contour_maps_32"] == (13, 2, 3)


@pytest.mark.parametrize("kind", ["text everywhere", "no text", "one text ignored"])
def test_every_parameter_gets_a_finite_gradient(kind):
    head = head_with()
    words = [] if kind == "no text" else WORDS
    labels = labels_for(words, [kind == "one text ignored", False, False][: len(words)])
    losses = head.loss(head(features_of(1), for_training=True), labels)
    assert set(losses) == {"loss_region", "loss_center", "loss_contour_x", "loss_contour_y"}
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if kind != "no text":
            assert parameter.grad.abs().sum() > 0, name


def ideal_maps(labels):
    """What a perfect network says."""
    levels = [labels[f"contour_maps_{stride}"] for stride in (8, 16, 32)]

    def logits(plane):
        return torch.stack([10 - 20 * plane, 20 * plane - 10], dim=1)

    return FCENetMaps(
        tuple(logits(level[:, 0]) for level in levels),
        tuple(logits(level[:, 1]) for level in levels),
        tuple(level[:, 3:] for level in levels),
    )


def test_a_perfect_prediction_costs_nothing_and_a_shifted_one_its_shift():
    head, labels = head_with(), labels_for(WORDS)
    maps = ideal_maps(labels)
    assert all(value < 1e-4 for value in head.loss(maps, labels).values())
    shifted = [x.clone() for x in maps.fourier_coefficients]
    shifted[0][:, 5] += 2  # the constant coefficient moves contours by two cells in x: smooth L1 of 1.5
    losses = head.loss(maps._replace(fourier_coefficients=tuple(shifted)), labels)
    region, center = labels["contour_maps_8"][0, :2]
    weight = ((region + center) / 2)[region > 0].mean().item()
    assert losses["loss_contour_x"].item() == pytest.approx(1.5 * weight, rel=1e-4)
    assert losses["loss_contour_y"].item() < 1e-6


def test_cells_outside_the_train_mask_teach_neither_region_nor_contour():
    head, labels = head_with(), labels_for(WORDS[:1], [True])
    maps = ideal_maps(labels)
    wrong = tuple(torch.randn_like(x) for x in maps.fourier_coefficients)
    regions = tuple(x.clone() for x in maps.region_logits)
    masked = labels["contour_maps_8"][:, 2] == 0
    assert masked.any()
    regions[0].movedim(1, -1)[masked] = torch.tensor([-10.0, 10.0])
    losses = head.loss(maps._replace(region_logits=regions, fourier_coefficients=wrong), labels)
    assert losses["loss_region"].item() < 1e-4
    assert losses["loss_contour_x"].item() == losses["loss_contour_y"].item() == 0


def test_loss_of_a_batch_of_equal_images_is_that_of_one():
    head, labels = head_with(), labels_for(WORDS)
    maps = head(features_of(1))
    doubled = FCENetMaps(*(tuple(torch.cat([x, x]) for x in level) for level in maps))
    one = head.loss(maps, labels)
    two = head.loss(doubled, {name: torch.cat([value, value]) for name, value in labels.items()})
    for name, value in one.items():
        assert two[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_a_fresh_model_starts_near_zero_and_predicts_the_same_alone_and_in_a_batch():
    config = TCMConfig(
        method="baseline",
        image_tower_config={"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8},
        head_config={"head_type": "fcenet", "neck_channels": 8},
    )
    model = TCMForTextDetection(config).eval()
    pixel_values = torch.from_numpy(noise(3, (2, 3, *SIZE_HW)))
    with torch.no_grad():
        both, second = model(pixel_values), model(pixel_values[1:])
    for field in ("region_logits", "center_logits", "fourier_coefficients"):
        for level, level_alone in zip(both[field], second[field], strict=True):
            assert level.abs().max() < 2
            torch.testing.assert_close(level[1:], level_alone, rtol=1e-4, atol=1e-5)
