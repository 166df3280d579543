"""A published spotter becomes a folder that computes the same, or nothing at all."""

import re
from pathlib import Path

import pytest
import torch

import spotter_checkpoints
import upstream_abcnet
import upstream_testr
from spotter_checkpoints import settings_of
from tcm_hf.conversion.convert_spotter import convert_spotter, load_spotter
from tcm_hf.conversion.filling import UNCHECKED
from tcm_hf.conversion.key_report import KeyMismatchError
from tcm_hf.conversion.safe_loading import Checkpoint
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor

KINDS = ("testr", "abcnet")
STEM = "model.image_tower.trunk.conv1.weight"
RUNS = {
    "testr": ("v1", "gamma_scaled", "bezier", "voc37", "v2_patched", "prompt_only"),
    "abcnet": ("v1", "gamma", "v2_patched"),
}


@pytest.fixture(scope="module")
def checkpoints():
    return {kind: spotter_checkpoints.tensors_of(kind) for kind in KINDS}


def loaded(kind, tensors, **options):
    return load_spotter(kind, Checkpoint(Path("x.pth"), "file", tensors), **options)


@pytest.mark.parametrize(("kind", "run"), [(kind, run) for kind in KINDS for run in RUNS[kind]])
def test_sizes_and_settings_are_those_of_the_golden_case(kind, run):
    upstream = {"testr": upstream_testr, "abcnet": upstream_abcnet}[kind]
    tensors = spotter_checkpoints.tensors_of(kind, run)
    configuration = spotter_checkpoints.configuration_of(kind, run)
    converted = loaded(kind, tensors, configuration=configuration)
    settings = upstream.golden()[0]["config"]
    only = {"only_learnable": True} if run == "prompt_only" else {}
    wanted = upstream.config_of(settings.get(run, settings["v1"]), **only)
    found = converted.model.config
    assert found.image_tower_config.depths == [1, 1, 1, 1]
    found.image_tower_config.depths = wanted.image_tower_config.depths
    assert found.to_dict() == wanted.to_dict()
    assert converted.report.num_taken + len(converted.report.ignored) == len(tensors)
    assert not converted.report.fresh


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_as_detectron2_leaves_it_becomes_a_folder(tmp_path, checkpoints, kind):
    path = spotter_checkpoints.save_detectron2(tmp_path / "model_final.pth", checkpoints[kind])
    config = spotter_checkpoints.save_yaml(
        tmp_path / "config.yaml", spotter_checkpoints.configuration_of(kind)
    )
    converted = convert_spotter(kind, path, tmp_path / "out", upstream_config=config)
    model = FastTCMForTextSpotting.from_pretrained(tmp_path / "out").eval()
    assert settings_of(model.config) == settings_of(converted.model.config)
    ours = model.state_dict()
    for name, original in converted.report.taken.items():
        tensor = checkpoints[kind][original]
        if kind == "abcnet" and name == STEM:
            assert torch.equal(ours[name], tensor.flip(1))
        elif ours[name].shape == tensor.shape and ours[name].ndim != 2:  # neither split nor turned
            assert torch.equal(ours[name], tensor), name
    processor = TCMSpottingImageProcessor.from_pretrained(tmp_path / "out")
    assert processor.characters == model.config.characters
    assert dict(processor.size) == {"shortest_edge": 1000, "longest_edge": 1824}
    assert processor.threshold == {"testr": 0.3, "abcnet": 0}[kind]
    assert processor.image_mean == pytest.approx([123.675 / 255, 116.28 / 255, 103.53 / 255])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "model_final.pth" in card and "detectron2 checkpoint" in card and "19999 iterations" in card
    assert 'pipeline("text-spotting"' in card and str(tmp_path) not in card


