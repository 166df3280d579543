"""The spotting pipeline around a real end-to-end spotter, and through transformers' own doors."""

import numpy as np
import pytest
import torch
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the tasks)
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tiny_recognizer import tiny_processor, tiny_recognizer
from tiny_spotter import tiny_spotter

# Of random weights every query is a word.
LENIENT = {"threshold": 0.0, "recognition_threshold": 0.0}


@pytest.fixture(scope="module")
def spotter():
    model = tiny_spotter()
    torch.nn.init.constant_(model.head.character.bias[-1:], -10.0)  # no word is empty
    torch.nn.init.normal_(model.head.control_point.layers[-1].weight)  # nor only a point
    processor = TCMSpottingImageProcessor(
        size={"shortest_edge": 64, "longest_edge": 160},
        characters=model.config.characters,
        nms_threshold=1.0,
    )
    return TextSpottingPipeline(model=model, image_processor=processor, device="cpu")


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
        np.testing.assert_allclose(ours["polygon"], theirs["polygon"], atol=1e-2)


def test_a_saved_spotter_loads_again_and_reads_by_itself(spotter, saved, photos):
    again = pipeline("text-spotting", model=str(saved), device="cpu", dtype="float32")
    assert isinstance(again, TextSpottingPipeline)
    assert again.recognizer is None
    words = spotter(photos[0], **LENIENT)
    assert words
    assert_same_words(again(photos[0], **LENIENT), words)


def test_batches_of_photos_change_nothing(spotter, photos):
    alone = [spotter(photo, **LENIENT) for photo in photos]
    for found, expected in zip(spotter(photos, batch_size=3, **LENIENT), alone, strict=True):
        assert_same_words(found, expected)


def test_half_precision_reads_too(saved, photos):
    half = pipeline("text-spotting", model=str(saved), device="cpu", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    assert half(photos[0], **LENIENT)


def test_a_recogniser_saved_beside_a_spotter_reads_its_words(spotter, photos, tmp_path):
    spotter.save_pretrained(tmp_path)
    tiny_recognizer().save_pretrained(tmp_path / "recognizer")
    tiny_processor().save_pretrained(tmp_path / "recognizer")
    both = pipeline("text-spotting", model=str(tmp_path), device="cpu")
    assert both.recognizer is not None
    assert isinstance(both(photos[0], rotations=False, **LENIENT), list)
