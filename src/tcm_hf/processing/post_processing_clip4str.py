"""Logits of CLIP4STR -> words, with or without a lexicon, in numpy. The way there: processing_clip4str.py."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .character_codes import CharacterCodes, adapt_to_charset
from .float_arrays import float_array
from .lexicon import Lexicon, LexiconLike, as_lexicon, check_charset, one_lexicon_each


class CLIP4STRPostProcessing:
    """The decoding half of `CLIP4STRProcessor`."""

    tokenizer: CharacterCodes

    def post_process_text_recognition(
        self,
        outputs: Any,
        lexicon: LexiconLike | Iterable[LexiconLike] | None = None,
        charset: str | None = None,
        max_lexicon_distance: float | None = None,
    ) -> list[dict[str, Any]]:
        """Read the words that a model found.

        Args:
            outputs: what the model returned, or a mapping with "logits" `(B, T, n + 1)`.
            lexicon: words of which the nearest by edit distance is taken, ignoring case; among equally near
                ones the likeliest. One list (or `Lexicon`) for all images, or one list for each.
            charset: the only characters that may be read; all of the tokenizer's by default.
            max_lexicon_distance: a reading that is farther from its word stays as it was read. The distance
                is that of edits over the length of the longer of the two, 0..1; 0.4 is usual. None: the
                nearest word is always taken, and of ["cafe", "hotel"] "FARM" becomes "cafe".

        Returns:
            Per image a dict with "text"; "score", the product of the probabilities of the characters and of
            the word's end, 0..1; "characters", a list of {"character", "score"} as they were read. With a
            lexicon also "edit_distance", of what was read to the word taken, unless none is near enough;
            score and characters remain those of what was read.

        Raises:
            ValueError: if the logits do not fit to the tokenizer, or the lexicons not to the images.
        """
        logits = float_array(outputs["logits"] if isinstance(outputs, Mapping) else outputs.logits)
        known = self.tokenizer.charset
        if logits.ndim != 3 or logits.shape[-1] != len(known) + 1:
            raise ValueError(
                f"Expected logits of shape (images, steps, {len(known) + 1}), for {len(known)} characters "
                f"and the end: got {logits.shape}. Model and processor must have the same charset."
            )
        if charset is not None:
            self.check_charset(charset)
        probabilities = _probabilities(logits, known, charset)
        best, ids = probabilities.max(-1), probabilities.argmax(-1)
        steps = ids.shape[1]
        ended = ids == 0
        lengths = np.where(ended.any(1), ended.argmax(1), steps)
        scores = np.where(np.arange(steps) <= lengths[:, None], best, 1).prod(1, dtype=np.float64)
        results: list[dict[str, Any]] = [
            {
                "text": text,
                "score": float(score),
                "characters": [
                    {"character": character, "score": value}
                    for character, value in zip(text, values.tolist(), strict=False)
                ],
            }
            for text, score, values in zip(self.tokenizer.batch_decode(ids), scores, best, strict=True)
        ]
        if lexicon is not None:
            for result, words, row in zip(
                results, one_lexicon_each(lexicon, len(results)), probabilities, strict=True
            ):
                result |= self._nearest(words, result["text"], row, max_lexicon_distance)
        return results

    @staticmethod
    def make_lexicon(words: LexiconLike) -> Lexicon:
        """The words that may come, prepared for several calls of `post_process_text_recognition`.

        Raises:
            ValueError: if there is no word, or something else than a list of words came.
        """
        return as_lexicon(words)

    def check_charset(self, charset: str) -> None:
        """Raise `ValueError` if a `charset` for `post_process_text_recognition` leaves nothing to read."""
        check_charset(charset, self.tokenizer.charset)

    def _nearest(
        self, lexicon: Lexicon, text: str, probabilities: np.ndarray, limit: float | None
    ) -> dict[str, Any]:
        """The word of the lexicon next to a reading, the likeliest of equally near ones; or nothing."""
        found = lexicon.choose(text, lambda word: self._likelihood(word, probabilities), limit)
        return {} if found is None else {"text": found[0], "edit_distance": found[1]}

    def _likelihood(self, word: str, probabilities: np.ndarray) -> float:
        """Sum of the log probabilities of a word's characters and its end, step by step."""
        readable = adapt_to_charset(word, self.tokenizer.charset)
        ids = self.tokenizer.make_labels([readable], truncation=True)[0][: len(probabilities)].tolist()
        return float(np.log(probabilities[range(len(ids)), ids].clip(1e-30)).sum())


def _probabilities(logits: np.ndarray, known: str, charset: str | None) -> np.ndarray:
    """(B, T, n + 1) float32 probabilities; those of characters that may not come are 0."""
    if charset is not None:
        allowed = [True] + [character in charset for character in known]
        logits = np.where(allowed, logits, np.float32(-np.inf))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