def test_a_network_for_bgr_pictures_takes_rgb_ones(checkpoints):
    pictures = torch.rand(1, 3, 64, 96)
    configuration = spotter_checkpoints.configuration_of("abcnet")
    turned = loaded("abcnet", checkpoints["abcnet"], configuration=configuration)
    configuration["INPUT"]["FORMAT"] = "RGB"
    straight = loaded("abcnet", checkpoints["abcnet"], configuration=configuration)
    with torch.no_grad():
        first = turned.model.model.image_tower(pictures).feature_maps
        second = straight.model.model.image_tower(pictures.flip(1)).feature_maps
        third = straight.model.model.image_tower(pictures).feature_maps
    for one, other, wrong in zip(first, second, third, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.std()))
        assert (one - wrong).abs().max() > 0.01 * one.std()
    assert "BGR" in turned.notes["colours"] and "colours" not in straight.notes


def test_a_configuration_says_in_which_order_colours_are(tmp_path, checkpoints):
    told = {"INPUT": {"FORMAT": "BGR"}, "MODEL": {"PIXEL_MEAN": [1, 2, 3], "PIXEL_STD": [5.1, 255, 51]}}
    path = spotter_checkpoints.save_detectron2(tmp_path / "x.pth", checkpoints["testr"])
    convert_spotter(
        "testr",
        path,
        tmp_path / "out",
        upstream_config=spotter_checkpoints.save_yaml(tmp_path / "x.yaml", told),
    )
    processor = TCMSpottingImageProcessor.from_pretrained(tmp_path / "out")
    assert processor.image_mean == pytest.approx([3 / 255, 2 / 255, 1 / 255])
    assert processor.image_std == pytest.approx([0.2, 1, 0.02])
    model = FastTCMForTextSpotting.from_pretrained(tmp_path / "out")
    stem = checkpoints["testr"]["testr.backbone.0.backbone.stem.conv1.weight"]
    assert torch.equal(model.state_dict()[STEM], stem.flip(1))
    with pytest.raises(ValueError, match="`FORMAT` as one of"):
        loaded("testr", checkpoints["testr"], configuration={"INPUT": {"FORMAT": "YUV"}})


@pytest.mark.parametrize("kind", KINDS)
def test_a_spotter_without_clips_text_side_is_a_baseline(checkpoints, kind):
    rest = spotter_checkpoints.without_text_side(kind, checkpoints[kind])
    assert len(rest) < len(checkpoints[kind]) - 100
    converted = loaded(kind, rest)
    assert converted.model.config.method == "baseline"
    assert converted.notes["prompt"] == "the baseline has no prompt"
    assert converted.report.num_taken + len(converted.report.ignored) == len(rest)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_configuration_the_released_values_hold(checkpoints, kind):
    converted = loaded(kind, checkpoints[kind])
    config = converted.model.config
    assert converted.notes["completeness"] == UNCHECKED
    assert (config.matching_fusion, config.matching_stage) == ("add", 2)
    if kind == "testr":
        assert (config.head_config.num_queries, config.matching_loss_weight) == (100, 2.0)
        assert config.head_config.outline == "polygon"
        assert config.image_tower_config.strided_conv == "3x3"
    else:
        assert (config.head_config.num_characters, config.head_config.proposal_threshold) == (25, 0.45)
        assert config.image_tower_config.strided_conv == "1x1"


def test_heads_that_are_one_tensor_are_taken_once_and_refused_if_they_differ(checkpoints):
    tensors = dict(checkpoints["testr"])
    twins = {
        "testr.ctrl_point_class.1.bias": "testr.ctrl_point_class.0.bias",
        "testr.ctrl_point_coord.1.layers.2.weight": "testr.ctrl_point_coord.0.layers.2.weight",
        "testr.bbox_class.weight": "testr.transformer.bbox_class_embed.weight",
        "testr.bbox_coord.layers.0.bias": "testr.transformer.bbox_embed.layers.0.bias",
    }
    report = loaded("testr", tensors).report
    assert set(twins) <= set(report.ignored) and set(twins.values()) <= set(report.taken.values())
    for twin, first in twins.items():
        without = {name: tensor for name, tensor in tensors.items() if name != first}
        state = loaded("testr", without).model.state_dict()
        ours = next(name for name, original in report.taken.items() if original == first)
        assert torch.equal(state[ours], tensors[first])
        message = f"{twin} is not the same tensor as {first}"
        with pytest.raises(ValueError, match=re.escape(message)):
            loaded("testr", tensors | {twin: tensors[twin] + 1})


