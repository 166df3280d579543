"""Word accuracy: what each character set compares, similarities by hand, the named parts of test sets."""

import pytest

from tcm_hf.evaluation.recognition import (
    CharacterProtocol,
    TextRecognitionMetric,
    edit_distance,
    normalized_edit_distance,
)
from tcm_hf.evaluation.word_subsets import WORD_SUBSETS

# What was read, what it says, whether that is right by 36, 62, 94 and "any"; None: the word does not count.
TABLE = [
    ("the same", "Exit", "Exit", (1, 1, 1, 1)),
    ("another case", "EXIT", "Exit", (1, 0, 0, 1)),
    ("a mark too many", "Exit!", "Exit", (1, 1, 0, 0)),
    ("another mark", "1.50", "1,50", (1, 1, 0, 0)),
    ("one character", "Ex1t", "Exit", (0, 0, 0, 0)),
    ("nothing read", "", "Exit", (0, 0, 0, 0)),
    ("only marks", "?!", "?!", (None, None, 1, 1)),
    ("only marks, one missing", "?", "?!", (None, None, 0, 0)),
    ("white space", "no exit", "noexit", (1, 1, 1, 1)),
    ("an accent", "Cafe", "Café", (1, 1, 1, 0)),
    ("another script", "出口", "出口", (None, None, None, 1)),
    ("another script beside", "Exit出口", "Exit", (1, 1, 1, 0)),
    ("full width", "Ｅｘｉｔ", "EXIT", (1, 0, 0, 1)),
    ("nothing there", "", "", (None, None, None, None)),
    ("nothing there, something read", "x", " ", (None, None, None, None)),
]
NAMES = ("36", "62", "94", "any")


@pytest.mark.parametrize(("reason", "read", "says", "right"), TABLE, ids=[row[0] for row in TABLE])
def test_what_is_right(reason, read, says, right):
    metric = TextRecognitionMetric(NAMES)
    metric.update([read], [says])
    counts = {name: (metric.counts[f"words_{name}"], metric.counts[f"right_{name}"]) for name in NAMES}
    assert counts == {
        name: (0, 0) if expected is None else (1, expected)
        for name, expected in zip(NAMES, right, strict=True)
    }


@pytest.mark.parametrize(
    ("text", "other", "distance", "share"),
    [
        ("", "", 0, 0),
        ("", "abc", 3, 1),
        ("abc", "abc", 0, 0),
        ("abc", "ab", 1, 1 / 3),
        ("kitten", "sitting", 3, 3 / 7),
        ("flaw", "lawn", 2, 1 / 2),
        ("abcd", "dcba", 4, 1),
        ("a", "bbbbb", 5, 1),
    ],
)
def test_edit_distances(text, other, distance, share):
    assert edit_distance(text, other) == edit_distance(other, text) == distance
    assert normalized_edit_distance(text, other) == normalized_edit_distance(other, text) == share


def test_the_result_is_a_mean_over_the_words_that_count():
    metric = TextRecognitionMetric()
    metric.update(["exit", "ab", "?"], ["EXIT", "abcd", "?"])
    assert metric.compute() == {
        "accuracy_36": 1 / 2,
        "one_minus_ned_36": (1 + 1 / 2) / 2,
        "num_words_36": 2,
        "accuracy_62": 0,
        "one_minus_ned_62": (0 + 1 / 2) / 2,
        "num_words_62": 2,
        "accuracy_94": 1 / 3,
        "one_minus_ned_94": (0 + 1 / 2 + 1) / 3,
        "num_words_94": 3,
    }


def test_a_protocol_without_words_is_zero_and_none_at_all_is_an_error():
    metric = TextRecognitionMetric()
    with pytest.raises(ValueError, match="at least one word"):
        metric.compute()
    metric.update(["!"], ["!"])
    assert (metric.compute()["num_words_36"], metric.compute()["accuracy_36"]) == (0, 0)
    assert metric.compute()["accuracy_94"] == 1
    metric.reset()
    with pytest.raises(ValueError, match="at least one word"):
        metric.compute()


def test_a_protocol_of_ones_own():
    digits = CharacterProtocol("digits", "0123456789", ignore_case=False)
    metric = TextRecognitionMetric([digits])
    metric.update(["No 12", "x"], ["no. 12", "x"])
    assert metric.compute() == {"accuracy_digits": 1, "one_minus_ned_digits": 1, "num_words_digits": 1}


def test_metrics_of_two_processes_merge_to_the_whole():
    whole, first, second = TextRecognitionMetric(), TextRecognitionMetric(), TextRecognitionMetric()
    read, says = ["exit", "ab", "?"], ["EXIT", "abcd", "?"]
    whole.update(read, says)
    first.update(read[:1], says[:1])
    second.update(read[1:], says[1:])
    first.merge(second)
    assert first.compute() == whole.compute()
    with pytest.raises(ValueError, match="one protocol"):
        first.merge(TextRecognitionMetric(["36"]))


@pytest.mark.parametrize("protocols", [["37"], []])
def test_protocols_that_are_not_there(protocols):
    with pytest.raises(ValueError, match="must be some of 36, 62, 94, any"):
        TextRecognitionMetric(protocols)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match="one entry per word: got 1 and 2"):
        TextRecognitionMetric().update(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("ic13-857", ["EXIT", "4th", "abc"]),
        ("ic13-1015", ["EXIT", "4th", "of", "a", "abc"]),
        ("ic15-2077", ["EXIT", "don't", "4th", "of", "a", "é", "1,50", "abc"]),
    ],
)
def test_the_rule_of_a_part(name, kept):
    texts = ["EXIT", "don't", "4th", "of", "a", "é", "1,50", "abc"]
    chosen = WORD_SUBSETS[name].select(texts)
    assert [text for text, keep in zip(texts, chosen, strict=True) if keep] == kept


def test_words_that_are_the_part_already_are_kept():
    assert WORD_SUBSETS["ic13-857"].select(["?"] * 857).all()
    assert WORD_SUBSETS["ic15-1811"].select(["?"] * 1811).all()


def test_ic15_1811_takes_the_words_themselves_or_a_list():
    part = WORD_SUBSETS["ic15-1811"]
    with pytest.raises(ValueError, match=r"judged by eye .* got 2077 words and no list"):
        part.select(["word"] * 2077)
    names = ["word_1.png", "word_2.png", "word_3.png"]
    assert part.select(["a", "?", "c"], names, {"word_2.png", "word_3.png"}).tolist() == [False, True, True]
    with pytest.raises(ValueError, match=r"1 words that are not in the test set, the first is 'word_9.png'"):
        part.select(["a", "b", "c"], names, {"word_9.png"})
    with pytest.raises(ValueError, match="needs the name of every word"):
        part.select(["a"], None, {"word_1.png"})


@pytest.mark.parametrize("words", ["word", [None], ["a", 3]])
def test_what_is_no_list_of_texts_is_refused(words):
    with pytest.raises(ValueError, match="predictions"):
        TextRecognitionMetric().update(words, words)
