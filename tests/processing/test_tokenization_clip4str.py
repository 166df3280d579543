"""Characters and captions get the original's ids; any other charset is one call away."""

import numpy as np
import pytest
import torch

import golden_files
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.processing.character_codes import CHARSET_94, adapt_to_charset
from tcm_hf.processing.tokenization_clip4str import CaptionBPETokenizer, CharacterTokenizer

RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"


@pytest.fixture(scope="module")
def golden():
    return golden_files.load("clip4str_text")[0]


@pytest.fixture(scope="module")
def tokenizer():
    return CharacterTokenizer()


def test_ids_are_those_of_the_original(golden, tokenizer):
    reference = golden["tokenizer"]
    assert tokenizer.charset == reference["charset"]
    assert tokenizer.convert_ids_to_tokens(list(range(reference["n"]))) == reference["itos"]
    assert tokenizer.eos_token_id == reference["eos_id"]
    assert tokenizer.bos_token_id == reference["bos_id"]
    assert tokenizer.pad_token_id == reference["pad_id"]
    assert len(tokenizer) == tokenizer.vocab_size == reference["n"]


def test_model_and_tokenizer_agree_on_the_ids(tokenizer):
    config = CLIP4STRConfig()
    assert tokenizer.charset == config.charset
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id) == (config.end_id, config.begin_id)
    assert tokenizer.max_label_length == config.max_label_length


def test_words_become_the_ids_of_the_original(golden, tokenizer):
    """Ours leave the beginning out, which the model puts in itself."""
    for word, ids in golden["tokenizer"]["encode"].items():
        assert tokenizer(word).input_ids == ids[1:]
        assert tokenizer.make_labels([word])[0].tolist() == ids[1:]
        assert tokenizer.decode(ids) == tokenizer.decode(ids[1:]) == word
    batch = golden["tokenizer"]["encode_batch"]
    padded = tokenizer(batch["labels"], padding=True, return_tensors="np").input_ids
    np.testing.assert_array_equal(padded, np.array(batch["ids"])[:, 1:])
    assert tokenizer.batch_decode(batch["ids"]) == batch["labels"]


def test_ids_become_the_words_of_the_original(golden, tokenizer):
    reference = golden["tokenizer"]["decode"]
    for ids in (reference["ids"], np.array(reference["ids"]), torch.tensor(reference["ids"])):
        assert tokenizer.batch_decode(ids) == tokenizer.decode(ids) == reference["decode"]["strings"]


def test_texts_are_adapted_to_a_charset_as_in_the_original(golden):
    for name, charset in golden["charset_adapter"]["charsets"].items():
        for text, expected in golden["charset_adapter"]["results"][name].items():
            assert adapt_to_charset(text, charset) == expected


def test_labels_are_ids_then_the_end_then_ignored(tokenizer):
    labels = tokenizer.make_labels(["ab", "", "Zé!"])
    assert labels.dtype == np.int64
    assert labels.tolist() == [[11, 12, 0], [0, -100, -100], [62, 63, 0]]
    assert tokenizer.batch_decode(labels) == ["ab", "", "Z!"]
    assert tokenizer.make_labels([]).shape == (0, 1)
    assert tokenizer.make_labels([""]).tolist() == [[0]]


def test_a_word_that_is_too_long_is_refused_or_cut(tokenizer):
    assert tokenizer.make_labels(["x" * 25]).shape == (1, 26)
    with pytest.raises(ValueError, match=r"at most 25 .* with 26"):
        tokenizer.make_labels(["short", "x" * 26])
    assert tokenizer.make_labels(["y" * 30], truncation=True).tolist() == [[35] * 25 + [0]]
    assert tokenizer("y" * 30, truncation=True).input_ids == [35] * 25 + [0]


@pytest.mark.parametrize(
    ("charset", "text", "ids"),
    [
        (RUSSIAN, "Ёж", [7, 8, 0]),  # small letters only: capitals become small
        ("日本語", "日x語", [1, 3, 0]),
        ("ABC", "cab", [3, 1, 2, 0]),
        (["a", "𝒜", " "], "𝒜 a", [2, 3, 1, 0]),  # beyond the basic plane; a space is a character
        ("é", "e\u0301", [1, 0]),  # composed first
        ("0", "", [0]),
        ("]^-\\[", "[]^\\-", [5, 1, 2, 4, 3, 0]),  # what is special in patterns
    ],
)
def test_any_charset_is_one_call(charset, text, ids):
    tokenizer = CharacterTokenizer.from_charset(charset)
    assert tokenizer(text).input_ids == tokenizer.make_labels([text])[0].tolist() == ids
    assert tokenizer.decode(ids) == adapt_to_charset(text, tokenizer.charset)
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, len(charset) + 1)


