"""What is known of a word that was read. Needs no torch."""

from typing import NotRequired, TypedDict


class RecognizedCharacter(TypedDict):
    """One character of a word and its probability, 0..1."""

    character: str
    score: float


class RecognizedText(TypedDict):
    """The text of one crop.

    `score` is the product of the probabilities of its characters and of its end, 0..1. `characters` is there
    on request, `edit_distance` (from what was read to the word of the lexicon) where a word of a lexicon was
    taken.
    """

    text: str
    score: float
    characters: NotRequired[list[RecognizedCharacter]]
    edit_distance: NotRequired[int]
