from functools import partial

import numpy as np
import pytest
import torch
from lettered import CHARACTERS, SIZE_HW, lettered_record, word_record

from tcm_hf.data.augmentation_spotting import default_spotting_augmentation
from tcm_hf.data.records import TextRecord
from tcm_hf.data.targets_spotting import spotting_targets
from tcm_hf.data.word_pages import WordPage
from tcm_hf.training.collators import ListedLabelsCollator
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.spotting_datasets import TextSpottingDataset, WordPageDataset

OPTIONS = {
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
    "size_hw": SIZE_HW,
    "targets": partial(spotting_targets, characters=CHARACTERS, num_characters=6, num_control_points=8),
}
TEXTS = ["abc", "de", "f", "0123"]


def photos(records=None, **options):
    records = [lettered_record(seed) for seed in range(4)] if records is None else records
    augmentation = default_spotting_augmentation(SIZE_HW, scale=(0.5, 0.6))
    return TextSpottingDataset(records, augmentation, **(OPTIONS | options))


def pages(words=None, **options):
    words = [word_record(text) for text in TEXTS] if words is None else words
    return WordPageDataset(words, WordPage(SIZE_HW, heights_px=(8, 12)), **(OPTIONS | options))


def texts_of(labels):
    return ["".join(CHARACTERS[i] for i in row if i < len(CHARACTERS)) for row in labels["character_ids"]]


def test_a_sample_of_a_photo_has_words_of_that_photo():
    samples = photos()
    said = {text for record in samples.records for text in record.texts}
    found = [text for number in range(8) for text in texts_of(samples[number]["labels"])]
    assert found and set(found) <= said
    sample = samples[0]
    assert sample["pixel_values"].shape == (3, *SIZE_HW)
    assert sample["pixel_values"].dtype == torch.float32
    count = len(sample["labels"]["boxes"])
    shapes = {name: tuple(label.shape) for name, label in sample["labels"].items()}
    assert shapes == {
        "boxes": (count, 4),
        "ignored_boxes": (len(sample["labels"]["ignored_boxes"]), 4),
        "control_points": (count, 8, 2),
        "bezier_points": (count, 8, 2),
        "character_ids": (count, 6),
        "matching_target": (16, 24),
        "matching_mask": (16, 24),
    }


def test_a_page_has_the_words_of_its_number():
    samples = pages(words_a_page=2)
    assert len(samples) == 2
    found = sorted(texts_of(samples[0]["labels"]) + texts_of(samples[1]["labels"]))
    assert found == sorted(TEXTS)


def test_words_are_changed_before_they_are_pasted():
    plain = pages()[0]
    black = pages(augmentation=lambda image, generator: np.zeros_like(image))[0]
    assert texts_of(black["labels"]) == texts_of(plain["labels"])
    assert black["pixel_values"].mean() < plain["pixel_values"].mean()


@pytest.mark.parametrize("make", [photos, pages])
def test_a_number_gives_its_sample_back_beyond_the_length_too(make):
    one, same = make()[11], make()[11]
    assert torch.equal(one["pixel_values"], same["pixel_values"])
    assert all(torch.equal(label, same["labels"][name]) for name, label in one["labels"].items())
    assert not torch.equal(one["pixel_values"], make()[12]["pixel_values"])


def test_photos_and_pages_mix_and_make_batches_of_lists():
    mix = MixedDataset([photos(), pages()], [0.5, 0.5], length=6)
    batch = ListedLabelsCollator()([mix[number] for number in range(6)])
    assert batch["pixel_values"].shape == (6, 3, *SIZE_HW)
    assert len(batch["labels"]) == 6
    assert all(label.keys() == batch["labels"][0].keys() for label in batch["labels"])


def test_a_photo_without_words_is_a_sample_too():
    labels = photos([TextRecord(np.zeros((70, 110, 3), np.uint8), [], name="empty")])[0]["labels"]
    assert labels["boxes"].shape == (0, 4)
    assert labels["character_ids"].shape == (0, 6)


@pytest.mark.parametrize("make", [photos, pages])
def test_nothing_to_train_on_is_a_mistake(make):
    with pytest.raises(ValueError, match="at least one record"):
        make([])


def test_samples_of_several_sizes_make_no_batch():
    small, large = photos()[0], photos()[0]
    large["pixel_values"] = torch.zeros(3, 96, 96)
    with pytest.raises(ValueError, match="equal sizes"):
        ListedLabelsCollator()([small, large])
