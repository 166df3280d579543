"""Sets of characters are checked quickly, whatever they hold."""

import time

import pytest

from tcm_hf.processing.character_codes import check_charset


@pytest.mark.parametrize(
    ("characters", "words"),
    [
        ("ab\ud800", "surrogates"),
        ("ab\0", r"U\+0000"),
        (["a", "bc"], "single"),
        (["a", 3], "single"),
        ("", "empty"),
        ("abcb", "'b' came several times"),
    ],
)
def test_what_is_no_set_of_characters_is_told(characters, words):
    with pytest.raises(ValueError, match=words):
        check_charset(characters)


def test_a_large_set_with_a_repeat_is_refused_without_comparing_all_with_all():
    started = time.process_time()
    with pytest.raises(ValueError, match="several times"):
        check_charset([*map(chr, range(0x10000, 0x50000)), chr(0x10000)])
    assert time.process_time() - started < 5
