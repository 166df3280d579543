"""End-to-end accuracy: words found and read, by the ICDAR 2015 protocols, with or without a lexicon."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from tcm_hf.evaluation.counting import HmeanMetric, ImageVerdict
from tcm_hf.evaluation.overlaps import Overlaps, match_one_to_one, measure_overlaps
from tcm_hf.evaluation.texts import read_texts, wanted_texts
from tcm_hf.processing.lexicon import Lexicon

__all__ = ["TextSpottingMetric"]

# As in the evaluation scripts of the Robust Reading Competition.
_MARKS = "!?.:,*\"()·[]/'"
_SHORTEST_SPOTTED_WORD = 3
_LETTER_RANGES = (("a", "z"), ("A", "Z"), ("À", "ƿ"), ("Ǆ", "ɿ"), ("Ά", "Ͽ"), ("-", "-"))
_NO_LETTERS = "×÷·"


class _TextRule(Protocol):
    def wanted(self, text: str) -> str | None:
        """What has to be read of an annotated text; None: the text is do-not-care."""

    def agrees(self, wanted: str, read: str) -> bool:
        """Whether a reading is right."""


class _EndToEnd:
    """The whole text; one punctuation mark of the annotation at either end may be missing."""

    def wanted(self, text: str) -> str | None:
        return text

    def agrees(self, wanted: str, read: str) -> bool:
        wanted, read = wanted.upper(), read.upper()
        first = int(wanted[:1] in _MARKS and bool(wanted))
        last = len(wanted) - int(wanted[-1:] in _MARKS and bool(wanted))
        return read in (wanted, wanted[first:], wanted[:last], wanted[first:last])


class _WordSpotting:
    """Only words of a dictionary: three letters or more; marks and a final 's do not count."""

    def wanted(self, text: str) -> str | None:
        text = text[:-2] if text[-2:] in ("'s", "'S") else text
        text = text.strip("-")
        word = "".join(" " if character in _MARKS else character for character in text).strip()
        if len(word) < _SHORTEST_SPOTTED_WORD or not all(map(_is_letter, word)):
            return None
        return word

    def agrees(self, wanted: str, read: str) -> bool:
        return wanted.upper() == read.upper()


def _is_letter(character: str) -> bool:
    return character not in _NO_LETTERS and any(first <= character <= last for first, last in _LETTER_RANGES)


_RULES: dict[str, _TextRule] = {"end-to-end": _EndToEnd(), "word-spotting": _WordSpotting()}


