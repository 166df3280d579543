import numpy as np
import pytest

from tcm_hf.data.synthetic.words import LINES, draw_line, word_characters


@pytest.mark.parametrize("script", sorted(LINES))
def test_lines_hold_words_without_spaces(script):
    rng = np.random.default_rng(5)
    for _ in range(300):
        words = draw_line(script, rng, int(rng.integers(1, 6)))
        assert words
        assert all(word and not any(letter.isspace() for letter in word) for word in words)


@pytest.mark.parametrize("script", sorted(LINES))
def test_every_letter_is_in_the_alphabet_that_fonts_are_asked_for(script):
    rng = np.random.default_rng(6)
    letters = {letter for _ in range(500) for word in draw_line(script, rng, 4) for letter in word}
    assert letters <= word_characters()
