"""The lexicon finds what a plain search finds, in words of any length."""

import itertools

import numpy as np
import pytest

from tcm_hf.processing.lexicon import Lexicon, check_charset, one_lexicon_each


def edit_distance(first: str, second: str) -> int:
    """The textbook's table."""
    row = list(range(len(second) + 1))
    for place, one in enumerate(first, start=1):
        above, row = row, [place]
        for column, other in enumerate(second, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (one != other)))
    return row[-1]


def test_nearest_is_what_comparing_with_every_word_finds():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abc"), rng.integers(1, 8))) for _ in range(60)]
    lexicon = Lexicon(words)
    texts = ["", "a", "abcabc", "cccccccccccc", *("".join(rng.choice(list("abcx"), 5)) for _ in range(30))]
    for text in texts:
        distances = [edit_distance(text, word) for word in lexicon.words]
        least = min(distances)
        expected = [place for place, distance in enumerate(distances) if distance == least]
        assert lexicon.nearest(text) == (expected, least)


@pytest.mark.parametrize(
    ("text", "words", "distance", "why"),
    [
        ("STOP", ["Stop", "Shop"], 0, "case does not count"),
        ("st0p", ["Stop", "Shop"], 1, "one replacement"),
        ("", ["four", "two"], 3, "nothing was read: the shortest word"),
        ("дом", ["дым", "лес"], 1, "any script"),
        ("𝒜b", ["𝒜c"], 1, "beyond the basic plane"),
    ],
)
def test_distance(text, words, distance, why):
    assert Lexicon(words).nearest(text)[1] == distance, why


def test_words_keep_their_spelling_and_order_and_come_once():
    assert Lexicon(["Stop", "", "stop", "Stop", "A"]).words == ["Stop", "stop", "A"]
    assert Lexicon(["Stop", "x", "stop"]).nearest("STOP") == ([0, 2], 0)


@pytest.mark.parametrize("words", [[], [""], ()])
def test_a_lexicon_without_words_is_refused(words):
    with pytest.raises(ValueError, match="empty"):
        Lexicon(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("stop", "list of words"),
        (7, "list of words"),
        (["a", 3], "got 3 at place 1"),
        ([["a"]], "for all images"),
    ],
)
def test_what_is_no_list_of_words_is_refused(words, told):
    with pytest.raises(ValueError, match=told):
        Lexicon(words)


def test_a_generic_lexicon_is_looked_into_in_no_time():
    """90 000 words, the size of ICDAR's generic lexicon: all at once, not word by word."""
    words = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=5)][:90_000]
    lexicon = Lexicon(words)
    assert lexicon.nearest("aaaaax")[1] == 1


def test_the_likeliest_of_equally_near_words_is_chosen_and_far_ones_are_not():
    lexicon = Lexicon(["cat", "car", "zebra"])
    assert lexicon.choose("cas", {"cat": -2.0, "car": -1.0}.__getitem__) == ("car", 1)
    assert lexicon.choose("cat", None) == ("cat", 0)  # nobody is asked about the only one
    assert lexicon.choose("xyz", lambda word: 0.0, 0.4) is None
    assert lexicon.choose("", lambda word: 0.0) == ("cat", 3)


def test_a_lexicon_is_for_all_images_or_one_for_each():
    one, other = one_lexicon_each([["a"], Lexicon(["b"])], 2)
    assert (one.words, other.words) == (["a"], ["b"])
    assert [lexicon.words for lexicon in one_lexicon_each(iter(["a", "b"]), 2)] == [["a", "b"]] * 2
    assert one_lexicon_each(["a"], 0) == []
    with pytest.raises(ValueError, match="one for each of 3: got 2"):
        one_lexicon_each([["a"], ["b"]], 3)
    with pytest.raises(ValueError, match="at place 1"):
        one_lexicon_each([["a"], "b"], 2)


def test_characters_that_leave_nothing_to_read_are_refused():
    check_charset("xyza", "abc")
    with pytest.raises(ValueError, match="None of the characters of `charset`, 'xyz'"):
        check_charset("xyz", "abc")
