"""Text detection accuracy: a published result, the golden cases, value tables and invariances."""

import numpy as np
import pytest

import golden_files
from tcm_hf.evaluation.detection import (
    DetEvalMetric,
    TextDetectionMetric,
    TIoUMetric,
    best_over_thresholds,
    sweep_thresholds,
)
from tcm_hf.evaluation.overlaps import measure_overlaps


def polygons(rows) -> list[np.ndarray]:
    return [np.array(row, dtype=float).reshape(-1, 2) for row in rows]


def box(left, top, right, bottom) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)


def score(metric, predictions, references, ignore=None) -> dict:
    reference = {"polygons_xy": references, "ignore": ignore or [False] * len(references)}
    metric.update([{"polygons_xy": predictions}], [reference])
    return metric.compute()


def golden_images(names: list[str]):
    reference, _ = golden_files.load("G_hmean")
    images = reference["images"] | reference["poly_images"]
    predictions = [
        {"polygons_xy": polygons(images[name]["pred"]), "scores": np.array(images[name]["score"])}
        for name in names
    ]
    references = [
        {
            "polygons_xy": polygons(images[name]["gt"] + images[name]["ignored"]),
            "ignore": [False] * len(images[name]["gt"]) + [True] * len(images[name]["ignored"]),
        }
        for name in names
    ]
    return predictions, references


@pytest.fixture(scope="module")
def east_on_icdar_2015():
    reference, _ = golden_files.load("ic15_east/ic15_east")
    return [
        measure_overlaps(polygons(image["prediction"]), polygons(image["ground_truth"]), image["ignore"])
        for image in reference["images"].values()
    ]


def score_measured(metric, images) -> dict:
    for image in images:
        metric.add(metric.judge(image))
    return metric.compute()


def test_the_published_result_of_east_on_icdar_2015_comes_out(east_on_icdar_2015):
    result = score_measured(TextDetectionMetric(), east_on_icdar_2015)
    assert result["hmean"] == pytest.approx(0.80825, abs=5e-6)
    assert result["recall"] == pytest.approx(0.77323, abs=5e-6)
    assert result["precision"] == pytest.approx(0.84660, abs=5e-6)
    assert (result["num_images"], result["num_references"]) == (500, 2077)


GOLDEN = [
    ("hmean_iou.quads", TextDetectionMetric()),
    ("hmean_iou.quads_and_polys", TextDetectionMetric()),
    ("hmean_iou.quads.iou0.6_prec0.3", TextDetectionMetric(0.6, 0.3)),
    ("hmean_iou.quads_and_polys.iou0.6_prec0.3", TextDetectionMetric(0.6, 0.3)),
    ("hmean_ic13.quads", DetEvalMetric()),
    ("hmean_ic13.quads.p0.6_r0.6", DetEvalMetric(recall_threshold=0.6, precision_threshold=0.6)),
]


@pytest.mark.parametrize(("case", "metric"), GOLDEN, ids=[case for case, _ in GOLDEN])
def test_golden_images_give_the_original_numbers(case, metric):
    reference, _ = golden_files.load("G_hmean")
    expected = reference["results"][case]
    names = reference["per_image_order"][case.split(".")[1]]
    predictions, references = golden_images(names)
    for name, prediction, truth, numbers in zip(
        names, predictions, references, expected["per_image"], strict=True
    ):
        metric.reset()
        metric.update([prediction], [truth])
        result = metric.compute()
        for key, value in numbers.items():
            assert result[key] == pytest.approx(value, abs=1e-12), (name, key)
    metric.reset()
    metric.update(predictions, references)
    result = metric.compute()
    for key in ("recall", "precision", "hmean"):
        assert result[key] == pytest.approx(expected["dataset"][key], abs=1e-12), key
    assert result["num_references"] == expected["dataset"]["num_gts"]
    assert result["num_predictions"] == expected["dataset"]["num_dets"]


