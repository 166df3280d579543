"""Detectors of every head as one graph: `torch.compile(fullgraph=True)`, and `torch.export` for any size."""

import pytest
import torch

from tiny import HEADS, VIT_TOWER, maps_of, tiny_images, tiny_labels, tiny_model
from tiny_rotated import ROTATED_HEADS, tiny_rotated_model
from tiny_spotter import ABCNET_HEAD, POINTS_HEAD, tiny_spotter

pytestmark = pytest.mark.slow

DETECTORS = {head_type: {"head_type": head_type} for head_type in HEADS} | {
    "tcm": {"method": "tcm"},
    "vit": {"image_tower_config": VIT_TOWER, "matching_stage": 2},
}


@pytest.fixture(params=DETECTORS)
def model(request):
    torch._dynamo.reset()
    return tiny_model(**DETECTORS[request.param])


def assert_same_maps(output, expected):
    maps = maps_of(expected)
    assert maps_of(output).keys() == maps.keys()
    for name, found in maps_of(output).items():
        torch.testing.assert_close(found, maps[name], rtol=1e-3, atol=2e-3)


@torch.no_grad()
def test_the_forward_pass_compiles_as_one_graph(model):
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same_maps(compiled(tiny_images()), model(tiny_images()))


@torch.no_grad()
def test_the_copy_that_pipelines_run_compiles_as_one_graph(model):
    copy = model.inference_copy(torch.bfloat16)
    compiled = torch.compile(copy, fullgraph=True, backend="aot_eager")
    for name, found in maps_of(compiled(tiny_images())).items():
        error = (found.float() - maps_of(copy(tiny_images()))[name].float()).abs()
        assert error.flatten().quantile(0.98) < 0.1, name


SPOTTERS = {
    "testr": {},
    "deepsolo": {"head_config": POINTS_HEAD},
    "abcnet": {"head_config": ABCNET_HEAD},
}


@pytest.mark.parametrize("kind", SPOTTERS)
@torch.no_grad()
def test_a_spotter_compiles_as_one_graph_or_says_that_it_does_not(kind):
    torch._dynamo.reset()
    model = tiny_spotter(**SPOTTERS[kind])
    assert model._can_compile_fullgraph == (kind != "abcnet")
    compiled = torch.compile(model, fullgraph=model._can_compile_fullgraph, backend="aot_eager")
    output, expected = compiled(tiny_images()), model(tiny_images())
    for name in ("score_logits", "control_points", "bezier_points"):
        if expected[name] is not None:
            torch.testing.assert_close(output[name], expected[name], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_a_detector_of_rotated_objects_compiles_as_one_graph(head_type):
    torch._dynamo.reset()
    model = tiny_rotated_model(head_type)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for level, expected in zip(compiled(tiny_images()).boxes, model(tiny_images()).boxes, strict=True):
        torch.testing.assert_close(level, expected, rtol=1e-3, atol=2e-3)


@torch.no_grad()
def test_an_exported_model_takes_batches_and_images_of_other_sizes(model):
    batch, rows, columns = (torch.export.Dim(name, min=1, max=64) for name in ("batch", "rows", "columns"))
    sizes = {"pixel_values": {0: batch, 2: 32 * rows, 3: 32 * columns}}
    program = torch.export.export(model, (), {"pixel_values": tiny_images()}, dynamic_shapes=sizes)
    larger = tiny_images(3, (96, 160))
    assert_same_maps(program.module()(pixel_values=larger), model(larger))


@pytest.mark.parametrize("head_type", HEADS)
def test_a_compiled_model_trains(head_type):
    torch._dynamo.reset()
    compiled = torch.compile(tiny_model(head_type=head_type).train(), backend="aot_eager")
    compiled(tiny_images(), labels=tiny_labels(head_type=head_type)).loss.backward()
    assert all(parameter.grad is not None for parameter in compiled.parameters() if parameter.requires_grad)
