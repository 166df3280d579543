"""The text-conditioned segmentation head: what its maps mean, and its loss."""

import dataclasses
import math

import pytest
import torch

from tcm_hf.modeling.losses import dice_loss
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.segnet import SegNetMaps
from tiny import HEADS, SIZE_HW, tiny_images, tiny_labels, tiny_model

TWO_CLASSES = {"prompt_token_ids": [[62, 5, 9, 63], [62, 7, 63]]}


@pytest.fixture(scope="module")
def model():
    return tiny_model(head_type="segnet", **TWO_CLASSES)


@pytest.fixture(scope="module")
def features(model):
    with torch.no_grad():
        return model.model(tiny_images())


@torch.no_grad()
def maps_with(model, features, text_embedding):
    return model.head(dataclasses.replace(features, text_embedding=text_embedding))


def test_logits_are_scaled_cosines_of_pixel_and_text_embedding(model, features):
    head = model.head
    with torch.no_grad():
        pixels = head.pixel_embedding(head.neck(features.feature_maps))
        text = head.text_projection(features.text_embedding)
        cosine = torch.cosine_similarity(pixels[:, None], text[..., None, None], dim=2)
        found = head(features)
    assert found.segmentation_logits.shape == (2, 2, *SIZE_HW)
    scale = head.logit_scale.exp().item()
    torch.testing.assert_close(found.segmentation_logits, scale * cosine, rtol=0, atol=1e-4)
    assert found.segmentation_logits.abs().max() <= scale * (1 + 1e-5)


def test_pixels_of_no_length_are_undecided_and_have_a_bounded_gradient(model, features):
    pixels = torch.zeros(2, 16, *SIZE_HW, requires_grad=True)
    handle = model.head.pixel_embedding.register_forward_hook(lambda module, inputs, output: pixels)
    found = model.head(features)
    handle.remove()
    assert (found.segmentation_logits == 0).all()
    model.head.loss(found, tiny_labels(head_type="segnet"))["loss_probability"].backward()
    assert 0 < pixels.grad.abs().max() < 10


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_maps_are_float32_in_a_model_of_any_float_type(dtype):
    found = tiny_model(head_type="segnet").to(dtype)(tiny_images().to(dtype))
    assert found.segmentation_logits.dtype == found.probability_map.dtype == torch.float32


def test_probability_is_that_of_the_likeliest_class(model, features):
    with torch.no_grad():
        found = model.head(features)
    torch.testing.assert_close(found.probability_map, found.segmentation_logits.sigmoid().amax(dim=1))


def test_the_text_decides_by_its_direction_and_not_by_its_length(model, features):
    plain = maps_with(model, features, features.text_embedding)
    longer = maps_with(model, features, 7 * features.text_embedding)
    swapped = maps_with(model, features, features.text_embedding.flip(1))
    torch.testing.assert_close(longer.segmentation_logits, plain.segmentation_logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(swapped.segmentation_logits, plain.segmentation_logits.flip(1))
    assert not torch.allclose(plain.segmentation_logits[:, 0], plain.segmentation_logits[:, 1], atol=0.01)


def test_scale_starts_at_the_inverse_of_the_matching_temperature_and_is_loaded_as_saved(tmp_path):
    for temperature in (0.07, 0.5):
        model = tiny_model(head_type="segnet", matching_temperature=temperature)
        assert model.head.logit_scale.item() == pytest.approx(-math.log(temperature))
    torch.nn.init.constant_(model.head.logit_scale, 1.25)
    model.save_pretrained(tmp_path)
    assert TCMForTextDetection.from_pretrained(tmp_path).head.logit_scale.item() == 1.25


def test_caching_the_text_embedding_changes_no_map():
    model = tiny_model(head_type="segnet")
    with torch.no_grad():
        expected = model(tiny_images()).segmentation_logits
        model.cache_text_embeddings()
        torch.testing.assert_close(model(tiny_images()).segmentation_logits, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("balanced", [True, False])
def test_loss_falls_with_the_rightness_of_the_map(balanced):
    options = {"head_type": "segnet", **HEADS["segnet"], "balanced_probability_loss": balanced}
    head = tiny_model(head_config=options).head
    labels = tiny_labels(head_type="segnet")
    signs = 2 * labels["probability_map"][:, None] - 1
    losses = [
        head.loss(SegNetMaps(scale * signs, (scale * signs)[:, 0].sigmoid()), labels)["loss_probability"]
        for scale in (-5.0, 0.0, 5.0, 50.0)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1].item() == pytest.approx(0, abs=1e-5)


def test_dice_is_taken_of_all_classes():
    options = {"head_type": "segnet", **HEADS["segnet"], "balanced_probability_loss": False}
    head = tiny_model(head_config=options, **TWO_CLASSES).head
    logits = torch.randn(2, 2, *SIZE_HW, generator=torch.Generator().manual_seed(0))
    labels = tiny_labels(head_type="segnet")
    target, mask = (
        labels[name][:, None].expand_as(logits) for name in ("probability_map", "probability_mask")
    )
    found = head.loss(SegNetMaps(logits, logits.amax(1).sigmoid()), labels)["loss_probability"]
    torch.testing.assert_close(found, dice_loss(logits.sigmoid(), target, mask))
