"""A published TCM checkpoint becomes a folder that computes the same, or nothing at all."""

import copy
import json
import re
import shutil

import numpy as np
import pytest
import torch

import tcm_checkpoints
from tcm_hf.conversion import saving
from tcm_hf.conversion.convert_tcm import UNCHECKED, convert_tcm, detector_of, load_tcm
from tcm_hf.conversion.export_tcm import export_state_dict, original_checkpoint
from tcm_hf.conversion.golden import load_golden
from tcm_hf.conversion.key_report import KeyMismatchError
from tcm_hf.conversion.tcm_settings import preset_conflicts
from tcm_hf.conversion.tower_sizes import resize_grid
from tcm_hf.conversion.verify import verify
from tcm_hf.modeling.configuration_parts import own_settings
from tcm_hf.modeling.configuration_tcm import PREDEFINED_PROMPT_TOKEN_IDS, TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

CASES = {
    "C_dbnet_tiny": "tcm-dbnet-r50-td500",
    "C_dbnet_v2_tiny": "tcm-dbnet-r50-td500",
    "C_dbnet_p32_tiny": "tcm-dbnet-r50-ctw1500",
    "C_pan_tiny": "tcm-pan-r50-ctw1500",
    "C_fce_tiny": "tcm-fcenet-r50-ic15",
    "C_vitb_tiny": "tcm-dbnet-vit-b16",
    "C_segnet_tiny": "tcm-segnet-r50",
}
"""Case -> preset whose image processing it gets."""


@pytest.fixture(scope="module")
def dbnet() -> dict[str, torch.Tensor]:
    return tcm_checkpoints.tensors_of("C_dbnet_tiny")


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_as_mmcv_leaves_it_gives_the_golden_numbers(tmp_path, case):
    tensors = tcm_checkpoints.tensors_of(case)
    path = tcm_checkpoints.save(tmp_path / "epoch_1200.pth", tensors, tcm_checkpoints.stored_model(case))
    converted = convert_tcm(path, tmp_path / "out")
    assert {file.name for file in tmp_path.iterdir()} == {"epoch_1200.pth", "out"}
    assert converted.report.num_taken + len(converted.report.ignored) == len(tensors)
    assert set(converted.report.ignored) <= {"vis_gamma"} and not converted.report.fresh
    model = TCMForTextDetection.from_pretrained(tmp_path / "out").eval()
    comparisons = verify(model, load_golden(tcm_checkpoints.golden_path(case)))
    assert all(one.agrees for one in comparisons), comparisons
    processor = TCMImageProcessor.from_pretrained(tmp_path / "out")
    assert processor.size == TCMImageProcessor.from_preset(CASES[case]).size
    card = (tmp_path / "out" / "README.md").read_text()
    assert "epoch_1200.pth" in card and "mmcv checkpoint (1.3.17)" in card and "36000 iterations" in card
    assert CASES[case] in card and str(tmp_path) not in card


