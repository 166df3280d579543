"""The rows of the ablation are the paper's, on any preset."""

import pytest

from tcm_hf.experiments.methods import ABLATION, METHODS, Method, methods_named

# TCM, table 6: (PP, LP, LG, VG)
TABLE_6 = {
    "pp": (True, 0, False, False),
    "pp-lp4": (True, 4, False, False),
    "lp4": (False, 4, False, False),
    "lp18": (False, 18, False, False),
    "lp32": (False, 32, False, False),
    "pp-lp4-lg": (True, 4, True, False),
    "pp-lp4-lg-vg": (True, 4, True, True),
    "pp-lp32-lg-vg": (True, 32, True, True),
}


@pytest.mark.parametrize("preset", ["fasttcm-dbnet-tiny", "tcm-dbnet-r50-td500"])
def test_the_rows_are_those_of_table_6(preset):
    rows = {row.name: row.config(preset) for row in ABLATION}
    assert rows["baseline"].method == "baseline"
    for name, (predefined, learnable, language, visual) in TABLE_6.items():
        config = rows[name]
        assert config.method == "tcm"
        assert (config.prompt_token_ids is not None) == predefined
        assert config.num_learnable_prompts == learnable
        assert config.language_prompt == language
        assert (config.visual_prompt_config is not None) == visual
    assert rows["no-aux"].matching_loss_weight == 0
    assert rows["fasttcm"].method == "fasttcm"


def test_the_rows_keep_the_sizes_of_a_small_preset():
    for row in ABLATION:
        config = row.config("fasttcm-dbnet-tiny")
        assert config.image_tower_config.trunk == "resnet18d"
        if row.name != "baseline":
            assert config.text_tower_config.hidden_size == 64
            assert config.text_tower_config.max_position_embeddings >= config.prompt_length


def test_a_method_with_a_preset_of_its_own_takes_that():
    pan = Method("pan", "PAN", {"method": "baseline"}, preset="fasttcm-pan-tiny")
    assert pan.config("fasttcm-dbnet-tiny").head_config.head_type == "pan"


@pytest.mark.parametrize(
    ("names", "error"), [(["vit"], "Expected one of baseline"), (["tcm", "tcm"], "once")]
)
def test_unknown_and_repeated_names_are_refused(names, error):
    with pytest.raises(ValueError, match=error):
        methods_named(names)


def test_methods_come_in_the_order_of_their_names():
    assert [method.name for method in methods_named(["tcm", "baseline"], METHODS)] == ["tcm", "baseline"]