def test_other_character_sets_are_given(checkpoints):
    tensors = checkpoints["testr"] | {
        "testr.text_class.weight": torch.ones(6, 256),
        "testr.text_class.bias": torch.ones(6),
    }
    with pytest.raises(ValueError, match=r"reads 5 characters and does not say which.*--characters"):
        loaded("testr", tensors)
    assert loaded("testr", tensors, characters="äöüß").model.config.characters == "äöüß口"
    assert loaded("testr", tensors, characters="abcde").model.config.characters == "abcde"
    for wrong in ("abc", "abcdef", "abb口口"):
        with pytest.raises(ValueError, match="characters"):
            loaded("testr", tensors, characters=wrong)
    voc37 = spotter_checkpoints.tensors_of("testr", "voc37")
    assert loaded("testr", voc37).model.config.characters.startswith("0123456789abc")


DAMAGES = {
    "missing: testr.input_proj.2.1.bias": ("testr", lambda t: t.pop("testr.input_proj.2.1.bias")),
    r"unknown: testr.backbone.0.backbone.res3.0.conv2_offset.weight \(18,\)": (
        "testr",
        lambda t: t.update({"testr.backbone.0.backbone.res3.0.conv2_offset.weight": torch.zeros(18)}),
    ),
    r"mis-shaped: testr.enc_|mis-shaped: testr.transformer.enc_output.weight: \(2, 256\)": (
        "testr",
        lambda t: t.update({"testr.transformer.enc_output.weight": torch.zeros(2, 256)}),
    ),
    "cannot be told: there is no testr.transformer.level_embed": (
        "testr",
        lambda t: t.pop("testr.transformer.level_embed"),
    ),
    r"which 8 heads cannot share on 4 levels": (
        "testr",
        lambda t: t.update(
            {"testr.transformer.encoder.layers.0.self_attn.sampling_offsets.weight": torch.zeros(250, 256)}
        ),
    ),
    r"\[1, 1, 0, 1\] blocks: a stage is missing": (
        "testr",
        lambda t: [t.pop(name) for name in list(t) if ".res4." in name],
    ),
    "missing: testr.backbone.0.vis_gamma": ("testr", lambda t: t.pop("testr.backbone.0.vis_gamma")),
    "unknown: roi_heads.recognizer.rnn.0.weight": (
        "abcnet",
        lambda t: t.update({"roi_heads.recognizer.rnn.0.weight": torch.zeros(2)}),
    ),
    "unknown: proposal_generator.fcos_head.scales.0.scale": (
        "abcnet",
        lambda t: t.update({"proposal_generator.fcos_head.scales.0.scale": torch.zeros(1)}),
    ),
    "missing: backbone.top_block.p6.weight": ("abcnet", lambda t: t.pop("backbone.top_block.p6.weight")),
    "cannot be told: there is no backbone.fpn_lateral2.weight": (
        "abcnet",
        lambda t: t.pop("backbone.fpn_lateral2.weight"),
    ),
    "a text spotter of ABCNet's kind: use `tcm-hf convert abcnet`": (
        "testr",
        lambda t: [t.clear(), t.update({"proposal_generator.x": torch.zeros(2)})],
    ),
    "a text spotter of TESTR's kind: use `tcm-hf convert testr`": (
        "abcnet",
        lambda t: t.update({"testr.x": torch.zeros(2)}),
    ),
    "a text detector: use `tcm-hf convert tcm`": (
        "testr",
        lambda t: [t.clear(), t.update({"bbox_head.x": torch.zeros(2)})],
    ),
    "CLIP weights": ("testr", lambda t: [t.clear(), t.update({"visual.x": torch.zeros(2)})]),
    "is no TESTR checkpoint: expected names": (
        "testr",
        lambda t: [t.clear(), t.update({"stem.x": torch.zeros(2)})],
    ),
    "already: load it with from_pretrained": (
        "testr",
        lambda t: t.update({"model.image_tower.x": torch.zeros(2)}),
    ),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_damaged_checkpoint_is_refused(checkpoints, message):
    kind, damage = DAMAGES[message]
    tensors = dict(checkpoints[kind])
    damage(tensors)
    with pytest.raises(ValueError, match=r"x\.pth") as caught:
        loaded(kind, tensors)
    error = caught.value
    text = "\n".join(error.report.problems()) if isinstance(error, KeyMismatchError) else str(error)
    assert re.search(message, text), text


CONFLICTS = [
    ("testr", ("MODEL", "TRANSFORMER"), {"DEC_LAYERS": 6}, r"`num_decoder_layers` of 2, .* `DEC_LAYERS` 6"),
    ("testr", ("MODEL", "TRANSFORMER"), {"NUM_CHARS": 100}, "`NUM_CHARS` 100"),
    ("testr", ("MODEL", "TRANSFORMER"), {"NHEADS": "8"}, "`NHEADS` as a number"),
    ("testr", ("MODEL", "TRANSFORMER"), {"NHEADS": 7}, "7 heads cannot share"),
    ("testr", ("MODEL", "TRANSFORMER"), {"POSITION_EMBEDDING_SCALE": 1.0}, "`POSITION_EMBEDDING_SCALE` 1.0"),
    ("testr", ("MODEL", "RESNETS"), {"DEPTH": 101}, r"\[1, 1, 1, 1\] blocks, .* `DEPTH` 101"),
    ("testr", ("CLIP", "TEXT_ENCODER"), {"transformer_layers": 12}, "`text_encoder.transformer_layers` 12"),
    ("testr", ("CLIP",), {"context_length": 10}, "18 positions for 10 words"),
    ("abcnet", ("MODEL", "BATEXT"), {"RECOGNIZER": "rnn"}, "`RECOGNIZER` rnn: this package's model has attn"),
    ("abcnet", ("MODEL", "FCOS"), {"THRESH_WITH_CTR": True}, "`THRESH_WITH_CTR` True"),
    ("abcnet", ("MODEL", "FCOS"), {"NUM_CLS_CONVS": 2}, "`NUM_CLS_CONVS` 2"),
    ("abcnet", ("MODEL", "FCOS"), {"SIZES_OF_INTEREST": "all"}, "`SIZES_OF_INTEREST` as numbers"),
    ("abcnet", ("MODEL", "FPN"), {"FUSE_TYPE": "avg"}, "`FUSE_TYPE` avg"),
]


@pytest.mark.parametrize(("kind", "path", "change", "message"), CONFLICTS)
def test_what_the_configuration_says_otherwise_is_noticed(checkpoints, kind, path, change, message):
    configuration = spotter_checkpoints.configuration_of(kind)
    part = configuration
    for name in path:
        part = part[name]
    part |= change
    with pytest.raises(ValueError, match=message):
        loaded(kind, checkpoints[kind], configuration=configuration)


def test_a_preset_is_compared_and_gives_what_no_tensor_tells(checkpoints):
    with pytest.raises(ValueError, match=r"not what the preset tcm-testr-r50-ctw1500 describes: .*depths"):
        loaded("testr", checkpoints["testr"], preset="tcm-testr-r50-ctw1500")
    with pytest.raises(ValueError, match="There is no preset 'tcm-dbnet-r50-ic15'"):
        loaded("testr", checkpoints["testr"], preset="tcm-dbnet-r50-ic15")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "preset"), [("testr", "tcm-testr-r50-ctw1500"), ("abcnet", "tcm-abcnet-r50-ic15")]
)
def test_spotters_of_the_published_size_convert_with_their_preset(tmp_path, kind, preset):
    from tcm_hf.conversion.original_names import to_original
    from tcm_hf.conversion.spotter_kinds import SPOTTERS
    from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig

    torch.manual_seed(0)
    config = TCMSpottingConfig.from_preset(preset)
    model = FastTCMForTextSpotting(config)
    path = spotter_checkpoints.save_detectron2(
        tmp_path / "x.pth", to_original(model.state_dict(), SPOTTERS[kind].rules)
    )
    converted = convert_spotter(kind, path, tmp_path / "out", preset=preset)
    assert settings_of(converted.model.config) == settings_of(config)
    processor = TCMSpottingImageProcessor.from_pretrained(tmp_path / "out")
    assert dict(processor.size) == dict(TCMSpottingImageProcessor.from_preset(preset).size)
