"""The caption tokenizer against CLIP's own, and against byte pair encoding written plainly."""

import random
import string
from itertools import pairwise

import pytest
import torch

from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.modeling.caption_tokenizer import CaptionTokenizer, byte_symbols, caption_text
from tcm_hf.modeling.configuration_clip4str import CHARSET_36, CHARSET_94, CLIP4STRConfig

CHARSET_62 = CHARSET_94[:62]
ENTITIES = ("&", ";")  # OpenAI's tokenizer decodes "&lt;" and the like, ours does not
HARD_WORDS = [
    "", "a", "it's", "'s", "''s", "don't", "we'll've", "'ll'l", "!'s", "a's't're", "x'd9", "12", "1a2b",
    "qwerty", "xxxxxxxxxxxxxxxxxxxxxxxxx", "0123456789012345678901234", "www.openai.com", "...", "?!'m",
    "zzz'", "'", "'r",
]  # fmt: skip


def config_with(
    caption_charset: str, charset: str = CHARSET_94, length: int = 16, text=None
) -> CLIP4STRConfig:
    return CLIP4STRConfig(
        clip_config={"text_config": text or {}},
        charset=charset,
        caption_charset=caption_charset,
        caption_length=length,
        text_freeze_layers=-1,
    )


def tokenizer_with(config: CLIP4STRConfig, vocab, merges) -> CaptionTokenizer:
    tokenizer = CaptionTokenizer(config)
    tokenizer.set_vocabulary(vocab, merges)
    return tokenizer


def ids_of(words: list[str], charset: str, width: int = 26) -> torch.Tensor:
    rows = [[charset.index(character) + 1 for character in word] for word in words]
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def random_words(charset: str, count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(charset, k=rng.randint(1, 25))) for _ in range(count)]


@pytest.fixture(scope="module")
def clip_vocabulary():
    pytest.importorskip("open_clip", reason="CLIP's vocabulary comes with open_clip_torch")
    return load_clip_vocabulary()


@pytest.mark.parametrize("caption_charset", [CHARSET_36, CHARSET_62, CHARSET_94], ids=["36", "62", "94"])
def test_captions_equal_those_of_clips_own_tokenizer(caption_charset, clip_vocabulary):
    from open_clip.tokenizer import SimpleTokenizer

    original = SimpleTokenizer()
    frequent = ["street", "Coffee", "OPEN", "exit24", "hotel's", "parking", "A1", "can't-stop"]
    words = [w for w in HARD_WORDS + frequent + random_words(CHARSET_94, 2000) if not set(w) & set(ENTITIES)]
    words += random_words(CHARSET_36, 1000, seed=1) + random_words("aeioustrn'", 1000, seed=2)
    wanted = torch.zeros(len(words), 16, dtype=torch.long)
    for row, word in enumerate(words):
        text = "".join(caption_text(character, caption_charset) for character in word)
        tokens = [49406, *original.encode(text), 49407][:16]
        tokens[-1] = 49407
        wanted[row, : len(tokens)] = torch.tensor(tokens)
    captions = tokenizer_with(config_with(caption_charset), *clip_vocabulary)(ids_of(words, CHARSET_94))
    assert captions.dtype == torch.long
    wrong = (captions != wanted).any(dim=1).nonzero()[:, 0].tolist()
    assert not wrong, [(words[i], captions[i].tolist(), wanted[i].tolist()) for i in wrong[:3]]


def plain_bpe(text: str, vocab: dict[str, int], merges: list[tuple[str, str]]) -> list[int]:
    """One run of letters, merged the slow way."""
    symbols = [byte_symbols()[byte] for byte in text.encode()]
    symbols[-1] += "</w>"
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while True:
        pairs = [(ranks.get(pair, len(ranks)), i) for i, pair in enumerate(pairwise(symbols))]
        if not pairs or min(pairs)[0] == len(ranks):
            return [vocab[symbol] for symbol in symbols]
        i = min(pairs)[1]
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]


def small_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    symbols = byte_symbols()
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}


def small_text_tower(vocab: dict[str, int]) -> dict:
    size = len(vocab)
    return {"vocab_size": size, "bos_token_id": size - 2, "eos_token_id": size - 1}


