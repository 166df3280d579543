"""Corpora of photos with rotated objects: how they are named, tiles, training samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.augmentation_rotated import RotatedAugmentation
from tcm_hf.data.rotated_corpora import label_folder, load_rotated_corpus, load_rotated_labels
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.targets_rotated import rotated_targets
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.datasets import PhotoSamples
from tcm_hf.training.image_cache import ImageCache


@dataclass(frozen=True)
class RotatedCorpusSpec(CorpusSpec):
    """A folder as of `load_rotated_corpus`, and which of its files are meant; see `CorpusSpec`."""

    @classmethod
    def _check(cls, folder: Path) -> None:
        if not (folder / "metadata.jsonl").is_file() and label_folder(folder) is None:
            raise ValueError(
                f"Expected a folder with images and labelTxt (DOTA), or with metadata.jsonl: {folder} is "
                "none. tcm-hf synth-aerial makes one."
            )

    def _load(self) -> list[Any]:
        return load_rotated_corpus(self.folder)


class RotatedLabelsSpec(CorpusSpec):
    """Annotations that are scored against: a corpus, or a folder of DOTA's label files; no images needed."""

    @classmethod
    def _check(cls, folder: Path) -> None:
        has_labels = (
            (folder / "metadata.jsonl").is_file() or label_folder(folder) or any(folder.glob("*.txt"))
        )
        if not has_labels:
            raise ValueError(
                f"Expected labelTxt, label files P0001.txt or metadata.jsonl in {folder}: none is there."
            )

    def _load(self) -> list[Any]:
        return load_rotated_labels(self.folder)


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
