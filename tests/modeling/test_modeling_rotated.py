"""`TCMForRotatedObjectDetection`: sizes, losses, gradients, saving; for numbers see test_golden_rotated."""

import json

import pytest
import torch

from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES, TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.modeling.rotated_geometry import rotated_iou_matrix
from tcm_hf.modeling.rotated_head import foreground_matching_loss
from tcm_hf.processing.decode_rotated import decode_rotated
from tiny import tiny_images
from tiny_rotated import ROTATED_HEADS, tiny_objects, tiny_rotated_config, tiny_rotated_model


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_any_size_goes_in_and_every_place_predicts_a_box(head_type):
    model = tiny_rotated_model(head_type)
    for size_hw in ((64, 96), (96, 32), (160, 224)):
        output = model(tiny_images(2, size_hw))
        a_cell = 9 if head_type == "rotated_retinanet" else 1
        for i, (logits, boxes) in enumerate(zip(output.class_logits, output.boxes, strict=True)):
            height, width = (-(-side // (8 * 2**i)) for side in size_hw)
            assert logits.shape == (2, height, width, a_cell, 3)
            assert boxes.shape == (2, height, width, a_cell, 5)
            assert boxes.isfinite().all()


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_an_image_gives_the_same_alone_and_in_a_batch(head_type):
    model, images = tiny_rotated_model(head_type), tiny_images(3)
    together, alone = model(images), model(images[1:2])
    for levels, own_levels in ((together.boxes, alone.boxes), (together.class_logits, alone.class_logits)):
        for level, own in zip(levels, own_levels, strict=True):
            torch.testing.assert_close(level[1:2], own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_every_trainable_parameter_gets_a_gradient(head_type):
    model = tiny_rotated_model(head_type).train()
    output = model(tiny_images(), labels=tiny_objects())
    names = ["loss_class", "loss_box", "loss_centerness", "loss_matching"]
    if head_type == "rotated_retinanet":
        names.remove("loss_centerness")
    assert list(output.loss_dict) == names
    output.loss.backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    # Scales of levels on which no object lies are not asked for.
    assert all(name.startswith("head.level_scales") for name in without), without


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_images_without_objects_can_be_learned_from(head_type):
    model = tiny_rotated_model(head_type).train()
    for labels in (
        {"boxes": torch.zeros(2, 0, 5), "class_labels": torch.zeros(2, 0, dtype=torch.long)},
        {"boxes": torch.zeros(2, 3, 5), "class_labels": torch.full((2, 3), -1)},
    ):
        output = model(tiny_images(), labels=labels)
        assert output.loss.isfinite() and output.loss_dict["loss_box"] == 0
        assert output.loss_dict["loss_matching"] == 0
        output.loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    "labels, message",
    [
        ({"boxes": torch.zeros(2, 3, 5)}, "class_labels"),
        ({"boxes": torch.zeros(2, 3, 4), "class_labels": torch.zeros(2, 3)}, "(B, M, 5)"),
        ({"boxes": torch.zeros(1, 3, 5), "class_labels": torch.zeros(1, 3)}, "2 images"),
        ({"boxes": torch.zeros(2, 3, 5), "class_labels": torch.full((2, 3), 3)}, "below 3"),
        ({"boxes": torch.zeros(2, 3, 5), "class_labels": torch.full((2, 3), -100)}, "from -100"),
        (tiny_objects() | {"class_labels": torch.zeros(2, 3)}, "whole numbers"),
        (tiny_objects() | {"boxes": tiny_objects()["boxes"] * torch.tensor([1, 1, 1, -1, 1])}, "negative"),
        (tiny_objects() | {"boxes": tiny_objects()["boxes"] * torch.nan}, "finite"),
        (tiny_objects() | {"class_masks": torch.zeros(2, 2, 16, 24)}, "(2, 3) maps"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError) as error:
        tiny_rotated_model()(tiny_images(), labels=labels)
    assert message in str(error.value)


def test_the_matching_loss_learns_inside_objects_only():
    logits = torch.zeros(1, 2, 2, 3)
    masks = torch.zeros(1, 2, 16, 24)
    masks[0, 1, :8, :8] = 1
    loss = foreground_matching_loss(logits, masks, masks.amax(1))
    assert loss.item() == pytest.approx(0.6931, abs=1e-4)
    logits[:, :, 1, 2] = 30.0  # far from the object
    assert foreground_matching_loss(logits, masks, masks.amax(1)) == loss


def test_masks_may_be_given_instead_of_made_of_the_boxes():
    model, labels = tiny_rotated_model(), tiny_objects()
    given = {**labels, "class_masks": torch.zeros(2, 3, 16, 24)}
    assert model(tiny_images(), labels=labels).loss_dict["loss_matching"] > 0
    assert model(tiny_images(), labels=given).loss_dict["loss_matching"] == 0


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@torch.no_grad()
def test_what_was_saved_comes_back(head_type, tmp_path):
    model = tiny_rotated_model(head_type)
    model.save_pretrained(tmp_path)
    again = TCMForRotatedObjectDetection.from_pretrained(tmp_path)
    for name in ("id2label", "prompt_token_ids", "matching_fusion", "num_learnable_prompts"):
        assert getattr(again.config, name) == getattr(model.config, name)
    expected, found = model(tiny_images()), again(tiny_images())
    for level, other in zip(expected.boxes, found.boxes, strict=True):
        torch.testing.assert_close(level, other)
    assert json.loads((tmp_path / "config.json").read_text())["head_config"]["head_type"] == head_type


@torch.no_grad()
def test_cached_class_embeddings_give_the_same_boxes():
    model = tiny_rotated_model()
    before = model(tiny_images()).boxes[0]
    model.cache_text_embeddings()
    assert model.model.text_tower is None
    torch.testing.assert_close(model(tiny_images()).boxes[0], before)


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_half_precision_predicts_and_learns_in_full(head_type):
    model = tiny_rotated_model(head_type).to(torch.bfloat16).train()
    output = model(tiny_images().to(torch.bfloat16), labels=tiny_objects())
    output.loss.backward()
    assert output.boxes[0].dtype == output.class_logits[0].dtype == output.loss.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = tiny_rotated_model(head_type).train()(tiny_images(), labels=tiny_objects())
    mixed.loss.backward()
    assert mixed.loss.item() == pytest.approx(output.loss.item(), rel=0.2)


@torch.no_grad()
def test_a_model_loaded_in_half_precision_keeps_the_head_exact(tmp_path):
    tiny_rotated_model().save_pretrained(tmp_path)
    loaded = TCMForRotatedObjectDetection.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert loaded.head.box.weight.dtype == loaded.head.angle_scale.dtype == torch.float32
    assert loaded.model.text_tower.final_layer_norm.weight.dtype == torch.bfloat16
    assert loaded(tiny_images().bfloat16()).boxes[0].isfinite().all()
    loaded.set_class_prompts({0: "ship", 1: "oil"}, [[62, 7, 8, 63], [62, 3, 63]])
    assert loaded.head.box.weight.dtype == torch.float32


@pytest.mark.parametrize("head_type", ["rotated_fcos", "rotated_atss"])
@torch.no_grad()
def test_scales_of_levels_can_be_offloaded(head_type, tmp_path):
    accelerate = pytest.importorskip("accelerate")
    model, images = tiny_rotated_model(head_type), tiny_images()
    for scale in model.head.level_scales.parameters():
        scale.fill_(1.5)
    before = model(images).boxes
    accelerate.disk_offload(model.head, tmp_path, execution_device=torch.device("cpu"))
    assert model.head.box.weight.device.type == "meta"
    for level, expected in zip(model(images).boxes, before, strict=True):
        torch.testing.assert_close(level, expected)


def test_a_vision_transformer_may_be_the_image_tower():
    tower = {
        "tower_type": "clip_vit",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "patch_size": 16,
        "image_size": 64,
        "embed_dim": 16,
        "out_layers": [0, 1, 2, 3],
    }
    model = tiny_rotated_model(image_tower_config=tower, matching_stage=2)
    assert model(tiny_images(), labels=tiny_objects()).loss.isfinite()


def test_a_new_model_finds_hardly_anything():
    for logits in tiny_rotated_model()(tiny_images()).class_logits:
        assert logits.sigmoid().max() < 0.05


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
@pytest.mark.slow
def test_two_boxes_are_learned_by_heart(head_type):
    model = tiny_rotated_model(head_type).train()
    images, labels = tiny_images(1), tiny_objects(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(250):
        optimizer.zero_grad()
        model(images, labels=labels).loss.backward()
        optimizer.step()
    with torch.no_grad():
        output = model.train()(images)
    predictions = [
        None if levels is None else [level[0].numpy() for level in levels]
        for levels in (output.class_logits, output.boxes, output.centerness_logits)
    ]
    found = decode_rotated(*predictions, score_threshold=0.3)
    assert sorted(found.labels.tolist()) == [0, 2]
    order = found.labels.argsort()
    overlaps = rotated_iou_matrix(torch.from_numpy(found.boxes[order]), labels["boxes"][0, :2])
    assert overlaps.diag().min() > 0.7


def test_the_defaults_are_the_released_detectors():
    config = TCMRotatedDetectionConfig()
    assert list(config.id2label.values()) == list(DOTA_CLASSES)
    assert config.num_classes == 15 and config.prompt_length <= 77
    assert config.matching_fusion == "concatenate_logits" and not config.language_prompt
    for name in config.preset_names():
        TCMRotatedDetectionConfig.from_preset(name)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"head_config": {"head_type": "dbnet"}}, "rotated_fcos"),
        ({"id2label": {0: "plane"}}, "3 classes"),
        ({"head_config": {"head_type": "rotated_fcos", "num_anchors": 2}}, "num_anchors"),
        ({"head_config": {"head_type": "rotated_fcos", "num_convs": -1}}, "`num_convs`"),
        ({"head_config": {"head_type": "rotated_fcos", "neck_channels": 0}}, "`neck_channels`"),
        ({"head_config": {"head_type": "rotated_fcos", "neck_channels": 48}}, "multiple of 32"),
        ({"head_config": {"head_type": "rotated_fcos", "center_radius": -1}}, "`center_radius`"),
        ({"head_config": {"head_type": "rotated_atss", "num_candidates": 0}}, "`num_candidates`"),
        ({"head_config": {"head_type": "rotated_atss", "norm_groups": 0}}, "`norm_groups`"),
        ({"head_config": {"head_type": "rotated_retinanet", "scales_per_octave": 0}}, "`scales_per_octave`"),
        ({"head_config": {"head_type": "rotated_retinanet", "anchor_ratios": []}}, "`anchor_ratios`"),
        ({"head_config": {"head_type": "rotated_retinanet", "anchor_ratios": [-1]}}, "`anchor_ratios`"),
        ({"head_config": {"head_type": "rotated_retinanet", "positive_iou": 0.3}}, "not larger"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError) as error:
        tiny_rotated_config(**options)
    assert message in str(error.value)


def test_the_config_names_the_classes_of_its_parts():
    config = TCMRotatedDetectionConfig()
    assert all(isinstance(getattr(config, name), part) for name, part in config.sub_configs.items())


def test_classes_without_names_are_counted():
    config = tiny_rotated_config(id2label=None)
    assert config.id2label == {0: "class 0", 1: "class 1", 2: "class 2"}


def test_the_plain_detector_has_no_text_side():
    model = tiny_rotated_model(
        method="baseline", text_tower_config=None, visual_prompt_config=None, text_refiner_config=None
    )
    output = model(tiny_images(), labels=tiny_objects())
    assert "loss_matching" not in output.loss_dict and output.class_logits[0].shape[-1] == 3
