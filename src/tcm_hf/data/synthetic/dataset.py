"""A data set of generated scenes: indexed like a list, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator

from tcm_hf.data.records import TextRecord
from tcm_hf.data.synthetic.generator import SyntheticTextGenerator


class SyntheticTextDataset:
    """A number of scenes of one generator, made when they are asked for.

    Args:
        count: How many scenes.
        seed: The data set's seed.
        generator: What makes the scenes.
    """

    def __init__(self, count: int, seed: int, generator: SyntheticTextGenerator) -> None:
        if count < 0:
            raise ValueError(f"`count` must be >= 0: got {count}.")
        self.count = count
        self.seed = seed
        self.generator = generator

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> TextRecord:
        if not -self.count <= index < self.count:
            raise IndexError(f"Scene {index} of a data set of {self.count}.")
        return self.generator(self.seed, index % self.count)

    def __iter__(self) -> Iterator[TextRecord]:
        return (self[index] for index in range(self.count))
