"""Outlines of words from what the heads of spotters say, whichever fields they fill."""

import numpy as np
import pytest

from tcm_hf.processing.decode_spotting import decode_spotting, fields_of

CHARACTERS = "0123456789a口"
CORNERS = [[0.25, 0.25], [0.5, 0.25], [0.5, 0.75], [0.25, 0.75]]
CURVES = [[0, 0], [1 / 3, 0], [2 / 3, 0], [1, 0], [1, 1], [2 / 3, 1], [1 / 3, 1], [0, 1]]


def queries(score_logits, places, place_field="control_points", text_field="character_logits"):
    """The outputs for one image: all its words read "1"."""
    places = np.asarray(places, np.float32)
    logits = np.zeros((len(places), 3, len(CHARACTERS) + 1), np.float32)
    logits[:, 0, 1] = logits[:, 1:, -1] = 9.0
    scores = np.asarray(score_logits, np.float32)
    scores = scores[:, None] if scores.ndim == 1 else scores
    return {"score_logits": scores, place_field: places, text_field: logits}


@pytest.mark.parametrize("text_field", ["character_logits", "ctc_logits"])
def test_outlines_are_in_pixels_of_a_landscape_image(text_field):
    found = decode_spotting(queries([2.0], [CORNERS], text_field=text_field), size_hw=(100, 400))
    np.testing.assert_allclose(found.polygons_xy[0], [[100, 25], [200, 25], [200, 75], [100, 75]])
    assert found.scores == pytest.approx([1 / (1 + np.exp(-2.0))])
    assert [word.text for word in found.reading.read(found.logits, CHARACTERS)] == ["1"]


def test_curves_are_decoded_to_outlines():
    found = decode_spotting(
        queries([3.0], [CURVES], place_field="bezier_points"), size_hw=(50, 80), points_per_curve=2
    )
    np.testing.assert_allclose(found.polygons_xy[0], [[0, 0], [80, 0], [80, 50], [0, 50]], atol=1e-5)


def test_the_score_is_the_sigmoid_of_the_mean_not_the_mean_of_sigmoids():
    outputs = queries([[-30, 1, 1, 1]], [CORNERS])  # mean -6.75, mean of the sigmoids above 0.5
    assert decode_spotting(outputs, size_hw=(9, 9), score_threshold=0.3).polygons_xy == []


def test_what_pads_a_batch_is_no_word_at_any_threshold():
    outputs = queries([[-np.inf], [-20.0]], [np.full((4, 2), np.nan), CORNERS])
    found = decode_spotting(outputs, size_hw=(10, 20), score_threshold=0.0)
    assert len(found.polygons_xy) == len(found.scores) == 1


@pytest.mark.parametrize("count", [0, 3])
def test_no_words_come_as_empty_lists(count):
    outputs = queries(np.full((count, 4), -9.0), np.full((count, 4, 2), 0.5))
    found = decode_spotting(outputs, size_hw=(30, 40), nms_threshold=0.5)
    assert (found.polygons_xy, found.scores.shape, found.scores.dtype) == ([], (0,), np.float32)
    assert found.reading.read(found.logits, CHARACTERS) == []


def test_of_outlines_of_one_word_the_best_is_kept():
    shifted, elsewhere = np.add(CORNERS, [0.02, 0]), np.add(CORNERS, [0.3, 0])
    outputs = queries([1.0, 3.0, 2.0], [CORNERS, shifted, elsewhere])
    found = decode_spotting(outputs, size_hw=(100, 200), nms_threshold=0.5)
    np.testing.assert_allclose(np.stack(found.polygons_xy)[:, 0, 0], [54, 110])  # in the queries' order
    assert len(decode_spotting(outputs, size_hw=(100, 200)).polygons_xy) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score_logits": 1, "control_points": 1},
        {"score_logits": 1, "character_logits": 1},
        {"control_points": 1, "character_logits": 1},
        {"score_logits": 1, "control_points": 1, "bezier_points": 1, "character_logits": 1},
        {"score_logits": 1, "control_points": 1, "character_logits": 1, "ctc_logits": 1},
        {"score_logits": 1, "control_points": None, "character_logits": 1},
    ],
)
def test_outputs_of_other_models_are_refused(fields):
    with pytest.raises(ValueError, match="outputs of a spotter hold"):
        fields_of(fields)


def test_arrays_that_do_not_belong_together_are_refused():
    outputs = queries([1.0], [CORNERS])
    batch = {name: values[None] for name, values in outputs.items()}
    with pytest.raises(ValueError, match="image by image"):
        decode_spotting(batch, size_hw=(9, 9))
    with pytest.raises(ValueError, match=r"`character_logits` must be \(1, T, V"):
        decode_spotting(outputs | {"character_logits": np.zeros((2, 3, 13))}, size_hw=(9, 9))
    with pytest.raises(ValueError, match="control points"):
        decode_spotting(queries([1.0], [CORNERS], place_field="bezier_points"), size_hw=(9, 9))


@pytest.mark.parametrize("far", [np.nan, np.inf, -1e38, 3e5])
@pytest.mark.parametrize("place_field", ["control_points", "bezier_points"])
def test_a_place_that_is_none_takes_nothing_from_the_others(far, place_field):
    sound = CORNERS if place_field == "control_points" else CURVES
    odd = [[far, 0], *sound[1:]]
    found = decode_spotting(
        queries([2.0, 2.0], [odd, sound], place_field), size_hw=(480, 640), nms_threshold=0.5
    )
    assert len(found.polygons_xy) == 1 and np.isfinite(found.polygons_xy[0]).all()
