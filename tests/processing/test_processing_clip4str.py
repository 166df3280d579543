"""The processor of CLIP4STR: labels, words, scores, lexicons, and one folder for all parts."""

import json

import numpy as np
import pytest
import torch
from transformers.utils import ModelOutput

import golden_files
from tcm_hf.processing.character_codes import adapt_to_charset
from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessorPil
from tcm_hf.processing.lexicon import Lexicon
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tcm_hf.processing.tokenization_clip4str import CaptionBPETokenizer

CROPS = [
    np.random.default_rng(seed).integers(0, 256, (15 + seed, 40, 3), dtype=np.uint8) for seed in range(2)
]


@pytest.fixture(scope="module")
def processor():
    return CLIP4STRProcessor.from_preset("clip4str-tiny")


def logits_of(*rows, classes: int = 4) -> torch.Tensor:
    """(len(rows), steps, classes): log probabilities that are given as {id: probability} a step."""
    probabilities = torch.full((len(rows), len(rows[0]), classes), 1e-9)
    for row, steps in enumerate(rows):
        for step, chances in enumerate(steps):
            for number, chance in chances.items():
                probabilities[row, step, number] = chance
    return probabilities.log()


@pytest.mark.parametrize("run", ["A_ar_r1", "B_ar_r0", "B_ar_r1_bs1_row0", "C_ar_r1", "A_ar_r1_maxlen7"])
def test_words_and_scores_are_those_of_the_original(processor, run):
    reference, arrays = golden_files.load("clip4str_text")
    logits = torch.from_numpy(arrays[f"{run}/final"])
    found = processor.post_process_text_recognition({"logits": logits})
    expected = reference["runs"][run]
    assert [result["text"] for result in found] == expected["strings"]
    np.testing.assert_allclose([result["score"] for result in found], expected["confidence"], rtol=1e-4)
    assert [len(result["characters"]) for result in found] == [len(text) for text in expected["strings"]]
    lower_case = "0123456789abcdefghijklmnopqrstuvwxyz"
    assert [adapt_to_charset(result["text"], lower_case) for result in found] == expected["charset36"]


def test_probabilities_are_those_of_the_original(processor):
    reference = golden_files.load("clip4str_text")[0]["tokenizer"]["decode"]
    ids = torch.tensor(reference["ids"])
    logits = torch.full((*ids.shape, 95), -2.0)
    logits.scatter_(2, ids[..., None], (3 + 0.1 * torch.arange(ids.shape[1])).expand(ids.shape)[..., None])
    found = processor.post_process_text_recognition(ModelOutput(logits=logits))
    for result, probabilities in zip(found, reference["decode"]["probs"], strict=True):
        scores = [one["score"] for one in result["characters"]]
        np.testing.assert_allclose(scores, probabilities[: len(scores)], rtol=1e-5)
        assert "".join(one["character"] for one in result["characters"]) == result["text"]
    scores = [result["score"] for result in found]
    np.testing.assert_allclose(scores, reference["decode"]["confidence"], rtol=1e-5)


def test_the_end_counts_for_the_score_and_what_follows_does_not():
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    rows = [
        [{1: 0.5, 2: 0.4}, {0: 0.8}, {3: 0.1}],
        [{0: 0.9}, {1: 0.5}, {1: 0.5}],
        [{1: 0.5}, {2: 0.5}, {3: 0.5}],
    ]
    logits = torch.full((3, 3, 4), -torch.inf)
    for row, steps in enumerate(rows):
        for step, chances in enumerate(steps):
            rest = (1 - sum(chances.values())) / (4 - len(chances))
            logits[row, step] = torch.tensor([chances.get(number, rest) for number in range(4)]).log()
    found = processor.post_process_text_recognition({"logits": logits})
    assert [result["text"] for result in found] == ["a", "", "abc"]
    np.testing.assert_allclose([result["score"] for result in found], [0.4, 0.9, 0.125], rtol=1e-5)
    assert found[1]["characters"] == []


def test_only_characters_of_a_charset_may_be_read():
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    logits = logits_of([{1: 0.6, 2: 0.2, 3: 0.2}, {0: 0.9, 2: 0.1}])
    assert processor.post_process_text_recognition({"logits": logits})[0]["text"] == "a"
    result = processor.post_process_text_recognition({"logits": logits}, charset="bx")[0]
    assert result["text"] == "b"
    assert result["score"] == pytest.approx(0.9, rel=1e-5)  # 1 * 0.9: nothing else could come first
    with pytest.raises(ValueError, match="None of the characters"):
        processor.post_process_text_recognition({"logits": logits}, charset="xyz")


