"""A spotter learns generated photos by heart, places and words, through the Trainer, on a CPU."""

from itertools import islice

import pytest

from tcm_hf.data.augmentation_spotting import SpottingSample
from tcm_hf.data.synthetic.composition import SyntheticTextOptions
from tcm_hf.data.synthetic.dataset import SyntheticTextDataset
from tcm_hf.data.synthetic.generator import SyntheticTextGenerator
from tcm_hf.modeling.configuration_tcm_spotting import UNKNOWN_CHARACTER
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.running import silence
from tcm_hf.training.spotting_datasets import TextSpottingDataset
from tcm_hf.training.spotting_recipe import targets_of
from tcm_hf.training.spotting_trainer import TextSpottingTrainer, TextSpottingTrainingArguments
from tiny_spotter import tiny_spotter

SIZE_HW = (128, 192)
STEPS = 1200
HEAD = {
    "head_type": "abcnet",
    "neck_channels": 48,
    "norm_groups": 8,
    "num_convs": 2,
    # As in the small preset: at a larger stride no place would lie inside a low word.
    "level_sizes": [96, 192],
    "canonical_height": 96,
    "recognizer": "ctc",
    "recognizer_hidden_size": 96,
    "alignment_loss_weight": 0.1,
}
TOWER = {
    "tower_type": "timm",
    "trunk": "resnet10t",
    "trunk_options": {"channels": [24, 32, 48, 64], "stem_width": 16},
    "embed_dim": 16,
    "num_attention_heads": 2,
    "grid_size": 4,
}


def photos():
    """Twenty scenes with a few Latin words of two to eight letters, all of which can be read."""
    options = SyntheticTextOptions(
        word_height_px=(22.0, 40.0),
        median_height_px=28.0,
        median_words=3.0,
        max_words=5,
        empty_share=0.0,
        low_contrast=0.0,
        degradation=0.0,
        script_shares={"latin": 1.0},
    )
    scenes = SyntheticTextDataset(99, 3, SyntheticTextGenerator.from_folders(SIZE_HW, options=options))
    fitting = (
        scene
        for scene in scenes
        if not any(scene.ignore) and all(2 <= len(text) <= 8 for text in scene.texts)
    )
    return list(islice(fitting, 20))


def characters_of(records) -> str:
    """All that the words are spelled in, and one for others."""
    letters = {letter for record in records for text in record.texts for letter in text}
    return "".join(sorted(letters - {UNKNOWN_CHARACTER})) + UNKNOWN_CHARACTER


def as_it_is(image, polygons_xy, texts, ignore, generator):
    return SpottingSample(image, list(polygons_xy), list(texts), ignore)


@pytest.mark.slow
def test_twenty_generated_photos_are_read_without_a_mistake(tmp_path):
    records = photos()
    assert len(records) == 20
    assert sum(len(record.texts) for record in records) > 30
    characters = characters_of(records)
    processor = TCMSpottingImageProcessor(
        do_resize=False, characters=characters, threshold=0.5, recognition_threshold=0.3
    )
    model = tiny_spotter(characters=characters, head_config=HEAD, image_tower_config=TOWER)
    corpus = TextSpottingDataset(
        records,
        as_it_is,
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=SIZE_HW,
        targets=targets_of(model.config),
    )
    arguments = TextSpottingTrainingArguments(
        str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=5,
        learning_rate=3e-3,
        image_tower_lr_factor=1.0,
        average_decay=0.98,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        metric_for_best_model=None,
        logging_steps=50,
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = TextSpottingTrainer(
        model,
        arguments,
        image_processor=processor,
        train_dataset=MixedDataset([corpus], length=5 * STEPS),
        eval_dataset=records,
    )
    silence(trainer)
    trainer.train()
    scores = trainer.evaluate()
    assert scores["eval_hmean"] == 1.0
