"""A detector that tells what its CLIP side saw."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

import tcm_hf
from tcm_hf.modeling.modeling_tcm import HEADS
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_explanation import TextExplanationPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model

SIZE_HW = (120, 200)
# 64 x 96 after the processor below, divided by 32.
GRID_HW = (2, 3)
MAPS = ("image_embedding", "visual_prompt", "matching_map")


def explainer(**overrides):
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160})
    return TextExplanationPipeline(model=tiny_model(**overrides), image_processor=processor, device="cpu")


@pytest.fixture(scope="module")
def explain():
    return explainer()


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in (SIZE_HW, (90, 60), SIZE_HW)]


def test_a_photo_gets_its_maps_and_its_texts(explain, photos):
    found = explain(photos[0])
    assert set(found) == {"image", *MAPS, "detections"}
    np.testing.assert_array_equal(found["image"], photos[0])
    for name in MAPS:
        assert (found[name].shape, found[name].dtype) == (GRID_HW, np.float32)
    assert found["matching_map"].min() >= -1 and found["matching_map"].max() <= 1


def test_an_embedding_is_told_by_its_length_and_several_prompts_by_the_best(photos):
    explain = explainer(prompt_token_ids=[[62, 5, 9, 63], [62, 7, 63]])
    found = explain(photos[0])
    pixel_values = explain.image_processor(images=[photos[0]], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        outputs = explain.model(pixel_values, output_embeddings=True)
    for name in ("image_embedding", "visual_prompt"):
        expected = outputs[name][0].square().sum(dim=0).sqrt().numpy()
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)
    assert outputs["matching_map"].shape[1] == 2
    np.testing.assert_allclose(
        found["matching_map"], outputs["matching_map"][0].numpy().max(axis=0), rtol=1e-4
    )


@pytest.mark.parametrize("head_type", HEADS)
def test_the_texts_are_those_of_the_detector(head_type, photos):
    explain = explainer(head_type=head_type)
    detect = TextDetectionPipeline(model=explain.model, image_processor=explain.image_processor, device="cpu")
    # Random weights give flat maps; this finds something with some of the detectors.
    assert explain(photos[0], threshold=0.0)["detections"] == detect(photos[0], threshold=0.0)


@pytest.mark.parametrize("batch_size", [2, 3])
def test_batches_change_nothing(explain, photos, batch_size):
    for alone, batched in zip(map(explain, photos), explain(photos, batch_size=batch_size), strict=True):
        np.testing.assert_array_equal(batched["image"], alone["image"])
        for name in MAPS:
            np.testing.assert_allclose(batched[name], alone[name], rtol=1e-4, atol=1e-5)


def test_a_model_without_visual_prompt_tells_the_rest(photos):
    found = explainer(visual_prompt_config=None)(photos[0])
    assert found["visual_prompt"] is None
    assert found["matching_map"].shape == GRID_HW


def test_a_vision_transformer_has_the_grid_of_its_patches(photos):
    tower = {
        "tower_type": "clip_vit",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 64,
        "embed_dim": 16,
        "out_layers": [0, 1, 2, 3],
    }
    found = explainer(image_tower_config=tower, matching_stage=2)(photos[0])
    for name in MAPS:
        assert found[name].shape == (64 // 16, 96 // 16)


def test_the_photo_is_the_upright_one(explain, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (160, 96), "red").save(tmp_path / "turned.jpg", exif=exif)
    found = explain(tmp_path / "turned.jpg")
    assert found["image"].shape == (160, 96, 3)
    assert found["image_embedding"].shape[0] > found["image_embedding"].shape[1]


def test_a_baseline_is_refused():
    with pytest.raises(ValueError, match=r"method='baseline' has no text side.*TCM or FastTCM"):
        explainer(method="baseline")


def test_tiles_are_not_on_offer(explain, photos):
    with pytest.raises(TypeError, match="tile"):
        explain(photos[0], tile="auto")


def test_transformers_builds_it_from_a_checkpoint(explain, photos, tmp_path):
    explain.save_pretrained(tmp_path)
    again = pipeline(
        "text-detection",
        model=str(tmp_path),
        device="cpu",
        dtype="float32",
        pipeline_class=tcm_hf.TextExplanationPipeline,
    )
    np.testing.assert_allclose(
        again(photos[0])["matching_map"], explain(photos[0])["matching_map"], rtol=1e-4, atol=1e-5
    )
