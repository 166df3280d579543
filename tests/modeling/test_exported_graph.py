"""What runs inside exported programs gives what Python gives; the exports themselves are in tests/export."""

import pytest
import torch

from tcm_hf.modeling import caption_tokenizer, dual_reading, recognition_decoding
from tcm_hf.modeling.exported_graph import is_exporting, repeat_while
from tcm_hf.modeling.recognition_decoding import end_of_word_logits, read_in_loop, read_words
from tiny_recognizer import CHARSET, tiny_crops, tiny_recognizer


def plain_loop(goes_on, body, carried):
    while goes_on(*carried):
        carried = body(*carried)
    return carried


@pytest.fixture
def as_exported(monkeypatch):
    """The branches of an export, with the loop in Python."""
    for module in (caption_tokenizer, dual_reading, recognition_decoding):
        monkeypatch.setattr(module, "is_exporting", lambda: True)
    for module in (caption_tokenizer, recognition_decoding):
        monkeypatch.setattr(module, "repeat_while", plain_loop)


@torch.no_grad()
def test_a_loop_of_the_graph_turns_as_often_as_one_in_python():
    start = (torch.zeros(1, dtype=torch.long), torch.ones(2, 3))
    doubled = repeat_while(lambda turn, _: turn[0] < 5, lambda turn, x: (turn + 1, x * 2), start)
    assert int(doubled[0]) == 5
    assert torch.equal(doubled[1], torch.full((2, 3), 32.0))


def test_nothing_is_exported_by_itself():
    assert not is_exporting()


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("lengths", [None, [1, 7, 3]])
@torch.no_grad()
def test_reading_in_a_loop_equals_reading_in_python(num_layers, lengths, monkeypatch):
    monkeypatch.setattr(recognition_decoding, "repeat_while", plain_loop)
    decoder = tiny_recognizer(decoder_num_layers=num_layers).visual_decoder
    memory = decoder.project_memory(torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(2)))
    steps = None if lengths is None else torch.tensor(lengths)
    expected = read_words(decoder, memory, 7, 0, steps)
    found = read_in_loop(decoder, memory, 7, 0, steps)
    read = expected.shape[1]
    assert found.shape == (3, 7, len(CHARSET) + 1)
    torch.testing.assert_close(found[:, :read], expected)
    blank = end_of_word_logits(found.shape[-1], 0, found.device)
    assert torch.equal(found[:, read:], blank.expand(3, 7 - read, -1))


@torch.no_grad()
def test_captions_of_an_export_are_those_of_the_model(as_exported, monkeypatch):
    tokenizer = tiny_recognizer().caption_tokenizer
    generator = torch.Generator().manual_seed(3)
    words = torch.randint(0, len(CHARSET) + 1, (200, 7), generator=generator)
    found = tokenizer(words)
    monkeypatch.undo()
    assert torch.equal(found, tokenizer(words))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8])
def test_the_search_of_an_export_finds_the_first_key_that_is_not_below(count, monkeypatch):
    tokenizer = tiny_recognizer().caption_tokenizer
    tokenizer.merge_keys = torch.arange(count) * 10
    keys = torch.arange(-3, count * 10 + 3)[None]
    expected = tokenizer._find(keys)
    monkeypatch.setattr(caption_tokenizer, "is_exporting", lambda: True)
    assert torch.equal(tokenizer._find(keys), expected)


@pytest.mark.parametrize("refinements", [0, 1])
@torch.no_grad()
def test_both_branches_of_an_export_read_what_the_model_reads(refinements, as_exported, monkeypatch):
    model, crops = tiny_recognizer(), tiny_crops(5)
    found = model(crops, refine_iterations=refinements)
    monkeypatch.undo()
    expected = model(crops, refine_iterations=refinements)
    read = expected.logits.shape[1]
    torch.testing.assert_close(found.logits[:, :read], expected.logits, atol=1e-5, rtol=1e-4)
    assert (found.logits[:, read:].argmax(-1) == 0).all()
    assert torch.equal(found.caption_ids, expected.caption_ids)
