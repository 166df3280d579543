"""`output_embeddings`: what CLIP sees on the way to the matching map."""

import pytest
import torch

from tcm_hf.modeling.modeling_tcm import HEADS, TCMModel
from tiny import SIZE_HW, tiny_config, tiny_images, tiny_model

GRID_HW = (SIZE_HW[0] // 32, SIZE_HW[1] // 32)
EMBEDDINGS = ("image_embedding", "visual_prompt", "text_embedding")


def outputs_of(model, **options):
    with torch.no_grad():
        return model(tiny_images(), **options)


@pytest.mark.parametrize("method", ["tcm", "fasttcm"])
def test_the_dense_embedding_is_the_image_embedding_with_the_visual_prompt_added(method):
    output = outputs_of(tiny_model(method).model, output_embeddings=True)
    assert output.image_embedding.shape == output.visual_prompt.shape == (2, 16, *GRID_HW)
    assert output.visual_prompt.abs().max() > 0
    torch.testing.assert_close(
        output.dense_embedding, output.image_embedding + output.visual_prompt, rtol=0, atol=0
    )


def test_the_gate_is_in_the_visual_prompt():
    model = tiny_model()
    before = outputs_of(model, output_embeddings=True).visual_prompt
    model.model.visual_prompter.gate.data *= -2
    torch.testing.assert_close(outputs_of(model, output_embeddings=True).visual_prompt, -2 * before)


@pytest.mark.parametrize("head_type", HEADS)
def test_every_detector_passes_them_on(head_type):
    model = tiny_model(head_type=head_type)
    backbone, detector = (outputs_of(part, output_embeddings=True) for part in (model.model, model))
    for name in EMBEDDINGS:
        torch.testing.assert_close(detector[name], backbone[name], rtol=0, atol=0)


def test_the_text_embedding_matches_the_dense_one_as_the_matching_map_says():
    output = outputs_of(tiny_model(), output_embeddings=True)
    dense = torch.nn.functional.normalize(output.image_embedding + output.visual_prompt, dim=1)
    text = torch.nn.functional.normalize(output.text_embedding, dim=2)
    torch.testing.assert_close(torch.einsum("bchw,bkc->bkhw", dense, text), output.matching_map)


def test_without_a_visual_prompter_there_is_no_visual_prompt():
    output = outputs_of(tiny_model(visual_prompt_config=None).model, output_embeddings=True)
    assert output.visual_prompt is None
    torch.testing.assert_close(output.dense_embedding, output.image_embedding, rtol=0, atol=0)


def test_the_baseline_has_none_of_them():
    output = outputs_of(tiny_model("baseline"), output_embeddings=True)
    assert [output.get(name) for name in EMBEDDINGS] == [None] * 3
    assert output.probability_map.shape == (2, *SIZE_HW)


@pytest.mark.parametrize("options", [{}, {"output_embeddings": False}, {"output_embeddings": None}])
def test_they_come_only_when_asked_for(options):
    model = tiny_model()
    assert set(outputs_of(model, **options)) == {"probability_map", "matching_map"}
    names = {"feature_maps", "matching_map", "global_embedding", "dense_embedding", "text_embedding"}
    assert set(outputs_of(model.model, **options)) == names


def test_asking_changes_no_map():
    model = tiny_model()
    plain, asked = outputs_of(model), outputs_of(model, output_embeddings=True)
    torch.testing.assert_close(asked.probability_map, plain.probability_map, rtol=0, atol=0)
    torch.testing.assert_close(asked.matching_map, plain.matching_map, rtol=0, atol=0)


def test_in_a_tuple_they_come_last():
    model = tiny_model()
    plain = outputs_of(model, return_dict=False)
    asked = outputs_of(model, return_dict=False, output_embeddings=True)
    assert len(asked) == len(plain) + len(EMBEDDINGS)
    named = outputs_of(model, output_embeddings=True)
    for value, name in zip(asked[len(plain) :], EMBEDDINGS, strict=True):
        torch.testing.assert_close(value, named[name], rtol=0, atol=0)


def test_a_cached_text_side_shows_the_same():
    model = tiny_model()
    before = outputs_of(model, output_embeddings=True)
    model.cache_text_embeddings()
    after = outputs_of(model, output_embeddings=True)
    for name in EMBEDDINGS:
        torch.testing.assert_close(after[name], before[name])


def test_torch_compile_finds_no_graph_break():
    torch._dynamo.reset()
    model = tiny_model()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    found, expected = (outputs_of(one, output_embeddings=True) for one in (compiled, model))
    for name in EMBEDDINGS:
        torch.testing.assert_close(found[name], expected[name])


def test_a_backbone_of_its_own_has_them_too():
    torch.manual_seed(0)
    output = outputs_of(TCMModel(tiny_config()).eval(), output_embeddings=True)
    assert output.visual_prompt.shape == (2, 16, *GRID_HW)
