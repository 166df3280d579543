"""A vocabulary learnt from words is one that CLIP's tokenizer reads."""

import pytest

from tcm_hf.processing.tokenization_clip4str import CaptionBPETokenizer
from tcm_hf.training.caption_vocabulary import train_caption_vocabulary

WORDS = ["street", "stream", "streets", "tree", "trees", "area24"] * 3


def tokens_of(text, vocab, merges):
    tokenizer = CaptionBPETokenizer(vocab=vocab, merges=merges)
    return tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)[1:-1]


def test_frequent_words_become_one_token_and_digits_stay_alone():
    vocab, merges = train_caption_vocabulary(WORDS, 120)
    assert tokens_of("Street", vocab, merges) == ["street</w>"]
    assert tokens_of("area24", vocab, merges) == ["area</w>", "2</w>", "4</w>"]
    assert "".join(tokens_of("qzxj", vocab, merges)) == "qzxj</w>"


def test_ids_are_in_the_order_of_clip():
    vocab, merges = train_caption_vocabulary(WORDS, 85)
    assert list(vocab.values()) == list(range(85))
    tokens = list(vocab)
    assert tokens[0] == "!"
    assert tokens[1:37] == list("0123456789abcdefghijklmnopqrstuvwxyz")
    assert tokens[37:73] == [f"{symbol}</w>" for symbol in tokens[1:37]]
    assert tokens[73:-2] == ["".join(pair) for pair in merges]
    assert tokens[-2:] == ["<|startoftext|>", "<|endoftext|>"]


def test_other_alphabets_are_spelled_in_bytes():
    vocab, merges = train_caption_vocabulary(["мир", "миру", "мир"], 200, characters="абв")
    tokenizer = CaptionBPETokenizer(vocab=vocab, merges=merges)
    for text in ("мир", "ба"):  # learnt; only spelled
        ids = tokenizer(text).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert len(tokens_of("мир", vocab, merges)) == 1


def test_no_words_leave_single_symbols():
    vocab, merges = train_caption_vocabulary([], 2000)
    assert (len(vocab), merges) == (75, [])


def test_words_may_come_from_a_generator():
    assert train_caption_vocabulary(iter(WORDS), 100) == train_caption_vocabulary(WORDS, 100)


def test_a_vocabulary_without_room_for_single_symbols_is_refused():
    with pytest.raises(ValueError, match="at least 75"):
        train_caption_vocabulary(WORDS, 74)
