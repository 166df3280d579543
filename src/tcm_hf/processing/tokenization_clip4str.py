"""Tokenizers of CLIP4STR: single characters for the words it reads, CLIP's byte pairs for their captions."""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from transformers import CLIPTokenizer, PreTrainedTokenizer

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
    if "\0" in listed:
        raise ValueError(
            "The character U+0000 cannot be in a charset: it marks the end of strings. Leave it out."
        )
    twice = sorted({one for one in listed if listed.count(one) > 1}) if len(set(listed)) < len(listed) else []
    if twice:
        raise ValueError(
            f"Every character of a charset comes once: {', '.join(map(repr, twice))} came several times. "
            "Remove the repeats."
        )
    return "".join(listed)


class CharacterTokenizer(PreTrainedTokenizer):
    """One id a character: 0 ends a word, 1..n are the characters, n + 1 begins a word, n + 2 pads.

    A tokenized word is its characters and the end. Letters are brought to the case of the charset where it
    has only one, as `adapt_to_charset` does.

    Args:
        charset_file: a charset.json as `save_pretrained` writes it.
        charset: the characters in the order of their ids, instead of a file; by default 10 digits, 52 letters
            and 32 marks.
        unknown_characters: what happens to characters that are not in the charset: "drop" leaves them out,
            "raise" is an error that names them.
        model_max_length: longest word, its end included.

    Raises:
        ValueError: if the charset has no or repeated characters, or the policy is unknown.

    Example:
        >>> from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer
        >>> tokenizer = CharacterTokenizer.from_charset("абвгд")
        >>> tokenizer(["баба"])["input_ids"]
        [[2, 1, 2, 1, 0]]
        >>> tokenizer.batch_decode([[2, 1, 2, 1, 0, 7, 7]])
        ['баба']
    """

    vocab_files_names = {"charset_file": "charset.json"}
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(
        self,
        charset_file: str | Path | None = None,
        charset: str | Iterable[str] | None = None,
        unknown_characters: str = "drop",
        model_max_length: int = MAX_LABEL_LENGTH + 1,
        **kwargs: Any,
    ):
        if unknown_characters not in ("drop", "raise"):
            raise ValueError(f'`unknown_characters` must be "drop" or "raise": got {unknown_characters!r}.')
        if charset is None:
            charset = CHARSET_94 if charset_file is None else _read_charset(Path(charset_file))
        self.charset = check_charset(charset)
        self.unknown_characters = unknown_characters
        self._ids = {token: number for number, token in enumerate([END, *self.charset, BEGIN, PAD])}
        self._tokens = list(self._ids)
        # Null characters at the end of an array of strings are no part of them: they stand for what is cut.
        self._symbols = np.array(["\0", *self.charset, "\0", "\0"])
        self._by_code = np.argsort(self._symbols[1:-2], kind="stable")
        if not type(self).__module__.startswith("transformers_modules"):
            # What is saved here again must not point at code that is not beside it.
            kwargs.pop("auto_map", None)
        special = {"eos_token": END, "bos_token": BEGIN, "pad_token": PAD}
        super().__init__(
            **(special | kwargs), unknown_characters=unknown_characters, model_max_length=model_max_length
        )

    @classmethod
    def from_charset(
        cls, charset: str | Iterable[str], max_label_length: int = MAX_LABEL_LENGTH, **kwargs: Any
    ) -> Self:
        """A tokenizer for any set of characters, of any language.

        Args:
            charset: the characters, each once; their order is the order of the ids.
            max_label_length: most characters of a word.
            **kwargs: further arguments of the tokenizer.

        Raises:
            ValueError: if the charset has no or repeated characters.
        """
        return cls(charset=charset, model_max_length=max_label_length + 1, **kwargs)

    @property
    def vocab_size(self) -> int:
        """Number of ids: the characters and three special ones."""
        return len(self._tokens)

    @property
    def max_label_length(self) -> int:
        """Most characters of a word."""
        return int(self.model_max_length) - 1

    def get_vocab(self) -> dict[str, int]:
        """Token -> id."""
        return dict(self._ids)

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any
    ) -> list[str]:
        """The characters of a text that the charset has. `[E]` in a text is three characters."""
        return list(self._adapted(text))

    def _convert_token_to_id(self, token: str) -> int | None:
        return self._ids.get(token)

    def _convert_id_to_token(self, index: int) -> str:
        return self._tokens[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of tokens: without anything between them."""
        return "".join(tokens)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """The characters and the end; there are no pairs of words."""
        return [*token_ids_0, *(token_ids_1 or []), self._ids[END]]

    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """1 for the end, the beginning and padding, 0 for characters."""
        if not already_has_special_tokens:
            return [0] * len([*token_ids_0, *(token_ids_1 or [])]) + [1]
        return [int(not 0 < number <= len(self.charset)) for number in token_ids_0]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Zeros: there are no pairs of words."""
        return [0] * len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))

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

    def decode(self, token_ids: Any, *args: Any, **kwargs: Any) -> Any:
        """The word of some ids, or the words of a batch of them.

        A word ends at the first end, padding or ignored label (-100); beginnings are left out.

        Args:
            token_ids: ids of one word, or a list or `(B, L)` array or tensor of those of several.
            *args: taken and without effect, as special tokens are never shown.
            **kwargs: as `args`.

        Returns:
            A string, or a list of them.
        """
        ids = token_ids.detach().cpu().numpy() if hasattr(token_ids, "detach") else token_ids
        is_batch = ids.ndim > 1 if isinstance(ids, np.ndarray) else any(np.ndim(one) for one in _listed(ids))
        return self._decode_batch(ids) if is_batch else self._decode_batch([_listed(ids)])[0]

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
            rows = [np.asarray(_listed(row), dtype=np.int64) for row in sequences]
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

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write charset.json: one string, the characters in the order of their ids."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        path = Path(save_directory) / (prefix + self.vocab_files_names["charset_file"])
        path.write_text(json.dumps(self.charset, ensure_ascii=False) + "\n", encoding="utf-8")
        return (str(path),)


