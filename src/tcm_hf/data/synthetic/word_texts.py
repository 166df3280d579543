"""What single words say: dictionary words, sign words, numbers, codes, addresses, random strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from tcm_hf.data.synthetic.words import SIGN_WORDS, made_up_word, number_word

CHARSET_94 = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)
"""Digits, Latin letters of both cases, and ASCII punctuation."""

# How often a dictionary word has so many letters: what signs, labels and posters use, not the dictionary's
# own distribution (which peaks at nine).
LENGTH_WEIGHTS = dict(enumerate((5, 13, 19, 16, 13, 11, 8, 5, 4, 2.5, 1.5, 1, 0.6), start=2))
LONGER_WEIGHT = 0.2
TAILS = (".", ",", "!", ":", "?", ";", "...", "%", "*", "+", ")", '"', "'", "-", "/", "&", "@", "$", "!!")
NUMBER_TAILS = ("%", "+", ")", "th", "st", "nd", "K", "M", "x", "km", "KM", "am", "pm")
WRAPPERS = ("()", "[]", '""', "''", "{}", "<>", "**", "--", "~~", "__")
DOMAINS = ("com", "org", "net", "co", "sg", "de", "eu", "co.uk", "com.sg", "info", "tv", "in", "us", "my")


def read_word_list(path: Path | str) -> list[str]:
    """The words of a text file, one a line; surrounding space and a possessive 's are cut off.

    Raises:
        ValueError: If the file is not UTF-8 text or holds no word.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a UTF-8 word list, one word a line ({error}).") from error
    words = [line.strip().removesuffix("'s") for line in lines]
    found = list(dict.fromkeys(word for word in words if word and not any(map(str.isspace, word))))
    if not found:
        raise ValueError(f"{path}: expected a word a line: found none.")
    return found


