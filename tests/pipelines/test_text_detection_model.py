"""The pipeline around the real model, and through transformers' own doors."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

import tcm_hf  # noqa: F401  (registers the task)
from planted import picture
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model

# Random weights give a flat map near 0.5: with these every picture has something to find.
LENIENT = {"threshold": 0.0, "binarize_threshold": 0.5}
SIZES = [(96, 160), (64, 128), (96, 160), (160, 96), (64, 128)]


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160})
    return TextDetectionPipeline(
        model=tiny_model(), image_processor=processor, device="cpu", task="text-detection"
    )


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.fixture(scope="module")
def saved(detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    detector.save_pretrained(folder)
    return folder


def maps(detector, images, batch_size):
    """The probability maps that `postprocess` gets, image by image."""
    seen = []
    original = detector.postprocess
    detector.postprocess = lambda outputs, **kwargs: (
        seen.append(outputs["images"]) or original(outputs, **kwargs)
    )
    try:
        detector(images, batch_size=batch_size)
    finally:
        del detector.postprocess
    items = [item[0] if isinstance(item, list) else item for item in seen]
    return [torch.as_tensor(item["tile_maps"][0]["probability_map"]) for item in items]


@pytest.mark.parametrize("batch_size", [2, 5])
def test_maps_do_not_depend_on_the_batch(detector, pictures, batch_size):
    for alone, batched in zip(maps(detector, pictures, 1), maps(detector, pictures, batch_size), strict=True):
        torch.testing.assert_close(batched, alone, rtol=0, atol=1e-5)


def test_a_model_left_in_training_mode_is_put_right():
    model = tiny_model().train()
    TextDetectionPipeline(model=model, image_processor=TCMImageProcessor(), device="cpu")
    assert not model.training


def test_a_saved_pipeline_loads_again(detector, saved, pictures):
    again = pipeline("text-detection", model=str(saved), device="cpu", dtype="float32")
    assert isinstance(again, TextDetectionPipeline)
    for ours, theirs in zip(maps(detector, pictures, 1), maps(again, pictures, 1), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)
    assert again.image_processor.to_dict() == detector.image_processor.to_dict()


def test_a_saved_pipeline_loads_in_a_fresh_process(detector, saved, pictures, tmp_path):
    np.save(tmp_path / "picture.npy", pictures[0])
    code = (
        "import sys, numpy as np, tcm_hf\n"
        "from transformers import pipeline\n"
        "detector = pipeline('text-detection', model=sys.argv[1], device='cpu', dtype='float32')\n"
        f"print(detector(np.load(sys.argv[2]), **{LENIENT!r})[0]['score'])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(saved), str(tmp_path / "picture.npy")],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert float(process.stdout) == pytest.approx(detector(pictures[0], **LENIENT)[0]["score"], abs=1e-3)


def test_saving_names_no_custom_pipeline(saved):
    assert "custom_pipelines" not in (saved / "config.json").read_text()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_pipeline_of_half_precision_works(saved, dtype):
    half = pipeline("text-detection", model=str(saved), device="cpu", dtype=dtype)
    assert half.dtype == getattr(torch, dtype)
    assert isinstance(half(picture()), list)


def test_the_stock_object_detection_pipeline_finds_the_same_boxes(detector, saved, pictures):
    stock = pipeline("object-detection", model=str(saved), device="cpu")
    threshold = 0.3
    ours = detector(pictures[0], threshold=threshold)
    theirs = stock(Image.fromarray(pictures[0]), threshold=threshold)
    assert [found["label"] for found in theirs] == ["text"] * len(ours)
    assert [found["score"] for found in theirs] == pytest.approx([found["score"] for found in ours], abs=1e-4)
    for mine, their in zip(ours, theirs, strict=True):
        assert all(abs(mine["box"][side] - their["box"][side]) <= 1 for side in mine["box"])
