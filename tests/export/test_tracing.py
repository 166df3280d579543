"""Which models are traced, and what of them."""

import pytest
import torch

from tcm_hf.export.tracing import prepare
from tiny import HEADS, VIT_TOWER, tiny_images, tiny_model
from tiny_recognizer import tiny_crops, tiny_recognizer
from tiny_rotated import tiny_rotated_model

FIELDS = {
    "dbnet": ["probability_map"],
    "segnet": ["probability_map"],
    "pan": ["kernel_logits", "pixel_embeddings", "text_logits"],
    "fcenet": ["center_logits", "fourier_coefficients", "region_logits"],
}


@pytest.mark.parametrize("head_type", HEADS)
@torch.no_grad()
def test_a_detector_gives_what_decoding_reads_and_nothing_else(head_type):
    model = tiny_model(head_type=head_type)
    traced, images = prepare(model), tiny_images()
    found = traced.model(images)
    assert sorted(found) == FIELDS[head_type]
    torch.testing.assert_close(found, {name: model(images)[name] for name in found}, atol=5e-3, rtol=1e-3)


@torch.no_grad()
def test_a_recogniser_gives_its_logits_for_all_steps():
    model = tiny_recognizer()
    traced = prepare(model)
    found = traced.model(tiny_crops())
    assert {name: value.shape for name, value in found.items()} == {"logits": (2, 7, 14)}
    expected = model(tiny_crops()).logits
    torch.testing.assert_close(found["logits"][:, : expected.shape[1]], expected, atol=1e-4, rtol=1e-4)
    assert (found["logits"][:, expected.shape[1] :].argmax(-1) == model.config.end_id).all()
    assert traced.pixel_values.shape == (2, 3, 32, 64)
    assert traced.axes == {0: "batch"}


@pytest.mark.parametrize("tower", [{}, {"image_tower_config": VIT_TOWER, "matching_stage": 2}])
def test_nothing_that_a_model_could_be_frozen_to_is_square(tower):
    traced = prepare(tiny_model(**tower))
    batch, _, height, width = traced.pixel_values.shape
    assert batch > 1
    assert len({batch, height // traced.cell_px, width // traced.cell_px}) == 3
    assert traced.axes == {0: "batch", 2: "height", 3: "width"}


def test_the_model_itself_stays_as_it_is():
    model = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    prepare(model)
    assert "forward" not in vars(model)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_other_models_and_types_are_refused():
    with pytest.raises(ValueError, match="Expected a model of the type tcm or clip4str: got TCMForRotated"):
        prepare(tiny_rotated_model())
    with pytest.raises(ValueError, match=r"An export starts from float32: got torch\.bfloat16"):
        prepare(tiny_model().to(torch.bfloat16))
