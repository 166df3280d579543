"""What was published about the presets: every preset has its facts, every figure its source."""

import pytest

from tcm_hf.cli.presets import figures_text
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.presets_clip4str import PRESETS as RECOGNIZER_PRESETS
from tcm_hf.modeling.presets_rotated import PRESETS as ROTATED_PRESETS
from tcm_hf.modeling.presets_spotting import PRESETS as SPOTTER_PRESETS
from tcm_hf.modeling.presets_tcm import PRESETS as DETECTOR_PRESETS
from tcm_hf.presets.families import FAMILIES
from tcm_hf.presets.preset_rows import preset_rows
from tcm_hf.presets.published import (
    CTW1500,
    DETECTORS,
    DOTA,
    IC15,
    RECOGNIZERS,
    ROTATED_DETECTORS,
    SOURCES,
    SPOTTERS,
    TD500,
    TOTALTEXT,
)
from tcm_hf.processing.presets_image_processing_spotting import PRESETS as SPOTTING_PROCESSORS

FACTS = DETECTORS | SPOTTERS | ROTATED_DETECTORS | RECOGNIZERS


def test_every_preset_has_its_facts_and_its_row():
    assert list(DETECTORS) == list(DETECTOR_PRESETS)
    assert list(SPOTTERS) == list(SPOTTER_PRESETS)
    assert list(ROTATED_DETECTORS) == list(ROTATED_PRESETS)
    assert list(RECOGNIZERS) == list(RECOGNIZER_PRESETS)
    assert [row.name for row in preset_rows()] == list(FACTS)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.config.model_type)
def test_every_preset_of_a_model_is_one_of_its_image_processor_too(family):
    assert set(family.config.presets) <= set(family.image_processor.presets)
    for name in family.config.presets:
        family.image_processor.from_preset(name)


# The paper's tables as its slides give them (F-measure in percent), and the rows of the two READMEs.
T1 = {
    "fcenet-r50": {IC15: 86.2, TD500: 85.4, CTW1500: 85.5},
    "tcm-fcenet-r50": {IC15: 87.1, TD500: 86.9, CTW1500: 85.9},
    "pan-r50": {IC15: 82.9, TD500: 84.1, CTW1500: 83.7},
    "tcm-pan-r50": {IC15: 84.6, TD500: 85.3, CTW1500: 84.3},
    "dbnet-r50": {IC15: 87.3, TD500: 84.9, CTW1500: 83.4},
    "tcm-dbnet-r50": {IC15: 89.2, TD500: 88.8, CTW1500: 84.9},
}
T6 = {
    "ablation-baseline": (87.7, 86.8, 84.7, 83.4),
    "ablation-pp": (87.75, 87.0, 84.74, 83.5),
    "ablation-pp-lp4": (88.0, 87.1, 84.8, 83.6),
    "ablation-lp4": (87.8, 87.7, 85.1, 83.9),
    "ablation-lp18": (88.1, 87.8, 85.3, 83.9),
    "ablation-lp32": (88.4, 88.2, 85.4, 84.5),
    "ablation-pp-lp4-lg": (88.6, 88.4, 85.5, 84.6),
    "ablation-pp-lp4-lg-vg": (89.2, 88.8, 85.6, 84.9),
    "ablation-pp-lp32-lg-vg": (89.4, 88.8, 85.9, 85.1),
}
"""Columns: ICDAR 2015, MSRA-TD500, Total-Text, CTW1500."""
T4 = {IC15: 89.4, TOTALTEXT: 85.9, TD500: 88.8, CTW1500: 85.1}
"""The row of 32 learnable prompts."""
T10 = {"dbnet-r50": 84.9, "dbnet-r101": 85.9, "dbnet-r152": 87.3}
"""MSRA-TD500."""
README = {TD500: 88.8, IC15: 88.8, CTW1500: 85.1, TOTALTEXT: 85.9}
CODE = {
    ("tcm-dbnet-r50-td500", TD500): 88.36,
    ("tcm-dbnet-vit-b16", TOTALTEXT): 83.20,
    ("tcm-dbnet-vit-b16", CTW1500): 83.28,
}
CLIP4STR = {
    "clip4str-base": (99.20, 98.30, 98.23, 91.44, 96.90, 99.65),
    "clip4str-large": (99.43, 98.15, 98.52, 91.66, 97.36, 98.96),
    "clip4str-base-datacomp": (99.5, 98.3, 98.6, 91.4, 98.0, 99.0),
    "clip4str-large-datacomp": (99.6, 98.6, 99.0, 91.9, 98.1, 99.7),
    "clip4str-huge-laion": (99.7, 98.6, 98.9, 91.6, 98.5, 99.7),
    "clip4str-huge-dfn": (99.5, 99.1, 98.9, 91.7, 98.0, 99.0),
}
"""Columns: IIIT5k, SVT, IC13 (1015), IC15 (1811), SVTP, CUTE80."""


