"""Images one by one: their numbers add up, and the worst come first."""

import numpy as np

from tcm_hf.evaluation.cleval import CLEvalMetric
from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, TIoUMetric
from tcm_hf.evaluation.image_scores import score_images, worst_first
from tcm_hf.evaluation.spotting import TextSpottingMetric

WORD = np.array([[100, 20], [200, 20], [200, 50], [100, 50]], dtype=float)
AWAY = WORD + np.array([0, 100])
PREDICTIONS = [
    {"polygons_xy": [WORD + 2], "texts": ["exit"]},
    {"polygons_xy": [WORD, WORD + 300, AWAY], "texts": ["ex1t", "shop", "x"]},
    {"polygons_xy": [], "texts": []},
]
REFERENCES = [
    {"polygons_xy": [WORD], "texts": ["EXIT"]},
    {"polygons_xy": [WORD, AWAY], "texts": ["exit", "###"], "ignore": [False, True]},
    {"polygons_xy": [WORD], "texts": ["exit"]},
]


def test_misses_and_false_alarms_of_each_image():
    metric, images = score_images(TextDetectionMetric, PREDICTIONS, REFERENCES)
    assert [(image.misses, image.false_alarms) for image in images] == [(0, 0), (0, 1), (1, 0)]
    assert [image.scores["hmean"] for image in images] == [1, 2 / 3, 0]
    assert metric.compute()["num_matches"] == 2


def test_a_wrong_reading_is_a_miss_and_a_false_alarm_of_one_pair():
    _, images = score_images(TextSpottingMetric, PREDICTIONS, REFERENCES)
    verdict = images[1].verdict
    assert (images[1].misses, images[1].false_alarms, verdict.pairs) == (1, 2, [(0, 0)])
    assert verdict.ignored_predictions.tolist() == [False, False, True]


def test_every_protocol_gives_the_same_whole_as_without_looking_at_images():
    for metric_class in (TextDetectionMetric, TIoUMetric, DetEvalMetric, TextSpottingMetric, CLEvalMetric):
        whole = metric_class()
        whole.update(PREDICTIONS, REFERENCES)
        assert score_images(metric_class, PREDICTIONS, REFERENCES)[0].compute() == whole.compute()


def test_the_worst_come_first_and_those_without_a_mistake_not_at_all():
    _, images = score_images(TextDetectionMetric, PREDICTIONS, REFERENCES)
    assert worst_first(images) == [2, 1]