@pytest.mark.parametrize("lowest", [0.3, 0.5])
@pytest.mark.parametrize("part", ["quads", "quads_and_polys"])
def test_a_sweep_gives_the_rows_of_the_original_and_its_best(part, lowest):
    reference, _ = golden_files.load("G_hmean")
    expected = reference["results"][f"eval_hmean.{part}.score_thr{lowest}"]
    predictions, references = golden_images(reference["per_image_order"][part])
    # The original drops scores <= its score_thr first, and its thresholds are not quite round.
    thresholds = [step * 0.1 for step in range(3, 10) if step * 0.1 >= lowest]
    predictions = [
        {
            "polygons_xy": [
                shape for shape, kept in zip(row["polygons_xy"], row["scores"] > lowest, strict=True) if kept
            ],
            "scores": row["scores"][row["scores"] > lowest],
        }
        for row in predictions
    ]
    metrics = {"hmean-iou": TextDetectionMetric}
    if part == "quads":
        metrics = {"hmean-ic13": DetEvalMetric, **metrics}
    rows = {
        name: sweep_thresholds(predictions, references, thresholds, metric)
        for name, metric in metrics.items()
    }
    lines = [
        f"thr {row['threshold']:.2f}, recall: {row['recall']:.3f}, precision: {row['precision']:.3f}, "
        f"hmean: {row['hmean']:.3f}"
        for rows_at_threshold in zip(*rows.values(), strict=True)
        for row in rows_at_threshold
    ]
    assert lines == expected["log"]
    for name, swept in rows.items():
        best = best_over_thresholds(swept)
        assert best["what"] == "best over thresholds on the test set, as upstream reports it"
        for key in ("recall", "precision", "hmean"):
            assert best[key] == pytest.approx(expected["best"][f"{name}:{key}"])


WORD = box(100, 20, 200, 50)
TABLE = [
    # reason, predictions, references, ignore, (matches, predictions, references)
    ("the same box", [WORD], [WORD], None, (1, 1, 1)),
    ("half is not more than half", [box(100, 20, 150, 50)], [WORD], None, (0, 1, 1)),
    ("a little more than half", [box(100, 20, 151, 50)], [WORD], None, (1, 1, 1)),
    ("one text for two predictions", [WORD, WORD], [WORD], None, (1, 2, 1)),
    ("one prediction for two texts", [WORD], [WORD, WORD], None, (1, 1, 2)),
    ("corners the other way round", [WORD[::-1]], [WORD], None, (1, 1, 1)),
    ("nothing found", [], [WORD], None, (0, 0, 1)),
    ("nothing there", [WORD], [], None, (0, 1, 0)),
    ("do-not-care found", [WORD], [WORD], [True], (0, 0, 0)),
    ("do-not-care missed", [], [WORD], [True], (0, 0, 0)),
    ("half inside do-not-care still counts", [box(50, 20, 150, 50)], [WORD], [True], (0, 1, 0)),
    ("more than half inside is left out", [box(51, 20, 151, 50)], [WORD], [True], (0, 0, 0)),
    ("inside do-not-care, though it is right", [WORD], [WORD, WORD], [False, True], (0, 0, 1)),
    ("no area", [box(100, 20, 100, 50)], [WORD], None, (0, 1, 1)),
    ("far away", [WORD + 5000], [WORD], None, (0, 1, 1)),
    ("beside one another", [box(200, 20, 300, 50)], [WORD], None, (0, 1, 1)),
]


@pytest.mark.parametrize(
    ("reason", "found", "texts", "ignore", "counts"), TABLE, ids=[row[0] for row in TABLE]
)
def test_what_counts_as_a_match(reason, found, texts, ignore, counts):
    result = score(TextDetectionMetric(), found, texts, ignore)
    assert (result["num_matches"], result["num_predictions"], result["num_references"]) == counts


def test_an_early_text_takes_the_first_prediction_that_fits_even_if_a_later_one_is_better():
    texts = [box(0, 0, 100, 40), box(0, 16, 100, 56)]
    between, exact = box(0, 8, 100, 48), box(0, 0, 100, 40)
    assert score(TextDetectionMetric(), [between, exact], texts)["num_matches"] == 1
    assert score(TextDetectionMetric(), [exact, between], texts)["num_matches"] == 2


@pytest.mark.parametrize(
    ("found", "recall", "precision"), [([], 1, 1), ([WORD], 1, 0)], ids=["nothing found", "something found"]
)
def test_images_without_text(found, recall, precision):
    result = score(TextDetectionMetric(), found, [])
    assert (result["recall"], result["precision"]) == (recall, precision)


def test_scores_are_not_zero_divided_when_nothing_matches():
    result = score(TextDetectionMetric(), [], [WORD])
    assert (result["precision"], result["recall"], result["hmean"]) == (0, 0, 0)


def test_deteval_rewards_splits_and_merges():
    line, words = box(0, 0, 200, 30), [box(0, 0, 60, 30), box(70, 0, 130, 30), box(140, 0, 200, 30)]
    split = score(DetEvalMetric(), words, [line])
    assert (split["recall"], split["precision"]) == pytest.approx((0.8, 0.8))
    merged = score(DetEvalMetric(), [line], words)
    assert (merged["recall"], merged["precision"]) == (1, 1)