@pytest.mark.parametrize("case", ["C_dbnet_tiny", "C_pan_tiny", "C_fce_tiny"])
def test_converted_exported_and_converted_again_it_decodes_and_resizes_the_same(tmp_path, case):
    tensors, model = tcm_checkpoints.tensors_of(case), tcm_checkpoints.stored_model(case)
    # No preset's: a size and a score of its own.
    score = {
        "C_dbnet_tiny": "min_text_score",
        "C_pan_tiny": "min_text_avg_confidence",
        "C_fce_tiny": "score_thr",
    }
    model = copy.deepcopy(model)
    model["bbox_head"]["postprocessor"][score[case]] = 0.77
    data = tcm_checkpoints.test_data((1600, 800), mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    tensors = tensors
    path = tcm_checkpoints.save(tmp_path / "x.pth", tensors, model, data=data)
    converted = convert_tcm(path, tmp_path / "first")
    first = TCMImageProcessor.from_pretrained(tmp_path / "first")
    assert first.threshold == 0.77 and dict(first.size) == {"shortest_edge": 800, "longest_edge": 1600}
    assert first.polygon_mode == ("polygon" if case == "C_pan_tiny" else "quad")
    assert export_state_dict(converted.model, tmp_path / "back.pth", image_processor=first) == []
    convert_tcm(tmp_path / "back.pth", tmp_path / "again")
    again = TCMImageProcessor.from_pretrained(tmp_path / "again")
    assert again.to_dict() == first.to_dict()


def test_every_tensor_is_saved_as_it_was(tmp_path, dbnet):
    convert_tcm(tcm_checkpoints.save(tmp_path / "x.pth", dbnet), tmp_path / "out")
    ours = TCMForTextDetection.from_pretrained(tmp_path / "out").state_dict()
    layer = "text_encoder.transformer.resblocks.1.attn.in_proj_weight"
    parts = [ours[f"model.text_tower.encoder.layers.1.self_attn.{part}_proj.weight"] for part in "qkv"]
    assert torch.equal(torch.cat(parts), dbnet[layer])
    assert torch.equal(
        ours["model.text_tower.text_projection.weight"], dbnet["text_encoder.text_projection"].T
    )
    assert torch.equal(ours["model.prompt.sequence.contexts"], dbnet["contexts"][0])
    assert torch.equal(ours["model.visual_prompter.gate"], dbnet["vis_gamma"])


@pytest.mark.parametrize("kind", ["bare", "safetensors", "legacy"])
def test_a_state_dict_without_mmcv_is_read_too(tmp_path, dbnet, kind):
    tensors = dict(dbnet)
    if kind == "safetensors":
        from safetensors.torch import save_file

        save_file(tensors, tmp_path / "x.pth")
    else:
        torch.save(tensors, tmp_path / "x.pth", _use_new_zipfile_serialization=kind == "bare")
    converted = load_tcm(tmp_path / "x.pth")
    assert converted.report.num_taken == len(tensors)
    config = converted.model.config
    # Nothing tells heads: CLIP's are 64 wide, the paper's decoders have 4.
    assert config.text_tower_config.num_attention_heads == 1
    assert config.visual_prompt_config.num_attention_heads == 4
    assert config.prompt_token_ids == [PREDEFINED_PROMPT_TOKEN_IDS]
    assert "the released one" in converted.notes["prompt"]


DAMAGES = {
    "missing: neck.smooth_convs.3.conv.weight": lambda t: t.pop("neck.smooth_convs.3.conv.weight"),
    "missing: vis_gamma": lambda t: t.pop("vis_gamma"),
    "cannot be told: there is no text_encoder.text_projection": lambda t: t.pop(
        "text_encoder.text_projection"
    ),
    r"mis-shaped: neck.smooth_convs.1.conv.weight: \(4, 32, 3, 3\), and \(8, 32, 3, 3\)": lambda t: t.update(
        {"neck.smooth_convs.1.conv.weight": torch.zeros(4, 32, 3, 3)}
    ),
    "mis-shaped: text_encoder.transformer.resblocks.0.attn.in_proj_bias: three equal": lambda t: t.update(
        {"text_encoder.transformer.resblocks.0.attn.in_proj_bias": torch.zeros(100)}
    ),
    "mis-shaped: contexts: a leading axis of one": lambda t: t.update({"contexts": torch.zeros(2, 4, 64)}),
    "must have 2 dimensions": lambda t: t.update({"text_encoder.positional_embedding": torch.zeros(18)}),
    "a square grid were expected": lambda t: t.update(
        {"backbone.attnpool.positional_embedding": torch.zeros(19, 512)}
    ),
    r"takes \[64, 128, 256, 99\] channels, and its image tower gives \[64, 128, 256, 512\]": lambda t: (
        t.update({"neck.lateral_convs.3.conv.weight": torch.zeros(32, 99, 1, 1)})
    ),
    "neck reads no matching map": lambda t: t.update(
        {"neck.lateral_convs.3.conv.weight": torch.zeros(32, 512, 1, 1)}
    ),
    "unknown: bbox_head.out_conv.weight": lambda t: t.update(
        {"bbox_head.out_conv.weight": torch.zeros(6, 64, 1, 1)}
    ),
    "unknown: backbone.layer1.0.conv2_offset.weight": lambda t: t.update(
        {"backbone.layer1.0.conv2_offset.weight": torch.zeros(27, 16, 3, 3)}
    ),
    "unknown: visual.x": lambda t: t.update({"visual.x": torch.zeros(2)}),
    "unusable: neck.smooth_convs.1.conv.weight: non-finite values": lambda t: t.update(
        {"neck.smooth_convs.1.conv.weight": torch.full((8, 32, 3, 3), float("nan"))}
    ),
    "unusable: contexts: int64, and float32 is needed": lambda t: t.update(
        {"contexts": t["contexts"].long()}
    ),
    "must be rows of the text tower's token table, 0 to 99": lambda t: t.update(
        {"text_encoder.token_embedding.weight": torch.zeros(100, 64)}
    ),
    "a detector on an ImageNet ResNet, which has no converter": lambda t: t.update(
        {"backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}
    ),
    "is no TCM detector": lambda t: [t.pop(name) for name in list(t) if name.startswith("bbox_head")],
    "a CLIP4STR checkpoint: use `tcm-hf convert clip4str`": lambda t: t.update(
        {"clip_model.visual.proj": torch.zeros(2, 2)}
    ),
    "a text spotter": lambda t: t.update({"testr.level_embed": torch.zeros(2)}),
    "rotated objects": lambda t: t.update({"backbone.visual.conv1.weight": torch.zeros(2)}),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_leaves_no_folder(tmp_path, dbnet, message):
    damaged = dict(dbnet)
    DAMAGES[message](damaged)
    path = tcm_checkpoints.save(tmp_path / "x.pth", damaged)
    with pytest.raises(ValueError, match=r"x\.pth") as caught:
        convert_tcm(path, tmp_path / "out")
    error = caught.value
    text = "\n".join(error.report.problems()) if isinstance(error, KeyMismatchError) else str(error)
    assert re.search(message, text), text
    assert [file.name for file in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            "context_decoder.decoder.1.",
            "tensors have 1 layers, and .* says `context_decoder.transformer_layers` 2",
        ),
        ("prompt_generator.", "has a `prompt_generator`, and there are no tensors of it"),
        ("text_encoder.transformer.resblocks.1.", "`text_encoder.transformer_layers` 2"),
        (
            "backbone.layer3.",
            r"have \[1, 1, 0, 1\] layers, and its configuration says `backbone.layers` \[1, 1, 1, 1\]",
        ),
    ],
)
def test_whole_layers_that_are_missing_are_noticed_by_the_configuration(dbnet, start, message):
    rest = {name: tensor for name, tensor in dbnet.items() if not name.startswith(start)}
    with pytest.raises(ValueError, match=message):
        detector_of(rest, tcm_checkpoints.stored_model("C_dbnet_tiny"))


@pytest.mark.parametrize(
    ("rows", "message"), [(0, "`use_learnable_prompt` True"), (2, "18 positions for 14 words")]
)
def test_learnable_prompts_that_are_missing_are_noticed_by_the_configuration(dbnet, rows, message):
    cut = dbnet | {"contexts": dbnet["contexts"][:, :rows]}
    with pytest.raises(ValueError, match=f"its tensors have {rows} learnable prompts, .* {message}"):
        detector_of(cut, tcm_checkpoints.stored_model("C_dbnet_tiny"))


def test_learnable_prompts_that_the_configuration_does_not_have_are_noticed(dbnet):
    stored = tcm_checkpoints.stored_model("C_dbnet_tiny") | {"use_learnable_prompt": False}
    with pytest.raises(ValueError, match=r"have 4 learnable prompts, .* `use_learnable_prompt` False"):
        detector_of(dbnet, stored)


def test_a_missing_layer_without_a_configuration_is_said_to_be_unchecked(dbnet):
    stored = tcm_checkpoints.stored_model("C_dbnet_tiny")
    assert "completeness" not in detector_of(dbnet, stored).notes
    layer = "text_encoder.transformer.resblocks.1."
    rest = {name: tensor for name, tensor in dbnet.items() if not name.startswith(layer)}
    assert detector_of(rest, {}).notes["completeness"] == UNCHECKED
    assert "give --preset or --config" in UNCHECKED


@pytest.mark.parametrize("heads", [0, "four", None, 2.0])
def test_a_configuration_with_impossible_heads_is_refused(dbnet, heads):
    with pytest.raises(ValueError, match=f"`transformer_heads` is {heads!r}"):
        detector_of(dbnet, {"text_encoder": {"transformer_heads": heads}})


@pytest.mark.parametrize("ids", [[[49406, 10**12]], [[-5, 7]]])
def test_stored_prompts_outside_the_token_table_are_refused(dbnet, ids):
    with pytest.raises(ValueError, match="0 to 49407"):
        detector_of(dbnet, {"prompt_token_ids": ids})


def test_weights_of_half_precision_are_widened_and_told(dbnet):
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in dbnet.items()}
    report = detector_of(half, {}).report
    widened = sum(tensor.is_floating_point() for tensor in dbnet.values())
    assert f"{len(dbnet)} tensors taken; {widened} of them from float16 to float32" in report.summary()


