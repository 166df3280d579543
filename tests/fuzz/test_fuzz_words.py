"""Lexicons and sets of characters of any script; edit distances as the textbook has them."""

import contextlib

import numpy as np
from fuzz_shapes import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from tcm_hf.processing.character_codes import adapt_to_charset, check_charset
from tcm_hf.processing.character_reading import READINGS, text_ids
from tcm_hf.processing.lexicon import Lexicon

ANY_TEXT = st.one_of(
    TEXTS, st.text(st.characters(), max_size=6), st.sampled_from(("", "\0", "a\0", "İ", "ß", "ﬁ"))
)
CHARSETS = st.one_of(
    st.sets(st.characters(), max_size=12).map(lambda chosen: "".join(sorted(chosen))),
    st.sampled_from(("abc", "ABC", "a]b", "^a-", "\\", "àé", "0-9", "]", "[]^-\\")),
)


def distance(first, second):
    row = list(range(len(second) + 1))
    for place, one in enumerate(first, start=1):
        row, above = [place], row
        for column, other in enumerate(second, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (one != other)))
    return row[-1]


@given(st.lists(ANY_TEXT, min_size=1, max_size=8), ANY_TEXT)
def test_the_nearest_words_are_those_of_the_textbook(words, text):
    try:
        lexicon = Lexicon(words)
    except ValueError:
        assert not any(words)
        return
    places, least = lexicon.nearest(text)
    distances = [distance(word.lower(), text.lower()) for word in lexicon.words]
    assert least == min(distances)
    assert places == [place for place, one in enumerate(distances) if one == least]


@given(CHARSETS, ANY_TEXT)
def test_a_text_is_brought_to_a_charset_or_refused(charset, text):
    try:
        charset = check_charset(charset)
    except ValueError:
        return
    assert set(adapt_to_charset(text, charset)) <= set(charset)


@given(st.sampled_from(READINGS), st.integers(0, 6), st.integers(0, 2**32 - 1), st.floats(0, 1e4), ANY_TEXT)
def test_a_word_is_read_with_a_score_from_0_to_1(reading, steps, seed, spread, text):
    logits = np.random.default_rng(seed).normal(size=(1, steps + 1, 5)).astype(np.float32) * spread
    (read,) = reading.read(logits, "abcd")
    assert 0 <= read.score <= 1 + 1e-6 and set(read.text) <= set("abcd")
    row = reading.log_probabilities(logits, "abcd")[0]
    with contextlib.suppress(ValueError):
        assert reading.log_likelihood(row, text_ids(text, "abcd")) <= 1e-6
