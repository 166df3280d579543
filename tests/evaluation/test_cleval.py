"""CLEval: numbers of the authors' program, cases counted by hand, and invariances."""

import numpy as np
import pytest

import golden_files
from tcm_hf.evaluation.cleval import CLEvalMetric
from tcm_hf.evaluation.detection import sweep_thresholds


def box(left, top, right, bottom) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def score(found, read, texts, words, ignore=None, **settings) -> dict:
    metric = CLEvalMetric(with_texts=True, **settings)
    reference = {"polygons_xy": texts, "texts": words, "ignore": ignore or [False] * len(words)}
    metric.update([{"polygons_xy": found, "texts": read}], [reference])
    return metric.compute()


def golden_images():
    reference, _ = golden_files.load("tiou_cleval")
    for image in reference["images"]:
        yield (
            {"polygons_xy": [np.array(each) for each in image["predictions"]], "texts": image["read"]},
            {
                "polygons_xy": [np.array(each) for each in image["texts"]],
                "texts": image["words"],
                "ignore": image["ignore"],
            },
            image["cleval"],
        )


def test_the_counts_of_the_original_program_come_out():
    for index, (prediction, reference, expected) in enumerate(golden_images()):
        metric = CLEvalMetric(with_texts=True)
        metric.update([prediction], [reference])
        assert {name: metric.counts[name] for name in expected} == expected, index


WORD = box(100, 20, 180, 40)  # of eight characters: one each ten pixels
LINE = box(100, 20, 300, 40)
PIECES = [box(100, 20, 140, 40), box(140, 20, 180, 40)]
WORDS = [box(100, 20, 180, 40), box(200, 20, 300, 40)]
TABLE = [
    # reason, found, texts, words, recall, precision
    ("the same box", [WORD], [WORD], ["abcdefgh"], 1, 1),
    ("five of eight characters", [box(100, 20, 150, 40)], [WORD], ["abcdefgh"], 5 / 8, 1),
    ("two halves cost a character", PIECES, [WORD], ["abcdefgh"], 7 / 8, 1),
    ("three pieces cost two", [*PIECES, WORD], [WORD], ["abcdefgh"], 6 / 8, 8 / 16),
    ("two words in one box cost a character", [LINE], WORDS, ["abcdefgh", "abcdefgh"], 1, 15 / 16),
    ("a box on nothing is one character", [WORD, box(100, 200, 180, 220)], [WORD], ["abcdefgh"], 1, 8 / 9),
    ("a tall box on nothing is as many as it is high", [box(0, 0, 20, 100)], [WORD], ["abc"], 0, 0),
    ("little of it on the text", [box(100, 20, 180, 200)], [WORD], ["abcdefgh"], 0, 0),
    ("nothing found", [], [WORD], ["abcdefgh"], 0, 0),
    ("nothing there", [WORD], [], [], 1, 0),
    ("nothing there and nothing found", [], [], [], 1, 1),
    ("beside the text", [box(100, 100, 180, 120)], [WORD], ["abcdefgh"], 0, 0),
]


@pytest.mark.parametrize(
    ("reason", "found", "texts", "words", "recall", "precision"), TABLE, ids=[row[0] for row in TABLE]
)
def test_characters_counted_by_hand(reason, found, texts, words, recall, precision):
    metric = CLEvalMetric()
    metric.update([{"polygons_xy": found}], [{"polygons_xy": texts, "texts": words}])
    result = metric.compute()
    assert (result["recall"], result["precision"]) == pytest.approx((recall, precision))


def test_a_tall_box_on_nothing_counts_six_characters_and_a_flat_one_one():
    metric = CLEvalMetric()
    for found, characters in ((box(0, 0, 20, 100), 5), (box(0, 0, 100, 20), 1), (box(0, 0, 4, 400), 10)):
        metric.reset()
        metric.update([{"polygons_xy": [found]}], [{"polygons_xy": [], "texts": []}])
        assert metric.counts["found_characters"] == characters


def test_end_to_end_counts_the_characters_read_in_order():
    result = score([WORD], ["abXdefg"], [WORD], ["abcdefgh"])
    assert (result["recall"], result["precision"]) == (6 / 8, 6 / 7)
    assert result["recognition_score"] == 6 / 7
    assert (result["detection_recall"], result["detection_precision"]) == (1, 1)


