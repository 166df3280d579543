"""Some of the records of a corpus, without a copy of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

__all__ = ["SomeRecords"]

Record = TypeVar("Record")


class SomeRecords(Sequence[Record], Generic[Record]):
    """Some of the records of a corpus, in an order of their own; each is read when it is asked for.

    Args:
        records: The corpus.
        places: Which of them, from 0.
    """

    def __init__(self, records: Sequence[Record], places: Sequence[int]) -> None:
        self.records = records
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> SomeRecords[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | SomeRecords[Record]:
        """One record, or some of these for a slice."""
        if isinstance(index, slice):
            return SomeRecords(self.records, self.places[index])
        return self.records[self.places[index]]
