"""A list of words that may come, and the ones next to a reading. Pure numpy."""

from collections.abc import Callable, Iterable

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

    def choose(
        self, text: str, likelihood: Callable[[str], float], max_distance: float | None = None
    ) -> tuple[str, int] | None:
        """The word next to a text; of equally near ones the likeliest.

        Args:
            text: what was read; may be empty.
            likelihood: of a word, in any unit; asked for only where several words are equally near.
            max_distance: edits over the length of the longer of the two, 0..1; None takes a word in any case.

        Returns:
            The word and the edit distance; None if no word is near enough.
        """
        places, distance = self.nearest(text)
        words = [self.words[place] for place in places]
        if max_distance is not None:
            words = [word for word in words if distance <= max_distance * max(len(word), len(text))]
        if not words:
            return None
        return words[0] if len(words) == 1 else max(words, key=likelihood), distance


LexiconLike = Lexicon | Iterable[str]


def as_lexicon(words: LexiconLike) -> Lexicon:
    """The words that may come, prepared for several calls.

    Raises:
        ValueError: if there is no word, or something else than a list of words came.
    """
    return words if isinstance(words, Lexicon) else Lexicon(words)


def one_lexicon_each(lexicon: LexiconLike | Iterable[LexiconLike], count: int) -> list[Lexicon]:
    """One lexicon for each of so many images, from one for all of them or from one each.

    Raises:
        ValueError: if something else than words came, or another number of lexicons.
    """
    if isinstance(lexicon, Lexicon):
        return [lexicon] * count
    if isinstance(lexicon, str) or not isinstance(lexicon, Iterable):
        return [Lexicon(lexicon)] * count  # which says what is wrong
    given = list(lexicon)  # a generator can be looked through only once
    if not given or isinstance(given[0], str):
        return [Lexicon(given)] * count  # type: ignore[arg-type]
    for place, words in enumerate(given):
        if isinstance(words, str) or not isinstance(words, Lexicon | Iterable):
            raise ValueError(
                f"A lexicon holds words, or a list of words for each image: got {words!r} at place {place}."
            )
    if len(given) != count:
        raise ValueError(
            f"Expected one lexicon for all images, or one for each of {count}: got {len(given)}."
        )
    return [as_lexicon(words) for words in given]


def check_charset(charset: str, known: str) -> None:
    """Raise `ValueError` if the only characters that may be read leave nothing to read."""
    if not set(known).intersection(charset):
        raise ValueError(
            f"None of the characters of `charset`, {charset!r}, is one that the model reads: {known!r:.200}."
        )


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
