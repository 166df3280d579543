"""Permutation language modelling against the original program: orders, masks, losses, gradients, freezing."""

from functools import cache

import numpy as np
import pytest
import torch

from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.conversion.original_names import to_original
from tcm_hf.modeling.permutations import attention_masks, reading_orders
from tcm_hf.modeling.recognition_training import PermutedBatch
from upstream_clip4str import TOLERANCE, error, freezing_case, golden, images, our_model, weights_of

SETTINGS = {
    "default": {},
    "no_image_detach": {"image_detach": False},
    "pred_context_cloze_w05": {
        "cross_label_context": False,
        "cross_cloze_mask": True,
        "cross_loss_weight": 0.5,
    },
}


def drawn(num_characters: int, settings: dict) -> list[list[int]]:
    torch.manual_seed(0)
    count = settings["max_gen_perms"] * (2 if settings["perm_mirrored"] else 1)
    forward, mirrored = settings["perm_forward"], settings["perm_mirrored"]
    rng = np.random.default_rng(0)
    return reading_orders(num_characters, count, forward, mirrored, rng=rng).tolist()


def test_reading_orders_equal_the_original():
    permutations = golden("clip4str_train")[0]["permutations"]
    default = {"max_gen_perms": 3, "perm_forward": True, "perm_mirrored": True}
    for length, orders in permutations["by_label_length"].items():
        assert drawn(int(length), default) == orders, length
    for name, alternative in permutations["alternatives"].items():
        for length, orders in alternative["perms"].items():
            if isinstance(orders, list):
                assert drawn(int(length), alternative["settings"]) == orders, (name, length)


def test_short_words_without_the_forward_order_do_not_crash_as_they_do_in_the_original():
    alternative = golden("clip4str_train")[0]["permutations"]["alternatives"]["no_forward"]
    assert "RuntimeError" in alternative["perms"]["3"]
    orders = drawn(3, alternative["settings"])
    assert len(orders) == 6
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)


def test_attention_masks_equal_the_original():
    for name, masks in golden("clip4str_train")[0]["attn_masks"]["masks"].items():
        content, query = attention_masks(torch.tensor([masks["perm"]]))
        assert content[0].int().tolist() == masks["content_mask"], name
        assert query[0].int().tolist() == masks["query_mask"], name


@cache
def weights():
    reference, _ = golden("clip4str")
    return reference["clip"], weights_of(reference["state_dict"])


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_training_step_equals_the_original(setting, monkeypatch):
    reference, arrays = golden("clip4str_train")
    if setting not in reference["training"]:
        pytest.skip("this step is in shared/golden only")
    step, about = reference["training"][setting], reference["outputs"]
    model = our_model(*weights(), **SETTINGS[setting])
    monkeypatch.setattr(model, "_orders", lambda *_: torch.tensor(step["perms"]))
    read = []
    logits_of = PermutedBatch.logits

    def remembered(*args):
        read.append(logits_of(*args))
        return read[-1]

    monkeypatch.setattr(PermutedBatch, "logits", remembered)
    targets = torch.tensor(step["target_ids"])[:, 1:]
    labels = targets.masked_fill(targets == model.config.pad_id, -100)
    visual, cross = model.image_memories(images())
    losses = model.permutation_losses(visual, cross, labels)
    loss = losses["loss_visual"] + losses["loss_cross"]
    assert loss.item() == pytest.approx(step["loss"], rel=1e-5)
    for order in range(len(step["perms"])):
        for branch, logits in zip(("visual", "cross"), read, strict=True):
            key = f"{setting}/{branch}_logits_perm{order}"
            assert key not in about or error(logits[:, order], arrays[key], about[key]) < TOLERANCE, key

    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert [name for name, p in model.named_parameters() if p.grad is None] == ["clip.logit_scale"]
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    assert norm.item() == pytest.approx(step["grad_norm"], rel=1e-4)
    prefix = f"{setting}/grad/"
    names = [key.removeprefix(prefix) for key in about if key.startswith(prefix)]
    assert len(names) in (10, 19)  # reduced, whole
    original = to_original(gradients, CLIP4STR)
    for name in names:
        assert error(original[name], arrays[prefix + name], about[prefix + name]) < TOLERANCE, name


@pytest.mark.parametrize("case_name", ["tiny3", "full_vit_b16"])
def test_the_same_parameters_are_frozen_as_in_the_original(case_name):
    frozen, model = freezing_case(case_name)
    ours = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    theirs = {name: torch.zeros(3, 1) for name in frozen["frozen"]}
    assert ours == set(apply_rules(theirs, CLIP4STR).tensors)
    if "trainable_numel" in frozen:
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert trainable == frozen["trainable_numel"]
        assert sum(p.numel() for p in model.parameters()) == frozen["total_numel"]