def test_a_lexicon_gives_its_nearest_word_and_keeps_the_score_of_the_reading():
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    logits = logits_of([{1: 0.9, 3: 0.1}, {2: 0.5, 3: 0.4}, {0: 0.9}], [{3: 0.9}, {0: 0.9}, {0: 0.9}])
    plain = processor.post_process_text_recognition({"logits": logits})
    found = processor.post_process_text_recognition({"logits": logits}, lexicon=["AA", "Ac", "CCC"])
    assert [result["text"] for result in found] == [
        "Ac",
        "Ac",
    ]  # as near as "AA", but likelier; nearest to "c"
    assert [result["edit_distance"] for result in found] == [1, 1]
    assert [result["score"] for result in found] == [result["score"] for result in plain]
    each = processor.post_process_text_recognition({"logits": logits}, lexicon=[["bb"], Lexicon(["C"])])
    assert [(result["text"], result["edit_distance"]) for result in each] == [("bb", 1), ("C", 0)]


def test_a_lexicon_may_have_characters_that_the_model_cannot_read():
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    logits = logits_of([{1: 0.9}, {2: 0.5}, {0: 0.9}])
    found = processor.post_process_text_recognition({"logits": logits}, lexicon=["aß", "aé", "abcabcabc"])
    assert found[0]["text"] in ("aß", "aé")


@pytest.mark.parametrize(
    ("lexicon", "message"),
    [
        ("word", "list of words"),
        (5, "list of words: got 5"),
        ([], "empty"),
        ([["a"]], "one for each of 2"),
        ([None], "got None at place 0"),
        (["a", None], "got None at place 1"),
        ([["a"], "b"], "got 'b' at place 1"),
        ([["a"], ["b", 3]], "got 3 at place 1"),
    ],
)
def test_a_lexicon_that_does_not_fit_is_refused(lexicon, message):
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    with pytest.raises(ValueError, match=message):
        processor.post_process_text_recognition({"logits": torch.zeros(2, 3, 4)}, lexicon=lexicon)


def test_lexicons_may_come_from_generators():
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    logits = logits_of([{1: 0.9}, {0: 0.9}], [{2: 0.9}, {0: 0.9}])
    plain = [["aa", "cc"], ["bb"]]
    for lexicon in ((word for word in plain[0]), (iter(words) for words in plain), map(Lexicon, plain)):
        found = processor.post_process_text_recognition({"logits": logits}, lexicon=lexicon)
        assert found[0]["text"] == "aa"


@pytest.mark.parametrize(
    ("lexicon", "limit", "expected", "why"),
    [
        (["cafe", "hotel"], None, ("cafe", 3), "the nearest word, however far"),
        (["cafe", "hotel"], 0.4, ("FARM", None), "3 edits of 4 letters are too far"),
        (["cafe", "hotel"], 0.75, ("cafe", 3), "as far as allowed is near enough"),
        (["farms"], 0.2, ("farms", 1), "over the length of the longer"),
        (["farms"], 0.19, ("FARM", None), "over the length of the longer"),
        (["Farm"], 0, ("Farm", 0), "case is no distance"),
        (["art", "warmth"], 0.4, ("FARM", None), "of equally near words the longer is the nearer"),
        (["far", "farmy"], 0.2, ("farmy", 1), "of equally near words the longer is the nearer"),
    ],
)
def test_a_reading_far_from_every_word_of_the_lexicon_stays(lexicon, limit, expected, why):
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="FARM")
    logits = logits_of([{1: 0.9}, {2: 0.9}, {3: 0.9}, {4: 0.9}, {0: 0.9}], classes=5)
    (found,) = processor.post_process_text_recognition(
        {"logits": logits}, lexicon=lexicon, max_lexicon_distance=limit
    )
    assert (found["text"], found.get("edit_distance")) == expected, why


def test_decoding_a_batch_of_logits_gives_words_and_scores(processor):
    logits = torch.randn(2, 26, 95, generator=torch.Generator().manual_seed(0))
    expected = processor.post_process_text_recognition({"logits": logits})
    assert processor.batch_decode(logits) == processor.batch_decode(logits.numpy()) == expected
    assert {"text", "score", "characters"} == set(expected[0])
    assert processor.batch_decode(logits, charset="ab")[0]["text"].strip("ab") == ""
    assert processor.batch_decode(logits.argmax(-1)) == [result["text"] for result in expected]
    assert processor.batch_decode([[44, 15, 0], [11, 0]]) == ["He", "a"]
    with pytest.raises(ValueError, match="same charset"):
        processor.batch_decode(logits[..., 1:])


@pytest.mark.parametrize("charset", ["日", "", "xyz"])
def test_a_charset_that_leaves_nothing_to_read_can_be_asked_for_before_reading(charset):
    processor = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="abc")
    processor.check_charset("日c")
    with pytest.raises(ValueError, match="None of the characters of `charset`"):
        processor.check_charset(charset)