def test_a_charset_of_another_language_is_encoded_byte_by_byte_and_merged():
    charset = "абвгдеёжз०१ é"
    first = [byte_symbols()[byte] for byte in "аб".encode()]
    merges = [
        (first[0], first[1]),
        (first[2], first[3] + "</w>"),
        ("".join(first[:2]), "".join(first[2:]) + "</w>"),
    ]
    vocab = small_vocabulary(merges)
    tokenizer = tokenizer_with(config_with(charset, charset, 32, small_text_tower(vocab)), vocab, merges)
    words = ["аб", "аба", "ёжз", "a", "аб०१", "é", "бб"]
    words.remove("a")
    captions = tokenizer(ids_of(words, charset, 6))
    for word, caption in zip(words, captions.tolist(), strict=True):
        parts = ["аб", "०", "१"] if word == "аб०१" else [word]  # digits stand alone, in any script
        tokens = [token for part in parts for token in plain_bpe(part, vocab, merges)]
        framed = [len(vocab) - 2, *tokens, len(vocab) - 1]
        assert caption == framed + [0] * (32 - len(framed)), word


def test_a_space_parts_words_and_vanishes():
    charset = "ab "
    merges = [("a", "b</w>"), ("a", "b"), ("ab", "a")]
    vocab = small_vocabulary(merges)
    tokenizer = tokenizer_with(config_with(charset, charset, 8, small_text_tower(vocab)), vocab, merges)
    start, end = len(vocab) - 2, len(vocab) - 1
    rows = tokenizer(ids_of(["ab ab", " ab", "ab ", "   ", "aba"], charset, 6)).tolist()
    token = vocab["ab</w>"]
    assert rows[0][:4] == [start, token, token, end]
    assert rows[1] == rows[2] == [start, token, end, 0, 0, 0, 0, 0]
    assert rows[3] == [start, end, 0, 0, 0, 0, 0, 0]
    assert rows[4][:4] == [start, vocab["ab"], vocab["a</w>"], end]


def test_a_long_caption_is_cut_and_still_ends():
    vocab = small_vocabulary([])
    tokenizer = tokenizer_with(config_with("ab", "ab", 5, small_text_tower(vocab)), vocab, [])
    rows = tokenizer(ids_of(["abab", "aba", "ab"], "ab", 6)).tolist()
    a, b, end = vocab["a"], vocab["b"], len(vocab) - 1
    assert rows[0][1:] == [a, b, a, end]
    assert rows[1][1:] == [a, b, vocab["a</w>"], end]
    assert rows[2][1:] == [a, vocab["b</w>"], end, 0]


def test_what_stands_behind_the_end_is_not_read():
    vocab = small_vocabulary([("a", "b")])
    tokenizer = tokenizer_with(config_with("ab", "ab", 6, small_text_tower(vocab)), vocab, [("a", "b")])
    clean, dirty = torch.tensor([[1, 0, 0, 0]]), torch.tensor([[1, 0, 2, 1]])
    torch.testing.assert_close(tokenizer(clean), tokenizer(dirty))


@pytest.mark.parametrize(
    ("charset", "character", "caption"),
    [
        (CHARSET_36, "A", "a"),
        (CHARSET_36, "%", ""),
        (CHARSET_62, "A", "a"),  # CLIP's vocabulary has no upper case
        (CHARSET_62, "%", ""),
        (CHARSET_36.upper(), "a", "a"),
        (string.digits, "a", ""),
        (CHARSET_94, "[", "["),
        (CHARSET_36, "İ", "i"),
    ],
)
def test_characters_become_what_the_caption_charset_allows(charset, character, caption):
    assert caption_text(character, charset) == caption


def test_a_vocabulary_that_does_not_fit_is_refused():
    vocab = small_vocabulary([])
    tokenizer = CaptionTokenizer(config_with("ab", "ab", 8, small_text_tower(vocab)))
    with pytest.raises(ValueError, match="must fit the text tower"):
        tokenizer.set_vocabulary(vocab | {"<|endoftext|>": 3}, [])
    with pytest.raises(ValueError, match=r"lacks the symbols \['b'\]"):
        tokenizer.set_vocabulary({token: i for token, i in vocab.items() if token != "b</w>"}, [])
    with pytest.raises(ValueError, match="of merge 0"):
        tokenizer.set_vocabulary(vocab, [("a", "b")])
    with pytest.raises(ValueError, match="set_caption_vocabulary"):
        tokenizer(torch.tensor([[1, 2, 0]]))
