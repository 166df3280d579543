import json

import pytest
import torch
from PIL import Image

from tcm_hf.data.synthetic.word_texts import CHARSET_94
from tcm_hf.modeling.configuration_clip4str import CHARSET_36
from tcm_hf.training.recognition_recipe import (
    RecognizerRecipe,
    caption_charset_of,
    load_recognizer_start,
    prepare_recognizer,
)
from tcm_hf.training.recognition_words import WordSpec
from written_words import WORDS, tiny_recognizer_config, written_word


def write_crops(folder, seeds):
    """A folder of labelled crops."""
    folder.mkdir()
    rows = []
    for seed in seeds:
        record = written_word(seed)
        Image.fromarray(record.image).save(folder / f"word_{seed}.png")
        rows.append(json.dumps({"file_name": f"word_{seed}.png", "text": record.text}))
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    return folder


@pytest.fixture
def config(tmp_path):
    tiny_recognizer_config().to_json_file(tmp_path / "config.json")
    return tmp_path / "config.json"


def test_a_random_start_has_a_vocabulary_of_the_words_and_the_charset_asked_for(config, tmp_path):
    tiny_recognizer_config(caption_length=12).to_json_file(config)
    recipe = RecognizerRecipe([], tmp_path / "out", config=config, charset=CHARSET_36)
    model, processor = load_recognizer_start(recipe, [[written_word(seed) for seed in range(8)]])
    assert model.config.charset == processor.tokenizer.charset == CHARSET_36
    assert model.config.num_caption_merges > 0
    stop, unknown = processor.caption_tokenizer.encode_captions(["stop", "pots"])
    assert (stop > 0).sum() < (unknown > 0).sum()  # a word of the corpus is one token
    size = processor.image_processor.size
    assert (size["height"], size["width"]) == (16, 64)
    assert stop.shape == (12,) == model.caption_tokenizer(torch.zeros(1, 2, dtype=torch.long))[0].shape


def test_the_same_seed_starts_the_same_and_another_one_another(config, tmp_path):
    words = [[written_word(seed) for seed in range(8)]]
    weights = [
        load_recognizer_start(
            RecognizerRecipe([], tmp_path / "out", config=config, arguments={"seed": seed}), words
        )[0].visual_decoder.head.weight
        for seed in (1, 1, 2)
    ]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "no-such"}, "no-such"),
        ({"config": "nowhere.json"}, "nowhere.json"),
        ({"charset": "aa"}, "comes once"),
    ],
)
def test_a_start_that_cannot_be_is_named(changes, message, tmp_path):
    from pathlib import Path

    if "config" in changes:
        changes["config"] = Path(changes["config"])
    with pytest.raises(ValueError, match=message):
        load_recognizer_start(RecognizerRecipe([], tmp_path / "out", **changes), [[]])


def test_a_checkpoint_keeps_its_charset(config, tmp_path):
    recipe = RecognizerRecipe([], tmp_path / "out", config=config)
    model, processor = load_recognizer_start(recipe, [[written_word(0)]])
    model.save_pretrained(tmp_path / "start")
    processor.save_pretrained(tmp_path / "start")
    recipe = RecognizerRecipe([], tmp_path / "out", model=str(tmp_path / "start"), charset="abc")
    with pytest.raises(ValueError, match="charset of its own"):
        load_recognizer_start(recipe, [[]])


def test_mixing_and_augmentation_follow_the_collections(config, tmp_path):
    generated, photographed = write_crops(tmp_path / "a", range(6)), write_crops(tmp_path / "b", range(3))
    (generated / "synth.json").write_text("{}")
    recipe = RecognizerRecipe(
        [WordSpec(generated, weight=0.75), WordSpec(photographed, weight=0.25)],
        tmp_path / "out",
        config=config,
        arguments={"max_steps": 10, "per_device_train_batch_size": 100},
    )
    prepared = prepare_recognizer(recipe)
    mix = prepared.trainer.train_dataset
    assert len(mix) == 1000
    assert [mix.source_of(number)[0] for number in range(1000)].count(0) == 750
    light, default = (dataset.augmentation for dataset in mix.datasets)
    assert light.warp.rotation_deg < default.warp.rotation_deg
    assert mix[5]["text"] in WORDS
    arguments = prepared.trainer.args
    assert (arguments.num_permutations, arguments.contrastive_steps) == (2, 0.15)  # a random start


def test_weights_are_given_to_all_collections_or_to_none(tmp_path):
    recipe = RecognizerRecipe([WordSpec(tmp_path, weight=1.0), WordSpec(tmp_path)], tmp_path / "out")
    with pytest.raises(ValueError, match="or none"):
        prepare_recognizer(recipe)


def test_words_that_the_charset_cannot_spell_are_an_error(config, tmp_path):
    crops = write_crops(tmp_path / "a", [0, 1])
    recipe = RecognizerRecipe([WordSpec(crops)], tmp_path / "out", config=config, charset="0123456789")
    with pytest.raises(ValueError, match="None of the 2 words"):
        prepare_recognizer(recipe)


def test_captions_are_made_of_the_letters_of_the_charset():
    assert caption_charset_of(CHARSET_94) == CHARSET_36
    assert caption_charset_of("Αά中3-.İ ") == "αά中3"
