"""A sequence whose items are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

__all__ = ["LazySequence"]

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """The base of sequences that read from somewhere; they have `__len__` and `_item`."""

    @abstractmethod
    def _item(self, place: int) -> Item:
        """The item of a place from 0, which is there."""

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """The item of a place (negative: from the end), or a list for a slice.

        Raises:
            IndexError: There is no such place.
        """
        if isinstance(index, slice):
            return [self._item(place) for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"place {index} of {len(self)} in {type(self).__name__}")
        return self._item(index % len(self))
