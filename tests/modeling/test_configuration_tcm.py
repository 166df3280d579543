"""TCMConfig and its parts: presets, validation, and what is written into config.json."""

import copy
import json
import pickle

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoBackbone, AutoConfig, CLIPTextConfig

import tcm_hf  # noqa: F401  (registers the model type)
from tcm_hf.modeling.configuration_heads import DBNetHeadConfig, FCENetHeadConfig
from tcm_hf.modeling.configuration_tcm import PromptDecoderConfig, TCMConfig
from tcm_hf.modeling.configuration_towers import CLIPResNetTowerConfig, TimmTowerConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tiny import tiny_config

CLIP_RESNET = {
    "tower_type": "clip_resnet",
    "depths": (1, 1, 1, 1),
    "width": 8,
    "embed_dim": 16,
    "num_attention_heads": 2,
    "grid_size": 3,
}
CONFIGS = {
    "default": TCMConfig,
    "baseline": lambda: TCMConfig(method="baseline"),
    "timm tower": tiny_config,
    "clip tower": lambda: tiny_config(image_tower_config=CLIP_RESNET),
    "vit tower": lambda: TCMConfig(image_tower_config={"tower_type": "clip_vit", "out_layers": (0, 1, 2, 3)}),
    "learnable prompts only": lambda: TCMConfig(method="tcm", prompt_token_ids=None, language_prompt=False),
    "no decoders": lambda: TCMConfig(visual_prompt_config=None, text_refiner_config=None),
    "cached": lambda: tiny_config(text_embedding_cached=True),
    "one stage": lambda: tiny_config(out_features=["stage2"]),
}


def written(config):
    return json.loads(config.to_json_string())


# ---- building ----------------------------------------------------------------------------------------


def test_the_default_config_builds_the_papers_model():
    with torch.device("meta"):
        model = TCMForTextDetection(TCMConfig())
    assert model.model.channels == [256, 512, 1024, 2049]
    assert 100e6 < model.num_parameters() < 130e6


@pytest.mark.parametrize("name", TCMConfig.preset_names())
def test_every_preset_builds_a_config_that_comes_back_from_json(name):
    config = TCMConfig.from_preset(name)
    assert TCMConfig(**written(config)).to_dict() == config.to_dict()


def test_the_shipped_preset_builds_a_small_model():
    model = TCMForTextDetection(TCMConfig.from_preset("fasttcm-dbnet-tiny"))
    text_side = sum(
        p.numel() for part in (model.model.text_tower, model.model.prompt) for p in part.parameters()
    )
    assert model.num_parameters() - text_side < 5e6


def test_a_preset_takes_overrides_and_is_not_changed_by_them():
    config = TCMConfig.from_preset("fasttcm-dbnet-tiny", num_learnable_prompts=2)
    config.image_tower_config.trunk_options["stem_width"] = 99
    assert config.num_learnable_prompts == 2
    again = TCMConfig.from_preset("fasttcm-dbnet-tiny")
    assert again.image_tower_config.trunk_options["stem_width"] != 99
    assert again.num_learnable_prompts == 4


def test_parts_may_be_given_as_dicts_or_as_configs():
    as_dicts = tiny_config(image_tower_config=CLIP_RESNET, visual_prompt_config={}, head_config={})
    as_configs = tiny_config(
        image_tower_config=CLIPResNetTowerConfig(**CLIP_RESNET),
        visual_prompt_config=PromptDecoderConfig(),
        head_config=DBNetHeadConfig(),
        text_tower_config=CLIPTextConfig(**tiny_config().text_tower_config.to_dict()),
    )
    assert as_dicts.to_dict() == as_configs.to_dict()


def test_the_baseline_has_no_text_tower():
    assert TCMConfig(method="baseline").text_tower_config is None


def test_prompt_length_counts_words_and_learnable_prompts():
    assert TCMConfig().prompt_length == 14 + 4
    assert TCMConfig(method="tcm", prompt_token_ids=None, language_prompt=False).prompt_length == 4
    assert TCMConfig(prompt_token_ids=[[1, 2], [1, 2, 3]], num_learnable_prompts=0).prompt_length == 3
    assert TCMConfig(prompt_token_ids=[[1, 2], [1, 2, 3]]).num_classes == 2


def test_the_one_label_is_text_both_ways():
    config = TCMConfig()
    assert (config.id2label, config.label2id, config.num_labels) == ({0: "text"}, {"text": 0}, 1)
    assert TCMConfig(id2label={0: "word", 1: "line"}).label2id == {"word": 0, "line": 1}


