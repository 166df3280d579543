"""Corpora of photos with rotated objects: how they are named, tiles, training samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tcm_hf.data.augmentation_rotated import RotatedAugmentation
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.rotated_corpora import label_folder, load_rotated_labels
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.targets_rotated import rotated_targets
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.datasets import PhotoSamples
from tcm_hf.training.image_cache import ImageCache


@dataclass(frozen=True)
class RotatedCorpusSpec(CorpusSpec):
    """A corpus of photos with rotated objects, and which part of it is meant; see `CorpusSpec`."""

    kinds: ClassVar[tuple[str, ...]] = ("objects",)


class RotatedLabelsSpec(RotatedCorpusSpec):
    """Annotations that are scored against: a corpus, or a folder of DOTA's label files; no images needed."""

    @property
    def _is_bare(self) -> bool:
        """Whether there are but label files."""
        if self.corpus or self.split or (self.folder / "images").is_dir():
            return False
        return label_folder(self.folder) is not None or any(self.folder.glob("*.txt"))

    def _check(self) -> None:
        if not self._is_bare:
            super()._check()

    def _load(self, problems: Problems) -> Sequence[Any]:
        return load_rotated_labels(self.folder) if self._is_bare else super()._load(problems)


class TileCache(ImageCache):
    """Decoded photos on disk, of which records may be tiles."""

    def load(self, record: Any) -> np.ndarray:
        """The tile of a record, see `ImageCache.load`; the file holds the whole photo."""
        return record.cut(super().load(replace(record, tile=None)))


class RotatedDetectionDataset(PhotoSamples):
    """Samples of one corpus, ready for `RotatedDetectionCollator`.

    Args:
        records: The annotated photos, or tiles of them.
        augmentation: Makes the samples, e.g. `aerial_augmentation(size_hw)`.
        class_names: Names of the labels, in the model's order; objects of other classes are background.
        shown_size_hw: From the size of a photo to that which it has before the network when it is not
            trained, `image_processor.get_processed_size_hw`: what is learned is as large as what will be
            looked for.
        min_side_px: Objects with a shorter side in the sample are not trained on.
        **options: As for `PhotoSamples`; a cache must be a `TileCache`.
    """

    def __init__(
        self,
        records: Sequence[RotatedRecord],
        augmentation: RotatedAugmentation,
        *,
        class_names: Sequence[str],
        shown_size_hw: Callable[[tuple[int, int]], tuple[int, int]],
        min_side_px: float = 2.0,
        **options: Any,
    ):
        super().__init__(records, **options)
        self.augmentation = augmentation
        self.class_names = list(class_names)
        self.shown_size_hw = shown_size_hw
        self.min_side_px = min_side_px

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Make sample `number` (0, 1, …, beyond the length too).

        Returns:
            `pixel_values`, float32 tensor (3, H, W), and `labels`: `boxes` (N, 5) and `class_labels` (N,).
        """
        record, rng = self._drawn(number)
        record = record.with_classes(self.class_names)
        image, labels = self._load(record), record.class_labels(self.class_names)
        sample = self.augmentation(
            image, record.polygons_xy, labels, rng, self.shown_size_hw(image.shape[:2])
        )
        targets = rotated_targets(sample.polygons_xy, sample.class_labels, min_side_px=self.min_side_px)
        return self._sample(sample.image, targets, record.name)


def class_counts(records: Iterable[RotatedRecord]) -> dict[str, int]:
    """How many objects there are of each class, by name in the order of the alphabet."""
    counts = Counter(name for record in records for name in record.class_names)
    return {name: counts[name] for name in sorted(counts)}
