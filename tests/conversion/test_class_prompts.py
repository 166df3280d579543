"""Classes named by free text."""

import importlib.util

import pytest

from tcm_hf.conversion.class_prompts import class_prompts
from tcm_hf.conversion.tcm_prompts import prompt_text
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES, TCMRotatedDetectionConfig

needs_open_clip = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="CLIP's vocabulary comes with open_clip_torch"
)


@needs_open_clip
def test_names_become_the_ids_of_the_released_detectors():
    upper = [f" {name.upper()} ".replace(" ", "  ") for name in DOTA_CLASSES]  # known to the vocabulary alone
    assert class_prompts(upper)["prompt_token_ids"] == list(DOTA_CLASSES.values())
    assert [prompt_text(ids) for ids in DOTA_CLASSES.values()] == list(DOTA_CLASSES)


@needs_open_clip
def test_names_become_the_settings_of_a_configuration():
    classes = class_prompts(["ship", "oil rig"])
    config = TCMRotatedDetectionConfig.from_preset("tcm-rotated-atss-r50-dota", **classes)
    assert config.id2label == {0: "ship", 1: "oil rig"} and config.label2id == {"ship": 0, "oil rig": 1}
    assert config.prompt_token_ids[0] == DOTA_CLASSES["ship"] and config.num_classes == 2


@needs_open_clip
def test_a_name_may_have_a_prompt_in_other_words():
    classes = class_prompts({"ship": "a storage tank", "tank": "storage tank"})
    assert classes["id2label"] == {0: "ship", 1: "tank"}
    assert classes["prompt_token_ids"][1] == DOTA_CLASSES["storage tank"]
    assert len(classes["prompt_token_ids"][0]) == 5


def test_classes_of_dota_need_no_vocabulary_and_others_say_where_it_comes_from(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert class_prompts(["ship", "plane"])["prompt_token_ids"] == [
        DOTA_CLASSES["ship"],
        DOTA_CLASSES["plane"],
    ]
    with pytest.raises(ImportError, match=r"pip install 'tcm_hf\[clip\]'"):
        class_prompts(["ship", "oil rig"])


@pytest.mark.parametrize(
    "names, message",
    [
        ("ship", "as a list"),
        (["ship", "harbor", "ship"], "more than once"),
        ([], "at least one"),
        pytest.param({"a": " "}, "1 to 75 tokens", marks=needs_open_clip),
        pytest.param(["a " * 80], "1 to 75 tokens", marks=needs_open_clip),
    ],
)
def test_names_that_make_no_classes_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        class_prompts(names)
