"""CLIP's byte pair encoding as tensor operations: what was read becomes a caption without Python."""

import unicodedata

import torch
from torch import nn

from .configuration_clip4str import CLIP4STRConfig
from .exported_graph import is_exporting, repeat_while

LETTER, DIGIT, OTHER, SPACE = range(4)
NOTHING = -1
START_OF_TEXT, END_OF_TEXT = "<|startoftext|>", "<|endoftext|>"
CONTRACTIONS = ("s", "t", "re", "ve", "m", "ll", "d")
APOSTROPHE = ord("'")


def byte_symbols() -> list[str]:
    """The printable character that stands for each byte 0..255 in GPT-2's and CLIP's vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + hidden.index(byte)) for byte in range(256)]


def caption_text(character: str, caption_charset: str) -> str:
    """What a character becomes in the caption: itself, its lower case, or nothing.

    Source: CLIP4STR, sec. III-C: captions hold digits and lower-case letters unless configured otherwise.
    """
    if caption_charset == caption_charset.lower():
        character = character.lower()
    elif caption_charset == caption_charset.upper():
        character = character.upper()
    kept = "".join(part for part in character if part in caption_charset)
    return kept.lower()  # CLIP's vocabulary has no upper case


def _kind(character: str) -> int:
    if character.isspace():
        return SPACE
    return {"L": LETTER, "N": DIGIT}.get(unicodedata.category(character)[0], OTHER)


class CaptionTokenizer(nn.Module):
    """Character ids -> token ids of CLIP's text tower, exactly as CLIP's tokenizer splits the word.

    Byte pair encoding merges, again and again, the neighbouring pair of lowest rank. Here all rows of a batch
    merge their leftmost such pair in every round; a merge never makes a pair of lower rank than its own, so
    this is the same as merging all occurrences of a pair at once.

    Parity: HTML entities are not decoded and words that spell CLIP's special tokens are text, unlike in
        OpenAI's
    tokenizer; both happen only if `caption_charset` has punctuation.

    Args:
        config: [`CLIP4STRConfig`]; `num_caption_merges` sizes the buffers that weights are loaded into.
    """

    character_bytes: torch.Tensor
    character_kinds: torch.Tensor
    symbol_ids: torch.Tensor
    merge_keys: torch.Tensor
    merge_ranks: torch.Tensor
    merge_results: torch.Tensor

    def __init__(self, config: CLIP4STRConfig):
        super().__init__()
        self.caption_length = config.caption_length
        self.end_id = config.end_id
        self.start_token_id = config.clip_config.text_config.bos_token_id
        self.end_token_id = config.clip_config.text_config.eos_token_id
        self.vocab_size = config.clip_config.text_config.vocab_size
        self.captions = [caption_text(character, config.caption_charset) for character in config.charset]
        self.num_bytes = max(1, *(len(text.encode()) for text in self.captions))
        character_bytes, character_kinds = self.character_tables()
        merges = (config.num_caption_merges,)
        # All persistent, so that a model built on the meta device gets them from its checkpoint.
        self.register_buffer("character_bytes", character_bytes)
        self.register_buffer("character_kinds", character_kinds)
        self.register_buffer("symbol_ids", torch.zeros(256, 2, dtype=torch.int32))
        self.register_buffer("merge_keys", torch.zeros(merges, dtype=torch.int64))
        self.register_buffer("merge_ranks", torch.zeros(merges, dtype=torch.int32))
        self.register_buffer("merge_results", torch.zeros(merges, dtype=torch.int32))
        self._ready = False

    def character_tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Bytes and kinds of every character id, (n + 1, bytes) each; `NOTHING` where there is none."""
        character_bytes = [[NOTHING] * self.num_bytes]
        character_kinds = [[NOTHING] * self.num_bytes]
        for text in self.captions:
            padding = [NOTHING] * (self.num_bytes - len(text.encode()))
            character_bytes.append([*text.encode(), *padding])
            # Only the first byte of a character can begin a new token, so only it carries a kind.
            kinds = []
            for part in text:
                kinds += [_kind(part), *[NOTHING] * (len(part.encode()) - 1)]
            character_kinds.append([*kinds, *padding])
        return (
            torch.tensor(character_bytes, dtype=torch.int16),
            torch.tensor(character_kinds, dtype=torch.int8),
        )

    def set_vocabulary(self, vocab: dict[str, int], merges: list[tuple[str, str]]) -> None:
        """Fills the buffers with a vocabulary in CLIP's form.

        Args:
            vocab: token -> id with `<|startoftext|>`, `<|endoftext|>`, and `</w>` behind symbols that end a
                word.
            merges: pairs of tokens, lowest rank first.

        Raises:
            ValueError: if the vocabulary does not fit the text tower or lacks a symbol that a caption needs.
        """
        self._check_vocabulary(vocab)
        device = self.symbol_ids.device
        symbols = [
            [vocab.get(symbol, NOTHING), vocab.get(symbol + "</w>", NOTHING)] for symbol in byte_symbols()
        ]
        ranks: dict[int, tuple[int, int]] = {}
        for rank, (first, second) in enumerate(merges):
            if missing := [token for token in (first, second, first + second) if token not in vocab]:
                raise ValueError(
                    f"`merges` must build tokens of `vocab`: {missing} of merge {rank} are not in it."
                )
            ranks.setdefault(self._key(vocab[first], vocab[second]), (rank, vocab[first + second]))
        keys = sorted(ranks)
        self.symbol_ids = torch.tensor(symbols, dtype=torch.int32, device=device)
        self.merge_keys = torch.tensor(keys, dtype=torch.int64, device=device)
        self.merge_ranks = torch.tensor([ranks[key][0] for key in keys], dtype=torch.int32, device=device)
        self.merge_results = torch.tensor([ranks[key][1] for key in keys], dtype=torch.int32, device=device)

    def _key(self, first, second):
        return first * self.vocab_size + second

    def _check_vocabulary(self, vocab: dict[str, int]) -> None:
        special = (vocab.get(START_OF_TEXT), vocab.get(END_OF_TEXT))
        if special != (self.start_token_id, self.end_token_id) or max(vocab.values()) >= self.vocab_size:
            raise ValueError(
                f"The vocabulary must fit the text tower, {START_OF_TEXT} with id {self.start_token_id}, "
                f"{END_OF_TEXT} with {self.end_token_id}, all ids below {self.vocab_size}: it has {special} "
                f"and ids up to {max(vocab.values())}. Give the config the vocabulary's `vocab_size`, "
                "`bos_token_id` and `eos_token_id`."
            )
        symbols = byte_symbols()
        needed = {byte for text in self.captions if not text.isspace() for byte in text.encode()}
        lacking = sorted(
            symbols[byte]
            for byte in needed
            if symbols[byte] not in vocab or symbols[byte] + "</w>" not in vocab
        )
        if lacking:
            raise ValueError(
                f"The vocabulary lacks the symbols {lacking} (each is needed alone and with </w>): take one "
                "that was made for these characters, or a smaller `caption_charset`."
            )

    def check_ready(self) -> None:
        """Raises ValueError while there is no vocabulary."""
        if self._ready or torch.compiler.is_compiling():
            return
        if not self.symbol_ids.any():
            raise ValueError(
                "The cross branch reads captions and has no caption vocabulary yet: call "
                "`model.set_caption_vocabulary(vocab, merges)`, or read with use_cross_branch=False."
            )
        self._ready = True

    def forward(self, character_ids: torch.Tensor) -> torch.Tensor:
        """Captions of words.

        Args:
            character_ids: (B, T) ids 0..n; a word ends at its first 0.

        Returns:
            (B, caption_length) token ids: start, tokens, end, then 0. A caption that is too long is cut and
            ends with the end token all the same.
        """
        self.check_ready()
        in_word = (character_ids == self.end_id).cumsum(-1) == 0
        character_ids = character_ids * in_word
        values = self.character_bytes[character_ids].flatten(1).long()  # (B, S)
        kinds = self.character_kinds[character_ids].flatten(1).long()
        values, kinds = _compact(values != NOTHING, values, kinds)
        last = _token_ends(values, kinds)
        inside = (values != NOTHING) & (_kind_of_character(kinds) != SPACE)
        symbols = self.symbol_ids[values.clamp(min=0), last.long()].long().masked_fill(~inside, NOTHING)
        symbols, last = _compact(inside, symbols, last.long())
        symbols = self._merge(symbols, last == 1)
        return self._frame(symbols)

    def _merge(self, symbols: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Merges pairs until no row has one; `last` marks symbols that end a token. (B, S) -> (B, S)."""
        width = symbols.shape[1]
        if self.merge_keys.numel() == 0 or width < 2:
            return symbols
        if is_exporting():

            def goes_on(turn, merging, symbols, last):
                return (turn[0] < width - 1) & merging.any()

            def merge(turn, merging, symbols, last):
                return turn + 1, *self._merge_once(symbols, last)

            start = torch.zeros_like(symbols[0, :1]), torch.ones_like(last[:, :1]), symbols, last
            return repeat_while(goes_on, merge, start)[2]
        # A question to the device costs more than a few idle rounds, but not on a CPU.
        ask_every = 1 if symbols.device.type == "cpu" else 8
        for round_index in range(width - 1):
            merging, symbols, last = self._merge_once(symbols, last)
            if not torch.compiler.is_compiling() and round_index % ask_every == 0 and not merging.any():
                break
        return symbols

    def _merge_once(
        self, symbols: torch.Tensor, last: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Merges one pair of every row that has one: (B, 1) whether it had one, and both (B, S) after it."""
        width = symbols.shape[1]
        positions = torch.arange(width, device=symbols.device)
        never = torch.iinfo(torch.int64).max
        keys = self._key(symbols[:, :-1], symbols[:, 1:])
        found = self._find(keys).clamp(max=self.merge_keys.numel() - 1)
        allowed = (self.merge_keys[found] == keys) & ~last[:, :-1] & (symbols[:, 1:] != NOTHING)
        # The position makes ties impossible: the leftmost of equal pairs wins.
        order = self.merge_ranks[found].long() * width + positions[:-1]
        best, at = order.masked_fill(~allowed, never).min(dim=1, keepdim=True)
        merging = best != never
        results = self.merge_results[found.gather(1, at)].long()
        here = merging & (positions == at)
        source = (positions + (merging & (positions >= at))).clamp(max=width - 1)
        ended = merging & (positions == width - 1)
        symbols = torch.where(here, results, symbols.gather(1, source)).masked_fill(ended, NOTHING)
        return merging, symbols, last.gather(1, source)

    def _find(self, keys: torch.Tensor) -> torch.Tensor:
        """Index of the first merge whose key is not below a key."""
        if not is_exporting():
            return torch.searchsorted(self.merge_keys, keys)
        # ONNX has no search: there it becomes a comparison with all keys, 49,000 for CLIP.
        below, count = torch.zeros_like(keys), self.merge_keys.numel()
        for bit in reversed(range(count.bit_length())):
            further = below + (1 << bit)
            is_below = (further <= count) & (self.merge_keys[further.clamp(max=count) - 1] < keys)
            below = torch.where(is_below, further, below)
        return below

    def _frame(self, symbols: torch.Tensor) -> torch.Tensor:
        """Start, tokens, end, zeros: (B, S) -> (B, caption_length)."""
        body = self.caption_length - 2
        symbols = nn.functional.pad(symbols, (0, max(0, body - symbols.shape[1])), value=NOTHING)[:, :body]
        lengths = (symbols != NOTHING).sum(dim=1, keepdim=True)
        framed = nn.functional.pad(symbols.clamp(min=0), (1, 1))
        framed[:, 0] = self.start_token_id
        positions = torch.arange(self.caption_length, device=symbols.device)
        return framed.masked_fill(positions == lengths + 1, self.end_token_id)


def _compact(keep: torch.Tensor, *rows: torch.Tensor) -> list[torch.Tensor]:
    """Moves the kept entries of every row to its left, in order; `NOTHING` fills the rest."""
    width = keep.shape[1]
    # What is not kept goes into one more column, which is cut off: a stable sort has no counterpart in ONNX.
    target = torch.where(keep, keep.cumsum(dim=1) - 1, width)
    blank = torch.full_like(nn.functional.pad(target, (0, 1)), NOTHING)
    return [blank.scatter(1, target, row.long())[:, :width] for row in rows]


def _kind_of_character(kinds: torch.Tensor) -> torch.Tensor:
    """Gives every byte the kind of its character, which is known at the character's first byte."""
    positions = torch.arange(kinds.shape[1], device=kinds.device)
    # By index: transformers' exporter to ONNX puts a plain tuple in the place of PyTorch's named one.
    first = torch.where(kinds != NOTHING, positions, 0).cummax(dim=1)[0]
    return kinds.gather(1, first)


def _token_ends(values: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Marks bytes that end a token: runs of letters, single digits, runs of other characters, contractions.

    Args:
        values: (B, S) bytes, compact.
        kinds: (B, S) kind at the first byte of a character, `NOTHING` elsewhere.
    """
    begins_character = kinds != NOTHING
    whole = _kind_of_character(kinds)
    before = nn.functional.pad(whole[:, :-1], (1, 0), value=SPACE)
    begins = begins_character & ((whole != before) | (whole == DIGIT))

    def follows(distance: int) -> torch.Tensor:
        return nn.functional.pad(values[:, distance:], (0, distance), value=NOTHING)

    # An apostrophe begins a contraction only where it begins a token, not inside a run of other characters.
    apostrophe = (values == APOSTROPHE) & begins
    for ending in CONTRACTIONS:
        if len(ending) >= values.shape[1]:
            continue
        match = apostrophe
        for distance, letter in enumerate(ending, start=1):
            match = match & (follows(distance) == ord(letter))
        # The letters belong to the apostrophe; what follows them begins a token.
        begins = begins & ~nn.functional.pad(match[:, :-1], (1, 0))
        if len(ending) + 1 < values.shape[1]:
            begins = begins | nn.functional.pad(match[:, : -len(ending) - 1], (len(ending) + 1, 0))
    after = nn.functional.pad(begins[:, 1:], (0, 1), value=True)
    nothing_after = nn.functional.pad(values[:, 1:], (0, 1), value=NOTHING) == NOTHING
    return (values != NOTHING) & (after | nothing_after)
