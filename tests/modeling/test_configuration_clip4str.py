"""CLIP4STR's config: presets, parts, what is refused."""

import pytest
from transformers import CLIPConfig

from tcm_hf.data.synthetic import word_texts
from tcm_hf.modeling.configuration_clip4str import CHARSET_94, CLIP4STRConfig, ConvolutionalPatchConfig
from tcm_hf.processing import tokenization_clip4str

# preset: patch, image tokens, vision (width, layers, heads), text (width, layers, heads), projection
SIZES = {
    "clip4str-base-32": (32, 50, (768, 12, 12), (512, 12, 8), 512),
    "clip4str-base": (16, 197, (768, 12, 12), (512, 12, 8), 512),
    "clip4str-base-datacomp": (16, 197, (768, 12, 12), (512, 12, 8), 512),
    "clip4str-large": (14, 257, (1024, 24, 16), (768, 12, 12), 768),
    "clip4str-large-datacomp": (14, 257, (1024, 24, 16), (768, 12, 12), 768),
    "clip4str-huge-laion": (14, 257, (1280, 32, 20), (1024, 24, 16), 1024),
    "clip4str-huge-dfn": (14, 257, (1280, 32, 20), (1024, 24, 16), 1024),
}


@pytest.mark.parametrize("name", SIZES)
def test_presets_have_the_published_sizes(name):
    config = CLIP4STRConfig.from_preset(name)
    vision, text = config.clip_config.vision_config, config.clip_config.text_config
    patch, tokens, vision_sizes, text_sizes, projection = SIZES[name]
    assert vision.patch_size == patch
    assert 1 + (vision.image_size // patch) ** 2 == tokens
    assert (vision.hidden_size, vision.num_hidden_layers, vision.num_attention_heads) == vision_sizes
    assert (text.hidden_size, text.num_hidden_layers, text.num_attention_heads) == text_sizes
    assert {config.clip_config.projection_dim, vision.projection_dim, text.projection_dim} == {projection}
    assert vision.hidden_act == text.hidden_act == "quick_gelu"
    assert (config.max_label_length, config.caption_length, config.text_freeze_layers) == (25, 16, 6)
    assert config.num_character_classes == 95


def test_the_folders_that_may_not_import_each_other_have_the_same_charset():
    assert CHARSET_94 == tokenization_clip4str.CHARSET_94 == word_texts.CHARSET_94


def test_the_charset_has_the_order_and_special_ids_of_the_original():
    config = CLIP4STRConfig.from_preset("clip4str-base")
    assert config.charset == CHARSET_94
    assert len(CHARSET_94) == len(set(CHARSET_94)) == 94
    assert (CHARSET_94[0], CHARSET_94[10], CHARSET_94[36], CHARSET_94[62]) == ("0", "a", "A", "!")
    assert (config.end_id, config.begin_id, config.pad_id) == (0, 95, 96)


@pytest.mark.parametrize("name", CLIP4STRConfig.preset_names())
def test_a_config_comes_back_from_its_folder_as_it_was(name, tmp_path):
    config = CLIP4STRConfig.from_preset(name, num_caption_merges=7)
    config.save_pretrained(tmp_path)
    loaded = CLIP4STRConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert isinstance(loaded.clip_config, CLIPConfig)


def test_images_have_the_size_of_the_part_that_takes_them():
    assert CLIP4STRConfig().image_size_hw == (224, 224)
    assert CLIP4STRConfig(patch_embedding_config={"image_size_hw": [48, 160]}).image_size_hw == (48, 160)


def test_parts_may_be_configs():
    parts = CLIP4STRConfig.from_preset("clip4str-tiny")
    patches = ConvolutionalPatchConfig(image_size_hw=[48, 160])
    config = CLIP4STRConfig(clip_config=parts.clip_config, patch_embedding_config=patches)
    assert config.clip_config is parts.clip_config
    assert config.patch_embedding_config is patches


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refine_iteration": 1}, "unknown keywords"),
        ({"clip_config": {"vision_config": {"patches": 16}}}, r"clip_config\.vision_config.*unknown"),
        ({"clip_config": {"visual_config": {}}}, "clip_config.*unknown keywords"),
        ({"clip_config": 3}, "clip_config"),
        ({"patch_embedding_config": {"stride": 2}}, "patch_embedding_config.*unknown"),
        ({"patch_embedding_config": {"image_size_hw": [30, 128]}}, "no multiple of 8"),
        ({"patch_embedding_config": {"num_blocks": [1]}}, "one entry a stage"),
        ({"charset": "abca"}, "different characters"),
        ({"charset": ""}, "at least one"),
        ({"caption_length": 78}, "77 positions"),
        ({"num_permutations": 5}, "even"),
        ({"refine_iterations": -1}, "negative"),
        ({"dropout": "a"}, "dropout"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CLIP4STRConfig(**options)


def test_an_unknown_preset_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="clip4str-base"):
        CLIP4STRConfig.from_preset("clip4str-giant")
