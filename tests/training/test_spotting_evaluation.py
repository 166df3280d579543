import numpy as np
import pytest

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.training import spotting_evaluation
from tcm_hf.training.photo_outputs import PhotoBatch
from tcm_hf.training.spotting_evaluation import choose_thresholds, evaluate_spotter, sweep_thresholds


def quad(x, y):
    return np.array([[x, y], [x + 40, y], [x + 40, y + 15], [x, y + 15]], np.float32)


RECORDS = [
    TextRecord(
        np.zeros((100, 160, 3), np.uint8),
        [
            TextInstance(quad(5, 5), "EXIT"),
            TextInstance(quad(60, 5), "shop"),
            TextInstance(quad(5, 50)),  # a word whose text is not known
        ],
        name="one",
    )
]
FOUND = [  # polygon, text, score of the place, score of the text
    (quad(5, 5), "exit", 0.9, 0.9),
    (quad(61, 6), "shop", 0.5, 0.8),
    (quad(110, 70), "noise", 0.4, 0.9),
    (quad(5, 80), "blur", 0.9, 0.25),
    (quad(5, 50), "unknown", 0.9, 0.9),
]


class Processor:
    """Gives `FOUND`, as far as it is above the thresholds."""

    threshold, recognition_threshold = 0.45, 0.3

    def post_process_text_spotting(self, outputs, threshold, recognition_threshold, target_sizes):
        kept = [word for word in FOUND if word[2] >= threshold and word[3] >= recognition_threshold]
        return [
            {
                "polygons": [word[0] for word in kept],
                "texts": [word[1] for word in kept],
                "scores": [word[2] for word in kept],
                "readings": [{"text": word[1], "score": word[3]} for word in kept],
            }
        ]


@pytest.fixture(autouse=True)
def outputs(monkeypatch):
    def photo_outputs(*args, **options):
        yield PhotoBatch([0], [(100, 160)], None)

    monkeypatch.setattr(spotting_evaluation, "photo_outputs", photo_outputs)


def test_scores_are_those_at_the_thresholds_of_the_processor():
    scores = evaluate_spotter(None, Processor(), RECORDS)
    assert (scores["precision"], scores["recall"], scores["hmean"]) == (1.0, 1.0, 1.0)
    assert scores["detection_hmean"] == pytest.approx(1.0)
    assert scores["num_references"] == 2


@pytest.mark.parametrize(
    ("thresholds", "precision", "recall"),
    [
        pytest.param((0.0, 0.0), 0.5, 1.0, id="all, also what is no word"),
        pytest.param((0.45, 0.3), 1.0, 1.0, id="both thresholds"),
        pytest.param((0.45, 0.0), 2 / 3, 1.0, id="only places"),
        pytest.param((0.8, 0.3), 1.0, 0.5, id="too strict"),
        pytest.param((0.95, 0.95), 0.0, 0.0, id="nothing"),
    ],
)
def test_thresholds_take_words_away(thresholds, precision, recall):
    scores = evaluate_spotter(None, Processor(), RECORDS, thresholds=thresholds)
    assert (scores["precision"], scores["recall"]) == pytest.approx((precision, recall))


def test_the_best_thresholds_are_found_below_those_of_the_processor_too():
    processor = Processor()
    processor.threshold = 0.9
    scores = evaluate_spotter(None, processor, RECORDS)
    assert scores["hmean"] == pytest.approx(2 / 3)
    assert scores["best_hmean"] == 1.0
    best = choose_thresholds(None, processor, RECORDS)
    assert best["hmean"] == 1.0
    assert 0.4 < best["threshold"] <= 0.5
    assert 0.25 < best["recognition_threshold"] <= 0.8


def test_a_sweep_gives_a_row_for_every_pair_in_order():
    reading = {"polygons_xy": [quad(5, 5)], "texts": ["exit"], "scores": np.array([0.6])}
    reading["text_scores"] = np.array([0.4])
    rows = sweep_thresholds([reading], RECORDS, [(0.5, 0.5), (0.5, 0.3)])
    assert [(row["threshold"], row["recognition_threshold"]) for row in rows] == [(0.5, 0.5), (0.5, 0.3)]
    assert [row["recall"] for row in rows] == [0.0, 0.5]


def test_without_records_there_is_no_score():
    with pytest.raises(ValueError, match="at least one record"):
        evaluate_spotter(None, Processor(), [])
