"""What `dtype="auto"` makes of a pipeline, and what it leaves alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the tasks)
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.pipelines import picture_pipeline
from tcm_hf.pipelines.picture_pipeline import fast_dtype
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.polygon_overlaps import polygon_iou
from tiny import tiny_model

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "images").glob("*.jpg"))
SIZE = {"shortest_edge": 64, "longest_edge": 160}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tiny_model().save_pretrained(folder)
    TCMImageProcessor(size=SIZE).save_pretrained(folder)
    return folder


@pytest.fixture(params=[torch.bfloat16, None], ids=["with bfloat16", "without"])
def fast(request, monkeypatch):
    """Machines of both kinds."""
    monkeypatch.setattr(picture_pipeline, "fast_dtype", lambda device: request.param)
    return request.param


def detector(saved, **options):
    return pipeline("text-detection", model=str(saved), device="cpu", **options)


@pytest.mark.parametrize("options", [{}, {"dtype": "auto"}])
def test_a_pipeline_left_to_itself_computes_in_the_fast_type(saved, fast, options):
    made = detector(saved, **options)
    assert made.dtype == (fast or torch.float32)
    assert made.input_dtype == torch.float32
    assert made.network is not made.model
    assert made.model.dtype == torch.float32


@pytest.mark.parametrize("named", ["float32", "bfloat16"])
def test_a_type_that_is_named_is_kept_to(saved, fast, named):
    made = detector(saved, dtype=named)
    assert made.network is made.model
    assert made.dtype == made.input_dtype == getattr(torch, named)


def test_a_model_that_is_passed_is_run_as_it_is(saved, fast):
    model = TCMForTextDetection.from_pretrained(saved)
    made = pipeline("text-detection", model=model, image_processor=TCMImageProcessor(size=SIZE), device="cpu")
    assert made.network is made.model is model
    assert made.dtype == torch.float32


def test_what_is_saved_has_all_its_digits(saved, fast, tmp_path):
    detector(saved).save_pretrained(tmp_path)
    ours, theirs = (TCMForTextDetection.from_pretrained(folder).state_dict() for folder in (saved, tmp_path))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@torch.no_grad()
def test_other_weights_in_the_model_are_what_runs_next(saved, fast):
    made, photo = detector(saved), Image.open(EXAMPLES[0])
    network = made.network
    made(photo)
    assert made.network is network
    made.model.load_state_dict(
        {name: torch.zeros_like(value) for name, value in made.model.state_dict().items()}
    )
    made(photo)
    assert not any(parameter.any() for parameter in made.network.head.parameters())
    network = made.network
    next(made.model.head.parameters()).add_(1)  # as an optimizer does
    made(photo)
    assert made.network is not network


def test_a_reader_chooses_for_both_models(fast):
    reader = pipeline("text-spotting", device="cpu")
    assert reader.dtype == reader.recognizer.dtype == (fast or torch.float32)
    exact = pipeline("text-spotting", device="cpu", dtype="float32")
    assert exact.recognizer.network is exact.recognizer.model


@pytest.mark.parametrize(
    ("flags", "device", "expected"),
    [
        ({"_is_avx512_bf16_supported"}, "cpu", torch.bfloat16),
        ({"_is_amx_tile_supported"}, "cpu", torch.bfloat16),
        (set(), "cpu", None),
        ({"_is_avx512_bf16_supported"}, "cuda", None),
    ],
    ids=["avx512", "amx", "neither", "gpu"],
)
def test_bfloat16_is_for_cpus_with_instructions_for_it(flags, device, expected, monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in flags, raising=False)
    assert fast_dtype(torch.device(device)) == expected


def test_a_torch_that_cannot_tell_means_float32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert fast_dtype(torch.device("cpu")) is None


def test_the_shipped_detector_finds_the_same_texts_in_bfloat16(monkeypatch):
    monkeypatch.setattr(picture_pipeline, "fast_dtype", lambda device: torch.bfloat16)
    exact, auto = (pipeline("text-detection", device="cpu", dtype=dtype) for dtype in ("float32", "auto"))
    overlaps, ways_px = [], []
    for expected, found in zip(exact(EXAMPLES), auto(EXAMPLES), strict=True):
        assert len(found) == len(expected)
        for text in expected:
            polygon = np.array(text["polygon"])
            other = max(found, key=lambda one: polygon_iou(polygon, np.array(one["polygon"])))
            overlaps.append(polygon_iou(polygon, np.array(other["polygon"])))
            ways_px.append(np.linalg.norm(polygon - np.array(other["polygon"]), axis=1).max())
            assert other["score"] == pytest.approx(text["score"], abs=0.02)
    assert min(overlaps) > 0.85
    assert np.median(ways_px) < 0.1
    assert np.mean(np.array(ways_px) <= 1) > 0.9
