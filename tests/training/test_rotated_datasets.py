"""Corpora of rotated objects for training: names, caches, samples, batches."""

import numpy as np
import pytest
import torch
from PIL import Image

from tcm_hf.data.augmentation_rotated import aerial_augmentation
from tcm_hf.data.rotated_corpora import tiled_records
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.synthetic.aerial import AERIAL_CLASSES, SyntheticAerialDataset
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.training.collators import RotatedDetectionCollator
from tcm_hf.training.rotated_datasets import (
    RotatedCorpusSpec,
    RotatedDetectionDataset,
    RotatedLabelsSpec,
    TileCache,
    class_counts,
)

CLASSES = list(AERIAL_CLASSES)


def dataset(records, classes=CLASSES, size_hw=(96, 128), **options) -> RotatedDetectionDataset:
    processor = TCMRotatedImageProcessor(size={"longest_edge": 128})
    return RotatedDetectionDataset(
        records,
        aerial_augmentation(size_hw),
        class_names=classes,
        shown_size_hw=processor.get_processed_size_hw,
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=size_hw,
        **options,
    )


def test_a_sample_is_a_function_of_its_number():
    records = list(SyntheticAerialDataset(3, 0, (96, 128)))
    for number in (0, 2, 7):
        one, other = dataset(records)[number], dataset(records)[number]
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert one["pixel_values"].shape == (3, 96, 128)
    assert one["labels"]["boxes"].shape == (len(one["labels"]["class_labels"]), 5)


def test_objects_of_other_classes_are_background():
    records = list(SyntheticAerialDataset(8, 0, (96, 128)))
    samples = dataset(records, ["ship", "plane"])
    labels = torch.cat([sample["labels"]["class_labels"] for sample in samples])
    assert set(labels.tolist()) == {0, 1}
    assert len(labels) <= sum(class_counts(records)[name] for name in ("ship", "plane"))
    assert list(class_counts(records)) == sorted(class_counts(records))


def test_a_batch_is_filled_with_rows_of_no_object():
    record = next(iter(SyntheticAerialDataset(1, 0, (96, 128))))
    empty = RotatedRecord(record.image, np.zeros((0, 4, 2)), [])
    samples = [dataset([one])[0] for one in (record, empty)]
    batch = RotatedDetectionCollator()(samples)
    most = len(samples[0]["labels"]["class_labels"])
    assert batch["pixel_values"].shape == (2, 3, 96, 128)
    assert batch["labels"]["boxes"].shape == (2, most, 5)
    assert batch["labels"]["class_labels"][1].tolist() == [-1] * most


def test_tiles_of_one_photo_share_its_decoded_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 150, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "P1.png")
    tiles = tiled_records([RotatedRecord(tmp_path / "P1.png", np.zeros((0, 4, 2)), [])], 64, 10)
    cache = TileCache(tmp_path / "cache")
    for tile in tiles:
        np.testing.assert_array_equal(cache.load(tile), tile.load_image())
    assert len(tiles) == 3
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_a_corpus_is_named_by_its_folder(tmp_path):
    with pytest.raises(ValueError, match="is no corpus that we know: it holds nothing"):
        RotatedCorpusSpec.parse(str(tmp_path))
    with pytest.raises(ValueError, match="is no corpus that we know: it holds nothing"):
        RotatedLabelsSpec.parse(str(tmp_path))
    (tmp_path / "labelTxt").mkdir()
    (tmp_path / "images").mkdir()
    for number in (1, 2, 3):
        Image.new("RGB", (40, 30)).save(tmp_path / "images" / f"P{number}.png")
        (tmp_path / "labelTxt" / f"P{number}.txt").write_text("1 1 9 1 9 5 1 5 ship 0\n")
    records = RotatedCorpusSpec.parse(f"{tmp_path}:2-3").records()
    assert [record.name for record in records] == ["P2", "P3"]
    assert [record.name for record in RotatedLabelsSpec.parse(f"{tmp_path}/labelTxt:1-1").annotations()] == [
        "P1"
    ]
    with pytest.raises(ValueError, match="No file of"):
        RotatedCorpusSpec.parse(f"{tmp_path}:7-9").records()
