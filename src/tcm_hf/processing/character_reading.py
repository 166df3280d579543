"""Logits of a word's characters -> text with scores: how spotters say what a word reads. Needs no torch.

One class a kind of logits; `READINGS` holds them all, and the field of the model's outputs tells which.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

__all__ = [
    "READINGS",
    "CTCReading",
    "CharacterReading",
    "ReadText",
    "SlotReading",
    "readable_charset",
    "text_ids",
]


class ReadText(NamedTuple):
    """What a word reads."""

    text: str
    """The characters, joined."""
    score: float
    """Probability of the text as the model puts it, 0..1."""
    characters: list[str]
    """One by one."""
    character_scores: np.ndarray
    """(n,) float32, the probability of each, 0..1."""


def text_ids(text: str, characters: str) -> list[int]:
    """Places of a text's characters in the character set.

    A letter that the set has in lower case only is taken so; the last character of the set stands for all
    that is not in it.
    """
    places = {character: place for place, character in enumerate(characters)}
    return [places.get(c, places.get(c.lower(), len(characters) - 1)) for c in text]


def readable_charset(charset: str, characters: str) -> str:
    """A choice of characters as the character set spells them: a letter that it has in lower case only so."""
    return "".join(one if one in characters else one.lower() for one in charset)


class CharacterReading(ABC):
    """From the logits of one kind to text. All are `(N, T, V + 1)` for N words, V characters, then none."""

    field: ClassVar[str]
    """Of the model's outputs."""

    def log_probabilities(
        self, logits: np.ndarray, characters: str, charset: str | None = None
    ) -> np.ndarray:
        """`(N, T, V + 1)` float64; minus infinity for characters that may not come.

        Args:
            logits: of the words.
            characters: V characters.
            charset: the only ones that may be read, a letter that `characters` has in lower case only in
                either case; None for all of them.
        """
        values = logits.astype(np.float64)
        if charset is not None:
            allowed = readable_charset(charset, characters)
            values[..., [place for place, one in enumerate(characters) if one not in allowed]] = -np.inf
        highest = values.max(axis=-1, keepdims=True, initial=-np.inf)
        values = values - np.where(np.isfinite(highest), highest, 0)
        with np.errstate(divide="ignore"):
            return values - np.log(np.exp(values).sum(axis=-1, keepdims=True))

    def read(self, logits: np.ndarray, characters: str, charset: str | None = None) -> list[ReadText]:
        """The texts of N words; arguments as of `log_probabilities`."""
        rows = self.log_probabilities(logits, characters, charset)
        return [self.read_word(row, characters) for row in rows]

    @abstractmethod
    def read_word(self, log_probabilities: np.ndarray, characters: str) -> ReadText:
        """The text of one word, from its `(T, V + 1)`."""

    @abstractmethod
    def log_likelihood(self, log_probabilities: np.ndarray, ids: Sequence[int]) -> float:
        """How likely one word, `(T, V + 1)`, reads these characters; they are cut where it has no room."""


class SlotReading(CharacterReading):
    """A slot a character, as TESTR and attention recognisers have; slots without one are gaps and close up.

    The score is the product of the characters' probabilities and of that of the first empty slot behind them.
    """

    field = "character_logits"

    def read_word(self, log_probabilities: np.ndarray, characters: str) -> ReadText:
        """The likeliest character of every slot."""
        ids = log_probabilities.argmax(axis=-1)
        best = log_probabilities.max(axis=-1)
        is_read = ids < len(characters)
        letters = [characters[index] for index in ids[is_read].tolist()]
        end = int(np.flatnonzero(is_read).max(initial=-1)) + 1
        behind = best[end : end + 1]  # where the word fills all slots there is none
        score = float(np.exp(best[is_read].sum() + behind.sum()))
        return ReadText("".join(letters), score, letters, np.exp(best[is_read]).astype(np.float32))

    def log_likelihood(self, log_probabilities: np.ndarray, ids: Sequence[int]) -> float:
        """Of the characters in the first slots and an empty one behind them."""
        slots, classes = log_probabilities.shape
        wanted = [*ids, classes - 1][:slots]
        return float(log_probabilities[range(len(wanted)), wanted].sum())


class CTCReading(CharacterReading):
    """Places along a word, read as connectionist temporal classification does, as DeepSolo has.

    Equal neighbours are one character, and the last class parts equal characters. The score is the
    probability of the text over all of its paths (Graves et al. 2006, eq. 3 to 8).
    """

    field = "ctc_logits"

    def read_word(self, log_probabilities: np.ndarray, characters: str) -> ReadText:
        """The text of the likeliest path."""
        ids = log_probabilities.argmax(axis=-1)
        best = np.exp(log_probabilities.max(axis=-1))
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        peaks = np.maximum.reduceat(best, starts) if len(starts) else best
        is_read = ids[starts] < len(characters)
        read = ids[starts][is_read].tolist()
        letters = [characters[index] for index in read]
        score = float(np.exp(self.log_likelihood(log_probabilities, read)))
        return ReadText("".join(letters), score, letters, peaks[is_read].astype(np.float32))

    def log_likelihood(self, log_probabilities: np.ndarray, ids: Sequence[int]) -> float:
        """Of all paths together that read so."""
        steps, classes = log_probabilities.shape
        ids = list(ids)[:steps]
        states = np.full(2 * len(ids) + 1, classes - 1)
        states[1::2] = ids
        # A character may follow another one at once, without a blank between, if they differ.
        may_skip = np.zeros(len(states), bool)
        may_skip[3::2] = states[3::2] != states[1:-2:2]
        forward = np.where(np.arange(len(states)) < 2, log_probabilities[0, states], -np.inf)
        for row in log_probabilities[1:]:
            stepped = np.concatenate([[-np.inf], forward[:-1]])
            skipped = np.concatenate([[-np.inf] * 2, forward])[: len(states)]
            reached = np.logaddexp(forward, stepped)
            forward = np.logaddexp(reached, np.where(may_skip, skipped, -np.inf)) + row[states]
        return float(np.logaddexp.reduce(forward[-2:]))


READINGS: tuple[CharacterReading, ...] = (SlotReading(), CTCReading())