def published_percent(name, data_set, source):
    """The cell of the table that a figure cites."""
    row = next((row for row in T1 if name == row or name.startswith(f"{row}-")), None)
    ablation = dict(zip((IC15, TD500, TOTALTEXT, CTW1500), T6.get(name, ()), strict=False))
    words = ("IIIT5k", "SVT", "IC13 (1015)", "IC15 (1811)", "SVTP", "CUTE80")
    cells = {
        "T1": T1.get(row, {}),
        "T4": T4 if name in MANY_PROMPTS else {},
        "T6": ablation,
        "T10": {TD500: T10.get(name)},
        "readme": {DOTA: ROTATED[name]} if name in ROTATED else README if name in DBNETS else {},
        "code": {data_set: CODE.get((name, data_set))},
        "clip4str": dict(zip(words, CLIP4STR.get(name, ()), strict=False)),
    }
    return cells[source].get(data_set)


ROTATED = {
    "tcm-rotated-fcos-r50-dota": 75.1,
    "tcm-rotated-atss-r50-dota": 76.1,
    "tcm-rotated-retinanet-r50-dota": 70.99,
}
"""AP50 on DOTA v1.0, in the README."""
DBNETS = {name for name in DETECTORS if name.startswith("tcm-dbnet-r50")}
MANY_PROMPTS = {"tcm-dbnet-r50-ic15-32", "tcm-dbnet-r50-ctw1500", "tcm-dbnet-r50-totaltext"}


@pytest.mark.parametrize("name", FACTS)
def test_every_figure_is_the_cell_that_its_source_has(name):
    for data_set, percent, source, _ in FACTS[name].figures:
        assert percent == published_percent(name, data_set, source), (data_set, source)


@pytest.mark.parametrize("name", [*T6, *CLIP4STR, "fcenet-r50", "pan-r50", "dbnet-r50"])
def test_a_row_that_is_one_preset_is_there_with_all_its_cells(name):
    cells = T1.get(name) or T6.get(name) or CLIP4STR[name]
    assert len(FACTS[name].figures) == len(cells)


@pytest.mark.parametrize("name", T6)
def test_a_preset_of_the_ablation_has_the_parts_of_its_row(name):
    config = TCMConfig.from_preset(name)
    assert (config.method == "baseline") == (name == "ablation-baseline")
    if config.method != "baseline":
        parts = set(name.split("-"))
        (learned,) = [int(part[2:]) for part in parts if part[:2] == "lp"] or [0]
        assert config.num_learnable_prompts == learned
        assert (config.prompt_token_ids is not None) == ("pp" in parts)
        assert config.language_prompt == ("lg" in parts)
        assert (config.visual_prompt_config is not None) == ("vg" in parts)


@pytest.mark.parametrize(("name", "learned"), [
    ("tcm-dbnet-r50-td500", 4), ("tcm-dbnet-r50-ic15", 4),
    ("tcm-pan-r50-ic15", 4), ("tcm-fcenet-r50-ic15", 4),
    *((name, 32) for name in sorted(MANY_PROMPTS)),
    *((name, 4) for name in DETECTORS if name.startswith("fasttcm-")),
])  # fmt: skip
def test_a_preset_has_as_many_learnable_prompts_as_its_released_configuration(name, learned):
    config = TCMConfig.from_preset(name)
    words = len(config.prompt_token_ids[0])
    assert config.num_learnable_prompts == learned
    assert config.text_tower_config.max_position_embeddings == learned + words


