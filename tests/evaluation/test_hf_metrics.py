"""The metrics through `evaluate.load`, offline, from the folders of the package."""

import numpy as np
import pytest

from tcm_hf.evaluation.cleval import CLEvalMetric
from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, TIoUMetric
from tcm_hf.evaluation.hf_metrics import metric_path
from tcm_hf.evaluation.recognition import TextRecognitionMetric
from tcm_hf.evaluation.rotated import RotatedDetectionMetric
from tcm_hf.evaluation.spotting import TextSpottingMetric

WORD = [[100.0, 20.0], [200.0, 20.0], [200.0, 50.0], [100.0, 50.0]]
CURVED = [[300.0, 20.0], [350.0, 10.0], [420.0, 20.0], [420.0, 60.0], [350.0, 50.0], [300.0, 60.0]]
FOUND = [{"polygons_xy": [CURVED, WORD], "texts": ["shop", "ex1t"]}, {"polygons_xy": [], "texts": []}]
SAYS = [
    {"polygons_xy": [WORD, CURVED], "texts": ["EXIT", "Shop"], "ignore": [False, False]},
    {"polygons_xy": [WORD, CURVED], "texts": ["EXIT", "###"], "ignore": [False, True]},
]


@pytest.fixture
def load(monkeypatch, tmp_path):
    evaluate = pytest.importorskip("evaluate", reason="evaluate is not installed (pip install evaluate)")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)

    def load_metric(task: str, *name: str):
        return evaluate.load(metric_path(task), *name, cache_dir=str(tmp_path))

    return load_metric


def without_texts(rows):
    return [{name: value for name, value in row.items() if name != "texts"} for row in rows]


def expected(metric, predictions, references):
    arrays = [{**row, "polygons_xy": [np.array(each) for each in row["polygons_xy"]]} for row in predictions]
    metric.update(arrays, references)
    return metric.compute()


def test_recognition(load):
    metric = load("text-recognition")
    metric.add_batch(predictions=["exit", "a"], references=["EXIT", "b"])
    metric.add(prediction="?", reference="?")
    read, says = ["exit", "a", "?"], ["EXIT", "b", "?"]
    assert metric.compute() == expected_recognition(("36", "62", "94"), read, says)
    assert metric.compute(predictions=read, references=says, protocols=["any"]) == expected_recognition(
        ["any"], read, says
    )


def expected_recognition(protocols, read, says):
    metric = TextRecognitionMetric(protocols)
    metric.update(read, says)
    return metric.compute()


def test_detection(load):
    metric, found, says = load("text-detection"), without_texts(FOUND), without_texts(SAYS)
    result = metric.compute(predictions=found, references=says)
    assert result == expected(TextDetectionMetric(), found, says)
    assert result["num_matches"] == 2
    for protocol, ours in (("deteval", DetEvalMetric()), ("tiou", TIoUMetric())):
        result = metric.compute(predictions=found, references=says, protocol=protocol)
        assert result == expected(ours, found, says)


def test_characters_are_counted_by_the_metric_of_that_name(load):
    result = load("text-detection", "cleval").compute(predictions=without_texts(FOUND), references=SAYS)
    assert result == expected(CLEvalMetric(), without_texts(FOUND), SAYS)
    assert result["recall"] == pytest.approx(8 / 12)
    found, says = without_texts(FOUND), without_texts(SAYS)
    with pytest.raises(ValueError, match="load this metric with the name 'cleval'"):
        load("text-detection").compute(predictions=found, references=says, protocol="cleval")


def test_spotting(load):
    metric = load("text-spotting")
    assert metric.compute(predictions=FOUND, references=SAYS)["num_matches"] == 1
    settings = {"protocol": "word-spotting", "lexicon": ["exit", "shop"]}
    result = metric.compute(predictions=FOUND, references=SAYS, **settings)
    assert result == expected(TextSpottingMetric(**settings), FOUND, SAYS)
    assert result["num_matches"] == 2
    strong = metric.compute(predictions=FOUND, references=SAYS, lexicons=[["exit"], ["shop"]])
    assert (strong["num_matches"], strong["num_predictions"]) == (1, 1)
    result = metric.compute(predictions=FOUND, references=SAYS, protocol="cleval", ignore_case=True)
    assert result == expected(CLEvalMetric(with_texts=True, ignore_case=True), FOUND, SAYS)
    assert (result["num_characters"], result["detection_precision"]) == (12, 1)
    result = metric.compute(predictions=FOUND, references=SAYS, protocol="cleval", with_texts=False)
    assert result["recall"] == pytest.approx(8 / 12)
    with pytest.raises(ValueError, match="cleval scores readings as they are"):
        metric.compute(predictions=FOUND, references=SAYS, protocol="cleval", lexicons=[["exit"], ["shop"]])


def test_rotated_detection(load):
    metric = load("rotated-detection")
    boxes = [[50.0, 40.0, 30.0, 10.0, 0.4], [150.0, 40.0, 30.0, 12.0, -0.4]]
    found = [{"boxes": boxes, "scores": [0.9, 0.8], "labels": [0, 1]}]
    says = [{"boxes": boxes[:1], "labels": [0], "difficult": [False]}]
    result = metric.compute(predictions=found, references=says, class_names=["ship", "plane"])
    ours = RotatedDetectionMetric(["ship", "plane"])
    ours.update(found, says)
    assert result == ours.compute()
    assert result["ap50"] == {"ship": 1.0, "plane": None}
    assert metric.compute(predictions=found, references=says)["num_objects"] == {"class 0": 1, "class 1": 0}


def test_a_metric_that_is_not_there():
    with pytest.raises(ValueError, match=r"one of rotated-detection, text-detection, text-rec.*got 'ocr'"):
        metric_path("ocr")
