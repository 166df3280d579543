"""A model's class loads its export, and what comes is called, saved and moved about like the model."""

import pytest
import torch

from planted_exports import planted_export
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition, CLIP4STRTextRecognitionOutput
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.onnx_model import OnnxModel
from tcm_hf.modeling.outputs_tcm import TCMTextDetectionOutput
from tcm_hf.registration import AutoModelForTextDetection
from tiny import tiny_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return planted_export(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def both(tmp_path):
    """A checkpoint with weights for torch and an export."""
    planted_export(tmp_path)
    tiny_model().save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("backend", ["onnx", None])
@pytest.mark.parametrize("loader", [TCMForTextDetection, AutoModelForTextDetection], ids=["class", "auto"])
def test_a_folder_with_the_export_alone_loads_with_and_without_the_backend(exported, loader, backend):
    model = loader.from_pretrained(exported, backend=backend)
    assert isinstance(model, OnnxModel) and model.backend == "onnx"
    assert (model.device.type, model.dtype, model.training) == ("cpu", torch.float32, False)
    assert model.config.model_type == "tcm" and model.name_or_path == str(exported)


def test_outputs_are_those_of_the_model(exported):
    pixel_values = torch.rand(2, 3, 64, 96)
    model = TCMForTextDetection.from_pretrained(exported)
    outputs = model(pixel_values)
    assert isinstance(outputs, TCMTextDetectionOutput)
    torch.testing.assert_close(outputs.probability_map, pixel_values.mean(dim=1))
    (as_tuple,) = model(pixel_values, return_dict=False)
    assert torch.equal(as_tuple, outputs.probability_map)
    recognizer = CLIP4STRForTextRecognition.from_pretrained(exported / "recognizer")
    outputs = recognizer(torch.rand(3, 3, 32, 96))
    assert isinstance(outputs, CLIP4STRTextRecognitionOutput) and outputs.logits.shape == (3, 4, 4)


def test_pixels_of_any_kind_of_tensor_are_taken(exported):
    model = TCMForTextDetection.from_pretrained(exported)
    pixel_values = torch.rand(1, 3, 64, 96, requires_grad=True).to(torch.bfloat16)
    expected = pixel_values.float().mean(dim=1)
    found = model(pixel_values.to(memory_format=torch.channels_last)).probability_map
    torch.testing.assert_close(found, expected.detach())


def test_torch_is_taken_where_there_are_weights(both):
    assert isinstance(TCMForTextDetection.from_pretrained(both), TCMForTextDetection)
    assert isinstance(TCMForTextDetection.from_pretrained(both, backend="onnx"), OnnxModel)


def test_a_model_goes_from_one_backend_to_the_other(both):
    model = TCMForTextDetection.from_pretrained(both)
    assert model.on_backend("torch") is model
    exported = model.on_backend("onnx")
    assert isinstance(exported, OnnxModel) and exported.on_backend("onnx") is exported
    assert isinstance(exported.on_backend("torch"), TCMForTextDetection)


def test_what_is_saved_loads_again(exported, tmp_path):
    model = TCMForTextDetection.from_pretrained(exported)
    model.save_pretrained(tmp_path / "new")
    files = sorted(p.relative_to(tmp_path / "new").as_posix() for p in (tmp_path / "new").rglob("*.*"))
    assert files == ["config.json", "onnx/model.onnx"]
    again = TCMForTextDetection.from_pretrained(tmp_path / "new")
    again.save_pretrained(tmp_path / "new")  # where it lies already
    pixel_values = torch.rand(1, 3, 32, 64)
    assert torch.equal(again(pixel_values).probability_map, model(pixel_values).probability_map)


def test_saving_does_not_pretend_to_send(exported, tmp_path):
    with pytest.raises(ValueError, match=r"call `push_to_hub\(repo_id\)`"):
        TCMForTextDetection.from_pretrained(exported).save_pretrained(tmp_path / "new", push_to_hub=True)


def test_8_bit_files_are_a_backend_of_their_own(exported, tmp_path):
    folder = planted_export(tmp_path)
    (folder / "onnx" / "model.onnx").rename(folder / "onnx" / "model_int8.onnx")
    model = TCMForTextDetection.from_pretrained(folder)
    assert model.backend == "onnx-int8"
    with pytest.raises(ValueError, match=r"holds no onnx/model\.onnx"):
        model.on_backend("onnx")


@pytest.mark.parametrize(
    "option",
    [
        {"labels": {"probability": torch.zeros(1)}},
        {"output_embeddings": True},
        {"output_hidden_states": True},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_that_the_graph_has_not_are_refused(exported, option):
    model = TCMForTextDetection.from_pretrained(exported)
    with pytest.raises(ValueError, match="An export does one thing"):
        model(torch.rand(1, 3, 32, 64), **option)


def test_options_with_the_value_that_was_exported_are_taken(exported):
    model = CLIP4STRForTextRecognition.from_pretrained(exported / "recognizer")
    crops, config = torch.rand(1, 3, 32, 96), model.config
    model(crops, refine_iterations=config.refine_iterations, use_cross_branch=True, num_steps=None)
    for other in ({"refine_iterations": config.refine_iterations + 1}, {"use_cross_branch": False}):
        with pytest.raises(ValueError, match="An export does one thing"):
            model(crops, **other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorrt"}, "'torch', 'onnx', 'onnx-int8'"),
        ({"backend": "onnx-int8"}, r"holds no onnx/model_int8\.onnx"),
        ({"backend": "onnx", "dtype": "bfloat16"}, "computes in float32"),
        ({"backend": "onnx", "dtype": torch.float16}, "computes in float32"),
        ({"backend": "onnx", "method": "tcm"}, "cannot be changed"),
        ({"backend": "onnx", "num_threads": 0}, "num_threads"),
        ({"backend": "torch", "num_threads": 2}, "num_threads"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_what_an_export_cannot_do_is_told(exported, options, message):
    with pytest.raises(ValueError, match=message):
        TCMForTextDetection.from_pretrained(exported, **options)


def test_no_checkpoint_and_no_export_is_transformers_own_error(exported, tmp_path):
    tiny_model().config.save_pretrained(tmp_path)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        TCMForTextDetection.from_pretrained(tmp_path)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        TCMForTextDetection.from_pretrained(exported, backend="torch")


def test_a_model_that_came_from_no_files_has_no_export():
    with pytest.raises(ValueError, match="came from none"):
        tiny_model().on_backend("onnx")


def test_threads_are_as_many_as_torch_has(exported):
    assert TCMForTextDetection.from_pretrained(exported).session.num_threads == torch.get_num_threads()
    assert TCMForTextDetection.from_pretrained(exported, num_threads=3).session.num_threads == 3