# Settings of the released spotters: classes of characters in a word, least score, sizes of test pictures.
RELEASED = {
    "tcm-testr-r50-totaltext": (25, 0.45, 1600, 1824),
    "tcm-testr-r50-ic15": (25, 0.3, 1440, 4000),
    "tcm-testr-r50-ctw1500": (100, 0.7, 1000, 1824),
    "tcm-abcnet-r50-totaltext": (25, 0.45, 1000, 1824),
    "tcm-abcnet-r50-ic15": (25, 0.45, 2000, 4000),
    "tcm-abcnet-r50-ctw1500": (100, 0.6, 800, 1024),
}


@pytest.mark.parametrize("name", RELEASED)
def test_a_spotter_s_preset_has_the_released_settings(name):
    config, pictures = TCMSpottingConfig.from_preset(name), SPOTTING_PROCESSORS[name]
    is_testr = config.head_config.head_type == "testr"
    threshold = pictures["threshold"] if is_testr else config.head_config.proposal_threshold
    sides = (pictures["size"]["shortest_edge"], pictures["size"]["longest_edge"])
    assert (config.head_config.num_characters, threshold, *sides) == RELEASED[name]
    assert config.method == "tcm" and config.matching_fusion == "add" and config.matching_stage == 2
    assert config.num_learnable_prompts == 4 and config.text_tower_config.max_position_embeddings == 18


@pytest.mark.parametrize("name", DETECTORS)
def test_the_first_figure_is_the_one_of_the_preset_s_data_set(name):
    facts = DETECTORS[name]
    if facts.figures:
        assert facts.figures[0].data_set == facts.data_set


@pytest.mark.parametrize("key", SOURCES)
def test_every_source_is_cited(key):
    assert key in {figure.source for facts in FACTS.values() for figure in facts.figures}


def test_weights_are_public_for_two_of_the_authors_detectors():
    assert [name for name, facts in DETECTORS.items() if facts.weights and name.startswith("tcm")] == [
        "tcm-dbnet-r50-td500",
        "tcm-dbnet-r50-ic15",
    ]


def test_the_recognisers_weights_are_where_their_authors_say():
    assert [FACTS[name].weights for name in CLIP4STR] == [
        "GitHub release 1.0.0 of VamosC/CLIP4STR",
        "Zenodo 8369439",
        *["mzhaoshuai/CLIP4STR on the Hub"] * 4,
    ]


def test_the_papers_dagger_stands_behind_its_figure():
    daggers = [(name, one.percent) for name, facts in FACTS.items() for one in facts.figures if one.mark]
    assert daggers == [("fcenet-r50", 85.4)]
    assert figures_text(FACTS["fcenet-r50"]) == "86.2, MSRA-TD500 85.4†, CTW1500 85.5 [T1]"


@pytest.mark.parametrize(
    ("name", "model", "image_tower", "image_size"),
    [
        ("tcm-fcenet-r50-ic15", "TCM + FCENet", "CLIP ResNet-50", "2260 x 2260"),
        ("tcm-dbnet-vit-b8", "TCM + DBNet", "CLIP ViT-B/8", "800 x 2944"),
        ("pan-r50", "PAN", "timm resnet50", "736 x 1333"),
        ("fasttcm-dbnet-tiny", "FastTCM + DBNet", "timm resnet18d, narrow", "736 x 1536"),
        ("clip4str-huge-dfn", "CLIP4STR", "CLIP ViT-H/14", "224 x 224"),
        ("clip4str-adapter-linear", "CLIP4STR, linear adapter", "CLIP ViT-B/16", "224 x 224"),
        ("clip4str-tiny", "CLIP4STR", "small, own", "32 x 128"),
    ],
)
def test_rows_say_what_the_settings_mean(name, model, image_tower, image_size):
    (row,) = preset_rows([name])
    assert row[1:4] == (model, image_tower, image_size)
