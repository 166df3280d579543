"""Tokenizers of CLIP4STR: single characters for the words it reads, CLIP's byte pairs for their captions."""

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from transformers import CLIPTokenizer, PreTrainedTokenizer

from .character_codes import (
    BEGIN,
    CHARSET_94,
    END,
    MAX_LABEL_LENGTH,
    PAD,
    CharacterCodes,
    listed,
    read_charset,
)


class CharacterTokenizer(CharacterCodes, PreTrainedTokenizer):
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
        if charset is None:
            charset = CHARSET_94 if charset_file is None else read_charset(Path(charset_file))
        self._set_charset(charset, unknown_characters)
        if not type(self).__module__.startswith("transformers_modules"):
            # What is saved here again must not point at code that is not beside it.
            kwargs.pop("auto_map", None)
        special = {"eos_token": END, "bos_token": BEGIN, "pad_token": PAD}
        PreTrainedTokenizer.__init__(
            self,
            **(special | kwargs),
            unknown_characters=unknown_characters,
            model_max_length=model_max_length,
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
        is_batch = ids.ndim > 1 if isinstance(ids, np.ndarray) else any(np.ndim(one) for one in listed(ids))
        return self._decode_batch(ids) if is_batch else self._decode_batch([listed(ids)])[0]

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


__all__ = ["CaptionBPETokenizer", "CharacterTokenizer"]