class CaptionBPETokenizer(CLIPTokenizer):
    """CLIP's own tokenizer, as CLIP pads and cuts: with id 0, to 16 ids of which the last is the end.

    Args:
        vocab: token -> id; the first token pads.
        merges: pairs of tokens in the order of merging.
        **kwargs: arguments of `CLIPTokenizer`.

    Example:
        >>> tokenizer = CaptionBPETokenizer(vocab=vocab, merges=merges)  # doctest: +SKIP
        >>> tokenizer.encode_captions(["clip4str"]).shape  # doctest: +SKIP
        (1, 16)
    """

    def __init__(self, vocab: Any = None, merges: Any = None, **kwargs: Any):
        kwargs.setdefault("model_max_length", 16)
        super().__init__(vocab=vocab, merges=merges, **kwargs)

    @property
    def pad_token_id(self) -> int:
        """0. In CLIP's vocabulary that is also the id of a symbol, so it cannot be a special token."""
        return 0

    def encode_captions(self, texts: Sequence[str], length: int | None = None) -> np.ndarray:
        """The ids that CLIP's text encoder sees.

        Args:
            texts: captions. HTML entities are undone and white space is joined, as in CLIP.
            length: number of ids; `model_max_length` by default.

        Returns:
            `(len(texts), length)` int64: start, tokens, end, zeros.
        """
        length = int(self.model_max_length if length is None else length)
        clean = [" ".join(html.unescape(html.unescape(text)).split()) for text in texts]
        if not clean:
            return np.zeros((0, length), dtype=np.int64)
        ids = self(clean, padding="max_length", truncation=True, max_length=length).input_ids
        return np.array(ids, dtype=np.int64)


def _listed(ids: Any) -> list:
    """A list of what is a list, an array, a tensor or a single id."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    return list(ids) if isinstance(ids, (list, tuple)) else [ids]


def _read_charset(path: Path) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, (str, list)):
        raise ValueError(f"Expected a string of characters in {path}: got {type(content).__name__}.")
    return check_charset(content)


__all__ = ["CHARSET_94", "CaptionBPETokenizer", "CharacterTokenizer", "adapt_to_charset"]