def test_weights_that_overflow_leave_no_folder(tmp_path, dbnet):
    name = "backbone.bn1.weight"
    path = tcm_checkpoints.save(tmp_path / "x.pth", dbnet | {name: torch.full_like(dbnet[name], 1e38)})
    with pytest.raises(ValueError, match="with values that are no numbers"):
        convert_tcm(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["x.pth"]


def test_a_failure_after_saving_leaves_no_folder(tmp_path, dbnet, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "_verify", fail)
    path = tcm_checkpoints.save(tmp_path / "x.pth", dict(dbnet))
    with pytest.raises(KeyboardInterrupt):
        convert_tcm(path, tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_two_class_prompts_are_spelled_with_the_vocabulary_or_must_be_given():
    tensors, stored = tcm_checkpoints.tensors_of("C_k2_tiny"), tcm_checkpoints.stored_model("C_k2_tiny")
    config = detector_of(tensors, stored).model.config
    assert config.prompt_token_ids == [PREDEFINED_PROMPT_TOKEN_IDS, [49406, 5994, 49407]]
    with pytest.raises(ValueError, match=r"does not say its prompt: 2 classes, 14 token positions"):
        detector_of(tensors, {})
    given = detector_of(tensors, stored, prompts=["Text", "a photo of  text."])
    assert given.model.config.prompt_token_ids == [
        [49406, 4160, 49407],
        [49406, 320, 1125, 539, 4160, 269, 49407],
    ]
    assert given.notes["prompt"].endswith("(as given)")
    with pytest.raises(ValueError, match="2 classes: 1 prompts are given"):
        detector_of(tensors, stored, prompts=["text"])
    with pytest.raises(
        ValueError, match="positions for 14 tokens beside the learnable prompts: the prompt has 22"
    ):
        detector_of(tensors, stored, prompts=["text", "text " * 20])


def with_positions(tensors: dict[str, torch.Tensor], rows: int) -> dict[str, torch.Tensor]:
    return tensors | {"text_encoder.positional_embedding": torch.zeros(rows, 64)}


def test_other_context_lengths_than_the_released_ones_want_a_prompt(dbnet):
    assert detector_of(with_positions(dbnet, 9), {}).model.config.prompt_token_ids == [[49406, 4160, 49407]]
    with pytest.raises(
        ValueError, match=r"1 classes, 8 token positions .* Give it, once a class \(--prompt TEXT\)"
    ):
        detector_of(with_positions(dbnet, 12), {})
    with pytest.raises(ValueError, match="1 classes, 73 token"):
        detector_of(with_positions(dbnet, 77), {})
    assert (
        detector_of(with_positions(dbnet, 12), {}, prompts=["text"]).model.config.num_learnable_prompts == 4
    )
    alone = detector_of(with_positions(dbnet, 4), {})
    assert alone.model.config.prompt_token_ids is None
    with pytest.raises(ValueError, match="a prompt cannot be given: learnable prompts alone"):
        detector_of(with_positions(dbnet, 4), {}, prompts=["text"])


def test_a_released_pix_w_that_its_own_code_cannot_multiply_is_left_out():
    tensors = tcm_checkpoints.tensors_of("C_dbnet_v2_tiny")
    assert detector_of(tensors, {}).model.config.similarity_projection
    converted = detector_of(tensors | {"pix_w": torch.ones(64, 32)}, {})
    assert (converted.model.config.method, converted.model.config.similarity_projection) == ("fasttcm", False)
    assert "cannot multiply" in converted.report.ignored["pix_w"]


def test_a_baseline_has_no_text_side(dbnet):
    sides = ("backbone.", "neck.", "bbox_head.")
    tensors = {name: tensor for name, tensor in dbnet.items() if name.startswith(sides)}
    lateral = "neck.lateral_convs.3.conv.weight"
    with pytest.raises(ValueError, match="no text encoder that could make one"):
        detector_of(tensors, {})
    converted = detector_of(tensors | {lateral: tensors[lateral][:, :512]}, {})
    assert converted.model.config.method == "baseline"
    ignored = converted.report.ignored
    assert ignored and all(name.startswith("backbone.attnpool.") for name in ignored)


DECODER = {"hidden_size": 32, "num_hidden_layers": 2}
PRESET = {
    "method": "tcm",
    "image_tower_config": {"depths": [1, 1, 1, 1], "width": 16, "embed_dim": 64, "grid_size": 3},
    "text_tower_config": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "max_position_embeddings": 17,
        "projection_dim": 64,
    },
    "prompt_token_ids": [[49406, 4160, 49407]],
    "num_learnable_prompts": 4,
    "visual_prompt_config": DECODER,
    "text_refiner_config": DECODER,
    "head_config": {"head_type": "dbnet", "neck_channels": 32, "threshold_loss_weight": 7},
}


def test_a_preset_adds_what_no_tensor_tells_and_resizes_positions(tmp_path, dbnet, monkeypatch):
    monkeypatch.setitem(TCMForTextDetection.config_class.presets, "my-preset", PRESET)
    monkeypatch.setitem(TCMImageProcessor.presets, "my-preset", {"threshold": 0.77})
    tensors = dict(dbnet)
    tensors["text_encoder.positional_embedding"] = torch.randn(18, 64)
    path = tcm_checkpoints.save(tmp_path / "x.pth", tensors)
    with pytest.raises(ValueError, match="The prompt has 18 tokens, the text tower positions for 17"):
        load_tcm(path, preset="my-preset")
    converted = convert_tcm(path, tmp_path / "out", preset="my-preset", prompts=["text"])
    model = converted.model
    assert model.config.head_config.threshold_loss_weight == 7
    grid = model.state_dict()["model.image_tower.attention_pool.position_embedding"]
    stored = dbnet["backbone.attnpool.positional_embedding"]
    assert torch.equal(grid, resize_grid(stored, 3)) and torch.equal(grid[0], stored[0])
    positions = model.state_dict()["model.text_tower.embeddings.position_embedding.weight"]
    assert torch.equal(positions, tensors["text_encoder.positional_embedding"][:17])
    note = "image positions resized from 17 to 10 rows; text positions cut from 18 to 17 rows"
    assert converted.notes["positions"] == note
    assert TCMImageProcessor.from_pretrained(tmp_path / "out").threshold == 0.77
    assert note in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["method"] == "tcm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "fasttcm"}, "`method` is 'tcm', and 'fasttcm' in the preset"),
        ({"num_learnable_prompts": 3}, "`num_learnable_prompts` is 4, and 3 in the preset"),
        ({"language_prompt": False}, "`language_prompt` is True, and False in the preset"),
        (
            {"visual_prompt_config": None},
            "the checkpoint has a `visual_prompt_config`, and the preset has none",
        ),
        (
            {"head_config": {"head_type": "pan", "neck_channels": 32}},
            "`head_config.head_type` is 'dbnet', and 'pan' in the preset",
        ),
        (
            {"image_tower_config": PRESET["image_tower_config"] | {"depths": [3, 4, 6, 3]}},
            r"`image_tower_config.depths` is \[1, 1, 1, 1\], and \[3, 4, 6, 3\] in the preset",
        ),
        (
            {"text_tower_config": PRESET["text_tower_config"] | {"max_position_embeddings": 46}},
            "it has 18 text positions, and the preset my-preset needs 46",
        ),
        ({"method": "baseline"}, "`method` is 'tcm', and 'baseline' in the preset"),
    ],
)
def test_a_preset_of_another_detector_is_refused(dbnet, monkeypatch, change, message):
    monkeypatch.setitem(TCMForTextDetection.config_class.presets, "my-preset", PRESET | change)
    with pytest.raises(ValueError, match=message):
        detector_of(dbnet, {}, preset="my-preset")