# ---- writing and reading -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_comes_back_equal_from_a_file(make, tmp_path):
    config = make()
    config.save_pretrained(tmp_path)
    for loaded in (TCMConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        # The file says who wrote it, the loaded config where it came from.
        loaded.transformers_version, loaded.name_or_path = config.transformers_version, config.name_or_path
        assert loaded == config
        assert loaded.to_dict() == config.to_dict()
        assert written(loaded) == written(config)


@pytest.mark.parametrize("make", CONFIGS.values(), ids=CONFIGS.keys())
def test_copies_of_a_config_are_equal_and_independent(make):
    config = make()
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert copied == config
        copied.head_config.neck_channels = 32
        assert copied != config


def test_parts_write_their_own_fields_and_nothing_of_the_base_class():
    config = written(tiny_config(image_tower_config=CLIP_RESNET))
    assert config["image_tower_config"] == CLIP_RESNET | {
        "depths": [1, 1, 1, 1],
        "grid_interpolation": "bilinear",
        "model_type": "tcm_clip_resnet_tower",
    }
    assert config["visual_prompt_config"] == {
        "dropout": 0.1,
        "hidden_size": 16,
        "model_type": "tcm_prompt_decoder",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "residual_scale": 0.5,
    }
    assert set(config["head_config"]) == {
        "balanced_matching_loss",
        "balanced_probability_loss",
        "head_type",
        "model_type",
        "neck_channels",
        "negative_ratio",
        "probability_loss_weight",
        "step_slope",
        "threshold_loss_weight",
    }
    assert "id2label" not in config["text_tower_config"]


def test_files_of_older_versions_whose_parts_hold_more_still_load():
    noise = {"id2label": {"0": "LABEL_0"}, "chunk_size_feed_forward": 0, "_name_or_path": "", "dtype": None}
    config = tiny_config(head_config={"head_type": "dbnet", "neck_channels": 32, **noise})
    assert config.head_config.neck_channels == 32


def test_from_pretrained_replaces_single_fields_of_a_part(tmp_path):
    tiny_config().save_pretrained(tmp_path)
    config = TCMConfig.from_pretrained(tmp_path, head_config={"step_slope": 10})
    assert config.head_config.step_slope == 10
    assert config.head_config.neck_channels == 16


@pytest.mark.parametrize("as_config", [False, True])
def test_from_pretrained_replaces_a_part_by_one_of_another_type(as_config, tmp_path):
    tiny_config().save_pretrained(tmp_path)
    head = {"head_type": "fcenet", "neck_channels": 24}
    tower = CLIP_RESNET | {"width": 4}
    if as_config:
        head, tower = FCENetHeadConfig(**head), CLIPResNetTowerConfig(**tower)
    for loader in (TCMConfig, AutoConfig):
        config = loader.from_pretrained(tmp_path, head_config=head, image_tower_config=tower)
        assert config.head_config == FCENetHeadConfig(neck_channels=24)
        assert config.image_tower_config.width == 4
        assert config.out_features == ["stage2", "stage3", "stage4"]
    _, unused = TCMConfig.from_pretrained(
        tmp_path, head_config=head, other=1, matching_stage=1, return_unused_kwargs=True
    )
    assert unused == {"other": 1}
    with pytest.raises(ValueError, match=r"head_config\.head_type.*east"):
        TCMConfig.from_pretrained(tmp_path, head_config={"head_type": "east"})


def test_a_head_says_which_feature_maps_are_made():
    assert tiny_config(head_type="pan").stages == [0, 1, 2, 3]
    assert tiny_config(head_type="fcenet").stages == [1, 2, 3]
    assert tiny_config(head_type="fcenet", out_indices=[-1]).stages == [3]


# ---- validation --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"methot": "tcm"}, "methot"),
        ({"head_config": {"nek_channels": 1}}, "head_config.*nek_channels.*neck_channels"),
        ({"image_tower_config": {"tower_type": "timm", "widht": 8}}, "image_tower_config.*widht"),
        ({"text_tower_config": {"hidden": 8}}, "text_tower_config.*hidden.*hidden_size"),
        ({"visual_prompt_config": {"layers": 8}}, "visual_prompt_config.*layers"),
    ],
)
def test_an_unknown_keyword_is_an_error_that_names_it_and_the_known_ones(keywords, named):
    with pytest.raises(ValueError, match=f"(?s){named}"):
        TCMConfig(**keywords)


