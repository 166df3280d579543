"""Average precision of rotated objects."""

import numpy as np
import pytest

from tcm_hf.evaluation.rotated import RotatedDetectionMetric, average_precision
from tcm_hf.processing.rotated_boxes import rotated_overlaps

BOX = [50.0, 40, 30, 10, 0.4]
FAR = [150.0, 40, 30, 10, 0.4]


def image(boxes, labels=None, **fields) -> dict:
    boxes = np.array(boxes, dtype=float).reshape(-1, 5)
    return {"boxes": boxes, "labels": [0] * len(boxes) if labels is None else labels, **fields}


def result(predictions, references, classes=("ship",)) -> dict:
    metric = RotatedDetectionMetric(classes)
    metric.update(predictions, references)
    return metric.compute()


@pytest.mark.parametrize(
    "recall, precision, voc07, voc12, why",
    [
        ([], [], 0, 0, "nothing found"),
        ([1.0], [1.0], 1, 1, "all found"),
        ([0.5], [1.0], 6 / 11, 0.5, "half found: recall 0 to 0.5 counts"),
        ([0.5, 0.5, 1.0], [1, 0.5, 2 / 3], (6 + 5 * 2 / 3) / 11, 0.5 + 0.5 * 2 / 3, "with a false alarm"),
        ([0.0, 0.5], [0, 0.5], 6 * 0.5 / 11, 0.25, "the best is a false alarm"),
        ([0.1, 0.2, 0.1 + 0.2], [1, 1, 1], 4 / 11, 0.3, "a recall that is not quite 0.3"),
    ],
)
def test_average_precision(recall, precision, voc07, voc12, why):
    assert average_precision(np.array(recall), np.array(precision), "voc07") == pytest.approx(voc07), why
    assert average_precision(np.array(recall), np.array(precision), "voc12") == pytest.approx(voc12), why


@pytest.mark.parametrize(
    "found, objects, map50, why",
    [
        (image([BOX], scores=[0.9]), image([BOX]), 1, "found"),
        (image([], scores=[]), image([BOX]), 0, "missed"),
        (image([BOX], scores=[0.9]), image([]), 0, "nothing to find"),
        (
            image([BOX, BOX], scores=[0.9, 0.8]),
            image([BOX]),
            1,
            "found twice: the second comes too late to hurt",
        ),
        (image([FAR, BOX], scores=[0.9, 0.8]), image([BOX]), 0.5, "a false alarm first"),
        (image([FAR, BOX], scores=[0.7, 0.8]), image([BOX]), 1, "a false alarm after all is found"),
        (
            image([FAR, BOX], scores=[0.9, 0.8]),
            image([BOX, FAR], difficult=[0, 1]),
            1,
            "a difficult one is no alarm",
        ),
        (
            image([BOX, BOX], scores=[0.9, 0.8]),
            image([BOX], difficult=[1]),
            0,
            "only difficult ones: no object",
        ),
        (image([[50, 40, 30, 10, 0.4 + np.pi]], scores=[0.9]), image([BOX]), 1, "half a turn is nothing"),
        (
            image([[50, 40, 30, 10, 0.4 + np.pi / 2]], scores=[0.9]),
            image([BOX]),
            0,
            "a quarter turn is a lot",
        ),
    ],
)
def test_hits_and_false_alarms(found, objects, map50, why):
    assert result([found], [objects])["map50"] == pytest.approx(map50), why


def test_classes_are_counted_apart_and_those_that_do_not_occur_left_out():
    found = image([BOX, FAR], scores=[0.9, 0.8], labels=[0, 0])
    figures = result([found], [image([BOX, FAR], labels=[0, 1])], ("ship", "plane", "bridge"))
    assert figures["ap50"] == {"ship": 1.0, "plane": 0.0, "bridge": None}
    assert figures["map50"] == 0.5 and figures["num_objects"] == {"ship": 1, "plane": 1, "bridge": 0}


def test_the_mean_over_overlaps_falls_with_the_overlap():
    shifted = [53.0, 40, 30, 10, 0.0]  # IoU 27/33 = 0.818: a hit from 0.5 to 0.8, that is 7 of 10
    figures = result([image([shifted], scores=[0.9])], [image([[50, 40, 30, 10, 0]])])
    assert figures["map50"] == 1 and figures["map50_95"] == pytest.approx(0.7)


