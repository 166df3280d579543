"""Where training words come from: `SPEC[=weight]` on the command line, and which words can be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import cv2
import numpy as np

from tcm_hf.data.word_corpora import load_words
from tcm_hf.data.words import LMDBWords, WordRecord, word_crops
from tcm_hf.training.corpus_spec import SYNTH_SETTINGS_NAME, CorpusSpec, file_number

_SPEC = re.compile(r"(?P<corpus>.+?)(=(?P<weight>\d*\.?\d+))?")
_PART = re.compile(r"(?P<path>.+?)(:(?P<first>\d+)-(?P<last>\d+))?")
CUT_MARGIN = 0.05  # around a word cut from a photo, as a part of its height: room for the augmentation


@dataclass(frozen=True)
class WordSpec:
    """A collection of words, which part of it is meant, and how much it counts in a mix.

    Args:
        path: An LMDB of words, a folder of annotated photos whose words are cut out, or a folder of labelled
            crops.
        numbers: First and last number, both included: of the sample in an LMDB, of the file elsewhere. None
            means all.
        weight: Share in the mix, relative to the others; by size when None.
    """

    path: Path
    numbers: tuple[int, int] | None = None
    weight: float | None = None

    @classmethod
    def parse(cls, text: str) -> WordSpec:
        """Read `PATH`, `PATH:FIRST-LAST`, each with `=WEIGHT` behind it if it has one.

        Raises:
            ValueError: If there is no such path, or the range runs backwards.
        """
        spec = _SPEC.fullmatch(text)
        part = _PART.fullmatch(spec["corpus"]) if spec else None
        if spec is None or part is None:
            raise ValueError(f"Expected PATH[:FIRST-LAST][=WEIGHT], e.g. words.lmdb=0.85: got {text!r}.")
        path = Path(part["path"]).expanduser()
        if not path.exists():
            raise ValueError(
                f"{path} is not there: expected an LMDB of words, a folder of photos with metadata.jsonl, or "
                "a folder of labelled crops."
            )
        numbers = None if part["first"] is None else (int(part["first"]), int(part["last"]))
        if numbers is not None and numbers[0] > numbers[1]:
            raise ValueError(
                f"The range {numbers[0]}-{numbers[1]} in {text!r} runs backwards: swap its ends."
            )
        return cls(path, numbers, None if spec["weight"] is None else float(spec["weight"]))

    @property
    def is_database(self) -> bool:
        """Whether it is an LMDB."""
        return (self.path / "data.mdb").is_file() or self.path.is_file()

    @property
    def is_generated(self) -> bool:
        """Whether `tcm-hf synth-words` made the pictures."""
        return (self.path / SYNTH_SETTINGS_NAME).is_file()

    def __str__(self) -> str:
        """As on the command line, without the weight."""
        return str(self.path) if self.numbers is None else f"{self.path}:{self.numbers[0]}-{self.numbers[1]}"

    def records(self) -> Sequence[WordRecord]:
        """The words in order; those of photos are cut out now and stay in memory.

        Raises:
            ValueError: If the collection is broken, or none is in the range.
        """
        if self.is_database:
            words = LMDBWords(self.path)
            first, last = self.numbers or (1, len(words))
            chosen: Sequence[WordRecord] = SomeWords(words, range(first - 1, min(last, len(words))))
        elif _holds_photos(self.path):
            chosen = list(word_crops(CorpusSpec(self.path, self.numbers).records(), margin=CUT_MARGIN))
        else:
            chosen = _labelled_crops(self)
        if not chosen:
            raise ValueError(f"No word of {self} is left: look at the range and at the annotations.")
        return chosen


class SomeWords(Sequence[WordRecord]):
    """Some of the words of a collection, in an order and with a spelling of their own; nothing is copied.

    Args:
        words: The collection.
        places: Which of them, from 0.
        texts: Their texts; those of the collection when None.
    """

    def __init__(self, words: Sequence[WordRecord], places: Sequence[int], texts: list[str] | None = None):
        self.words = words
        self.places = places
        self.texts = texts

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> WordRecord: ...
    @overload
    def __getitem__(self, index: slice) -> SomeWords: ...
    def __getitem__(self, index: int | slice) -> WordRecord | SomeWords:
        """One word, or some of these for a slice."""
        if isinstance(index, slice):
            texts = None if self.texts is None else self.texts[index]
            return SomeWords(self.words, self.places[index], texts)
        record = self.words[self.places[index]]
        if self.texts is None:
            return record
        return WordRecord(record.image, self.texts[index], record.name)

    def text(self, index: int) -> str:
        """The text of a word without reading its image."""
        if self.texts is not None:
            return self.texts[index]
        return text_of(self.words, self.places[index])


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


def _holds_photos(folder: Path) -> bool:
    """Whether metadata.jsonl speaks of photos with polygons rather than of single words."""
    metadata = folder / "metadata.jsonl"
    if not metadata.is_file():
        return False
    with metadata.open(encoding="utf-8") as lines:
        return '"polygons"' in lines.readline()


def _labelled_crops(spec: WordSpec) -> list[WordRecord]:
    first, last = spec.numbers or (None, None)
    return [
        record
        for record in load_words(spec.path)
        if first is None or last is None or first <= file_number(record.name) <= last
    ]
