"""Training samples: a photo, cut and distorted, with its target maps.

Every sample is a function of its number: the number decides the photo, the augmentation and (in a mix)
the corpus, through one seed. So worker processes need no state, any order can be replayed, and training that
resumes sees exactly the samples that an uninterrupted run would have seen. Numbers beyond the length of a
data set are its further passes: a new order and new augmentations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from tcm_hf.data.records import TextRecord
from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.training.image_cache import ImageCache

Augmentation = Callable[
    [np.ndarray, list[np.ndarray], np.ndarray, np.random.Generator],
    tuple[np.ndarray, list[np.ndarray], np.ndarray],
]
Targets = Callable[..., dict[str, np.ndarray]]

_MIX_BLOCK = 1000


class ShuffledPasses:
    """Which record a sample shows: pass after pass over all records, each in an order of its own.

    Args:
        length: Number of records.
        seed: Decides the orders.
    """

    def __init__(self, length: int, seed: int):
        self.length = length
        self.seed = seed
        self._order: tuple[int, np.ndarray] | None = None

    def index_of(self, number: int) -> int:
        """The index of the record that sample `number` (0, 1, …) shows."""
        current_pass, position = divmod(number, self.length)
        if self._order is None or self._order[0] != current_pass:
            order = np.random.default_rng((self.seed, current_pass, 1)).permutation(self.length)
            self._order = (current_pass, order)
        return int(self._order[1][position])


class EndlessDataset(Dataset):
    """A data set that takes numbers beyond its length: further passes, each in an order of its own."""


class ShuffledDataset(EndlessDataset):
    """Any data set with a length, made to take numbers beyond it.

    Args:
        dataset: The data set; what it does by chance, such as augmentation, is its own affair.
        seed: Decides the orders.
    """

    def __init__(self, dataset: Any, seed: int):
        self.dataset = dataset
        self._passes = ShuffledPasses(len(dataset), seed)

    def __len__(self) -> int:
        """Number of samples of one pass."""
        return len(self.dataset)

    def __getitem__(self, number: int) -> Any:
        """Sample `number` (0, 1, …, beyond the length too)."""
        return self.dataset[self._passes.index_of(int(number))]


class NumberedSamples(EndlessDataset):
    """Samples of one collection of records: which record each shows, and the randomness that it has.

    Args:
        records: The records.
        seed: Decides order and augmentations.
    """

    def __init__(self, records: Sequence[Any], seed: int):
        self.records = records
        self.seed = seed
        self._passes = ShuffledPasses(len(records), seed)

    def __len__(self) -> int:
        """Number of samples of one pass."""
        return len(self.records)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of the first pass."""
        return (self[number] for number in range(len(self)))

    def _drawn(self, number: int) -> tuple[Any, np.random.Generator]:
        """The record of sample `number` and the generator of its augmentation."""
        number = int(number)
        return self.records[self._passes.index_of(number)], np.random.default_rng((self.seed, number))


class PhotoSamples(NumberedSamples):
    """Samples of one corpus of photos: reading, and the way from pixels to the model's input.

    Args:
        records: The annotated photos.
        image_mean: Per-channel mean in units of 0..1, as in the image processor.
        image_std: Per-channel standard deviation, likewise.
        size_hw: Height and width of the samples, multiples of 32.
        seed: Decides order and augmentations.
        image_cache: Decoded images on disk; None reads the files anew each time.
    """

    def __init__(
        self,
        records: Sequence[Any],
        *,
        image_mean: Sequence[float],
        image_std: Sequence[float],
        size_hw: tuple[int, int],
        seed: int = 0,
        image_cache: ImageCache | None = None,
    ):
        if not records:
            raise ValueError(
                "A training set needs at least one record: got none. Check the folder and the range."
            )
        super().__init__(records, seed)
        # (pixel / 255 - mean) / std = pixel * scale - offset
        std = np.asarray(image_std, np.float32)
        self._scale = (1 / (255 * std)).astype(np.float32)
        self._offset = (np.asarray(image_mean, np.float32) / std).astype(np.float32)
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))
        self.image_cache = image_cache

    def _load(self, record: TextRecord) -> np.ndarray:
        return record.load_image() if self.image_cache is None else self.image_cache.load(record)

    def _sample(self, image: np.ndarray, labels: dict[str, np.ndarray], name: str) -> dict[str, Any]:
        """`pixel_values`, float32 tensor (3, H, W), and `labels`, a dict of tensors."""
        if image.shape[:2] != self.size_hw:
            raise ValueError(
                f"The augmentation must give images of size_hw {self.size_hw}: got {image.shape[:2]} for "
                f"{name!r}. Build it with the same size."
            )
        return {
            "pixel_values": self._normalize(image),
            "labels": {key: torch.from_numpy(label) for key, label in labels.items()},
        }

    def _normalize(self, image: np.ndarray) -> torch.Tensor:
        planes = np.empty((3, *self.size_hw), np.float32)
        for channel in range(3):
            np.multiply(image[..., channel], self._scale[channel], out=planes[channel])
            planes[channel] -= self._offset[channel]
        return torch.from_numpy(planes)


