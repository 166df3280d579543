import numpy as np
import pytest
import torch
from bars import SIZE_HW

from tcm_hf.data.augmentation import default_training_augmentation
from tcm_hf.data.records import TextRecord
from tcm_hf.training.collators import TextDetectionCollator
from tcm_hf.training.datasets import MixedDataset, PassSampler, TextDetectionDataset


def dataset_of(records, seed=0, **options) -> TextDetectionDataset:
    options.setdefault("augmentation", default_training_augmentation(SIZE_HW))
    return TextDetectionDataset(
        records, image_mean=[0.5] * 3, image_std=[0.25] * 3, size_hw=SIZE_HW, seed=seed, **options
    )


def is_same(one, other) -> bool:
    return torch.equal(one["pixel_values"], other["pixel_values"]) and all(
        torch.equal(one["labels"][name], other["labels"][name]) for name in one["labels"]
    )


def test_a_sample_has_the_shapes_of_the_model_inputs(bar_records):
    sample = dataset_of(bar_records)[0]
    assert sample["pixel_values"].shape == (3, *SIZE_HW)
    assert sample["pixel_values"].dtype == torch.float32
    assert set(sample["labels"]) == {"probability_map", "probability_mask", "threshold_map", "threshold_mask"}
    assert {tuple(label.shape) for label in sample["labels"].values()} == {SIZE_HW}


def test_pixels_are_normalised_as_the_image_processor_does(bar_records):
    def grey(image, polygons, ignore, generator):
        return np.full((*SIZE_HW, 3), 51, np.uint8), [], np.zeros(0, bool)

    pixels = dataset_of(bar_records, augmentation=grey)[0]["pixel_values"]
    torch.testing.assert_close(pixels, torch.full_like(pixels, (51 / 255 - 0.5) / 0.25))


def test_a_sample_is_a_function_of_seed_and_number(bar_records):
    first, second = dataset_of(bar_records, seed=3), dataset_of(bar_records, seed=3)
    second[11]  # other samples in between change nothing
    assert is_same(first[4], second[4])
    assert not is_same(first[4], dataset_of(bar_records, seed=4)[4])
    assert not is_same(first[4], first[4 + len(bar_records)])  # the next pass


def test_every_photo_comes_once_a_pass_and_in_another_order(bar_records):
    seen = []

    def remember(image, polygons, ignore, generator):
        seen.append(int(image.sum()))
        return image[: SIZE_HW[0], : SIZE_HW[1]], [], np.zeros(0, bool)

    dataset = dataset_of(bar_records, augmentation=remember)
    for number in range(2 * len(bar_records)):
        dataset[number]
    first, second = seen[: len(bar_records)], seen[len(bar_records) :]
    assert sorted(first) == sorted(second)
    assert first != second


def test_iteration_ends_after_one_pass(bar_records):
    assert sum(1 for _ in dataset_of(bar_records)) == len(bar_records)


def test_a_photo_without_text_is_all_background():
    empty = TextRecord(np.full((90, 160, 3), 77, np.uint8))
    labels = dataset_of([empty])[0]["labels"]
    assert labels["probability_map"].sum() == 0
    assert labels["probability_mask"].min() == 1
    assert labels["threshold_mask"].sum() == 0


def test_an_augmentation_of_another_size_is_named(bar_records):
    dataset = dataset_of(bar_records, augmentation=default_training_augmentation((32, 32)))
    with pytest.raises(ValueError, match=r"size_hw \(64, 96\): got \(32, 32\)"):
        dataset[0]


def test_no_records_is_an_error():
    with pytest.raises(ValueError, match="at least one record"):
        dataset_of([])


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        pytest.param([3, 1], [750, 250], id="relative weights"),
        pytest.param([0, 1], [0, 1000], id="a corpus left out"),
        pytest.param(None, [667, 333], id="by size: 4 and 2 photos"),
        pytest.param([1e-9, 1], [1, 999], id="less than a sample in a thousand"),
    ],
)
def test_a_mix_keeps_its_shares_in_every_thousand(bar_records, weights, shares):
    mix = MixedDataset([dataset_of(bar_records[:4]), dataset_of(bar_records[4:])], weights)
    for block in (0, 7):
        sources = [mix.source_of(block * 1000 + number)[0] for number in range(1000)]
        assert [sources.count(0), sources.count(1)] == shares


def test_a_mix_numbers_each_corpus_without_gaps(bar_records):
    mix = MixedDataset([dataset_of(bar_records[:4]), dataset_of(bar_records[4:])], [0.7, 0.3], seed=5)
    sources = [mix.source_of(number) for number in range(2500)]
    for which in (0, 1):
        numbers = [number for source, number in sources if source == which]
        complete = 2000 * (0.7, 0.3)[which]
        assert sorted(numbers)[: int(complete)] == list(range(int(complete)))
        assert len(set(numbers)) == len(numbers)


def test_a_mix_is_a_function_of_seed_and_number(bar_records):
    parts = [dataset_of(bar_records[:4]), dataset_of(bar_records[4:])]
    assert is_same(MixedDataset(parts, [1, 1], seed=2)[1234], MixedDataset(parts, [1, 1], seed=2)[1234])
    picked = [[MixedDataset(parts, [1, 1], seed=seed).source_of(n) for n in range(50)] for seed in (2, 3)]
    assert picked[0] != picked[1]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_make_no_sense_are_refused(bar_records, weights):
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        MixedDataset([dataset_of(bar_records[:4]), dataset_of(bar_records[4:])], weights)


def test_the_sampler_goes_on_counting_in_the_next_epoch():
    sampler = PassSampler(3)
    assert list(sampler) == [0, 1, 2]
    sampler.set_epoch(2)
    assert list(sampler) == [6, 7, 8]
    assert len(sampler) == 3


def test_the_collator_stacks_images_and_maps(bar_records):
    dataset = dataset_of(bar_records)
    samples = [dataset[0], dataset[1]]
    samples[1]["labels"]["probability_mask"] = samples[1]["labels"]["probability_mask"].to(torch.uint8)
    samples[0]["labels"]["probability_mask"] = samples[0]["labels"]["probability_mask"].to(torch.uint8)
    batch = TextDetectionCollator()(samples)
    assert batch["pixel_values"].shape == (2, 3, *SIZE_HW)
    assert {(tuple(label.shape), label.dtype) for label in batch["labels"].values()} == {
        ((2, *SIZE_HW), torch.float32)
    }


def test_the_collator_names_unequal_sizes():
    samples = [{"pixel_values": torch.zeros(3, side, 64), "labels": {}} for side in (32, 64)]
    with pytest.raises(ValueError, match=r"\(3, 32, 64\), \(3, 64, 64\)"):
        TextDetectionCollator()(samples)