def test_the_published_tightness_of_east_on_icdar_2015_comes_out(east_on_icdar_2015):
    """Table 3 of the TIoU paper: 0.528, 0.635, 0.576; the predictions there may be of another run."""
    result = score_measured(TIoUMetric(), east_on_icdar_2015)
    for key, published in (("recall", 0.528), ("precision", 0.635), ("hmean", 0.576)):
        assert result[key] == pytest.approx(published, abs=0.0015)
    assert result["num_matches"] == 1606


def test_tightness_of_golden_images_is_that_of_the_original_script():
    reference, _ = golden_files.load("tiou_cleval")
    whole = TIoUMetric()
    for index, image in enumerate(reference["images"]):
        metric = TIoUMetric()
        result = score(metric, polygons(image["predictions"]), polygons(image["texts"]), image["ignore"])
        for key, value in image["tiou"].items():
            assert result[key] == pytest.approx(value, abs=1e-12), (index, key)
        whole.merge(metric)
    for key in ("recall", "precision", "hmean"):
        name = f"tiou{key.capitalize()}"
        assert whole.compute()[key] == pytest.approx(reference["tiou"][name], abs=1e-12)


TIGHTNESS = [
    # reason, predictions, references, recall, precision
    ("the same box", [WORD], [WORD], 1, 1),
    ("a quarter cut off", [box(100, 20, 175, 50)], [WORD], 0.75 * 0.75, 0.75),
    ("half a percent cut off is none", [box(100, 20, 199.5, 50)], [WORD], 0.995, 0.995),
    ("a third too much background", [box(100, 20, 200, 60)], [WORD], 0.75, 0.75),
    ("a third of another text", [box(100, 20, 250, 50)], [WORD, box(200, 20, 300, 50)], 1 / 3, 4 / 9),
    (
        "two strangers over one another",
        [box(100, 20, 250, 50)],
        [WORD, *[box(200, 20, 300, 50)] * 2],
        2 / 9,
        4 / 9,
    ),
    ("too little of it", [box(100, 20, 150, 50)], [WORD], 0, 0),
    ("nothing found", [], [WORD], 0, 0),
]


@pytest.mark.parametrize(
    ("reason", "found", "texts", "recall", "precision"), TIGHTNESS, ids=[row[0] for row in TIGHTNESS]
)
def test_tightness_computed_by_hand(reason, found, texts, recall, precision):
    result = score(TIoUMetric(), found, texts)
    assert result["recall"] == pytest.approx(recall)
    assert result["precision"] == pytest.approx(precision)


@pytest.mark.parametrize("metric_class", [TextDetectionMetric, DetEvalMetric, TIoUMetric])
def test_metrics_of_two_processes_merge_to_the_whole(metric_class):
    reference, _ = golden_files.load("G_hmean")
    predictions, references = golden_images(reference["per_image_order"]["quads"])
    whole, first, second = metric_class(), metric_class(), metric_class()
    whole.update(predictions, references)
    first.update(predictions[:5], references[:5])
    second.update(predictions[5:], references[5:])
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())
    assert all(isinstance(value, int | float) for value in first.counts.values())


def test_metrics_of_unlike_protocols_do_not_merge():
    for other in (TextDetectionMetric(0.7), DetEvalMetric()):
        with pytest.raises(ValueError, match="one protocol"):
            TextDetectionMetric().merge(other)


def test_reset_forgets():
    metric = TextDetectionMetric()
    score(metric, [WORD + 500], [WORD])
    metric.reset()
    assert score(metric, [WORD], [WORD])["hmean"] == 1


def test_moving_everything_changes_nothing():
    found, texts = [WORD + 7, WORD + 300], [WORD, WORD + 290]
    results = [
        score(TextDetectionMetric(), [shape + move for shape in found], [shape + move for shape in texts])
        for move in (0, -250.5, 4000)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [{"polygons_xy": []}], "one entry per image"),
        ([{"polygons_xy": [WORD[:2]]}], [{"polygons_xy": []}], "prediction polygon 0"),
        ([{"polygons_xy": []}], [{"polygons_xy": [WORD * np.nan]}], "reference polygon 0"),
        ([{"polygons_xy": []}], [{"polygons_xy": [WORD], "ignore": []}], "one flag per polygon"),
    ],
)
def test_wrong_input_is_named(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        TextDetectionMetric().update(predictions, references)


def test_computing_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least one image"):
        TextDetectionMetric().compute()