class TextDetectionDataset(PhotoSamples):
    """Samples of one corpus, ready for the collator.

    Args:
        records: The annotated photos.
        augmentation: Called with image (H, W, 3) uint8, polygons_xy, ignore and a random generator; returns
            the same three for a sample of `size_hw`, e.g.
            `tcm_hf.data.augmentation.default_training_augmentation(size_hw)`.
        targets: Makes the label maps from (polygons_xy, ignore, size_hw): DBNet's, or what
            `tcm_hf.training.detectors` has for another head.
        **options: As for `PhotoSamples`.
    """

    def __init__(
        self,
        records: Sequence[TextRecord],
        augmentation: Augmentation,
        *,
        targets: Targets = dbnet_targets,
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
        image, polygons_xy, ignore = self.augmentation(
            self._load(record), record.polygons_xy, record.ignore, rng
        )
        return self._sample(image, self.targets(polygons_xy, ignore, self.size_hw), record.name)


class MixedDataset(EndlessDataset):
    """Several data sets mixed at fixed shares, whatever their sizes.

    Each run of 1000 consecutive samples holds the shares exactly (to 0.1 %), shuffled; a data set of however
    small a weight gets one sample of them. Within its share a data set is gone through pass after pass, so
    that no photo comes twice before each came once.

    Args:
        datasets: Data sets that take numbers beyond their length, as `TextDetectionDataset` and `WordDataset`
            do.
        weights: Their relative shares; the sizes of the data sets when None.
        length: Samples of one epoch; the sum of the sizes when None.
        seed: Decides the order of the corpora.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        weights: Sequence[float] | None = None,
        *,
        length: int | None = None,
        seed: int = 0,
    ):
        weights = [len(dataset) for dataset in datasets] if weights is None else list(weights)
        if not datasets or len(weights) != len(datasets):
            raise ValueError(f"Expected one weight per data set: got {len(weights)} for {len(datasets)}.")
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"Weights must be 0 or positive, not all 0: got {weights}.")
        self.datasets = list(datasets)
        self.length = sum(len(dataset) for dataset in datasets) if length is None else length
        self.seed = seed
        self._counts = _whole_shares(np.asarray(weights, float), _MIX_BLOCK)
        self._block: tuple[int, np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        """Number of samples of one epoch."""
        return self.length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of the first epoch."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Make sample `number` of the mix, a sample of one of the data sets."""
        which, inner_number = self.source_of(int(number))
        return self.datasets[which][inner_number]

    def source_of(self, number: int) -> tuple[int, int]:
        """Which data set sample `number` comes from, and its number there."""
        block, position = divmod(number, _MIX_BLOCK)
        if self._block is None or self._block[0] != block:
            sources = np.repeat(np.arange(len(self.datasets)), self._counts)
            sources = np.random.default_rng((self.seed, block, 2)).permutation(sources)
            rank = np.empty(_MIX_BLOCK, int)
            for which, count in enumerate(self._counts):
                rank[sources == which] = np.arange(count)
            self._block = (block, sources, rank)
        which = int(self._block[1][position])
        return which, int(block * self._counts[which] + self._block[2][position])


class PassSampler(Sampler[int]):
    """Numbers 0, 1, … in the first epoch, going on in the next: the data set itself shuffles.

    Args:
        length: Samples of one epoch.
    """

    def __init__(self, length: int):
        self.length = length
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer (through accelerate) before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Samples of one epoch."""
        return self.length

    def __iter__(self) -> Iterator[int]:
        """The numbers of the current epoch."""
        return iter(range(self.epoch * self.length, (self.epoch + 1) * self.length))


def _whole_shares(weights: np.ndarray, total: int) -> np.ndarray:
    """Split `total` by `weights` into whole numbers, largest remainders first; 0 only for the weight 0."""
    exact = weights / weights.sum() * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    starved = (weights > 0) & (counts == 0)
    counts[np.argmax(counts)] -= starved.sum()
    counts[starved] = 1
    return counts
