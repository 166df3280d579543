"""A list of words that may come, and the ones next to a reading. Pure numpy."""

from collections.abc import Iterable

import numpy as np


class Lexicon:
    """Words that may come; finds those with the least edit distance to a reading, ignoring case.

    Build one for several calls: preparing a large list takes longer than looking into it.

    Args:
        words: at least one; empty ones and repeats are left out.

    Attributes:
        words: the words as they were given, in their order, each once.

    Raises:
        ValueError: if no word is left, or something is no word.
    """

    def __init__(self, words: Iterable[str]):
        if isinstance(words, str) or not isinstance(words, Iterable):
            raise ValueError(f"A lexicon is a list of words: got {words!r}. Put words into a list.")
        words = list(words)
        for place, word in enumerate(words):
            if not isinstance(word, str):
                raise ValueError(
                    f"A lexicon holds words, the same ones for all images: got {word!r} at place {place}. "
                    "Give strings only."
                )
        self.words = [word for word in dict.fromkeys(words) if word]
        if not self.words:
            raise ValueError(
                "The lexicon is empty: expected at least one word, or `lexicon=None` for any word."
            )
        folded = [word.lower() for word in self.words]
        lengths = np.array([len(word) for word in folded])
        self._groups: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for length in np.unique(lengths).tolist():
            members = np.flatnonzero(lengths == length)
            group = np.array([folded[member] for member in members])
            self._groups[length] = members, group.view(np.uint32).reshape(len(members), length)

    def nearest(self, text: str) -> tuple[list[int], int]:
        """The words with the least edit distance (insertions, deletions, replacements) to a text.

        Args:
            text: what was read; may be empty.

        Returns:
            The places of these words in `words`, ascending, and their distance.
        """
        target = np.array(list(text.lower()), dtype="U1").view(np.uint32)
        best, found = np.iinfo(np.int64).max, np.empty(0, dtype=int)
        for length in sorted(self._groups, key=lambda length: abs(length - len(target))):
            if abs(length - len(target)) > best:  # no distance is less than the difference of the lengths
                break
            members, codes = self._groups[length]
            distances = _edit_distances(codes, target)
            least = int(distances.min())
            tied = members[distances == least]
            found = tied if least < best else np.concatenate([found, tied]) if least == best else found
            best = min(best, least)
        return np.sort(found).tolist(), best


def _edit_distances(words: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Levenshtein distances of `(V, L)` words to one target, by rows of the usual table."""
    steps = np.arange(words.shape[1] + 1, dtype=np.int32)
    row = np.broadcast_to(steps, (len(words), len(steps)))
    for place, code in enumerate(target, start=1):
        replaced = row[:, :-1] + (words != code)
        best = np.empty(row.shape, dtype=np.int32)
        best[:, 0] = place
        np.minimum(row[:, 1:] + 1, replaced, out=best[:, 1:])
        # Insertions run along the row: the least of (value - place) so far, plus the place.
        row = np.minimum.accumulate(best - steps, axis=1) + steps
    return row[:, -1]
