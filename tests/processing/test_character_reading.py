"""Texts and their scores from logits of slots, and from logits along a word."""

import itertools

import numpy as np
import pytest

from tcm_hf.processing.character_reading import CTCReading, SlotReading, text_ids

TABLE_96 = "".join(map(chr, range(32, 127))) + "口"
TABLE_37 = "0123456789abcdefghijklmnopqrstuvwxyz口"
SLOTS, CTC = SlotReading(), CTCReading()


def logits_of(ids, count, sharpness=9.0):
    """(len(ids), count + 1) logits that are highest at `ids`."""
    logits = np.zeros((len(ids), count + 1), np.float32)
    logits[np.arange(len(ids)), ids] = sharpness
    return logits


@pytest.mark.parametrize(
    ("table", "ids", "text"),
    [
        (TABLE_96, [40, 69, 76, 76, 79, 96, 96], "Hello"),
        (TABLE_96, [40, 40, 76, 76, 96, 76, 95, 95, 79], "HHlll口口o"),  # a gap closes up
        (TABLE_96, [96, 96, 96, 96, 96], ""),
        (TABLE_96, [0, 1, 2, 94, 95], ' !"~口'),
        (TABLE_37, [17, 14, 21, 21, 24, 37], "hello"),
        (TABLE_37, [17, 17, 36, 36, 37, 2], "hh口口2"),
    ],
)
def test_slots_are_read_as_the_original_reads_them(table, ids, text):
    (read,) = SLOTS.read(logits_of(ids, len(table))[None], table)
    assert read.text == text
    assert read.characters == list(text)


def test_the_score_of_a_word_counts_its_characters_and_its_end_but_no_gaps_behind():
    sharp, flat = logits_of([10, 11, 37, 37], 37), logits_of([10, 11, 37, 37], 37)
    flat[3] /= 100  # a doubtful gap behind the end
    probability = 1 / (1 + 37 * np.exp(-9.0))
    for logits in (sharp, flat):
        (read,) = SLOTS.read(logits[None], TABLE_37)
        np.testing.assert_allclose(read.character_scores, [probability] * 2, rtol=1e-5)
        assert read.score == pytest.approx(probability**3, rel=1e-5)


def test_a_word_that_fills_all_slots_has_no_end():
    (read,) = SLOTS.read(logits_of([1, 2], 37)[None], TABLE_37)
    assert read.score == pytest.approx(np.prod(read.character_scores, dtype=float))


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([1, 1, 3, 1, 2, 2], "112"),  # equal neighbours are one, unless a blank parts them
        ([3, 3, 3, 3, 3, 3], ""),
        ([3, 0, 3, 3, 3, 3], "0"),
        ([0, 1, 2, 0, 1, 2], "012012"),
    ],
)
def test_paths_are_collapsed(ids, text):
    (read,) = CTC.read(logits_of(ids, 3)[None], "012")
    assert read.text == text
    assert len(read.character_scores) == len(text)


def test_the_character_of_several_places_has_the_score_of_its_best():
    logits = logits_of([1, 1, 3], 3)
    logits[1] *= 0.1
    (read,) = CTC.read(logits[None], "012")
    np.testing.assert_allclose(read.character_scores, [1 / (1 + 3 * np.exp(-9.0))], rtol=1e-5)


def collapse(path, blank):
    kept = [one for one, _ in itertools.groupby(path)]
    return tuple(one for one in kept if one != blank)


@pytest.mark.parametrize("ids", [(), (0,), (1, 0), (0, 0), (1, 1, 0), (0, 1, 0, 1)])
def test_the_likelihood_of_a_text_is_the_sum_over_all_of_its_paths(ids):
    rng = np.random.default_rng(len(ids))
    (rows,) = CTC.log_probabilities(rng.normal(size=(1, 4, 3)), "ab")
    expected = sum(
        np.exp(sum(rows[place, one] for place, one in enumerate(path)))
        for path in itertools.product(range(3), repeat=4)
        if collapse(path, 2) == ids
    )
    assert np.exp(CTC.log_likelihood(rows, ids)) == pytest.approx(expected, abs=1e-12)


def test_the_likelihood_of_slots_is_that_of_the_characters_and_the_end():
    (rows,) = SLOTS.log_probabilities(np.random.default_rng(0).normal(size=(1, 3, 3)), "ab")
    assert SLOTS.log_likelihood(rows, [1]) == pytest.approx(rows[0, 1] + rows[1, 2])
    assert SLOTS.log_likelihood(rows, [1, 0, 1, 1]) == pytest.approx(rows[0, 1] + rows[1, 0] + rows[2, 1])


@pytest.mark.parametrize("reading", [SLOTS, CTC])
def test_other_characters_than_those_of_the_charset_are_never_read(reading):
    logits = logits_of([1, 2, 3, 3], 3)
    logits[0, 0] = 5.0
    (read,) = reading.read(logits[None], "abc", charset="ac")
    assert read.text == "ac"
    assert logits[0, 1] == 9.0  # the model's outputs stay as they are


@pytest.mark.parametrize("reading", [SLOTS, CTC])
@pytest.mark.parametrize(("charset", "text"), [("AC", "ac"), ("AB", "ab"), ("aB", "aB")])
def test_a_letter_of_the_charset_that_is_known_in_lower_case_only_is_taken_so(reading, charset, text):
    known = "aBb" if text == "aB" else "abc"
    ids = [known.index(one) for one in text]
    (read,) = reading.read(logits_of([*ids, 3, 3], 3)[None], known, charset=charset)
    assert read.text == text


@pytest.mark.parametrize("reading", [SLOTS, CTC])
def test_no_words_are_an_empty_list(reading):
    assert reading.read(np.zeros((0, 25, 38), np.float32), TABLE_37) == []


@pytest.mark.parametrize(
    ("text", "table", "ids"),
    [("Ab", "ab?", [0, 1]), ("AB", "aB?", [0, 1]), ("aé b", "ab?", [0, 2, 2, 1]), ("", "ab?", [])],
)
def test_letters_find_their_place_whatever_their_case(text, table, ids):
    assert text_ids(text, table) == ids
