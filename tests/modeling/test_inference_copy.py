"""The copy that pipelines run gives what the model gives, and leaves the model as it is."""

import pytest
import torch
from torch import nn

from tcm_hf.modeling.image_towers import AttentionPool2d
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tiny import HEADS, VIT_TOWER, maps_of, tiny_images, tiny_model
from tiny_recognizer import tiny_recognizer
from tiny_rotated import tiny_rotated_model
from tiny_spotter import tiny_spotter

DETECTORS = {head_type: {"head_type": head_type} for head_type in HEADS} | {
    "tcm": {"method": "tcm"},
    "baseline": {"method": "baseline"},
    "vit": {"image_tower_config": VIT_TOWER, "matching_stage": 2},
}


@pytest.fixture(params=DETECTORS)
def model(request):
    return with_statistics(tiny_model(**DETECTORS[request.param]))


def with_statistics(model: nn.Module) -> nn.Module:
    """The model with batch norms that do something, in eval mode."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    return model.eval()


def batch_norms(model: nn.Module) -> list[str]:
    found = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    return [name for name in found if "head.threshold" not in name]  # of training alone: it never runs


@torch.no_grad()
def test_a_copy_without_batch_norms_gives_the_same_maps(model):
    copy = model.inference_copy()
    assert batch_norms(model)
    assert not batch_norms(copy)
    expected = maps_of(model(tiny_images()))
    for name, found in maps_of(copy(tiny_images())).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_copy_in_bfloat16_gives_maps_nearby(model):
    copy = model.inference_copy(torch.bfloat16)
    assert (copy.compute_dtype, copy.input_dtype) == (torch.bfloat16, torch.float32)
    expected = maps_of(model(tiny_images()))
    for name, found in maps_of(copy(tiny_images())).items():
        error = (found.float() - expected[name]).abs() / expected[name].abs().max().clamp(min=1.0)
        assert torch.quantile(error.flatten(), 0.98) < 0.1, name


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@torch.no_grad()
def test_images_of_a_batch_get_the_maps_that_they_get_alone(dtype):
    copy, images = tiny_model().inference_copy(dtype), tiny_images()
    together = maps_of(copy(images))["probability_map"]
    alone = torch.cat([maps_of(copy(image[None]))["probability_map"] for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5 if dtype is None else 0.02)


@pytest.mark.parametrize("method", ["tcm", "fasttcm"])
def test_the_model_stays_as_it_was(method, tmp_path):
    model = tiny_model(method=method).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    needs_gradient = [parameter.requires_grad for parameter in model.parameters()]
    model.inference_copy(torch.bfloat16)
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == needs_gradient
    assert not model.config.text_embedding_cached
    model.save_pretrained(tmp_path)
    again = TCMForTextDetection.from_pretrained(tmp_path)
    for name, value in again.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_no_batch_norm_touches_is_shared():
    model = tiny_model()
    copy = model.inference_copy()
    pools = [next(m for m in each.modules() if isinstance(m, AttentionPool2d)) for each in (model, copy)]
    ours, theirs = (pool.attention.q_proj.weight for pool in pools)
    assert ours is not theirs
    assert ours.data_ptr() == theirs.data_ptr()
    assert not theirs.requires_grad


@pytest.mark.parametrize("method", ["tcm", "fasttcm"])
def test_no_copy_holds_a_token_table(method):
    copy = tiny_model(method=method).inference_copy()
    assert not [name for name, _ in copy.named_parameters() if "token_embedding" in name]
    assert (copy.model.text_tower is None) == (method == "fasttcm")


@pytest.mark.parametrize("make", [tiny_spotter, tiny_rotated_model])
def test_heads_that_need_digits_keep_them(make):
    copy = make().eval().inference_copy(torch.bfloat16)
    assert {parameter.dtype for parameter in copy.head.parameters()} == {torch.float32}
    assert torch.bfloat16 in {parameter.dtype for parameter in copy.model.parameters()}
    with torch.no_grad():
        copy(tiny_images())


@torch.no_grad()
def test_a_recogniser_and_its_copy_read_the_same():
    model = tiny_recognizer().eval()
    images = torch.randn(3, 3, *model.config.image_size_hw)
    expected = model(images).logits
    torch.testing.assert_close(model.inference_copy()(images).logits, expected, rtol=1e-3, atol=1e-4)
    half = model.inference_copy(torch.bfloat16)
    assert half(images).logits.shape[0] == 3


@pytest.mark.parametrize(("dtype", "is_open"), [(None, False), ("auto", True), (torch.float32, False)])
def test_a_model_knows_whether_its_type_is_open(dtype, is_open, tmp_path):
    tiny_model().save_pretrained(tmp_path)
    options = {} if dtype is None else {"dtype": dtype}
    assert TCMForTextDetection.from_pretrained(tmp_path, **options).dtype_is_open is is_open
    model, _ = TCMForTextDetection.from_pretrained(tmp_path, output_loading_info=True, **options)
    assert model.dtype_is_open is is_open