def test_images_do_not_mix_and_may_come_in_parts():
    batches = [(image([BOX], scores=[0.9]), image([FAR])), (image([FAR], scores=[0.8]), image([FAR]))]
    assert result(*map(list, zip(*batches, strict=True)))["map50"] == pytest.approx(0.25)
    first, second = RotatedDetectionMetric(["ship"]), RotatedDetectionMetric(["ship"])
    first.update([batches[0][0]], [batches[0][1]])
    second.update([batches[1][0]], [batches[1][1]])
    first.merge(second)
    assert first.compute()["map50"] == pytest.approx(0.25)
    first.reset()
    assert first.compute()["map50"] == 0
    with pytest.raises(ValueError, match="plane"):
        first.merge(RotatedDetectionMetric(["plane"]))


def plain_average_precision(images: list, threshold: float) -> float:
    """As the development kit describes it, one detection after another."""
    rows = sorted(
        ((-score, i, j) for i, (found, _) in enumerate(images) for j, score in enumerate(found["scores"]))
    )
    taken: set = set()
    hits = []
    for _, i, j in rows:
        found, objects = images[i]
        overlaps = rotated_overlaps(found["boxes"][j : j + 1], objects["boxes"])[0]
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best < 0 or overlaps[best] < threshold:
            hits.append(0)
        elif not objects["difficult"][best]:
            hits.append(int((i, best) not in taken))
            taken.add((i, best))
    found = np.cumsum(hits)
    count = sum(int((~np.array(objects["difficult"], bool)).sum()) for _, objects in images)
    return average_precision(found / count, found / np.arange(1, len(found) + 1))


def test_the_fast_way_counts_as_the_plain_one():
    rng = np.random.default_rng(0)
    images = []
    for _ in range(12):
        objects = rng.uniform([0, 0, 10, 5, -2], [200, 100, 40, 20, 2], (rng.integers(0, 12), 5))
        near = objects[rng.integers(0, max(len(objects), 1), 20 if len(objects) else 0)]
        boxes = near + rng.normal(size=near.shape) * [3, 3, 2, 1, 0.1]
        found = image(boxes, scores=rng.random(len(boxes)))
        images.append((found, image(objects, difficult=rng.random(len(objects)) < 0.3)))
    metric = RotatedDetectionMetric(["ship"])
    metric.update(*map(list, zip(*images, strict=True)))
    table = metric._table("voc12")[0]
    for threshold, value in zip(metric.iou_thresholds, table, strict=True):
        assert value == pytest.approx(plain_average_precision(images, threshold))


@pytest.mark.parametrize(
    "found, objects, message",
    [
        (image([BOX], scores=[]), image([]), "0 scores for 1"),
        (image([BOX], scores=[0.9], labels=[1]), image([]), "from 0 to 0"),
        (image([BOX], scores=[0.9], labels=[]), image([]), "0 for 1"),
        (image([], scores=[]), image([BOX], difficult=[0, 0]), "2 flags for 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(found, objects, message):
    with pytest.raises(ValueError) as error:
        result([found], [objects])
    assert message in str(error.value)


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="voc12"):
        average_precision(np.zeros(1), np.zeros(1), "coco")


@pytest.mark.parametrize(
    "found, objects, rates, why",
    [
        (image([BOX, FAR], scores=[0.9, 0.1]), image([BOX]), (0.5, 1.0, 2 / 3), "a false alarm"),
        (image([BOX], scores=[0.9]), image([BOX, FAR]), (1.0, 0.5, 2 / 3), "one missed"),
        (image([BOX, BOX], scores=[0.9, 0.8]), image([BOX]), (0.5, 1.0, 2 / 3), "found twice"),
        (image([BOX], scores=[0.9]), image([BOX], difficult=[1]), (0, 0, 0), "nothing counts"),
        (image([], scores=[]), image([BOX]), (0, 0, 0), "nothing found"),
        (image([BOX, FAR], [0, 1], scores=[0.9, 0.9]), image([BOX, FAR], [0, 1]), (1, 1, 1), "two classes"),
    ],
)
def test_rates_of_all_that_was_found(found, objects, rates, why):
    scores = result([found], [objects], ("ship", "plane"))
    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx(rates), why