def test_a_part_built_by_itself_refuses_unknown_keywords_too():
    with pytest.raises(ValueError, match=r"trunks.*TimmTowerConfig|TimmTowerConfig.*trunks"):
        TimmTowerConfig(trunks="resnet10t")


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"method": "slowtcm"}, ["method", "slowtcm", "tcm", "fasttcm", "baseline"]),
        (
            {"image_tower_config": {"tower_type": "vit"}},
            ["image_tower_config.tower_type", "vit", "clip_resnet", "timm"],
        ),
        ({"head_config": {"head_type": "east"}}, ["head_config.head_type", "east", "dbnet"]),
    ],
)
def test_a_wrong_choice_is_an_error_that_names_field_value_and_choices(keywords, named):
    with pytest.raises(ValueError) as caught:
        TCMConfig(**keywords)
    assert not [word for word in named if word not in str(caught.value)]


@pytest.mark.parametrize(
    "build",
    [
        lambda: TCMConfig(matching_temperature=0),
        lambda: TCMConfig(matching_stage="3"),
        lambda: DBNetHeadConfig(neck_channels="3"),
    ],
)
def test_errors_are_value_errors_of_one_line_and_still_those_of_huggingface_hub(build):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        build()
    assert isinstance(caught.value, StrictDataclassError)
    assert "alidation error" not in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"text_tower_config": {"projection_dim": 3}}, "projection_dim"),
        ({"num_learnable_prompts": 99}, "113 tokens.*77"),
        ({"num_learnable_prompts": -1}, "negative"),
        ({"prompt_token_ids": None, "num_learnable_prompts": 0}, "no prompt"),
        ({"prompt_token_ids": [[]]}, "prompt_token_ids"),
        ({"prompt_token_ids": [[5, 49408]]}, "0 to 49407 .*: got 5 to 49408"),
        ({"prompt_token_ids": [[5], [10**12]]}, "0 to 49407 .*: got 5 to 1000000000000"),
        ({"prompt_token_ids": [[5, -1]]}, "0 to 49407 .*: got -1 to 5"),
        ({"text_tower_config": {"vocab_size": 100}}, "0 to 99 .*: got 268 to 49407"),
        ({"matching_stage": 4}, "matching_stage"),
        ({"matching_temperature": 0.0}, "matching_temperature"),
        ({"similarity_projection": True, "method": "tcm"}, "similarity_projection"),
        ({"text_embedding_cached": True, "method": "tcm"}, "cached"),
        ({"text_embedding_cached": True, "method": "baseline"}, "no text embedding"),
        ({"image_tower_config": {"tower_type": "timm", "grid_size": "a"}}, "image_tower_config.*grid_size"),
        ({"out_features": ["stage9"]}, "stage9"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(keywords, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        TCMConfig(**keywords)


@pytest.mark.parametrize(
    ("head_type", "field", "value", "allowed"),
    [
        ("dbnet", "neck_channels", 20, "positive multiple of 16"),
        ("dbnet", "neck_channels", 0, "positive multiple of 16"),
        ("dbnet", "step_slope", -1, "at least 0"),
        ("dbnet", "negative_ratio", -0.5, "at least 0"),
        ("dbnet", "threshold_loss_weight", float("nan"), "at least 0"),
        ("segnet", "neck_channels", 18, "positive multiple of 4"),
        ("pan", "neck_channels", 0, "at least 1"),
        ("pan", "embedding_size", 0, "at least 1"),
        ("pan", "max_instances", 0, "at least 1"),
        ("pan", "num_enhancements", 0, "at least 1"),
        ("pan", "discrimination_margin", -1, "at least 0"),
        ("fcenet", "neck_channels", -8, "at least 1"),
        ("fcenet", "fourier_degree", 0, "at least 1"),
        ("fcenet", "num_contour_samples", 2, "at least 3"),
    ],
)
def test_values_that_make_no_head_are_refused_with_field_and_value(head_type, field, value, allowed):
    with pytest.raises(ValueError, match=rf"(?s)head_config.*`{field}` must be.*{allowed}: got {value}"):
        TCMConfig(head_config={"head_type": head_type, field: value})


def test_an_unknown_preset_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"tcm-nothing.*fasttcm-dbnet-tiny"):
        TCMConfig.from_preset("tcm-nothing")


def test_a_trunk_without_the_four_strides_is_refused():
    with pytest.raises(ValueError, match=r"vit_tiny.*strides"):
        AutoBackbone.from_config(
            tiny_config(
                image_tower_config={"tower_type": "timm", "trunk": "vit_tiny_patch16_224", "embed_dim": 16}
            )
        )
