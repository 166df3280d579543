"""`pipeline(task, model=folder, backend=…)` runs what was asked for, with the same results."""

import numpy as np
import pytest
from transformers import pipeline

from planted_exports import planted_export, planted_recognizer
from planted_words import painted_photo, painted_spotter, painted_word
from tcm_hf.modeling.onnx_model import OnnxModel
from tcm_hf.pipelines.model_backend import device_of, on_backend
from tiny import tiny_model

PHOTO = painted_photo(("abc", 40, 30, 0), ("cab", 220, 30, 0), ("bca", 60, 100, 1), ("acb", 230, 150, 2))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return planted_export(tmp_path_factory.mktemp("exported"))


@pytest.mark.parametrize("backend", ["onnx", None])
def test_a_photo_is_read_as_by_torch(exported, backend):
    reader = pipeline("text-spotting", model=exported, backend=backend)
    assert (reader.backend, reader.recognizer.backend) == ("onnx", "onnx")
    found, expected = reader(PHOTO), painted_spotter()(PHOTO)
    assert (
        [word["text"] for word in found]
        == [word["text"] for word in expected]
        == ["abc", "cab", "acb", "bca"]
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one["polygon"], other["polygon"], atol=1)


def test_detection_in_batches_and_tiles(exported):
    detector = pipeline("text-detection", model=exported, backend="onnx")
    alone = detector(PHOTO)
    assert len(alone) == 4
    assert detector([PHOTO, PHOTO[:, ::-1], PHOTO], batch_size=2)[::2] == [alone, alone]
    assert len(detector(PHOTO, tile=160)) == 4


def test_crops_are_read(exported):
    recognizer = pipeline("text-recognition", model=exported / "recognizer", backend="onnx")
    crops = [painted_word("abc"), painted_word("bbb")]
    assert [word["text"] for word in recognizer(crops, batch_size=2)] == ["abc", "bbb"]
    with pytest.raises(ValueError, match="An export does one thing"):
        recognizer(crops, refine_iterations=7)


def test_an_export_takes_the_place_of_weights_that_were_loaded(tmp_path):
    planted_export(tmp_path)
    tiny_model().save_pretrained(tmp_path)
    assert pipeline("text-detection", model=tmp_path).backend == "torch"
    detector = pipeline("text-detection", model=tmp_path, backend="onnx")
    assert detector.backend == "onnx" and isinstance(detector.network, OnnxModel)
    assert len(detector(PHOTO)) == 4


def test_a_saved_reader_loads_again(exported, tmp_path):
    pipeline("text-spotting", model=exported).save_pretrained(tmp_path)
    again = pipeline("text-spotting", model=tmp_path, backend="onnx")
    assert [word["text"] for word in again(PHOTO)] == ["abc", "cab", "acb", "bca"]


def test_a_recogniser_of_ones_own_is_loaded_for_the_same_backend(exported, tmp_path):
    reader = pipeline(
        "text-spotting", model=exported, recognizer=str(planted_recognizer(tmp_path)), backend="onnx"
    )
    assert reader.recognizer.model.name_or_path == str(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "onnx", "device": "meta"}, "runs on the CPU, in float32"),
        ({"backend": "onnx", "dtype": "bfloat16"}, "float32"),
        ({"backend": "onnx-int8"}, r"no onnx/model_int8\.onnx"),
        ({"backend": "tvm"}, "'torch', 'onnx', 'onnx-int8'"),
    ],
    ids=["device", "dtype", "no file", "unknown"],
)
def test_what_an_export_cannot_do_is_told(exported, options, message):
    with pytest.raises(ValueError, match=message):
        pipeline("text-detection", model=exported, **options)


def test_models_without_exports_know_torch_alone():
    model = object()
    assert on_backend(model, None) is on_backend(model, "torch") is model
    assert device_of(model, "cuda:1", "bfloat16") == "cuda:1"
    with pytest.raises(ValueError, match='must be "torch" for a object'):
        on_backend(model, "onnx")
