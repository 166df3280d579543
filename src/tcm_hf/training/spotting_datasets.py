"""Training samples of spotters: crops of photos with their words, and pages of word pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tcm_hf.data.augmentation_spotting import SpottingAugmentation, SpottingSample
from tcm_hf.data.records import TextRecord
from tcm_hf.data.word_pages import WordPage
from tcm_hf.data.words import WordRecord
from tcm_hf.training.datasets import PhotoSamples
from tcm_hf.training.recognition_datasets import PixelAugmentation
from tcm_hf.training.recognition_words import load_pixels

SpottingTargets = Callable[..., dict[str, np.ndarray]]
"""`spotting_targets` with the settings of a model."""


class TextSpottingDataset(PhotoSamples):
    """Samples of one corpus of photos, ready for `ListedLabelsCollator`.

    Args:
        records: The annotated photos.
        augmentation: Gives samples of `size_hw`, see `default_spotting_augmentation(size_hw)`.
        targets: Makes the labels from (polygons_xy, texts, ignore, size_hw):
            `tcm_hf.data.targets_spotting.spotting_targets` with the model's characters and sizes.
        **options: As for `PhotoSamples`.
    """

    def __init__(
        self,
        records: Sequence[TextRecord],
        augmentation: SpottingAugmentation,
        *,
        targets: SpottingTargets,
        **options: Any,
    ):
        super().__init__(records, **options)
        self.augmentation = augmentation
        self.targets = targets

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Make sample `number` (0, 1, …, beyond the length too).

        Returns:
            `pixel_values`, float32 tensor (3, H, W), and `labels`, a dict of tensors.
        """
        record, rng = self._drawn(number)
        sample = self.augmentation(self._load(record), record.polygons_xy, record.texts, record.ignore, rng)
        return self._sample(sample.image, labels_of(sample, self.targets), record.name)


class WordPageDataset(PhotoSamples):
    """Pages of the words of one collection, ready for `ListedLabelsCollator`.

    Args:
        words: The words, their texts of characters of the model only (see `usable_words`).
        page: Gives pages of `size_hw`.
        targets: As for `TextSpottingDataset`.
        augmentation: Changes the picture of a word before it is pasted; None leaves it as it is.
        words_a_page: Words that are drawn for a page; what has no room on it is left out.
        **options: As for `PhotoSamples`.
    """

    def __init__(
        self,
        words: Sequence[WordRecord],
        page: WordPage,
        *,
        targets: SpottingTargets,
        augmentation: PixelAugmentation | None = None,
        words_a_page: int = 48,
        **options: Any,
    ):
        super().__init__(words, **options)
        self.augmentation = augmentation
        self.page = page
        self.targets = targets
        self.words_a_page = words_a_page

    def __len__(self) -> int:
        """Pages of one pass."""
        return -(-len(self.records) // self.words_a_page)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Make page `number` (0, 1, …, beyond the length too); as of `TextSpottingDataset`."""
        first = int(number) * self.words_a_page
        words = [
            self.records[self._passes.index_of(place)] for place in range(first, first + self.words_a_page)
        ]
        rng = np.random.default_rng((self.seed, int(number)))
        images = [load_pixels(word) for word in words]
        if self.augmentation is not None:
            images = [self.augmentation(image, rng) for image in images]
        sample = self.page(images, [word.text for word in words], rng)
        return self._sample(sample.image, labels_of(sample, self.targets), f"page {number}")


def labels_of(sample: SpottingSample, targets: SpottingTargets) -> dict[str, np.ndarray]:
    """The labels of an augmented picture."""
    return targets(sample.polygons_xy, sample.texts, sample.ignore, sample.image.shape[:2])
