"""Where training words come from: `SPEC[=weight]` on the command line, and which words can be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, overload

import cv2
import numpy as np

from tcm_hf.data.records import TextRecord
from tcm_hf.data.some_records import SomeRecords
from tcm_hf.data.words import LMDBWords, WordRecord, word_crops
from tcm_hf.training.corpus_spec import CorpusSpec

_WEIGHTED = re.compile(r"(?P<corpus>.+?)(=(?P<weight>\d*\.?\d+))?", re.DOTALL)
CUT_MARGIN = 0.05  # around a word cut from a photo, as a part of its height: room for the augmentation


@dataclass(frozen=True)
class WordSpec(CorpusSpec):
    """A corpus of words, or of photos whose words are cut out, which part of it, and its weight in a mix.

    Args:
        folder: See `CorpusSpec`.
        numbers: See `CorpusSpec`; in an LMDB the numbers of the samples, from 1.
        corpus: See `CorpusSpec`.
        split: See `CorpusSpec`.
        weight: Share in the mix, relative to the others; by size when None.
    """

    weight: float | None = None

    kinds: ClassVar[tuple[str, ...]] = ("words", "photos")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[NAME:]FOLDER[@SPLIT][:FIRST-LAST]`, with `=WEIGHT` behind it if it has one.

        Raises:
            ValueError: As of `CorpusSpec.parse`.
        """
        weighted = _WEIGHTED.fullmatch(text)
        if weighted is None or weighted["weight"] is None or Path(text).exists():
            return super().parse(text)
        return replace(super().parse(weighted["corpus"]), weight=float(weighted["weight"]))

    def _in_range(self, records: Sequence[Any]) -> Sequence[Any]:
        words, places = records, None
        if isinstance(records, SomeRecords):  # the others have no transcription
            words, places = records.records, records.places
        if not isinstance(words, LMDBWords):
            return super()._in_range(records)
        first, last = self.numbers or (1, len(words))
        meant = range(first - 1, min(last, len(words)))
        return SomeWords(words, meant if places is None else [place for place in places if place in meant])

    def records(self) -> Sequence[WordRecord]:
        """The words in order; those of photos are cut out now and stay in memory.

        Raises:
            ValueError: If the corpus is broken, none is in the range, or an image is not there.
        """
        records = super().records()
        if len(records) and isinstance(records[0], TextRecord):
            records = list(word_crops(records, margin=CUT_MARGIN))
        if not len(records):
            raise ValueError(f"No word of {self} is left: look at the range and at the annotations.")
        return records


class SomeWords(SomeRecords[WordRecord]):
    """Some of the words of a collection, in an order and with a spelling of their own; nothing is copied.

    Args:
        words: The collection.
        places: Which of them, from 0.
        texts: Their texts; those of the collection when None.
    """

    def __init__(self, words: Sequence[WordRecord], places: Sequence[int], texts: list[str] | None = None):
        super().__init__(words, places)
        self.texts = texts

    @overload
    def __getitem__(self, index: int) -> WordRecord: ...
    @overload
    def __getitem__(self, index: slice) -> SomeWords: ...
    def __getitem__(self, index: int | slice) -> WordRecord | SomeWords:
        """One word, or some of these for a slice."""
        if isinstance(index, slice):
            texts = None if self.texts is None else self.texts[index]
            return SomeWords(self.records, self.places[index], texts)
        record = self.records[self.places[index]]
        if self.texts is None:
            return record
        return WordRecord(record.image, self.texts[index], record.name)

    def text(self, index: int) -> str:
        """The text of a word without reading its image."""
        if self.texts is not None:
            return self.texts[index]
        return text_of(self.records, self.places[index])


def text_of(words: Sequence[WordRecord], index: int) -> str:
    """The text of a word, without its image where the collection can do that."""
    if isinstance(words, LMDBWords | SomeWords):
        return words.text(index)
    return words[index].text


def usable_words(words: Sequence[WordRecord], charset: str, max_length: int) -> SomeWords:
    """The words that a recognizer can be taught: spelled in its charset, not empty, not too long.

    White space is taken out, as the benchmarks do (a label of several words is read as one). A letter that
    the charset has in the other case only is written in that. A word with any other character is left out:
    its picture shows what its label could not say.

    Args:
        words: The words.
        charset: The characters of the recognizer.
        max_length: Most characters of a word.
    """
    places, texts = [], []
    for index in range(len(words)):
        text = spelled_in(text_of(words, index), charset)
        if text and len(text) <= max_length:
            places.append(index)
            texts.append(text)
    return SomeWords(words, places, texts)


def spelled_in(text: str, charset: str) -> str | None:
    """`text` without white space, in the characters of `charset`; None if it has others."""
    letters = []
    for character in "".join(text.split()):
        spellings = [form for form in (character, character.lower(), character.upper()) if form in charset]
        if not spellings:
            return None
        letters.append(spellings[0])
    return "".join(letters)


def load_pixels(record: WordRecord) -> np.ndarray:
    """The pixels (H, W, 3) uint8 RGB; encoded ones are decoded by OpenCV, in a third of Pillow's time."""
    if isinstance(record.image, bytes):
        bgr = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return record.load_image()