class WordTexts:
    """Draws words to be rendered; every one is a non-empty string over the charset.

    Args:
        charset: The characters that may be drawn. A letter whose other case only is in it gets that case;
            what is not in it at all is left out.
        words: Dictionary words; the built-in sign words are always there too.
        max_length: The longest word.
    """

    def __init__(self, charset: str = CHARSET_94, words: Iterable[str] = (), max_length: int = 25) -> None:
        if not charset or any(map(str.isspace, charset)):
            raise ValueError(f"`charset` must be characters without spaces: got {charset!r}.")
        if max_length < 1:
            raise ValueError(f"`max_length` must be 1 or more: got {max_length}.")
        self.charset = charset
        self.max_length = max_length
        self._fitting = {character: character for character in charset}
        for character in charset:
            for other in (character.lower(), character.upper()):
                if len(other) == 1:
                    self._fitting.setdefault(other, character)
        self._letters = [c for c in charset if c.isalpha()] or list(charset)
        self._capitals = [c for c in self._letters if c == c.upper()] or self._letters
        self._digits = [c for c in charset if c.isdigit()] or list(charset)
        self._marks = [c for c in charset if not c.isalnum()] or list(charset)
        self._by_length = self._grouped(words) or self._grouped(SIGN_WORDS)
        self._sign_words = [word for word in SIGN_WORDS if self._fits(word)]
        lengths = sorted(self._by_length)
        weights = np.array([LENGTH_WEIGHTS.get(length, LONGER_WEIGHT) for length in lengths])
        self._lengths, self._length_ends = lengths, np.cumsum(weights / max(weights.sum(), 1e-9))
        shares = [share for share, _ in self._kinds()]
        self._makers = [maker for _, maker in self._kinds()]
        self._ends = np.cumsum(np.array(shares) / sum(shares))

    def draw(self, rng: np.random.Generator) -> str:
        """One word of 1..`max_length` characters of the charset."""
        for _ in range(8):
            text = self._fitted(self._one_of(rng, self._ends, self._makers)(rng))
            if text:
                return text[: self.max_length]
        return self._random_string(rng)[: self.max_length]

    def _kinds(self) -> list[tuple[float, Callable[[np.random.Generator], str]]]:
        """Shares of the kinds of words, and what makes them."""
        # Where no word is in the charset's script, random strings are all there is.
        listed = 1.0 if self._by_length else 0.0
        latin = 1.0 if self._sign_words else 0.0
        return [
            (0.44 * listed, self._dictionary),
            (0.09 * latin, self._sign),
            (0.05 * latin, self._invented),
            (0.04 * listed, self._with_marks),
            (0.03 * listed, self._joined),
            (0.025 * latin, self._address),
            (0.07, number_word),
            (0.06, self._number),
            (0.04, self._code),
            (0.10, self._random_string),
            (0.035, self._single),
            (0.02, self._pair),
        ]

    def _grouped(self, words: Iterable[str]) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for word in dict.fromkeys(words):
            if self._fits(word) and 2 <= len(word) <= self.max_length:
                groups.setdefault(len(word), []).append(word)
        return groups

    def _fits(self, word: str) -> bool:
        return all(character in self._fitting for character in word)

    def _fitted(self, text: str) -> str:
        fitting = self._fitting
        return "".join([fitting[character] for character in text if character in fitting])

    @staticmethod
    def _one_of(rng: np.random.Generator, ends: np.ndarray, options: Sequence):
        return options[min(int(np.searchsorted(ends, rng.random(), side="right")), len(options) - 1)]

    def _listed(self, rng: np.random.Generator) -> str:
        return _pick(rng, self._by_length[self._one_of(rng, self._length_ends, self._lengths)])

    def _dictionary(self, rng: np.random.Generator) -> str:
        return _cased(rng, self._listed(rng))

    def _sign(self, rng: np.random.Generator) -> str:
        return _cased(rng, _pick(rng, self._sign_words))

    def _invented(self, rng: np.random.Generator) -> str:
        return _cased(rng, made_up_word(rng))

    def _with_marks(self, rng: np.random.Generator) -> str:
        """Punctuation behind, before or around a word; possessives."""
        word = _cased(rng, self._listed(rng)) if rng.random() < 0.8 else self._number(rng)
        draw = rng.random()
        if draw < 0.25:
            return word + ("'S" if word.isupper() else "'s")
        if draw < 0.7:
            return word + _pick(rng, TAILS)
        if draw < 0.85:
            first, last = _pick(rng, WRAPPERS)
            return first + word + last
        return _pick(rng, self._marks) + word

    def _joined(self, rng: np.random.Generator) -> str:
        """Two words with a mark or nothing between them."""
        first, second = self._listed(rng), self._listed(rng)
        return _cased(rng, first + _pick(rng, ("-", "-", "-", "&", "/", "'", "+", ".", "_", "", "")) + second)

    def _address(self, rng: np.random.Generator) -> str:
        """A part of a web or mail address."""
        name = self._listed(rng).lower()
        domain = _pick(rng, DOMAINS)
        draw = rng.random()
        if draw < 0.35:
            text = f"www.{name}.{domain}"
        elif draw < 0.55:
            text = f"{name}.{domain}"
        elif draw < 0.7:
            text = f"{_pick(rng, ('info', 'sales', 'contact', 'hello', 'mail'))}@{name}.{domain}"
        elif draw < 0.8:
            text = f"{_pick(rng, '@#')}{name}"
        elif draw < 0.9:
            text = f".{domain}"
        else:
            text = f"/{name}"
        return text.upper() if rng.random() < 0.15 else text

    def _number(self, rng: np.random.Generator) -> str:
        """Digits alone, and the parts of telephone numbers, prices and ranges."""
        count = 1 + min(int(rng.geometric(0.33)), 11)
        digits = self._some(rng, self._digits, count)
        draw = rng.random()
        if draw < 0.55:
            return digits
        if draw < 0.7:
            return f"{digits[:3]}{_pick(rng, '-./')}{digits[3:] or '0'}"
        if draw < 0.8:
            return f"{_pick(rng, ('$', '+', '#', '-', '(', '<', '>', '='))}{digits}"
        if draw < 0.9:
            return f"{digits}{_pick(rng, NUMBER_TAILS)}"
        return f"{digits[:3]},{self._some(rng, self._digits, 3)}"

    def _code(self, rng: np.random.Generator) -> str:
        """Letters and digits mixed, as on plates, shelves and parcels."""
        parts = [
            self._some(rng, _pick(rng, (self._capitals, self._digits)), int(rng.integers(1, 5)))
            for _ in range(int(rng.integers(2, 4)))
        ]
        return _pick(rng, ("", "", "-", "/")).join(parts)

    def _random_string(self, rng: np.random.Generator) -> str:
        """Characters without a meaning; all of the charset, so that rare ones are learnt too."""
        length = 1 + min(int(rng.geometric(0.24)), self.max_length - 1)
        pool = _pick(rng, (self.charset, self.charset, self._letters, self._capitals, self._digits))
        return self._some(rng, pool, length)

    def _single(self, rng: np.random.Generator) -> str:
        return _pick(rng, _pick(rng, (self.charset, self._letters, self._capitals, self._digits)))

    def _pair(self, rng: np.random.Generator) -> str:
        return _cased(rng, self._some(rng, self._letters, 2))

    @staticmethod
    def _some(rng: np.random.Generator, pool: Sequence[str], count: int) -> str:
        return "".join([pool[place] for place in rng.integers(len(pool), size=count)])


def _pick(rng: np.random.Generator, options: Sequence):
    return options[int(rng.integers(len(options)))]


def _cased(rng: np.random.Generator, word: str) -> str:
    """UPPER 40 %, Title 25 %, lower 25 %, as it is listed 5 %, two parts in one 3 %, random case 2 %."""
    draw = rng.random()
    if draw < 0.40:
        return word.upper()
    if draw < 0.65:
        return word[:1].upper() + word[1:].lower()
    if draw < 0.90:
        return word.lower()
    if draw < 0.95:
        return word
    if draw < 0.98:
        place = int(rng.integers(1, max(2, len(word))))
        first = word[:place].capitalize() if rng.random() < 0.7 else word[:place].lower()
        return first + word[place:].capitalize()
    upper = rng.random(len(word)) < 0.5
    return "".join([c.upper() if up else c.lower() for c, up in zip(word, upper, strict=True)])
