"""The parts of recognition test sets that papers report under names of their own."""

import string
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["WORD_SUBSETS", "WordSubset"]

_ALPHANUMERIC = frozenset(string.digits + string.ascii_letters)


@dataclass(frozen=True)
class WordSubset:
    """A part of a test set.

    Args:
        name: as in the papers' tables.
        full_size: how many words the whole test set has.
        size: how many words the part has.
        rule: whether a word with a transcription belongs to the part; None where no rule can say.
    """

    name: str
    full_size: int
    size: int
    rule: Callable[[str], bool] | None

    def select(
        self, texts: Sequence[str], names: Sequence[str] | None = None, kept: Collection[str] | None = None
    ) -> np.ndarray:
        """Which words of a test set belong to the part.

        A list of names decides alone. Without one, words that are already as many as the part has are all
        kept (data sets are handed out cut to size), and of others the rule chooses.

        Args:
            texts: the transcriptions of the test set.
            names: the names of the word images, for `kept`.
            kept: names of the words of the part.

        Returns:
            (N,) bool.

        Raises:
            ValueError: a list is needed and there is none, or it names words that are not there.
        """
        if kept is not None:
            return _named(texts, names, kept)
        if len(texts) == self.size:
            return np.ones(len(texts), dtype=bool)
        if self.rule is None:
            raise ValueError(
                f"Which words are in {self.name} was judged by eye (no very curved, tilted or "
                "turned ones) and by transcription (letters and digits only), and no rule repeats that. "
                f"Expected the {self.size} words of the part, or a list of their names: got {len(texts)} "
                "words and no list."
            )
        return np.array([self.rule(text) for text in texts], dtype=bool)


def _is_alphanumeric(text: str) -> bool:
    return _ALPHANUMERIC.issuperset(text)


def _is_alphanumeric_of_three(text: str) -> bool:
    return len(text) >= 3 and _is_alphanumeric(text)


def _is_any(text: str) -> bool:
    return True


WORD_SUBSETS: dict[str, WordSubset] = {
    subset.name: subset
    for subset in (
        WordSubset("ic13-857", 1095, 857, _is_alphanumeric_of_three),
        WordSubset("ic13-1015", 1095, 1015, _is_alphanumeric),
        WordSubset("ic15-1811", 2077, 1811, None),
        WordSubset("ic15-2077", 2077, 2077, _is_any),
    )
}
"""Parts of the test sets of ICDAR 2013 and 2015 (Baek et al., arXiv 1904.01906, section 2.2)."""


def _named(texts: Sequence[str], names: Sequence[str] | None, kept: Collection[str]) -> np.ndarray:
    if names is None or len(names) != len(texts):
        raise ValueError(
            f"A list of kept words needs the name of every word: got {len(names or ())} names for "
            f"{len(texts)} words."
        )
    missing = sorted(set(kept) - set(names))
    if missing:
        raise ValueError(
            f"The list names {len(missing)} words that are not in the test set, the first is {missing[0]!r}."
        )
    return np.array([name in kept for name in names], dtype=bool)