class TextSpottingMetric(HmeanMetric):
    """Precision, recall and hmean of ICDAR 2015 task 4.4, words that are found and read.

    Words and predictions are paired by their outlines as in `TextDetectionMetric`; a pair is a hit when the
    reading is right, whatever its case. "end-to-end" counts every legible word, and lets one punctuation mark
    at either end be missing. "word-spotting" counts words of three letters or more, without marks around them
    and a final 's; all others are do-not-care. Source: Karatzas et al., "ICDAR 2015 Competition on Robust
    Reading", and its evaluation script.

    With a lexicon, a reading becomes the word with the least edit distance (the longest of several) and is
    left out when the distance, over the length of the longer of the two, is too large. The competition hands
    out lexicons and leaves their use to the participants, and papers differ: the limit 0.4 is that of SPTS
    (arXiv 2112.07917), others allow one wrong character, and many no limit with a strong lexicon. Strong: a
    lexicon an image (100 words), with the references. Weak: all words of the test set. Generic: 90 000
    words. These lexicons hold neither numbers nor words of less than three letters, which therefore cannot be
    read with one.

    Example:
        >>> metric = TextSpottingMetric()
        >>> word = np.array([[0, 0], [90, 0], [90, 30], [0, 30]])
        >>> metric.update(
        ...     [{"polygons_xy": [word + 3], "texts": ["exit"]}],
        ...     [{"polygons_xy": [word, word + 200], "texts": ["EXIT!", "shop"]}],
        ... )
        >>> metric.compute()["recall"]
        0.5

    Args:
        protocol: "end-to-end" or "word-spotting".
        lexicon: the words of all images (weak, generic); None: none but those that come with the references.
        max_lexicon_distance: a reading at this normalised distance (0..1) from its word or further is left
            out; None: none is.
        iou_threshold: a pair needs more than this intersection over union.
        ignore_precision_threshold: a prediction with more than this part of its area in one do-not-care
            region is left out.

    Raises:
        ValueError: there is no such protocol.
    """

    def __init__(
        self,
        protocol: Literal["end-to-end", "word-spotting"] = "end-to-end",
        lexicon: Lexicon | Iterable[str] | None = None,
        max_lexicon_distance: float | None = 0.4,
        iou_threshold: float = 0.5,
        ignore_precision_threshold: float = 0.5,
    ) -> None:
        if protocol not in _RULES:
            raise ValueError(f"`protocol` must be one of {', '.join(_RULES)}: got {protocol!r}.")
        super().__init__()
        self.protocol = protocol
        self.lexicon = _as_lexicon(lexicon)
        self.max_lexicon_distance = max_lexicon_distance
        self.iou_threshold = iou_threshold
        self.ignore_precision_threshold = ignore_precision_threshold

    def settings(self) -> dict[str, Any]:
        """What decides the counts, with the lexicon as its words."""
        words = None if self.lexicon is None else self.lexicon.words
        return {**super().settings(), "lexicon": words}

    def measure(self, prediction: Mapping[str, Any], reference: Mapping[str, Any]) -> "_ReadImage":
        """How the readings of an image lie on its words, and what they say.

        Args:
            prediction: has `polygons_xy`, a list of (P >= 3, 2) arrays, and `texts`; their order counts where
                several could match one word.
            reference: has `polygons_xy` and `texts`, and where there are any `ignore`, a flag a polygon, and
                `lexicon`, the words of this image (strong). "###" is do-not-care.

        Raises:
            ValueError: a polygon is not a finite (P >= 3, 2) array, or a text that counts is not known.
        """
        rule = _RULES[self.protocol]
        wanted = [None if text is None else rule.wanted(text) for text in wanted_texts(reference)]
        lexicon = _as_lexicon(reference.get("lexicon")) or self.lexicon
        read = [self._reading(text, lexicon) for text in read_texts(prediction)]
        ignore = [text is None for text in wanted]
        overlaps = measure_overlaps(prediction["polygons_xy"], reference["polygons_xy"], ignore)
        return _ReadImage(overlaps, wanted, read)

    def judge(self, measured: "_ReadImage") -> ImageVerdict:
        """What the protocol makes of an image that was measured; nothing is counted."""
        overlaps, wanted, read = measured.overlaps, measured.wanted, measured.read
        left_out = np.array([text is None for text in read], dtype=bool)
        left_out |= overlaps.predictions_to_drop(self.ignore_precision_threshold)
        pairs = match_one_to_one(overlaps, left_out, self.iou_threshold)
        text_credit, prediction_credit = np.zeros(len(wanted), dtype=int), np.zeros(len(read), dtype=int)
        for text, prediction in pairs:
            agrees = _RULES[self.protocol].agrees(wanted[text] or "", read[prediction] or "")
            text_credit[text] = prediction_credit[prediction] = agrees
        return self._verdict(text_credit, prediction_credit, overlaps.ignore, left_out, pairs)

    def _reading(self, text: str, lexicon: Lexicon | None) -> str | None:
        """What a reading counts as: itself, or its word of the lexicon; None: it is left out."""
        if lexicon is None:
            return text
        if not text:
            return None
        word, distance = _nearest(lexicon, text)
        limit = self.max_lexicon_distance
        return word if limit is None or distance < limit else None


@dataclass(frozen=True)
class _ReadImage:
    """An image with what has to be read (None: do-not-care) and what was read (None: left out)."""

    overlaps: Overlaps
    wanted: list[str | None]
    read: list[str | None]

    def take_predictions(self, chosen: np.ndarray) -> "_ReadImage":
        """The same image with some of the predictions only, chosen by a boolean (P,) mask."""
        read = [text for text, kept in zip(self.read, chosen, strict=True) if kept]
        return _ReadImage(self.overlaps.take_predictions(chosen), self.wanted, read)


def _nearest(lexicon: Lexicon, text: str) -> tuple[str, float]:
    """The word next to a reading, and their edit distance over the length of the longer."""
    places, distance = lexicon.nearest(text)
    word = max((lexicon.words[place] for place in places), key=len)
    return word, distance / max(len(word), len(text))


def _as_lexicon(words: Lexicon | Iterable[str] | None) -> Lexicon | None:
    return words if words is None or isinstance(words, Lexicon) else Lexicon(words)
