"""The spotting and the recognition pipeline around real models, and through transformers' own doors."""

import numpy as np
import pytest
import torch
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the tasks)
from planted import picture
from tcm_hf.pipelines.recognizer_folder import RECOGNIZER_FOLDER
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_recognition import TextRecognitionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer

# Random weights give a flat map near 0.5: with these every picture has something to find.
LENIENT = {"threshold": 0.0, "recognition_threshold": 0.0, "binarize_threshold": 0.3, "max_detections": 5}


@pytest.fixture(scope="module")
def recognizer():
    model = tiny_recognizer()
    for decoder in (model.visual_decoder, model.cross_decoder):
        torch.nn.init.constant_(decoder.head.bias[:1], -10.0)  # no word is empty
    return TextRecognitionPipeline(model=model, processor=tiny_processor(), device="cpu")


@pytest.fixture(scope="module")
def spotter(recognizer):
    return TextSpottingPipeline(
        model=tiny_model(),
        image_processor=TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160}),
        recognizer=recognizer,
        device="cpu",
    )


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((96, 160), (160, 96), (96, 160))]


@pytest.fixture(scope="module")
def saved(spotter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    spotter.save_pretrained(folder)
    return folder


def assert_same_words(first, second):
    assert [word["text"] for word in first] == [word["text"] for word in second]
    for ours, theirs in zip(first, second, strict=True):
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-5)
        np.testing.assert_allclose(ours["polygon"], theirs["polygon"], atol=1e-3)


def test_a_saved_recognizer_loads_again(recognizer, photos, tmp_path):
    recognizer.save_pretrained(tmp_path)
    again = pipeline("text-recognition", model=str(tmp_path), device="cpu", dtype="float32")
    assert isinstance(again, TextRecognitionPipeline)
    found, expected = again(photos[0]), recognizer(photos[0])
    assert found["text"] == expected["text"]
    assert found["score"] == pytest.approx(expected["score"], abs=1e-5)


def test_batches_of_words_change_nothing(recognizer, photos):
    alone = [recognizer(photo) for photo in photos]
    together = recognizer(photos, batch_size=3)
    assert [found["text"] for found in together] == [found["text"] for found in alone]


def test_a_saved_pair_loads_again(spotter, saved, photos):
    again = pipeline("text-spotting", model=str(saved), device="cpu", dtype="float32")
    assert isinstance(again, TextSpottingPipeline)
    assert isinstance(again.recognizer, TextRecognitionPipeline)
    words = spotter(photos[0], **LENIENT)
    assert words
    assert_same_words(again(photos[0], **LENIENT), words)


def test_batches_of_photos_change_nothing(spotter, photos):
    alone = [spotter(photo, **LENIENT) for photo in photos]
    for found, expected in zip(spotter(photos, batch_size=3, **LENIENT), alone, strict=True):
        assert_same_words(found, expected)


def test_the_detector_of_a_saved_pair_is_a_detector(saved):
    assert isinstance(pipeline("text-detection", model=str(saved), device="cpu"), TextDetectionPipeline)
    assert "custom_pipelines" not in (saved / "config.json").read_text()


def test_a_recognizer_is_taken_from_its_folder(spotter, saved, photos, tmp_path):
    TextDetectionPipeline.save_pretrained(spotter, tmp_path)  # the detector alone
    folder = saved / RECOGNIZER_FOLDER
    loaded = pipeline("text-recognition", model=str(folder), device="cpu", dtype="float32")
    for recognizer in (folder, str(folder), loaded):
        again = pipeline(
            "text-spotting", model=str(tmp_path), recognizer=recognizer, device="cpu", dtype="float32"
        )
        assert_same_words(again(photos[0], **LENIENT), spotter(photos[0], **LENIENT))


def test_without_a_recognizer_the_default_of_the_task_is_asked_for(spotter, tmp_path, monkeypatch):
    TextDetectionPipeline.save_pretrained(spotter, tmp_path)
    asked = []
    monkeypatch.setattr(
        "tcm_hf.pipelines.text_spotting.pipeline",
        lambda task, model, **options: asked.append((task, model, options)) or spotter.recognizer,
    )
    for dtype, wanted in (("auto", "auto"), ("float32", torch.float32)):
        pipeline("text-spotting", model=str(tmp_path), device="cpu", dtype=dtype)
        task, model, options = asked.pop()
        assert (task, model) == ("text-recognition", None)
        assert (options["device"], options["dtype"]) == (torch.device("cpu"), wanted)


def test_both_models_get_the_precision_that_is_asked_for(saved):
    half = pipeline("text-spotting", model=str(saved), device="cpu", dtype="bfloat16")
    assert half.dtype == half.recognizer.dtype == torch.bfloat16
    assert isinstance(half(picture(), **LENIENT), list)
