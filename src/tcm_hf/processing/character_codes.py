"""Characters and their ids: 0 ends a word, 1..n are the characters, then one that begins and one that pads.

Pure numpy; the tokenizer of transformers around it is in tokenization_clip4str.py.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

END, BEGIN, PAD = "[E]", "[B]", "[P]"
CHARSET_94 = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)
IGNORED = -100  # a label that the loss leaves out
MAX_LABEL_LENGTH = 25


def adapt_to_charset(text: str, charset: str) -> str:
    """Bring a text to a set of characters, as the benchmarks do before they compare words.

    A set without capitals makes the text lower-case, one without small letters upper-case; what is still not
    in the set is dropped. For sets beyond ASCII the text is composed first (Unicode NFC).

    Args:
        text: any text.
        charset: the characters to keep.

    Returns:
        The text with characters of the set only; may be empty.

    Raises:
        ValueError: if it is no text.
    """
    if not isinstance(text, str):
        raise ValueError(f"Expected a word as a string: got {text!r}. Leave out what has no text.")
    normalize, others = _adapter(charset)
    return others.sub("", normalize(text))


@lru_cache(maxsize=64)
def _adapter(charset: str) -> tuple[Callable[[str], str], re.Pattern[str]]:
    fold = str.lower if charset == charset.lower() else str.upper if charset == charset.upper() else str
    composed = not charset.isascii() and unicodedata.is_normalized("NFC", charset)

    def normalize(text: str) -> str:
        return fold(unicodedata.normalize("NFC", text) if composed else text)

    return normalize, re.compile(f"[^{re.escape(charset)}]")


def check_charset(characters: str | Iterable[str]) -> str:
    """A set of characters as one string, in the given order.

    Args:
        characters: a string, or single characters.

    Raises:
        ValueError: if there is none, one comes twice, or an element is not one Unicode character.
    """
    listed = list(characters)
    wrong = [one for one in listed if not isinstance(one, str) or len(one) != 1]
    if wrong:
        raise ValueError(
            f"A charset has single Unicode characters: got {wrong[:5]!r}. Write letters that consist of "
            "several (a base and its marks) as their parts, each once."
        )
    if not listed:
        raise ValueError('The charset is empty: expected at least one character, as in "0123456789".')
    if any("\ud800" <= one <= "\udfff" for one in listed):
        raise ValueError("A charset has whole characters: surrogates, halves of one, came. Leave them out.")
    if "\0" in listed:
        raise ValueError(
            "The character U+0000 cannot be in a charset: it marks the end of strings. Leave it out."
        )
    twice = sorted(one for one, count in Counter(listed).items() if count > 1)
    if twice:
        raise ValueError(
            f"Every character of a charset comes once: {', '.join(map(repr, twice))} came several times. "
            "Remove the repeats."
        )
    return "".join(listed)


class CharacterCodes:
    """Words to ids and back.

    Args:
        charset: the characters in the order of their ids.
        max_label_length: most characters of a word.
        unknown_characters: what happens to characters that are not in the charset: "drop" leaves them out,
            "raise" is an error that names them.

    Raises:
        ValueError: if the charset has no or repeated characters, or the policy is unknown.
    """

    charset: str
    unknown_characters: str

    def __init__(
        self,
        charset: str | Iterable[str] = CHARSET_94,
        max_label_length: int = MAX_LABEL_LENGTH,
        unknown_characters: str = "drop",
    ):
        self._max_label_length = max_label_length
        self._set_charset(charset, unknown_characters)

    def _set_charset(self, charset: str | Iterable[str], unknown_characters: str) -> None:
        if unknown_characters not in ("drop", "raise"):
            raise ValueError(f'`unknown_characters` must be "drop" or "raise": got {unknown_characters!r}.')
        self.charset = check_charset(charset)
        self.unknown_characters = unknown_characters
        self._ids = {token: number for number, token in enumerate([END, *self.charset, BEGIN, PAD])}
        self._tokens = list(self._ids)
        # Null characters at the end of an array of strings are no part of them: they stand for what is cut.
        self._symbols = np.array(["\0", *self.charset, "\0", "\0"])
        self._by_code = np.argsort(self._symbols[1:-2], kind="stable")

    @property
    def max_label_length(self) -> int:
        """Most characters of a word."""
        return self._max_label_length

    def _adapted(self, text: str) -> str:
        known = adapt_to_charset(text, self.charset)
        if self.unknown_characters == "raise":
            unknown = set(_adapter(self.charset)[0](text)) - set(self.charset)
            if unknown:
                raise ValueError(
                    f"{text!r} has characters that the charset lacks: {sorted(unknown)!r}. Take a charset "
                    'with them, or `unknown_characters="drop"`.'
                )
        return known

    def make_labels(self, texts: Sequence[str], truncation: bool = False) -> np.ndarray:
        """What the model learns to say for some words.

        Args:
            texts: words.
            truncation: cut words that are too long, instead of refusing them.

        Returns:
            `(len(texts), longest + 1)` int64: ids of the characters, 0 for the end, then -100.

        Raises:
            ValueError: if a word is no string, or has more than `max_label_length` characters.
        """
        words = [self._adapted(text) for text in texts]
        longest = max(map(len, words), default=0)
        if longest > self.max_label_length:
            if not truncation:
                word = max(words, key=len)
                raise ValueError(
                    f"Expected words of at most {self.max_label_length} characters: got {word!r} with "
                    f"{len(word)}. Leave such words out, or pass `truncation=True`."
                )
            words = [word[: self.max_label_length] for word in words]
            longest = self.max_label_length
        codes = np.array(words, dtype=f"U{longest + 1}").reshape(-1, 1).view("U1")
        lengths = np.array([len(word) for word in words], dtype=int).reshape(-1, 1)
        places = np.searchsorted(self._symbols[1:-2], codes, sorter=self._by_code)
        ids = self._by_code[np.minimum(places, len(self._by_code) - 1)] + 1
        steps = np.arange(longest + 1)
        return np.where(steps < lengths, ids, np.where(steps == lengths, self._ids[END], IGNORED))

    def batch_decode(self, sequences: Any, *args: Any, **kwargs: Any) -> list[str]:
        """The words of a batch of ids, see `decode`.

        Args:
            sequences: `(B, L)` array or tensor, or a list of lists of ids.
            *args: taken and without effect.
            **kwargs: as `args`.
        """
        return self._decode_batch(
            sequences.detach().cpu().numpy() if hasattr(sequences, "detach") else sequences
        )

    def _decode_batch(self, sequences: Any) -> list[str]:
        if not isinstance(sequences, np.ndarray):
            rows = [np.asarray(listed(row), dtype=np.int64) for row in sequences]
            sequences = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
            for padded, row in zip(sequences, rows, strict=True):
                padded[: len(row)] = row
        if sequences.size == 0:
            return [""] * len(sequences)
        begin, pad = self._ids[BEGIN], self._ids[PAD]
        over = np.logical_or.accumulate((sequences <= 0) | (sequences >= pad), axis=1)
        symbols = self._symbols[np.where(over, 0, sequences)]
        words = np.ascontiguousarray(symbols).view(f"U{symbols.shape[1]}")[:, 0].tolist()
        has_begin = bool(((sequences == begin) & ~over).any())
        return [word.replace("\0", "") for word in words] if has_begin else words


def listed(ids: Any) -> list:
    """A list of what is a list, an array, a tensor or a single id."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    return list(ids) if isinstance(ids, (list, tuple)) else [ids]


def read_charset(path: Path) -> str:
    """The characters of a charset.json, as `CharacterTokenizer.save_pretrained` writes it.

    Raises:
        ValueError: if there is something else in it.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, (str, list)):
        raise ValueError(f"Expected a string of characters in {path}: got {type(content).__name__}.")
    return check_charset(content)


__all__ = [
    "BEGIN",
    "CHARSET_94",
    "END",
    "MAX_LABEL_LENGTH",
    "PAD",
    "CharacterCodes",
    "adapt_to_charset",
    "check_charset",
    "read_charset",
]
