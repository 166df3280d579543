"""End to end: which readings are right by the two protocols, lexicons, and counts on small images."""

import numpy as np
import pytest

from tcm_hf.evaluation.detection import TextDetectionMetric
from tcm_hf.evaluation.spotting import TextSpottingMetric


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


WORD, OTHER = box(100, 20, 200, 50), box(300, 20, 420, 60)


def score(metric, found, says, **reference):
    """Counts of one image: `found` and `says` are lists of (polygon, text)."""
    metric.update(
        [{"polygons_xy": [each[0] for each in found], "texts": [each[1] for each in found]}],
        [{"polygons_xy": [each[0] for each in says], "texts": [each[1] for each in says], **reference}],
    )
    result = metric.compute()
    return result["num_matches"], result["num_predictions"], result["num_references"]


READINGS = [
    # read, annotated, right end to end, word spotting: right, or None where the word is do-not-care
    ("EXIT", "EXIT", 1, 1),
    ("exit", "Exit", 1, 1),
    ("exit", "Exit!", 1, 1),
    ("exit", '"Exit"', 1, 1),
    ("exit", "Exit!!", 0, 1),
    ("exit!", "Exit!!", 1, 0),
    ("exit!", "Exit", 0, 0),
    ("joes", "Joe's", 0, 0),
    ("joe", "Joe's", 0, 1),
    ("joe's", "Joe's", 1, 0),
    ("exit", "-Exit-", 0, 1),
    ("x-ray", "X-Ray", 1, 1),
    ("-x", "X", 0, None),
    ("of", "of", 1, None),
    ("4th", "4th", 1, None),
    ("don't", "don't", 1, None),
    ("1.50", "1.50", 1, None),
    ("a b", "Co. Ltd", 0, None),
    ("Café", "CAFÉ", 1, 1),
    ("a×b", "a×b", 1, None),
    ("!", "!", 1, None),
    ("", "!", 1, None),
    ("", "EXIT", 0, 0),
    ("出口口", "出口口", 1, None),
]


@pytest.mark.parametrize(("read", "says", "end_to_end", "word_spotting"), READINGS)
def test_what_is_right(read, says, end_to_end, word_spotting):
    assert score(TextSpottingMetric(), [(WORD, read)], [(WORD, says)]) == (end_to_end, 1, 1)
    expected = (0, 0, 0) if word_spotting is None else (word_spotting, 1, 1)
    assert score(TextSpottingMetric("word-spotting"), [(WORD, read)], [(WORD, says)]) == expected


TABLE = [
    ("right words", [(WORD, "a"), (OTHER, "b")], [(WORD, "a"), (OTHER, "b")], (2, 2, 2)),
    ("right texts in the wrong places", [(WORD, "b"), (OTHER, "a")], [(WORD, "a"), (OTHER, "b")], (0, 2, 2)),
    ("right text, half an overlap", [(box(100, 20, 150, 50), "a")], [(WORD, "a")], (0, 1, 1)),
    ("right text, more than half", [(box(100, 20, 151, 50), "a")], [(WORD, "a")], (1, 1, 1)),
    ("the first that fits is the pair, right or not", [(WORD, "x"), (WORD, "a")], [(WORD, "a")], (0, 2, 1)),
    ("nothing found", [], [(WORD, "a")], (0, 0, 1)),
    ("nothing there", [(WORD, "a")], [], (0, 1, 0)),
    ("illegible and found", [(WORD, "a")], [(WORD, "###")], (0, 0, 0)),
    ("illegible and beside", [(WORD, "a"), (OTHER, "b")], [(WORD, "###"), (OTHER, "b")], (1, 1, 1)),
    ("nothing at all", [], [], (0, 0, 0)),
    ("no area", [(box(100, 20, 100, 50), "a")], [(WORD, "a")], (0, 1, 1)),
]


@pytest.mark.parametrize(("reason", "found", "says", "counts"), TABLE, ids=[row[0] for row in TABLE])
def test_counts_of_an_image(reason, found, says, counts):
    assert score(TextSpottingMetric(), found, says) == counts


def test_do_not_care_flags_count_beside_the_text():
    assert score(TextSpottingMetric(), [(WORD, "a")], [(WORD, "a")], ignore=[True]) == (0, 0, 0)
    assert score(TextSpottingMetric(), [(WORD, "a")], [(WORD, None)], ignore=[True]) == (0, 0, 0)