@pytest.mark.parametrize("shape", [(2, 3, 95 + 1), (2, 95), (2, 3, 37)])
def test_logits_of_another_charset_are_refused(processor, shape):
    with pytest.raises(ValueError, match="same charset"):
        processor.post_process_text_recognition({"logits": torch.zeros(shape)})


def test_no_images_are_no_words(processor):
    assert processor.post_process_text_recognition({"logits": torch.zeros(0, 26, 95)}) == []
    assert processor.post_process_text_recognition({"logits": torch.zeros(0, 26, 95)}, lexicon=["a"]) == []


def test_half_precision_logits_are_read(processor):
    logits = torch.randn(2, 5, 95, generator=torch.Generator().manual_seed(0))
    full = processor.post_process_text_recognition({"logits": logits.bfloat16().float()})
    assert processor.post_process_text_recognition({"logits": logits.bfloat16()}) == full


def test_crops_and_words_become_a_batch(processor):
    batch = processor(images=CROPS, text=["Hello", "a"], return_tensors="pt")
    assert batch.pixel_values.shape == (2, 3, 32, 128)
    assert batch.labels.tolist() == [[44, 15, 22, 22, 25, 0], [11, 0, -100, -100, -100, -100]]
    assert processor.batch_decode(batch.labels) == ["Hello", "a"]
    assert set(processor(images=CROPS[0])) == {"pixel_values"}
    assert processor(text="a")["labels"] == [[11, 0]]
    assert isinstance(processor(text="a", return_tensors="np")["labels"], np.ndarray)
    assert processor.model_input_names == ["pixel_values", "labels"]


def test_what_cannot_be_a_batch_is_refused(processor):
    with pytest.raises(ValueError, match="neither"):
        processor()
    with pytest.raises(ValueError, match="3 words and 2 images"):
        processor(images=CROPS, text=["a", "b", "c"], return_tensors="pt")
    with pytest.raises(ValueError, match="at most 25"):
        processor(text=["x" * 26])
    assert len(processor(text=["x" * 26], truncation=True)["labels"][0]) == 26
    for wrong in ([None], ["a", 12], 12, [b"a"]):
        with pytest.raises(ValueError, match="Expected a word as a string"):
            processor(text=wrong)
    for kind in ("tf", "jax"):
        with pytest.raises(ValueError, match=f"`return_tensors`.*got '{kind}'"):
            processor(text="a", return_tensors=kind)


@pytest.mark.parametrize("with_captions", [False, True])
def test_all_parts_survive_saving_in_one_folder(tmp_path, with_captions):
    tokens = ["!", "a", "b</w>", "ab</w>", "a</w>", "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(tokens)}
    saved = CLIP4STRProcessor.from_preset("clip4str-tiny", charset="абв", max_label_length=9)
    if with_captions:
        saved.caption_tokenizer = CaptionBPETokenizer(vocab=vocab, merges=[("a", "b</w>")])
    saved.save_pretrained(tmp_path)
    loaded = CLIP4STRProcessor.from_pretrained(tmp_path)
    assert loaded.tokenizer.charset == "абв"
    assert loaded.tokenizer.max_label_length == 9
    assert loaded.image_processor.size == saved.image_processor.size
    assert (loaded.caption_tokenizer is not None) == with_captions
    if with_captions:
        assert loaded.caption_tokenizer.encode_captions(["ab"]).tolist() == [[5, 3, 6] + [0] * 13]
    assert loaded.to_dict() == saved.to_dict()
    assert (tmp_path / "caption_tokenizer").is_dir() == with_captions
    again = tmp_path / "again"
    loaded.save_pretrained(again)
    first, second = ((folder / "processor_config.json").read_text() for folder in (tmp_path, again))
    assert json.loads(first) == json.loads(second)


@pytest.mark.parametrize("lost", ["caption_tokenizer", "caption_tokenizer/tokenizer.json"])
def test_captions_without_their_vocabulary_are_no_tokenizer_of_nothing(tmp_path, lost):
    saved = CLIP4STRProcessor.from_preset("clip4str-tiny")
    vocab = {token: number for number, token in enumerate(["!", "a", "<|startoftext|>", "<|endoftext|>"])}
    saved.caption_tokenizer = CaptionBPETokenizer(vocab=vocab, merges=[])
    saved.save_pretrained(tmp_path)
    (tmp_path / lost).rename(tmp_path / "moved")
    with pytest.raises(ValueError, match=r"expected caption_tokenizer/tokenizer\.json"):
        CLIP4STRProcessor.from_pretrained(tmp_path)


def test_a_processor_is_printed_and_compared_by_its_parts(processor):
    assert "CLIP4STRImageProcessor" in repr(processor)
    pil = CLIP4STRProcessor(CLIP4STRImageProcessorPil(), processor.tokenizer)
    assert pil.to_dict()["image_processor"]["image_processor_type"] == "CLIP4STRImageProcessor"
