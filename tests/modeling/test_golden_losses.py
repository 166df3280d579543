"""DBNet's losses, the matching loss and their gradients against the original programs."""

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.dbnet import DBNetHead, DBNetMaps
from tcm_hf.modeling.matching import matching_loss

NAMES = {
    "probability_map": "gt_shrink",
    "probability_mask": "gt_mask",
    "threshold_map": "gt_thr",
    "threshold_mask": "gt_thr_mask",
}


def labels_of(arrays, count, size_hw=(96, 128), empty=False):
    """Hand-made targets of the golden file, zero-padded to `size_hw`."""
    labels = {}
    for ours, theirs in NAMES.items():
        value = torch.from_numpy(np.asarray(arrays[f"gt.{theirs}"], np.float32))[:count]
        pad = (0, size_hw[1] - value.shape[2], 0, size_hw[0] - value.shape[1])
        labels[ours] = torch.nn.functional.pad(value, pad)
    labels["probability_map"] = (labels["probability_map"] > 0).float()
    if empty:
        for name in ("probability_map", "threshold_map", "threshold_mask"):
            labels[name] = torch.zeros_like(labels[name])
    return labels


def noise(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def head_with(**options):
    config = TCMConfig(
        method="baseline",
        image_tower_config={"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8},
        head_config={"head_type": "dbnet", "neck_channels": 16, **options},
    )
    return DBNetHead(config, [8, 8, 8, 8])


@pytest.mark.parametrize(
    ("case", "count", "options"),
    [
        ("db.bbce.n1", 1, {}),
        ("db.bbce.n2", 2, {}),
        ("db.dice.n1", 1, {"balanced_probability_loss": False}),
        ("db.dice.n2", 2, {"balanced_probability_loss": False}),
        (
            "db.default.n1",
            1,
            {
                "balanced_probability_loss": False,
                "probability_loss_weight": 1.0,
                "threshold_loss_weight": 1.0,
            },
        ),
        ("db.bbce.padded", 2, {}),
        ("db.bbce.empty", 2, {}),
        ("db.dice.empty", 2, {"balanced_probability_loss": False}),
    ],
)
def test_dbnet_loss_and_gradient_are_the_originals(case, count, options):
    reference, arrays = golden_files.load("D_losses")
    padded = case.endswith("padded")
    shape, seed = ((2, 3, 128, 160), 12) if padded else ((2, 3, 96, 128), 11)
    prediction = 1 / (1 + np.exp(-1.5 * noise(seed, shape).astype(np.float64)))
    prediction = torch.from_numpy(prediction.astype(np.float32))[:count].requires_grad_()
    labels = labels_of(arrays, count, shape[-2:], empty=case.endswith("empty"))
    maps = DBNetMaps(prediction[:, 0], prediction[:, 1], prediction[:, 2])
    losses = head_with(**options).loss(maps, labels)
    expected = reference["losses"][case]
    for ours, theirs in (("probability", "prob"), ("threshold", "thr"), ("binary", "db")):
        np.testing.assert_allclose(
            losses[f"loss_{ours}"].item(), expected[f"loss_{theirs}"], rtol=1e-4, atol=1e-5
        )
    sum(losses.values()).backward()
    gradient, stored = golden_files.sub(prediction.grad.numpy()), arrays[f"{case}.grad0"]
    np.testing.assert_allclose(gradient.reshape(-1), stored.reshape(-1), atol=5e-4 * max(stored.std(), 1e-6))


def matching_loss_of(logits, labels, balanced=True):
    return matching_loss(logits, labels["probability_map"], labels["probability_mask"], 3.0, balanced)


@pytest.mark.parametrize(
    ("case", "seed", "shape", "count", "balanced"),
    [
        ("ident.bbce.n1", 13, (2, 1, 3, 4), 1, True),
        ("ident.dice.n1", 13, (2, 1, 3, 4), 1, False),
        ("ident.dice.n2", 13, (2, 1, 3, 4), 2, False),
        # A ViT's map at 1/16: upstream's own configs compare it with a quarter of the target; `d16` does not.
        ("ident.bbce.d16", 14, (1, 1, 6, 8), 1, True),
        ("ident.dice.d16", 14, (1, 1, 6, 8), 1, False),
    ],
)
def test_matching_loss_and_gradient_are_the_originals(case, seed, shape, count, balanced):
    reference, arrays = golden_files.load("D_losses")
    logits = torch.from_numpy(3 * noise(seed, shape))[:count].requires_grad_()
    loss = matching_loss_of(logits, labels_of(arrays, count), balanced)
    np.testing.assert_allclose(loss.item(), reference["losses"][case]["loss_pix_cls"], rtol=1e-4)
    loss.backward()
    stored = arrays[f"{case}.grad0"]
    np.testing.assert_allclose(logits.grad.numpy(), stored, atol=5e-4 * stored.std())


def test_matching_loss_of_a_batch_is_the_mean_of_its_images():
    # Upstream weights each image by the masks of all others, which gives 3.065 for these two; one balance for
    # the whole batch would give 1.998, one per image gives 2.034.
    _, arrays = golden_files.load("D_losses")
    logits, labels = torch.from_numpy(3 * noise(13, (2, 1, 3, 4))), labels_of(arrays, 2)
    alone = [
        matching_loss_of(logits[i : i + 1], {name: value[i : i + 1] for name, value in labels.items()}).item()
        for i in range(2)
    ]
    np.testing.assert_allclose(matching_loss_of(logits, labels).item(), np.mean(alone), rtol=1e-6)