def test_halves_are_read_in_the_order_of_the_text_whatever_their_own():
    assert score(PIECES[::-1], ["efgh", "abcd"], [WORD], ["abcdefgh"])["recall"] == 7 / 8
    assert score(PIECES, ["efgh", "abcd"], [WORD], ["abcdefgh"])["recall"] == 3 / 8


def test_two_words_share_what_one_box_says():
    result = score([LINE], ["one two"], WORDS, ["one", "two"])
    assert (result["recall"], result["precision"]) == (1, 5 / 7)


def test_case_counts_unless_it_is_left_aside():
    assert score([WORD], ["EXIT"], [WORD], ["exit"])["recall"] == 0
    assert score([WORD], ["EXIT"], [WORD], ["exit"], ignore_case=True)["hmean"] == 1


def test_predictions_on_do_not_care_texts_are_left_out():
    away = box(300, 20, 380, 40)
    result = score([WORD, away], ["exit", "?"], [WORD, away], ["exit", "###"])
    assert (result["recall"], result["precision"], result["num_characters"]) == (1, 1, 4)
    result = score([WORD, away], ["exit", "?"], [WORD, away], ["exit", "shop"], [False, True])
    assert (result["hmean"], result["num_characters"]) == (1, 4)


def test_a_do_not_care_region_around_a_text_does_not_swallow_what_is_found_of_it():
    result = score([WORD], ["exit"], [WORD, box(90, 10, 400, 60)], ["exit", "###"])
    assert (result["recall"], result["precision"]) == (1, 1)


def test_curved_texts_have_their_characters_along_the_curve():
    angles = np.linspace(np.pi, 2 * np.pi, 7)
    ring = [np.stack([200 + r * np.cos(angles), 150 + r * np.sin(angles)], axis=1) for r in (100, 80)]
    arch = np.concatenate([ring[0], ring[1][::-1]])
    quarter = np.concatenate([ring[0][:4], ring[1][:4][::-1]])
    result = score([quarter], ["abcd"], [arch], ["abcdefgh"])
    assert (result["detection_recall"], result["recall"]) == (0.5, 0.5)
    assert score([arch], ["abcdefgh"], [arch], ["abcdefgh"])["hmean"] == 1


def test_what_a_verdict_says_of_texts_and_predictions():
    metric = CLEvalMetric(with_texts=True)
    measured = metric.measure(
        {"polygons_xy": [*PIECES, box(300, 20, 380, 40)], "texts": ["abcd", "", "x"]},
        {"polygons_xy": [WORD, box(100, 200, 180, 220)], "texts": ["abcdefgh", "miss"]},
    )
    verdict = metric.judge(measured)
    assert verdict.pairs == [(0, 0), (0, 1)]
    assert verdict.missed.tolist() == [False, True]
    assert verdict.false_alarms.tolist() == [False, True, True]
    np.testing.assert_allclose(verdict.text_credit, [3 / 8, 0])


def test_a_sweep_drops_what_has_a_low_score():
    prediction = {"polygons_xy": PIECES, "scores": [0.9, 0.3]}
    rows = sweep_thresholds(
        [prediction], [{"polygons_xy": [WORD], "texts": ["abcdefgh"]}], [0.2, 0.5, 0.95], CLEvalMetric
    )
    assert [row["recall"] for row in rows] == [7 / 8, 4 / 8, 0]


def test_two_processes_merge_to_the_whole():
    images = list(golden_images())
    metrics = [CLEvalMetric(with_texts=True) for _ in range(3)]
    for metric, part in zip(metrics, (images, images[:9], images[9:]), strict=True):
        metric.update([image[0] for image in part], [image[1] for image in part])
    metrics[1].merge(metrics[2])
    assert metrics[1].compute() == pytest.approx(metrics[0].compute())


@pytest.mark.parametrize(
    ("prediction", "reference", "message"),
    [
        (
            {"polygons_xy": [WORD]},
            {"polygons_xy": [WORD], "texts": [None]},
            "polygon 0 is not known",
        ),
        ({"polygons_xy": [WORD]}, {"polygons_xy": [WORD], "texts": []}, "one entry per polygon"),
        ({"polygons_xy": [WORD[:2]]}, {"polygons_xy": [], "texts": []}, "prediction polygon 0"),
    ],
)
def test_what_cannot_be_scored_is_named(prediction, reference, message):
    with pytest.raises(ValueError, match=message):
        CLEvalMetric().update([prediction], [reference])
    with pytest.raises(ValueError, match="at least one image"):
        CLEvalMetric().compute()
