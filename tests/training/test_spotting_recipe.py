import json

import pytest
import torch
from lettered import CHARACTERS, lettered_record, word_image
from PIL import Image

from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.recognition_words import WordSpec
from tcm_hf.training.resuming import changed_settings, keep_settings
from tcm_hf.training.spotting_datasets import TextSpottingDataset, WordPageDataset
from tcm_hf.training.spotting_recipe import (
    SpotterRecipe,
    check_spotter_recipe,
    load_spotter_start,
    prepare_spotter,
    records_with_words,
    spotter_on_detector,
    targets_of,
    train_spotter,
    with_head,
)
from tiny_spotter import tiny_spotter, tiny_spotting_config

PRESET = "fasttcm-abcnet-tiny"
MEAN = [0.4, 0.5, 0.6]


SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9]]


@pytest.fixture
def detector(tmp_path, tiny_detector):
    """A small detector on disk."""
    tiny_detector().save_pretrained(tmp_path / "detector")
    size = {"shortest_edge": 64, "longest_edge": 128}
    TCMImageProcessor(size=size, image_mean=MEAN, threshold=0.7).save_pretrained(tmp_path / "detector")
    return str(tmp_path / "detector")


def write_photos(folder, count=2):
    folder.mkdir()
    rows = []
    for number in range(1, count + 1):
        record = lettered_record(number)
        Image.fromarray(record.image).save(folder / f"img_{number}.png")
        polygons = [polygon.tolist() for polygon in record.polygons_xy]
        rows.append({"file_name": f"img_{number}.png", "polygons": polygons, "texts": record.texts})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return CorpusSpec(folder)


def write_words(folder, texts=("abc", "0123", "ÄÖ")):
    folder.mkdir()
    for number, text in enumerate(texts):
        Image.fromarray(word_image("x" if not text.isascii() else text)).save(folder / f"{number}.png")
    rows = [{"file_name": f"{number}.png", "text": text} for number, text in enumerate(texts)]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return WordSpec(folder)


def test_a_detector_gives_its_backbone_and_the_preset_the_head(tiny_detector):
    source = tiny_detector()
    config = TCMSpottingConfig.from_preset(PRESET)
    model = spotter_on_detector(source, config)
    assert model.config.head_config.to_dict() == config.head_config.to_dict()
    assert model.config.characters == config.characters
    assert model.config.matching_fusion == config.matching_fusion
    assert model.config.image_tower_config.to_dict() == source.config.image_tower_config.to_dict()
    ours = model.model.state_dict()
    for name, tensor in source.model.state_dict().items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0, msg=name)


def test_a_detector_without_its_text_tower_is_a_start_too(tiny_detector):
    source = tiny_detector()
    source.cache_text_embeddings()
    model = spotter_on_detector(source, TCMSpottingConfig.from_preset(PRESET))
    assert model.config.text_embedding_cached
    assert not any(name.startswith("model.text_tower.") for name in model.state_dict())


def test_pictures_are_prepared_as_the_backbone_knows_them(detector, tmp_path):
    model, image_processor = load_spotter_start(SpotterRecipe([], tmp_path / "out", model=detector))
    assert list(image_processor.image_mean) == MEAN
    assert image_processor.size == {"shortest_edge": 64, "longest_edge": 128}
    assert image_processor.characters == model.config.characters
    # Not the detector's: its score means something else.
    assert image_processor.threshold == TCMSpottingImageProcessor.from_preset(PRESET).threshold


