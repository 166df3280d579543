import json

import numpy as np
import pytest

from planted import brightness_pipeline
from planted_words import colour_pipeline, painted_photo, painted_spotter

# Two words in a line, one below, one a paragraph away; x, y, quarter turns clockwise.
SCENE = (("cab", 150, 22, 0), ("abc", 20, 20, 0), ("bca", 24, 62, 0), ("bbb", 300, 180, 0))


@pytest.fixture(scope="module")
def spotter():
    return painted_spotter()


def test_words_come_with_text_polygon_and_place(spotter):
    found = spotter(painted_photo(("cab", 60, 80, 0)))
    (word,) = found
    assert set(word) == {"text", "score", "detection_score", "polygon", "box", "line", "paragraph"}
    assert word["text"] == "cab"
    assert word["score"] == pytest.approx(1, abs=1e-3)
    assert word["detection_score"] == pytest.approx(190 / 255, abs=0.1)
    np.testing.assert_allclose(word["polygon"], [(60, 80), (180, 80), (180, 112), (60, 112)], atol=2)
    assert all(isinstance(value, int) for value in word["box"].values())
    assert (word["line"], word["paragraph"]) == (0, 0)
    assert json.loads(json.dumps(found)) == found


def test_a_picture_without_text_gives_an_empty_list(spotter):
    photo = painted_photo()
    assert spotter(photo) == spotter(photo, output="lines") == spotter(photo, output="paragraphs") == []
    assert spotter([]) == []


def test_words_come_in_the_order_of_reading(spotter):
    found = spotter(painted_photo(*SCENE))
    assert [(w["text"], w["line"], w["paragraph"]) for w in found] == [
        ("abc", 0, 0),
        ("cab", 0, 0),
        ("bca", 1, 0),
        ("bbb", 2, 1),
    ]


def test_lines_and_paragraphs_join_words(spotter):
    photo = painted_photo(*SCENE)
    words = spotter(photo)
    lines = spotter(photo, output="lines")
    assert [line["text"] for line in lines] == ["abc cab", "bca", "bbb"]
    assert [word for line in lines for word in line["words"]] == words
    assert lines[0]["score"] == pytest.approx(np.mean([word["score"] for word in words[:2]]))
    np.testing.assert_allclose(lines[0]["polygon"], [(20, 20), (270, 20), (270, 54), (20, 54)], atol=2)
    assert lines[0]["box"]["xmin"] == words[0]["box"]["xmin"]
    assert lines[0]["box"]["xmax"] == words[1]["box"]["xmax"]
    paragraphs = spotter(photo, output="paragraphs")
    assert [paragraph["text"] for paragraph in paragraphs] == ["abc cab\nbca", "bbb"]
    assert [line for paragraph in paragraphs for line in paragraph["lines"]] == lines
    assert json.loads(json.dumps(paragraphs)) == paragraphs


CORNERS = [(60, 60), (180, 60), (180, 92), (60, 92)]
TALL_CORNERS = [(60, 60), (92, 60), (92, 180), (60, 180)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (0, CORNERS),
        (1, np.roll(TALL_CORNERS, -1, axis=0)),
        (2, np.roll(CORNERS, -2, axis=0)),
        (3, np.roll(TALL_CORNERS, -3, axis=0)),
    ],
)
@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_turned_words_are_read_and_their_polygons_start_where_reading_starts(
    spotter, turns, expected, polygon_mode
):
    (word,) = spotter(painted_photo(("cab", 60, 60, turns)), polygon_mode=polygon_mode)
    assert word["text"] == "cab"
    assert word["score"] > 0.9
    np.testing.assert_allclose(word["polygon"], expected, atol=2)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotations_can_be_switched_off(spotter, turns):
    photo = painted_photo(("cab", 60, 60, turns))
    (word,) = spotter(photo, rotations=False, recognition_threshold=0)
    assert word["score"] < 0.3
    assert spotter(photo, rotations=False) == []  # what scores so little is left out by default


def test_lines_of_turned_words_run_along_them(spotter):
    photo = painted_photo(("abc", 60, 10, 1), ("cab", 60, 134, 1), size_hw=(480, 640))
    (line,) = spotter(photo, output="lines")
    assert line["text"] == "abc cab"
    np.testing.assert_allclose(line["polygon"], [(92, 10), (92, 254), (60, 254), (60, 10)], atol=3)


# --- batches


