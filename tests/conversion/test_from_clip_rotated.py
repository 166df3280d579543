"""A detector of rotated objects starts from CLIP, with classes of its own."""

import importlib.util
import json

import pytest
import torch

import clip_checkpoints
from tcm_hf.cli.main import main
from tcm_hf.conversion.class_prompts import class_prompts
from tcm_hf.conversion.from_clip import start_from_clip
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES, TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor


@pytest.fixture(scope="module")
def tensors():
    return clip_checkpoints.seeded(clip_checkpoints.resnet_shapes())


@pytest.fixture(scope="module")
def path(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("clip") / "RN.pt"
    torch.save(tensors, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, path):
    folder = tmp_path_factory.mktemp("rotated") / "start"
    assert main(["convert", "clip", str(path), str(folder), "--to", "rotated", "--quiet"]) == 0
    return folder


def test_the_command_writes_a_folder_to_train_from(folder):
    assert json.loads((folder / "config.json").read_text())["model_type"] == "tcm_rotated"
    assert "rotated-object-detection" in (folder / "README.md").read_text()
    TCMRotatedImageProcessor.from_pretrained(folder)


def test_its_towers_are_clips_and_its_classes_dotas_until_others_are_named(folder, tensors):
    model = TCMForRotatedObjectDetection.from_pretrained(folder)
    assert list(model.config.id2label.values()) == list(DOTA_CLASSES)
    table = "token_embedding.weight"
    assert torch.equal(model.state_dict()[f"model.text_tower.embeddings.{table}"], tensors[table])
    assert not any(parameter.requires_grad for parameter in model.model.text_tower.parameters())
    with torch.inference_mode():
        assert model(torch.randn(1, 3, 64, 96)).class_logits[0].shape == (1, 8, 12, 1, 15)
    if importlib.util.find_spec("open_clip") is not None:
        assert model.set_class_prompts(**class_prompts(["ship", "oil rig"])) == ["oil rig"]


def test_classes_head_and_a_grid_of_another_size_are_a_matter_of_the_config(folder, path, tensors):
    found = TCMRotatedDetectionConfig.from_pretrained(folder)
    tower = found.image_tower_config.to_dict() | {"grid_size": 5, "grid_interpolation": "bicubic"}
    tower.pop("transformers_version", None)
    config = TCMRotatedDetectionConfig.from_preset(
        "tcm-rotated-atss-r50-dota",
        **class_prompts(["ship", "harbor"]),
        image_tower_config=tower,
        text_tower_config=found.text_tower_config,
    )
    model = start_from_clip(path, config).model
    assert model.config.id2label == {0: "ship", 1: "harbor"} and model.head.num_classes == 2
    positions = model.state_dict()["model.image_tower.attention_pool.position_embedding"]
    assert positions.shape[0] == 26
    assert torch.equal(positions[0], tensors["visual.attnpool.positional_embedding"][0])