def test_a_spotter_goes_on_as_it_is(tmp_path):
    tiny_spotter().save_pretrained(tmp_path)
    TCMSpottingImageProcessor(threshold=0.37, characters="0123456789a口").save_pretrained(tmp_path)
    head = {"score_loss_weight": 3.0}
    recipe = SpotterRecipe([], tmp_path / "out", model=str(tmp_path), size=(96, 160), head_config=head)
    model, image_processor = load_spotter_start(recipe)
    assert model.config.head_config.head_type == "testr"
    assert model.config.head_config.score_loss_weight == 3.0
    assert (image_processor.threshold, image_processor.size["longest_edge"]) == (0.37, 160)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "fasttcm-nobody"}, "fasttcm-nobody"),
        ({"head_config": {"head_type": "dbnet"}}, "head_type"),
        ({"head_config": {"norm_groups": 7}}, "neck_channels"),
    ],
)
def test_what_cannot_be_is_found_before_anything_is_read(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        check_spotter_recipe(SpotterRecipe([], tmp_path / "out", **options))


def test_fields_of_the_head_and_another_head_can_be_chosen():
    assert with_head(TCMSpottingConfig.from_preset(PRESET), {"num_convs": 1}).head_config.num_convs == 1
    other = with_head(TCMSpottingConfig.from_preset(PRESET), {"head_type": "testr", "num_queries": 7})
    assert (other.head_config.head_type, other.head_config.num_queries) == ("testr", 7)


def test_labels_have_the_sizes_of_the_head():
    config = tiny_spotting_config()
    labels = targets_of(config)([], [], [], (64, 96))
    assert labels["control_points"].shape == (0, config.head_config.num_control_points, 2)
    assert labels["character_ids"].shape == (0, config.head_config.num_characters)


def test_photos_and_words_are_trained_on_and_words_that_cannot_be_spelled_are_not(detector, tmp_path):
    recipe = SpotterRecipe(
        [write_photos(tmp_path / "photos")],
        tmp_path / "out",
        model=detector,
        words=[write_words(tmp_path / "words")],
        weights=[0.5, 0.5],
        crop=64,
        arguments={"max_steps": 3, "per_device_train_batch_size": 2},
    )
    prepared = prepare_spotter(recipe)
    photos, pages = prepared.trainer.train_dataset.datasets
    assert (type(photos), type(pages)) == (TextSpottingDataset, WordPageDataset)
    assert [word.text for word in prepared.corpora[1]] == ["abc", "0123"]
    assert len(prepared.trainer.train_dataset) == 6


@pytest.mark.parametrize("generated", [False, True])
def test_words_of_photos_are_varied_and_generated_ones_come_varied(detector, tmp_path, generated):
    words = write_words(tmp_path / "words")
    if generated:
        (words.folder / "synth.json").write_text("{}")
    recipe = SpotterRecipe([], tmp_path / "out", model=detector, words=[words], arguments={"max_steps": 1})
    (pages,) = prepare_spotter(recipe).trainer.train_dataset.datasets
    assert (pages.augmentation is None) == generated


def test_words_of_which_none_can_be_spelled_are_a_mistake(detector, tmp_path):
    words = write_words(tmp_path / "words", ("ÄÖ",))
    recipe = SpotterRecipe([], tmp_path / "out", model=detector, words=[words], arguments={"max_steps": 1})
    with pytest.raises(ValueError, match="can be spelled"):
        prepare_spotter(recipe)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"polygons": [SQUARE]}, id="no texts"),
        pytest.param({"polygons": [SQUARE], "classes": ["word"]}, id="classes instead"),
        pytest.param({"polygons": [], "texts": []}, id="no polygons"),
        pytest.param({"polygons": [[[1, 1], [9, 1], [5, 1]]], "texts": ["abc"]}, id="no area"),
        pytest.param({"polygons": [SQUARE], "texts": ["ÄÖ"]}, id="other characters"),
        pytest.param({"polygons": [SQUARE], "texts": ["abc"], "ignore": [True]}, id="ignored"),
    ],
)
def test_photos_without_a_word_to_learn_are_a_mistake(tmp_path, row):
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "1.png"} | row) + "\n")
    with pytest.raises(ValueError, match=r"no word to learn to read: .* `texts`"):
        records_with_words(CorpusSpec(tmp_path, corpus="imagefolder"), TCMSpottingConfig.from_preset(PRESET))


def test_a_recipe_without_words_to_learn_is_found_at_once(detector, tmp_path):
    photos = write_photos(tmp_path / "photos")
    recipe = SpotterRecipe([photos], tmp_path / "out", model=detector, charset="ÄÖ")
    for check in (check_spotter_recipe, prepare_spotter):
        with pytest.raises(ValueError, match="`texts`"):
            check(recipe)


@pytest.mark.parametrize(("charset", "characters"), [("ÄÖab", "ÄÖab口"), ("人口", "人口\ufffd")])
def test_a_charset_can_be_chosen_and_something_stands_for_the_others(detector, tmp_path, charset, characters):
    recipe = SpotterRecipe([], tmp_path / "out", model=detector, charset=charset)
    model, image_processor = load_spotter_start(recipe)
    assert model.config.characters == image_processor.characters == characters
    assert recipe.settings()["charset"] == charset


@pytest.mark.parametrize("chosen", [{"preset": PRESET}, {"charset": "abc"}])
def test_a_spotter_takes_no_preset_and_no_charset(tmp_path, chosen):
    tiny_spotting_config().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"of its own: got the {next(iter(chosen))}"):
        load_spotter_start(SpotterRecipe([], tmp_path / "out", model=str(tmp_path), **chosen))


def test_a_training_from_before_charsets_goes_on(tmp_path):
    recipe = SpotterRecipe([], tmp_path, model="spotter")
    old = {name: value for name, value in recipe.settings().items() if name != "charset"}
    assert old["preset"] == PRESET
    keep_settings(tmp_path, old)
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "trainer_state.json").touch()
    assert changed_settings(tmp_path, recipe.settings()) == {}


def test_the_end_of_a_training_is_a_model_with_thresholds_and_a_report(tmp_path):
    start = tmp_path / "start"
    tiny_spotter(characters=CHARACTERS).save_pretrained(start)
    size = {"shortest_edge": 64, "longest_edge": 128}
    TCMSpottingImageProcessor(size=size, characters=CHARACTERS).save_pretrained(start)
    photos = write_photos(tmp_path / "photos")
    recipe = SpotterRecipe(
        [photos],
        tmp_path / "out",
        validation=photos,
        model=str(start),
        crop=64,
        arguments={"max_steps": 2, "per_device_train_batch_size": 2, "eval_steps": 2, "save_steps": 2},
    )
    report = train_spotter(prepare_spotter(recipe))
    assert report == json.loads((tmp_path / "out" / "training_report.json").read_text())
    assert report["steps"] == 2
    assert {"hmean", "detection_hmean"} <= report["validation"].keys()
    image_processor = TCMSpottingImageProcessor.from_pretrained(tmp_path / "out")
    for name in ("threshold", "recognition_threshold"):
        assert getattr(image_processor, name) == report["decoding"][name]
    model = FastTCMForTextSpotting.from_pretrained(tmp_path / "out")
    assert model.config.text_embedding_cached
