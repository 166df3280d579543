"""A byte-pair vocabulary of CLIP's form, learnt from words, for text towers trained from scratch."""

import json
from collections import Counter
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import bytes_to_unicode

START, END = "<|startoftext|>", "<|endoftext|>"
PADDING = "!"  # what CLIP pads captions with is id 0, and that is this symbol in CLIP's own vocabulary
END_OF_WORD = "</w>"
LOWER_CASE_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

# How CLIP cuts a caption before it merges: letters together, every digit alone, the rest together.
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def train_caption_vocabulary(
    words: Iterable[str], vocab_size: int = 2000, characters: str = LOWER_CASE_AND_DIGITS
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn a vocabulary that CLIP's tokenizer can read, smaller than CLIP's own.

    The order of ids is CLIP's: the padding symbol (id 0), the symbols inside words, the symbols that end
    words (`</w>`), one token per merge, start, end. Symbols are CLIP's stand-ins for UTF-8 bytes, so any
    language fits. Digits never merge, as in CLIP.

    Args:
        words: training words; one that comes more often counts more. They are lower-cased, as CLIP does.
        vocab_size: most tokens, start and end included; fewer if the words have no more pairs to merge.
        characters: what must be spelled even if no word has it. Of characters beyond these the bytes are
            added when a word has them.

    Returns:
        Token -> id, and the merges from the first learnt to the last: the contents of a CLIP tokenizer's
        vocab.json and merges.txt.

    Raises:
        ValueError: if `vocab_size` has no room for the single symbols.
    """
    counts = Counter(word.lower() for word in words)
    text = "".join(dict.fromkeys("".join([characters, *counts])))
    of_byte = bytes_to_unicode()
    order = {symbol: place for place, symbol in enumerate(of_byte.values())}
    inside = sorted({of_byte[byte] for byte in text.replace(" ", "").encode()}, key=order.__getitem__)
    singles = list(dict.fromkeys([PADDING, *inside, *(symbol + END_OF_WORD for symbol in inside)]))
    num_merges = vocab_size - len(singles) - 2
    if num_merges < 0:
        raise ValueError(
            f"Expected `vocab_size` of at least {len(singles) + 2}, for {len(inside)} symbols inside and at "
            f"the end of words, padding, start and end: got {vocab_size}."
        )
    learnt = _learn(counts, inside, 2 * len(inside) + num_merges)[:num_merges]
    tokens = dict.fromkeys([*singles, *(left + right for left, right in learnt), START, END])
    return {token: number for number, token in enumerate(tokens)}, learnt


def _learn(counts: Counter[str], symbols: list[str], vocab_size: int) -> list[tuple[str, str]]:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=symbols,
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    tokenizer.train_from_iterator(counts.elements(), trainer=trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]
