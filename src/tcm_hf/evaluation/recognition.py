"""Word recognition accuracy: right words and similarity of the texts, by the benchmark's character sets."""

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from tcm_hf.evaluation.counting import CountingMetric, paired

__all__ = [
    "PROTOCOLS",
    "CharacterProtocol",
    "TextRecognitionMetric",
    "edit_distance",
    "normalized_edit_distance",
]


@dataclass(frozen=True)
class CharacterProtocol:
    """What of a text is compared.

    Args:
        name: ends the keys of the result.
        characters: those that count, all others are taken out of both texts; None: all count, and half-width
            and full-width forms are one.
        ignore_case: upper and lower case are one.
    """

    name: str
    characters: str | None
    ignore_case: bool

    def normalized(self, text: str) -> str:
        """What is left of a text: without white space, accents taken off where only ASCII counts."""
        text = "".join(text.split())
        if self.characters is None:
            text = unicodedata.normalize("NFKC", text)
            return text.casefold() if self.ignore_case else text
        text = unicodedata.normalize("NFKD", text)
        if self.ignore_case:
            text = text.lower()
        return "".join(character for character in text if character in self.characters)

    def similarity(self, read: str, meant: str) -> float | None:
        """1 - normalised edit distance of a word, 1 only where it is right.

        Args:
            read: what was read.
            meant: what the word says; None comes back where nothing of it counts.
        """
        text, reference = self.normalized(read), self.normalized(meant)
        return 1 - normalized_edit_distance(text, reference) if reference else None


_ALPHANUMERIC = string.digits + string.ascii_letters

PROTOCOLS: dict[str, CharacterProtocol] = {
    protocol.name: protocol
    for protocol in (
        CharacterProtocol("36", string.digits + string.ascii_lowercase, ignore_case=True),
        CharacterProtocol("62", _ALPHANUMERIC, ignore_case=False),
        CharacterProtocol("94", _ALPHANUMERIC + string.punctuation, ignore_case=False),
        # ICDAR 2019 ReCTS and ArT: any language, English case left aside.
        CharacterProtocol("any", None, ignore_case=True),
    )
}
"""By number of characters: 36 letters and digits in one case, which nearly all papers report; 62 with case;
94 with ASCII punctuation; "any" for all languages."""


class TextRecognitionMetric(CountingMetric):
    """Word accuracy and 1 - normalised edit distance, under several character sets at once.

    A word is right when nothing differs after what the protocol leaves aside is taken out of both texts.
    Words of which the reference keeps nothing under a protocol are not counted in it, as in the STR benchmark
    (Baek et al., ICCV 2019; PARSeq, arXiv 2207.06966). The similarity is that of ICDAR 2019 ArT and ReCTS
    (arXiv 1909.07145, 1912.09641), the mean of 1 - D(s, t) / max(|s|, |t|) with the edit distance D; its
    official form is that of the protocol "any".

    Example:
        >>> metric = TextRecognitionMetric()
        >>> metric.update(["Cafe", "0pen!"], ["CAFE", "Open!"])
        >>> {key: round(value, 2) for key, value in metric.compute().items() if key.endswith("36")}
        {'accuracy_36': 0.5, 'one_minus_ned_36': 0.88, 'num_words_36': 2}

    Args:
        protocols: names in `PROTOCOLS`, or protocols of your own.

    Raises:
        ValueError: there is no such protocol.
    """

    def __init__(self, protocols: Sequence[str | CharacterProtocol] = ("36", "62", "94")) -> None:
        unknown = [each for each in protocols if isinstance(each, str) and each not in PROTOCOLS]
        if unknown or not protocols:
            raise ValueError(
                f"`protocols` must be some of {', '.join(PROTOCOLS)}, or be made with `CharacterProtocol`: "
                f"got {unknown or list(protocols)}."
            )
        self.protocols = tuple(PROTOCOLS[each] if isinstance(each, str) else each for each in protocols)
        self.count_names = tuple(
            f"{what}_{protocol.name}"
            for protocol in self.protocols
            for what in ("words", "right", "similarity")
        )
        super().__init__()

    def update(self, predictions: Sequence[str], references: Sequence[str]) -> None:
        """Add words.

        Args:
            predictions: what was read, one text a word.
            references: what the words say.

        Raises:
            ValueError: there are not as many of one as of the other, or something is no list of texts.
        """
        for name, words in (("predictions", predictions), ("references", references)):
            if isinstance(words, str) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"`{name}` must be a list of texts, one a word: got {words!r:.80}.")
        for read, meant in paired(predictions, references, "word"):
            for protocol in self.protocols:
                similarity = protocol.similarity(read, meant)
                if similarity is None:
                    continue
                self.counts[f"words_{protocol.name}"] += 1
                self.counts[f"right_{protocol.name}"] += similarity == 1
                self.counts[f"similarity_{protocol.name}"] += similarity

    def compute(self) -> dict[str, float]:
        """Accuracy over all words seen.

        Returns:
            For each protocol, with its name at the end: `accuracy_…` and `one_minus_ned_…` in 0..1 and
            `num_words_…`, how many words count. A protocol without a word has 0 in all three.

        Raises:
            ValueError: no word counts under any protocol.
        """
        if not any(self.counts[f"words_{protocol.name}"] for protocol in self.protocols):
            raise ValueError(
                "`compute` needs at least one word with a character that counts: got none. "
                "Call `update` first."
            )
        result: dict[str, float] = {}
        for protocol in self.protocols:
            words, right, similarity = (
                self.counts[f"{what}_{protocol.name}"] for what in ("words", "right", "similarity")
            )
            result[f"accuracy_{protocol.name}"] = right / max(words, 1)
            result[f"one_minus_ned_{protocol.name}"] = similarity / max(words, 1)
            result[f"num_words_{protocol.name}"] = words
        return result


def edit_distance(text: str, other: str) -> int:
    """Fewest characters to insert, delete or replace to make one text of the other.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(other) + 1))
    for place, character in enumerate(text, start=1):
        diagonal, row[0] = row[0], place
        for column, wanted in enumerate(other, start=1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (character != wanted)),
            )
    return row[-1]


def normalized_edit_distance(text: str, other: str) -> float:
    """The edit distance over the length of the longer text, 0 (equal) to 1; 0 for two empty texts."""
    return edit_distance(text, other) / max(len(text), len(other), 1)