@pytest.fixture(scope="module")
def photos():
    sizes = [(240, 480), (480, 240), (300, 300), (240, 480)]
    turned = [("abc", 20, 20, 0), ("cab", 40, 100, 2), ("bca", 200, 70, 1)]
    return [painted_photo(*turned[: i % 4], size_hw=size) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("batch_size", [1, 3, 4])
@pytest.mark.parametrize("recognition_batch_size", [1, 2, 50])
def test_batch_sizes_never_change_a_result(spotter, photos, batch_size, recognition_batch_size):
    alone = [spotter(photo) for photo in photos]
    assert [len(found) for found in alone] == [0, 1, 2, 3]
    sizes = {"batch_size": batch_size, "recognition_batch_size": recognition_batch_size}
    assert spotter(photos, **sizes) == alone
    assert list(spotter(iter(photos), **sizes)) == alone


def test_words_of_several_photos_are_read_together():
    spotter = painted_spotter()
    photos = [painted_photo(("abc", 20, 20, 0)), painted_photo(("cab", 40, 100, 0), ("bca", 200, 70, 0))]
    spotter(photos, batch_size=2)
    assert [call[0] for call in spotter.recognizer.model.calls] == [3]


# --- parameters


def test_the_detectors_parameters_work(spotter):
    photo = painted_photo(*SCENE)
    assert len(spotter(photo, max_detections=2)) == 2
    assert spotter(photo, threshold=0.9) == []
    assert spotter(photo, tile=200) and len(spotter(photo, tile=200)) == 4
    assert len(spotter(photo, polygon_mode="polygon")) == 4


def test_unsure_readings_can_be_left_out(spotter):
    photo = painted_photo(("cab", 60, 60, 2), ("abc", 250, 60, 0))
    assert [w["text"] for w in spotter(photo, rotations=False, recognition_threshold=0.5)] == ["abc"]


def test_sorting_by_score_puts_the_surest_first(spotter):
    photo = painted_photo(("cab", 60, 60, 2), ("abc", 250, 60, 0))
    found = spotter(photo, rotations=False, sort="score", recognition_threshold=0)
    scores = [w["score"] for w in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[1]


def test_characters_and_lexicon_reach_the_recognizer(spotter):
    photo = painted_photo(("cab", 60, 60, 0))
    (word,) = spotter(photo, return_characters=True, lexicon=["CABA", "bcc"])
    assert (word["text"], word["edit_distance"]) == ("CABA", 1)
    assert [each["character"] for each in word["characters"]] == list("cab")
    assert painted_spotter(lexicon=["CABA"])(photo)[0]["text"] == "CABA"
    (far,) = spotter(photo, lexicon=["bcc"], max_lexicon_distance=0.4)
    assert (far["text"], "edit_distance" in far) == ("cab", False)
    assert spotter(photo, charset="ab") == []  # at the first letter the end is as likely


def test_decoding_parameters_reach_the_recognizer():
    spotter = painted_spotter()
    spotter(painted_photo(("cab", 60, 60, 0)), refine_iterations=2, use_cross_branch=False)
    assert spotter.recognizer.model.calls == [(1, 2, False)]


def test_parameters_of_the_recognizer_stay_its_defaults():
    spotter = painted_spotter(recognizer=colour_pipeline(refine_iterations=3))
    spotter(painted_photo(("cab", 60, 60, 0)))
    assert spotter.recognizer.model.calls == [(1, 3, None)]


def test_an_unknown_keyword_is_named(spotter):
    with pytest.raises(TypeError, match=r"`lexikon`.*crop_margin.*recognition_threshold"):
        spotter(painted_photo(), lexikon=["cab"])
    with pytest.raises(TypeError, match="`colour`"):
        painted_spotter(colour=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.5},
        {"recognition_threshold": -0.1},
        {"recognition_batch_size": 0},
        {"refine_iterations": -1},
        {"crop_margin": -0.5},
        {"output": "pages"},
        {"sort": "size"},
        {"tile": 16},
        {"max_lexicon_distance": -0.1},
        {"charset": "日"},
        {"charset": ""},
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(spotter, wrong):
    (name,) = wrong
    for inputs in (painted_photo(), []):  # without a word to read, too
        with pytest.raises(ValueError, match=f"`{name}`"):
            spotter(inputs, **wrong)
    with pytest.raises(ValueError, match=f"`{name}`"):
        painted_spotter(**wrong)


def test_a_pipeline_that_reads_no_crops_is_no_recognizer():
    with pytest.raises(ValueError, match=r"`recognizer` must read crops.*TextDetectionPipeline"):
        painted_spotter(recognizer=brightness_pipeline())


def test_a_word_is_turned_upside_down_only_if_that_is_much_better(spotter, monkeypatch):
    """Else letters of an odd font would be, and leave their line."""
    scores = iter([0.10, 0.55])
    monkeypatch.setattr(
        spotter.reading,
        "recognizer",
        _Scripted(lambda crops: [{"text": "x", "score": next(scores), "characters": []} for _ in crops]),
    )
    (word,) = spotter(painted_photo(("cab", 60, 60, 0)), recognition_threshold=0)
    assert word["score"] == 0.10
    np.testing.assert_allclose(word["polygon"][0], (60, 60), atol=2)


class _Scripted:
    """A recogniser that says what it is told."""

    crop_height_px = 64

    def __init__(self, script):
        self.script = script

    def prepare_parameters(self, parameters):
        return parameters

    def __call__(self, crops, **options):
        return self.script(crops)
