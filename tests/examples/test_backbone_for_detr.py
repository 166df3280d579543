"""RT-DETR on a TCM backbone, as the example trains it."""

import runpy
from pathlib import Path

import pytest
import torch
from transformers import RTDetrForObjectDetection

import tcm_hf

pytest.importorskip("scipy", reason="RT-DETR matches boxes with scipy")
EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "backbone_for_detr.py"))


def test_the_example_trains_trunk_and_prompts_and_saves_the_detector(tmp_path, capsys):
    detector, losses = EXAMPLE["main"](["--steps", "7", "--photos", "1", "--output", str(tmp_path)])
    assert torch.tensor(losses).isfinite().all()
    assert sum(losses[-2:]) / 2 < 0.95 * losses[0], losses
    backbone = detector.model.backbone.model
    assert type(backbone) is tcm_hf.TCMModel
    for part in (backbone.image_tower, backbone.prompt):
        assert any(
            parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in part.parameters()
        )
    output = backbone(torch.randn(1, 3, 64, 96))
    assert [one.shape[1] for one in output.feature_maps] == backbone.channels
    torch.testing.assert_close(output.feature_maps[-1][:, -1:], output.matching_map)
    assert "found" in capsys.readouterr().out

    loaded = RTDetrForObjectDetection.from_pretrained(tmp_path)
    for name, value in detector.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.skipif(
    not (tcm_hf.default_checkpoint() / "model.safetensors").is_file(), reason="no weights are shipped"
)
def test_the_example_starts_from_a_trained_backbone():
    folder = str(tcm_hf.default_checkpoint())
    backbone = EXAMPLE["build_detector"](folder).model.backbone.model.eval()
    trained = tcm_hf.TCMModel.from_pretrained(folder)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone(images).matching_map, trained(images).matching_map, rtol=1e-3, atol=1e-4
        )