def test_short_words_are_do_not_care_only_for_word_spotting():
    """A prediction in a region that became do-not-care is left out, as one on "###" is."""
    found, says = [(WORD, "of"), (OTHER, "shop")], [(WORD, "of"), (OTHER, "shop")]
    assert score(TextSpottingMetric(), found, says) == (2, 2, 2)
    assert score(TextSpottingMetric("word-spotting"), found, says) == (1, 1, 1)


LEXICON = ["Exit", "Shop", "Parking", "Market"]


@pytest.mark.parametrize(
    ("read", "says", "limit", "counts"),
    [
        ("Exlt", "EXIT", 0.4, (1, 1, 1)),  # one of four wrong
        ("Ex11", "EXIT", 0.4, (0, 0, 1)),  # two of four: too far from every word, left out
        ("Ex11", "EXIT", None, (1, 1, 1)),
        ("shop", "EXIT", 0.4, (0, 1, 1)),
        ("", "EXIT", None, (0, 0, 1)),
        ("Parkin", "Parking", 0.4, (1, 1, 1)),
        ("Exlt", "Exits", 0.4, (0, 1, 1)),  # the word is not in the lexicon
    ],
)
def test_a_reading_becomes_the_nearest_word_or_is_left_out(read, says, limit, counts):
    metric = TextSpottingMetric(lexicon=LEXICON, max_lexicon_distance=limit)
    assert score(metric, [(WORD, read)], [(WORD, says)]) == counts


def test_of_equally_near_words_the_longest_wins():
    metric = TextSpottingMetric(lexicon=["bar", "bears"])
    assert score(metric, [(WORD, "bear")], [(WORD, "bears")]) == (1, 1, 1)


def test_a_strong_lexicon_comes_with_its_image_and_goes_before_the_others():
    metric = TextSpottingMetric(lexicon=["Shop"], max_lexicon_distance=None)
    assert score(metric, [(WORD, "Ex1t")], [(WORD, "Exit")], lexicon=["Exit"]) == (1, 1, 1)
    metric.reset()
    assert score(metric, [(WORD, "Ex1t")], [(WORD, "Exit")]) == (0, 1, 1)


def test_reading_everything_right_is_the_accuracy_of_detection():
    rng = np.random.default_rng(0)
    says = [box(x, y, x + 80, y + 30) for x in range(0, 600, 100) for y in range(0, 200, 50)]
    found = [polygon + rng.uniform(-15, 15, size=2) for polygon in says]
    detection = TextDetectionMetric()
    detection.update([{"polygons_xy": found}], [{"polygons_xy": says}])
    spotting = TextSpottingMetric()
    score(spotting, [(polygon, "w") for polygon in found], [(polygon, "w") for polygon in says])
    assert spotting.compute() == detection.compute()
    assert 0 < spotting.compute()["hmean"] < 1


def test_metrics_of_two_processes_merge_to_the_whole():
    parts = [TextSpottingMetric(lexicon=LEXICON) for _ in range(2)]
    score(parts[0], [(WORD, "exit")], [(WORD, "EXIT")])
    score(parts[1], [(WORD, "shop")], [(WORD, "EXIT"), (OTHER, "Shop")])
    parts[0].merge(parts[1])
    result = parts[0].compute()
    assert (result["num_images"], result["num_matches"], result["num_references"]) == (2, 1, 3)
    for other in (TextSpottingMetric(), TextSpottingMetric("word-spotting", LEXICON)):
        with pytest.raises(ValueError, match="one protocol"):
            parts[0].merge(other)


@pytest.mark.parametrize(
    ("prediction", "reference", "message"),
    [
        ({"polygons_xy": [WORD], "texts": []}, {"polygons_xy": [], "texts": []}, "`texts` of a prediction"),
        ({"polygons_xy": [], "texts": []}, {"polygons_xy": [WORD], "texts": []}, "`texts` of a reference"),
        (
            {"polygons_xy": [], "texts": []},
            {"polygons_xy": [WORD], "texts": [None]},
            "polygon 0 is not known",
        ),
        (
            {"polygons_xy": [WORD[:2]], "texts": ["a"]},
            {"polygons_xy": [], "texts": []},
            "prediction polygon 0",
        ),
        (
            {"polygons_xy": [], "texts": []},
            {"polygons_xy": [WORD], "texts": ["a"], "ignore": []},
            "`ignore` of a reference",
        ),
    ],
)
def test_wrong_input_is_named(prediction, reference, message):
    with pytest.raises(ValueError, match=message):
        TextSpottingMetric().update([prediction], [reference])


def test_a_protocol_that_is_not_there():
    with pytest.raises(ValueError, match="one of end-to-end, word-spotting: got 'strong'"):
        TextSpottingMetric("strong")
