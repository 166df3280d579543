import numpy as np
import pytest
import torch

from planted import BrightnessConfig, BrightnessModel, picture
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.detectors import DETECTORS
from tcm_hf.training.evaluation_loop import (
    choose_decoding,
    evaluate_detector,
    predict_detector,
    set_decoding,
)

BAR = (60, 80, 200, 112)
# DBNet grows a kernel by area * ratio / perimeter: what it finds is larger than what is bright.
GROWTH_PX = 1.5 * (140 * 32) / (2 * (140 + 32))


def bar_record(size_hw=(256, 512), grey=255, **options) -> TextRecord:
    x0, y0, x1, y1 = np.array(BAR) + GROWTH_PX * np.array([-1, -1, 1, 1])
    polygon = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return TextRecord(picture(size_hw, (BAR,), grey), [TextInstance(polygon, **options)])


@pytest.fixture
def detector():
    processor = TCMImageProcessor(size={"shortest_edge": 256, "longest_edge": 512}, do_normalize=False)
    return BrightnessModel(BrightnessConfig()), processor


def test_planted_texts_are_found_where_they_are(detector):
    scores = evaluate_detector(*detector, [bar_record(), bar_record()])
    assert scores["hmean"] == 1
    assert scores["num_references"] == 2
    assert scores["images_per_second"] > 0


def test_polygons_are_in_pixels_of_the_photo_whatever_the_processed_size(detector):
    model, processor = detector
    processor.size = {"shortest_edge": 192, "longest_edge": 384}
    found = predict_detector(model, processor, [bar_record()])[0]["polygons_xy"]
    expected = bar_record().polygons_xy[0]
    np.testing.assert_allclose(found[0], expected, atol=3)


def test_batches_hold_one_size_and_change_no_result(detector):
    model, processor = detector
    records = [bar_record(), bar_record((512, 256)), bar_record(grey=200), bar_record((512, 256), grey=150)]
    alone = predict_detector(model, processor, records, batch_size=1)
    model.batch_shapes.clear()
    together = predict_detector(model, processor, records, batch_size=2)
    assert model.batch_shapes == [(2, 3, 256, 512), (2, 3, 512, 256)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one["polygons_xy"], other["polygons_xy"])
        np.testing.assert_array_equal(one["scores"], other["scores"])


def test_a_photo_without_text_and_one_that_is_ignored_count_nothing(detector):
    records = [TextRecord(picture(bars=())), bar_record(ignore=True), bar_record()]
    scores = evaluate_detector(*detector, records)
    assert (scores["hmean"], scores["num_references"], scores["num_predictions"]) == (1, 1, 1)


def test_the_mode_of_the_model_is_kept(detector):
    model, processor = detector
    model.train()
    predict_detector(model, processor, [bar_record()])
    assert model.training
    assert not torch.is_inference_mode_enabled()


def test_the_decoding_chosen_drops_clutter_and_fits_the_annotations(detector):
    faint_clutter = TextRecord(picture((256, 512), (BAR,), 140))
    best, rows = choose_decoding(
        *detector,
        [bar_record(), faint_clutter],
        decodings=[
            {"binarize_threshold": binarize, "unclip_ratio": ratio}
            for binarize in (0.2, 0.4)
            for ratio in (0.1, 1.5, 4.0)
        ],
    )
    assert best["unclip_ratio"] == 1.5
    assert best["threshold"] > 140 / 255
    assert rows[0]["hmean"] == 1
    low = next(row for row in rows if (row["threshold"], row.get("unclip_ratio")) == (0.3, 1.5))
    assert low["hmean"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "growth",
    [
        pytest.param({"unclip_ratio": 2.25, "shrink_ratio": None}, id="unclip ratio"),
        pytest.param({"shrink_ratio": 0.4}, id="shrink ratio"),
    ],
)
@pytest.mark.parametrize("shrink_before", [None, 0.2])
def test_the_decoding_chosen_is_the_decoding_used(detector, tmp_path, growth, shrink_before):
    model, processor = detector
    processor.shrink_ratio = shrink_before
    decodings = [{"binarize_threshold": 0.4, **growth}]
    best, _ = choose_decoding(model, processor, [bar_record()], decodings=decodings)
    set_decoding(processor, best).save_pretrained(tmp_path)
    stored = TCMImageProcessor.from_pretrained(tmp_path)
    (found,) = predict_detector(model, stored, [bar_record()])
    plain = TCMImageProcessor(**{**processor.to_dict(), "shrink_ratio": best["shrink_ratio"]})
    unclip = best.get("unclip_ratio")
    outputs = {"probability_map": torch.from_numpy(bar_record().image[None, ..., 0] / 255).float()}
    (expected,) = plain.post_process_text_detection(
        outputs, threshold=best["threshold"], binarize_threshold=0.4, unclip_ratio=unclip
    )
    np.testing.assert_array_equal(found["polygons_xy"], np.stack(expected["polygons"]))


def test_undoing_the_shrinking_wins_where_it_fits_better(detector):
    model, processor = detector
    decodings = [{"unclip_ratio": 0.1, "shrink_ratio": None}, {"shrink_ratio": 0.4}]
    best, rows = choose_decoding(model, processor, [bar_record()], decodings=decodings)
    assert best["shrink_ratio"] == 0.4
    assert "unclip_ratio" not in best
    assert rows[0]["hmean"] == 1


def test_a_threshold_of_the_processor_hides_no_better_one(detector):
    model, processor = detector
    processor.threshold = 0.9
    scores = evaluate_detector(model, processor, [bar_record(grey=200)])
    assert (scores["hmean"], scores["num_predictions"]) == (0, 0)
    assert (scores["best_hmean"], scores["best_threshold"]) == (1, 0.3)


def test_the_best_hmean_is_the_one_at_the_best_threshold(detector):
    faint_clutter = TextRecord(picture((256, 512), (BAR,), 140))
    scores = evaluate_detector(*detector, [bar_record(), faint_clutter])
    assert scores["hmean"] == pytest.approx(2 / 3)
    assert (scores["best_hmean"], scores["best_threshold"]) == (1, 0.55)


def test_choosing_leaves_the_image_processor_as_it_is(detector):
    model, processor = detector
    before = processor.to_dict()
    choose_decoding(model, processor, [bar_record()], decodings=DETECTORS["dbnet"].decodings[:2])
    assert processor.to_dict() == before


def test_no_records_is_an_error(detector):
    with pytest.raises(ValueError, match="at least one record"):
        evaluate_detector(*detector, [])
