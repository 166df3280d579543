"""`TCMModel` as the backbone of transformers' own detectors."""

import pytest
import torch
from transformers import (
    AutoBackbone,
    DeformableDetrConfig,
    DeformableDetrForObjectDetection,
    DetrConfig,
    DetrForObjectDetection,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    RTDetrConfig,
    RTDetrForObjectDetection,
)
from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d, replace_batch_norm

from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
from tiny import SIZE_HW, tiny_config, tiny_images, tiny_model

STAGES = ["stage2", "stage3", "stage4"]
DETR = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_queries": 8,
    "num_labels": 1,
}
MASK2FORMER = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "num_queries": 5}


def rt_detr() -> RTDetrForObjectDetection:
    config = RTDetrConfig(
        backbone_config=tiny_config(out_features=STAGES),
        encoder_in_channels=[8, 16, 17],
        encoder_hidden_dim=32,
        decoder_in_channels=[32, 32, 32],
        num_denoising=0,
        freeze_backbone_batch_norms=False,
        **DETR,
    )
    return RTDetrForObjectDetection(config)


DETECTORS = {
    "RT-DETR": rt_detr,
    "DETR": lambda: DetrForObjectDetection(
        DetrConfig(backbone_config=tiny_config(out_features=["stage4"]), **DETR)
    ),
    "Deformable DETR": lambda: DeformableDetrForObjectDetection(
        DeformableDetrConfig(backbone_config=tiny_config(out_features=STAGES), **DETR)
    ),
    "Mask2Former": lambda: Mask2FormerForUniversalSegmentation(
        Mask2FormerConfig(
            backbone_config=tiny_config(), encoder_layers=1, decoder_layers=2, num_labels=1, **MASK2FORMER
        )
    ),
}


def backbone_in(detector: torch.nn.Module) -> TCMModel:
    return next(module for module in detector.modules() if isinstance(module, TCMModel))


def labels_for(name: str) -> dict:
    """One word in each of two images, as boxes or as masks."""
    classes = [torch.tensor([0])] * 2
    if name == "Mask2Former":
        mask = torch.zeros(1, *SIZE_HW)
        mask[:, 20:40, 10:60] = 1
        return {"mask_labels": [mask] * 2, "class_labels": classes}
    return {
        "labels": [{"class_labels": one, "boxes": torch.tensor([[0.4, 0.5, 0.5, 0.3]])} for one in classes]
    }


@pytest.mark.parametrize("stages", [["stage1", "stage2", "stage3", "stage4"], STAGES, ["stage3"]])
def test_channels_and_strides_are_declared_before_any_image_comes(stages):
    with torch.device("meta"):
        backbone = AutoBackbone.from_config(tiny_config(out_features=stages))
        maps = backbone(torch.zeros(1, 3, *SIZE_HW)).feature_maps
    assert backbone.channels == [one.shape[1] for one in maps]
    assert backbone.strides == [SIZE_HW[0] // one.shape[2] for one in maps]
    assert backbone.strides == [SIZE_HW[1] // one.shape[3] for one in maps]
    assert backbone.out_feature_strides == {"stage1": 4, "stage2": 8, "stage3": 16, "stage4": 32}


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_of_transformers_train_trunk_and_prompts(name):
    pytest.importorskip("scipy", reason="the detectors of transformers match with scipy")
    torch.manual_seed(0)
    detector = DETECTORS[name]().train()
    backbone = backbone_in(detector)
    loss = detector(pixel_values=tiny_images(), **labels_for(name)).loss
    loss.backward()
    assert loss.isfinite()
    for part in (backbone.image_tower, backbone.prompt, backbone.visual_prompter):
        gradients = [parameter.grad for parameter in part.parameters() if parameter.requires_grad]
        assert gradients and all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients)
    assert all(parameter.grad is None for parameter in backbone.text_tower.parameters())


def test_a_saved_detector_of_transformers_comes_back_with_its_backbone(tmp_path):
    detector = rt_detr().eval()
    detector.save_pretrained(tmp_path)
    loaded, info = RTDetrForObjectDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    with torch.no_grad():
        expected, found = (model(pixel_values=tiny_images()).pred_boxes for model in (detector, loaded))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    # transformers makes every parameter trainable when it loads.
    assert not any(parameter.requires_grad for parameter in backbone_in(loaded).text_tower.parameters())
    assert not backbone_in(loaded.train()).text_tower.training


def test_a_text_tower_in_which_something_is_to_be_trained_stays_so():
    tower = tiny_model().model.text_tower
    adapter = next(tower.parameters()).requires_grad_(True)
    tiny = tiny_model()
    tiny.model.text_tower = tower
    tiny.train().eval()
    assert [parameter.requires_grad for parameter in tower.parameters()].count(True) == 1
    assert adapter.requires_grad


def test_a_backbone_taken_from_a_detector_reports_no_unexpected_weights(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    _, info = TCMModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    _, info = TCMForTextDetection.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_frozen_batch_norms_keep_the_activations_of_clips_trunk():
    tower = {"tower_type": "clip_resnet", "depths": [1, 1, 1, 1], "width": 8, "embed_dim": 16, "grid_size": 3}
    backbone = AutoBackbone.from_config(
        tiny_config(image_tower_config={**tower, "num_attention_heads": 2})
    ).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    with torch.no_grad():
        expected = backbone(tiny_images()).feature_maps
        replace_batch_norm(backbone)  # as DETR, Deformable DETR and RT-DETR do
        found = backbone(tiny_images()).feature_maps
    assert any(isinstance(module, DetrFrozenBatchNorm2d) for module in backbone.modules())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