@pytest.mark.parametrize(
    ("charset", "message"),
    [
        ("", "empty"),
        ([], "empty"),
        ("abca", "once: 'a' came several times"),
        (["a", "bc"], "single Unicode"),
        (["a", ""], "single Unicode"),
        (["a", 1], "single Unicode"),
        (["e\u0301"], "single Unicode"),
        ("a\0", "U\\+0000"),
    ],
)
def test_a_charset_that_cannot_be_is_refused(charset, message):
    with pytest.raises(ValueError, match=message):
        CharacterTokenizer.from_charset(charset)


def test_unknown_characters_are_dropped_or_named():
    assert CharacterTokenizer.from_charset("ab").tokenize("aXb?") == ["a", "b"]
    strict = CharacterTokenizer.from_charset("ab", unknown_characters="raise")
    assert strict("AB").input_ids == [1, 2, 0]
    for call in (strict, lambda text: strict.make_labels([text])):
        with pytest.raises(ValueError, match=r"\['\?', 'x'\]"):
            call("aXb?")
    with pytest.raises(ValueError, match="drop"):
        CharacterTokenizer(unknown_characters="ignore")


@pytest.mark.parametrize(
    ("ids", "word", "why"),
    [
        ([1, 2, 0, 1], "ab", "the first end counts"),
        ([4, 1, 2], "ab", "a beginning is left out; no end: all characters"),
        ([1, -100, 2], "a", "ignored labels end"),
        ([1, 5, 2], "a", "padding ends"),
        ([0], "", "nothing"),
        ([], "", "no ids"),
    ],
)
def test_decoding_stops_where_the_word_does(ids, word, why):
    tokenizer = CharacterTokenizer.from_charset("abc")
    assert tokenizer.decode(ids) == word, why
    assert tokenizer.batch_decode([ids, [3]]) == [word, "c"], why
    assert tokenizer.batch_decode(np.array([ids, ids], dtype=int)) == [word, word], why


def test_a_batch_of_no_words_is_no_words(tokenizer):
    assert tokenizer.batch_decode([]) == []
    assert tokenizer.batch_decode(np.zeros((0, 5), dtype=int)) == []
    assert tokenizer.batch_decode(torch.zeros(2, 0, dtype=torch.long)) == ["", ""]
    assert tokenizer.decode(11) == "a"


@pytest.mark.parametrize("charset", [CHARSET_94, RUSSIAN, ["a", " ", '"']])
def test_a_tokenizer_survives_saving(charset, tmp_path):
    saved = CharacterTokenizer.from_charset(charset, max_label_length=7, unknown_characters="raise")
    saved.save_pretrained(tmp_path)
    loaded = CharacterTokenizer.from_pretrained(tmp_path)
    assert loaded.charset == "".join(charset)
    assert (loaded.max_label_length, loaded.unknown_characters) == (7, "raise")
    assert loaded.get_vocab() == saved.get_vocab()
    text = "".join(charset)[:5]
    assert loaded(text).input_ids == saved(text).input_ids


def test_special_tokens_have_their_place(tokenizer):
    assert tokenizer("a", add_special_tokens=False).input_ids == [11]
    assert tokenizer.get_special_tokens_mask([11, 12]) == [0, 0, 1]
    assert tokenizer.get_special_tokens_mask([95, 11, 0, 96], already_has_special_tokens=True) == [1, 0, 1, 1]


@pytest.mark.parametrize(("case", "length"), [("context16", 16), ("context77", 77)])
def test_captions_are_tokenized_as_by_clip(golden, case, length, tmp_path):
    pytest.importorskip("open_clip", reason="CLIP's vocabulary comes from open_clip_torch")
    from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary

    vocab, merges = load_clip_vocabulary()
    tokenizer = CaptionBPETokenizer(vocab=vocab, merges=merges)
    captions = golden["clip_tokenize"][case]
    found = tokenizer.encode_captions(list(captions), length)
    np.testing.assert_array_equal(found, np.array(list(captions.values())))
    tokenizer.save_pretrained(tmp_path)
    again = CaptionBPETokenizer.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.encode_captions(list(captions), length), found)


def test_captions_are_padded_with_zero_and_cut_to_end_with_the_end():
    tokens = ["!", "a", "b</w>", "ab</w>", "a</w>", "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = CaptionBPETokenizer(vocab=vocab, merges=[("a", "b</w>")], model_max_length=4)
    assert tokenizer.encode_captions(["AB", "", "a a a a"]).tolist() == [
        [5, 3, 6, 0],
        [5, 6, 0, 0],
        [5, 4, 4, 6],
    ]
    assert tokenizer.encode_captions([]).shape == (0, 4)