def test_an_unknown_preset_is_refused(dbnet):
    with pytest.raises(ValueError, match="There is no preset 'tcm-dbnet'"):
        detector_of(dbnet, {}, preset="tcm-dbnet")


@pytest.mark.slow
def test_a_full_size_checkpoint_gives_the_golden_numbers(tmp_path):
    tensors = tcm_checkpoints.tensors_of("C_dbnet_full")
    model = tcm_checkpoints.stored_model("C_dbnet_full")
    path = tcm_checkpoints.save(tmp_path / "dbnet_full.pth", tensors, model)
    del tensors
    converted = convert_tcm(path, tmp_path / "out", preset="tcm-dbnet-r50-td500")
    assert converted.report.num_taken == 685 and not converted.report.ignored
    path.unlink()
    reloaded = TCMForTextDetection.from_pretrained(tmp_path / "out").eval()
    comparisons = verify(reloaded, load_golden(tcm_checkpoints.golden_path("C_dbnet_full")))
    assert [one for one in comparisons if not one.agrees] == []
    shutil.rmtree(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "preset",
    [
        "tcm-dbnet-r50-totaltext",
        "fasttcm-dbnet-r50-ic15",
        "tcm-pan-r50-ic15",
        "tcm-fcenet-r50-ic15",
        "tcm-dbnet-vit-b16",
    ],
)
def test_a_full_size_checkpoint_of_every_detector_converts_and_runs(tmp_path, preset):
    torch.manual_seed(3)
    model = TCMForTextDetection(TCMConfig.from_preset(preset)).eval()
    exported = original_checkpoint(model)["state_dict"]
    path = tcm_checkpoints.save(tmp_path / "x.pth", exported)
    converted = convert_tcm(path, tmp_path / "out", preset=preset)
    path.unlink()
    assert converted.report.num_taken == len(exported)
    assert "positions" not in converted.notes
    assert preset_conflicts(own_settings(converted.model.config), preset) == []
    reloaded = TCMForTextDetection.from_pretrained(tmp_path / "out").eval()
    processor = TCMImageProcessor.from_pretrained(tmp_path / "out")
    photo = np.random.default_rng(0).integers(0, 255, (90, 150, 3), np.uint8)
    inputs = processor(photo, size={"shortest_edge": 96, "longest_edge": 160}, return_tensors="pt")
    with torch.inference_mode():
        wanted, outputs = model(**inputs), reloaded(**inputs)
    assert torch.allclose(wanted.matching_map, outputs.matching_map, atol=1e-5)
    found = processor.post_process_text_detection(outputs, target_sizes=[(90, 150)])
    assert len(found) == 1 and "polygons" in found[0]
    shutil.rmtree(tmp_path / "out")
