"""A published rotated object detector becomes a folder that computes the same, or nothing at all."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

import spotter_checkpoints
import upstream_rotated
from spotter_checkpoints import settings_of
from tcm_hf.conversion.convert_rotated import convert_rotated, load_rotated
from tcm_hf.conversion.filling import UNCHECKED
from tcm_hf.conversion.key_report import KeyMismatchError
from tcm_hf.conversion.safe_loading import Checkpoint
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor

HEADS = ("fcos", "atss", "retina")


@pytest.fixture(scope="module")
def checkpoints():
    return {head: spotter_checkpoints.rotated_tensors(head) for head in HEADS}


def loaded(tensors, model=None, names=None, preset=None, vocabulary=None, **meta):
    if model is not None:
        meta["cfg"] = f"model = {model!r}\n"
    checkpoint = Checkpoint(Path("x.pth"), "file", tensors, meta=meta)
    return load_rotated(checkpoint, preset, names, vocabulary)


@pytest.mark.parametrize("head", HEADS)
def test_a_checkpoint_as_mmengine_leaves_it_gives_the_golden_numbers(tmp_path, checkpoints, head):
    path = spotter_checkpoints.save_mmengine(
        tmp_path / "epoch_12.pth", checkpoints[head], spotter_checkpoints.rotated_config(head)
    )
    converted = convert_rotated(path, tmp_path / "out")
    assert converted.report.num_taken + len(converted.report.ignored) == len(checkpoints[head])
    assert all(name.startswith("prompt_generator.") for name in converted.report.ignored)
    model = TCMForRotatedObjectDetection.from_pretrained(tmp_path / "out").eval()
    wanted = upstream_rotated.our_model(head)
    assert settings_of(converted.model.config) == settings_of(wanted.config)
    pictures = upstream_rotated.images("rot_tiny", (1, 3, 128, 128))
    with torch.no_grad():
        ours, theirs = model(pictures), wanted(pictures)
    for field in ("class_logits", "boxes"):
        for one, other in zip(ours[field], theirs[field], strict=True):
            torch.testing.assert_close(one, other)
    assert list(model.config.id2label.values()) == list(DOTA_CLASSES)
    processor = TCMRotatedImageProcessor.from_pretrained(tmp_path / "out")
    plain = TCMRotatedImageProcessor()
    for name in ("threshold", "nms_threshold", "max_candidates", "max_detections", "size"):
        assert getattr(processor, name) == getattr(plain, name), name
    assert processor.image_mean == pytest.approx(plain.image_mean)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "mmengine checkpoint (0.9.0)" in card and "38400 iterations, 12 epochs" in card
    assert 'pipeline("rotated-object-detection"' in card and "- ocr" not in card


def test_the_log_that_mmengine_keeps_beside_the_tensors_is_passed_over(tmp_path, monkeypatch, checkpoints):
    module = types.ModuleType("mmengine.logging.history_buffer")
    buffer = type("HistoryBuffer", (), {"__module__": module.__name__})
    module.HistoryBuffer = buffer
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.setitem(sys.modules, name, module if name == module.__name__ else types.ModuleType(name))
    log = buffer()
    log._log_history, log._max_length = np.arange(5.0), 1_000_000
    content = {
        "meta": {"mmengine_version": "0.9.0", "dataset_meta": {"classes": ("plane",) * 2}},
        "state_dict": checkpoints["fcos"],
        "message_hub": {"log_scalars": {"train/loss": log}, "runtime_info": {"seed": np.int64(1)}},
    }
    torch.save(content, tmp_path / "x.pth")
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ValueError, match="tells 15 classes apart: 2 names are given"):
        load_rotated(tmp_path / "x.pth")
    converted = load_rotated(tmp_path / "x.pth", names=list(DOTA_CLASSES))
    assert converted.report.num_taken == 305 and "as given" in converted.notes["classes"]


def test_without_a_configuration_the_released_values_hold(checkpoints):
    converted = loaded(checkpoints["atss"])
    assert converted.notes["completeness"] == UNCHECKED
    assert "DOTA's, by their number" in converted.notes["classes"]
    assert converted.model.config.head_config.num_candidates == 9
    assert converted.model.config.head_config.extra_levels_from == "input"
    assert converted.model.config.visual_prompt_config.num_attention_heads == 4


def with_classes(tensors, count):
    lateral = tensors["neck.lateral_convs.2.conv.weight"]
    return tensors | {
        "neck.lateral_convs.2.conv.weight": lateral[:, : 512 + count],
        "bbox_head.conv_cls.weight": tensors["bbox_head.conv_cls.weight"][:count],
        "bbox_head.conv_cls.bias": tensors["bbox_head.conv_cls.bias"][:count],
    }


def test_names_of_classes_come_from_the_data_set_the_user_or_are_asked_for(checkpoints):
    two = with_classes(checkpoints["fcos"], 2)
    stored = {"dataset_meta": {"classes": ("storage-tank", "ship")}}
    config = loaded(two, **stored).model.config
    assert list(config.id2label.values()) == ["storage tank", "ship"]
    assert config.prompt_token_ids == [DOTA_CLASSES["storage tank"], DOTA_CLASSES["ship"]]
    assert list(loaded(two, names=["ship", "plane"], **stored).model.config.id2label.values()) == [
        "ship",
        "plane",
    ]
    with pytest.raises(ValueError, match=r"the names of its 2 classes: give them .*\(--prompt NAME"):
        loaded(two)
    with pytest.raises(ValueError, match="different names"):
        loaded(two, names=["ship", "ship"])
    with pytest.raises(ValueError, match="There is no vocabulary"):
        loaded(two, names=["ship", "whale"], vocabulary="absent/deep/folder")


DAMAGES = {
    "missing: bbox_head.conv_angle.weight": lambda t: t.pop("bbox_head.conv_angle.weight"),
    "unknown: bbox_head.conv_extra.weight": lambda t: t.update(
        {"bbox_head.conv_extra.weight": torch.zeros(1)}
    ),
    r"tells 14 classes apart, and its neck reads a matching map of 15": lambda t: t.update(
        {"bbox_head.conv_cls.weight": torch.zeros(14, 64, 3, 3)}
    ),
    "has no text encoder, and so no class prompts": lambda t: [
        t.pop(name) for name in list(t) if name.startswith("text_encoder.")
    ],
    "cannot be told: there is no neck.fpn_convs.3.conv.weight": lambda t: t.pop(
        "neck.fpn_convs.3.conv.weight"
    ),
    "is no rotated object detector of TCM: expected names": lambda t: [
        t.pop(name) for name in list(t) if name.startswith("bbox_head.conv_cls")
    ],
    "a text detector: use `tcm-hf convert tcm`": lambda t: [
        t.pop(name) for name in list(t) if name.startswith("backbone.visual")
    ],
    "unusable: vis_gamma: non-finite": lambda t: t.update({"vis_gamma": torch.tensor(float("nan"))}),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_checkpoint_is_refused(checkpoints, message):
    tensors = dict(checkpoints["fcos"])
    DAMAGES[message](tensors)
    with pytest.raises(ValueError, match=r"x\.pth") as caught:
        loaded(tensors)
    error = caught.value
    text = "\n".join(error.report.problems()) if isinstance(error, KeyMismatchError) else str(error)
    assert re.search(message, text), text


@pytest.mark.parametrize(
    ("head", "path", "change", "message"),
    [
        (
            "retina",
            ("bbox_head", "anchor_generator"),
            {"scales_per_octave": 2},
            "has 9 anchors a cell: 2",
        ),
        ("fcos", ("vis_context_decoder",), {"transformer_layers": 3}, "`visual_prompt_generator.transformer"),
    ],
)
def test_what_the_configuration_says_otherwise_is_noticed(checkpoints, head, path, change, message):
    import copy

    model = copy.deepcopy(spotter_checkpoints.rotated_config(head))
    part = model
    for name in path:
        part = part[name]
    part |= change
    with pytest.raises(ValueError, match=message):
        loaded(checkpoints[head], model)


def test_pictures_that_are_not_turned_to_rgb_are_refused(tmp_path, checkpoints):
    model = spotter_checkpoints.rotated_config("fcos")
    model = model | {"data_preprocessor": model["data_preprocessor"] | {"bgr_to_rgb": False}}
    path = spotter_checkpoints.save_mmengine(tmp_path / "x.pth", checkpoints["fcos"], model)
    with pytest.raises(ValueError, match=r"x\.pth cannot be converted: .*`bgr_to_rgb=True`"):
        convert_rotated(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_preset_is_compared(checkpoints):
    with pytest.raises(ValueError, match=r"not what the preset tcm-rotated-atss-r50-dota .*head_type"):
        loaded(checkpoints["fcos"], preset="tcm-rotated-atss-r50-dota")
    with pytest.raises(ValueError, match="There is no preset 'x'"):
        loaded(checkpoints["fcos"], preset="x")


@pytest.mark.slow
@pytest.mark.parametrize("head", ["fcos", "atss", "retinanet"])
def test_detectors_of_the_published_size_convert_with_their_preset(tmp_path, head):
    from tcm_hf.conversion.keys_rotated import rotated_rules
    from tcm_hf.conversion.original_names import to_original
    from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig

    preset = f"tcm-rotated-{head}-r50-dota"
    torch.manual_seed(0)
    model = TCMForRotatedObjectDetection(TCMRotatedDetectionConfig.from_preset(preset))
    tensors = to_original(model.state_dict(), rotated_rules(f"rotated_{head}"))
    path = spotter_checkpoints.save_mmengine(tmp_path / "x.pth", tensors)
    converted = convert_rotated(path, tmp_path / "out", preset=preset)
    assert settings_of(converted.model.config) == settings_of(model.config)
    state = converted.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
