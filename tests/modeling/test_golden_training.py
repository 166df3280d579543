"""A whole training step against the original programs: losses, and the gradient of every parameter."""

import numpy as np
import pytest
import torch

import golden_files
import tcm_checkpoints

SIZE_HW = (128, 160)

LABELS = {
    "dbnet": {
        "probability_map": "gt_shrink",
        "probability_mask": "gt_mask",
        "threshold_map": "gt_thr",
        "threshold_mask": "gt_thr_mask",
    },
    "pan": {"instance_map": "gt_text", "kernel_map": "gt_shrink", "text_mask": "gt_mask"},
}
"""Our labels and the golden arrays that give them, by head."""

LOSSES = {
    "dbnet": {"loss_probability": "prob", "loss_threshold": "thr", "loss_binary": "db"},
    "pan": {f"loss_{name}": name for name in ("text", "kernel", "aggregation", "discrimination")},
    "fcenet": {
        "loss_region": "text",
        "loss_center": "center",
        "loss_contour_x": "reg_x",
        "loss_contour_y": "reg_y",
    },
}
"""Our losses and upstream's `bbox.loss_…`, by head."""


def fcenet_labels(count):
    """The original's targets of two polygons, image 0 holding both, image 1 the second."""
    _, arrays = golden_files.load("D_train_e2e")

    def stacked(name):
        return torch.from_numpy(np.stack([arrays[f"fce{index}.{name}"] for index in range(count)]))

    matching = stacked("matching_maps")
    return {
        **{f"contour_maps_{2**level}": stacked(f"p{level}_maps") for level in (3, 4, 5)},
        "matching_target": matching[:, 0],
        "matching_mask": matching[:, 2],
    }


def labels_of(head_type, count):
    """Hand-made targets of the golden files, padded with unsupervised pixels."""
    if head_type == "fcenet":
        return fcenet_labels(count)
    _, arrays = golden_files.load("D_losses")
    labels = {}
    for ours, theirs in LABELS[head_type].items():
        value = torch.from_numpy(np.asarray(arrays[f"gt.{theirs}"], np.float32))[:count]
        pad = (0, SIZE_HW[1] - value.shape[2], 0, SIZE_HW[0] - value.shape[1])
        labels[ours] = torch.nn.functional.pad(value, pad)
    if head_type == "dbnet":
        labels["probability_map"] = (labels["probability_map"] > 0).float()
    return labels


@pytest.mark.parametrize(
    ("case", "count"),
    [
        ("dbnet_tiny", 1),
        ("dbnet_v2_tiny", 1),
        ("abl_onlylearn_tiny", 1),
        ("scale_tiny", 1),
        ("fce_tiny", 1),
        ("pan_tiny", 1),
        ("pan_tiny", 2),  # the others' matching loss mixes the images of a batch in the original
    ],
)
def test_training_step_gives_the_originals_losses_and_gradients(case, count):
    reference, _ = golden_files.load("D_train_e2e")
    expected = reference["cases"][f"{case}.n{count}"]
    model = tcm_checkpoints.model_of(f"C_{case}")
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # the originals' frozen text tower has gradients too
    head_type = model.config.head_config.head_type
    pixel_values = torch.from_numpy(golden_files.image(77, (count, 3, *SIZE_HW)))
    outputs = model(pixel_values, labels=labels_of(head_type, count))
    names = {ours: f"bbox.loss_{theirs}" for ours, theirs in LOSSES[head_type].items()}
    names["loss_matching"] = "aux.loss_pix_cls"
    assert set(outputs.loss_dict) == set(names)
    for ours, theirs in names.items():
        np.testing.assert_allclose(
            outputs.loss_dict[ours].item(), expected["losses"][theirs], rtol=2e-4, err_msg=ours
        )
    outputs.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert len(gradients) > 0.95 * len(list(model.parameters()))
    for name, gradient in tcm_checkpoints.in_original_names(gradients, model).items():
        norm = expected["grad_norm"][name]
        np.testing.assert_allclose(gradient.norm().item(), norm, rtol=5e-3, atol=1e-5, err_msg=name)


@torch.no_grad()
def test_fcenet_losses_of_a_batch_are_the_originals():
    # All but the matching loss, in which the original mixes the images of a batch.
    reference, _ = golden_files.load("D_train_e2e")
    expected = reference["cases"]["fce_tiny.n2"]["losses"]
    model = tcm_checkpoints.model_of("C_fce_tiny")
    pixel_values = torch.from_numpy(golden_files.image(77, (2, 3, *SIZE_HW)))
    losses = model(pixel_values, labels=fcenet_labels(2)).loss_dict
    for ours, theirs in LOSSES["fcenet"].items():
        np.testing.assert_allclose(losses[ours].item(), expected[f"bbox.loss_{theirs}"], rtol=2e-4)
