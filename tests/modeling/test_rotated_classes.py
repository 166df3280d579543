"""`set_class_prompts`: other classes for a trained rotated detector."""

import copy

import pytest
import torch

from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tiny import tiny_images
from tiny_rotated import ROTATED_HEADS, tiny_objects, tiny_rotated_model

PLANE, SHIP, HARBOUR, CRANE = [62, 5, 63], [62, 7, 8, 63], [62, 9, 63], [62, 11, 12, 63]


def classes(**prompts):
    names = list(prompts)
    return {"id2label": dict(enumerate(names)), "prompt_token_ids": list(prompts.values())}


def learned(head_type="rotated_fcos", **overrides):
    """A model whose weights are no longer those that a new one starts with."""
    model = tiny_rotated_model(head_type, **overrides)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("fusion", ["concatenate_logits", "concatenate", "add"])
@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_classes_in_another_order_are_found_as_before(head_type, fusion):
    model = learned(head_type, matching_fusion=fusion)
    before = model(tiny_images())
    assert model.set_class_prompts(**classes(harbour=HARBOUR, plane=PLANE, ship=SHIP)) == []
    after = model(tiny_images())
    for old, new in zip(before.class_logits, after.class_logits, strict=True):
        torch.testing.assert_close(new, old[..., [2, 0, 1]], atol=1e-4, rtol=1e-4)
    for old, new in zip(before.boxes, after.boxes, strict=True):
        torch.testing.assert_close(new, old, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_a_class_less_changes_nothing_for_the_others_but_what_its_map_said(head_type):
    model = learned(head_type)
    # The neck does not listen to the map: what is left must come out to the digit.
    model.head.neck.inner_convs[2].weight[:, -3:] = 0
    if model.head.neck.from_input:
        model.head.neck.extra_convs[0].weight[:, -3:] = 0
    before = model(tiny_images())
    model.set_class_prompts(**classes(ship=SHIP, plane=PLANE))
    after = model(tiny_images())
    assert model.head.num_classes == after.matching_map.shape[1] == 2
    for old, new in zip(before.class_logits, after.class_logits, strict=True):
        torch.testing.assert_close(new, old[..., [1, 0]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_a_new_class_does_not_disturb_the_others(head_type):
    # Both decoders attend to all classes together.
    model = learned(head_type, visual_prompt_config=None, text_refiner_config=None)
    before = model(tiny_images())
    model.set_class_prompts(**classes(plane=PLANE, crane=CRANE, ship=SHIP, harbour=HARBOUR))
    after = model(tiny_images())
    for old, new in zip(before.class_logits, after.class_logits, strict=True):
        torch.testing.assert_close(new[..., [0, 2, 3]], old, atol=1e-4, rtol=1e-4)
    for old, new in zip(before.boxes, after.boxes, strict=True):
        torch.testing.assert_close(new, old, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_new_classes_are_told_and_can_be_learned_and_saved(head_type, tmp_path):
    model = learned(head_type)
    assert model.set_class_prompts(**classes(crane=CRANE, ship=SHIP, rig=HARBOUR, plane=PLANE)) == [
        "crane",
        "rig",
    ]
    assert model.config.id2label == {0: "crane", 1: "ship", 2: "rig", 3: "plane"}
    assert model.config.label2id["rig"] == 2 and model.config.num_labels == 4
    labels = tiny_objects() | {"class_labels": torch.tensor([[0, 3, -1]] * 2)}
    output = model.train()(tiny_images(), labels=labels)
    output.loss.backward()
    assert all(
        p.grad is not None for n, p in model.named_parameters() if "classification" in n or "inner" in n
    )
    model.eval().save_pretrained(tmp_path)
    again = TCMForRotatedObjectDetection.from_pretrained(tmp_path)
    with torch.no_grad():
        expected, found = model(tiny_images()), again(tiny_images())
    assert again.config.prompt_token_ids == [CRANE, SHIP, HARBOUR, PLANE]
    for level, other in zip(expected.class_logits, found.class_logits, strict=True):
        torch.testing.assert_close(level, other)


@torch.no_grad()
def test_a_new_class_starts_rare_and_the_text_embedding_follows_the_prompt():
    model = learned()
    before = model.model.encode_text()[0]
    model.set_class_prompts(**classes(ship=CRANE, crane=SHIP))
    after = model.model.encode_text()[0]
    torch.testing.assert_close(after[1], before[1])
    assert (after[0] - before[1]).abs().max() > 0.01
    probs = model.head.classification.bias.sigmoid()
    assert probs[1] == pytest.approx(0.01, abs=1e-6) and probs[0] != pytest.approx(0.01, abs=1e-6)


def test_what_the_model_has_of_its_own_stays():
    model = learned(freeze_text_tower=True).to(torch.bfloat16).train()
    contexts = model.model.prompt.sequence.contexts
    model.set_class_prompts(**classes(ship=SHIP))
    assert model.model.prompt.sequence.contexts is contexts
    assert model.head.training and {p.dtype for p in model.head.parameters()} == {torch.bfloat16}
    assert not model.model.text_tower.training
    labels = tiny_objects() | {"class_labels": torch.zeros(2, 3, dtype=torch.long)}
    model(tiny_images().to(torch.bfloat16), labels=labels)


def test_the_baseline_has_names_alone():
    parts = {"text_tower_config": None, "visual_prompt_config": None, "text_refiner_config": None}
    model = tiny_rotated_model(method="baseline", **parts)
    model.set_class_prompts({0: "ship", 1: "crane"})
    assert model(tiny_images()).class_logits[0].shape[-1] == 2


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"id2label": {0: "ship"}, "prompt_token_ids": [SHIP, PLANE]}, "2 classes"),
        ({"id2label": {0: "ship"}, "prompt_token_ids": [[62, 99, 63]]}, "token table"),
        (classes(ship=[62, *range(1, 9), 63]), "shorten the prompts"),
    ],
)
def test_classes_that_do_not_fit_are_refused_and_the_model_stays(wrong, message):
    model = learned()
    config, weights = copy.deepcopy(model.config), copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        model.set_class_prompts(**wrong)
    assert model.config.to_dict() == config.to_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_cached_embeddings_cannot_follow():
    model = tiny_rotated_model()
    model.cache_text_embeddings()
    with pytest.raises(ValueError, match="from before"):
        model.set_class_prompts(**classes(ship=SHIP))


def test_a_checkpoint_can_also_be_loaded_with_other_classes(tmp_path):
    learned().save_pretrained(tmp_path)
    model = TCMForRotatedObjectDetection.from_pretrained(
        tmp_path,
        **classes(ship=SHIP, crane=CRANE),
        label2id={"ship": 0, "crane": 1},
        ignore_mismatched_sizes=True,
    )
    assert model(tiny_images()).class_logits[0].shape[-1] == 2
