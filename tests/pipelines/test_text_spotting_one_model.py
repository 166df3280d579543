"""`pipeline("text-spotting")` around one model that finds and reads: users swap it for two models."""

import json

import numpy as np
import pytest

from planted_spotter import PaintedSpotter, PaintedSpotterConfig, painted_one_model
from planted_words import LETTERS, colour_pipeline, painted_photo, painted_spotter
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline

# Two words in a line, one below, one a paragraph away; x, y, quarter turns clockwise.
SCENE = (("cab", 150, 22, 0), ("abc", 20, 20, 0), ("bca", 24, 62, 0), ("bbb", 300, 180, 0))
TEXTS = ["abc", "cab", "bca", "bbb"]


@pytest.fixture(scope="module")
def spotter():
    return painted_one_model()


@pytest.fixture(scope="module")
def pair():
    return painted_spotter()


def texts(words):
    return [word["text"] for word in words]


# --- the same as with two models


def schema(value):
    """The shape of a result: keys and types, and of lists the schema of their items."""
    if isinstance(value, dict):
        return {key: schema(one) for key, one in value.items()}
    if isinstance(value, list):
        return [schema(value[0])] if value else []
    return type(value)


@pytest.mark.parametrize("output", ["words", "lines", "paragraphs"])
@pytest.mark.parametrize("options", [{}, {"return_characters": True}, {"lexicon": ["CABA", "bcc"]}])
def test_results_have_the_same_schema_as_with_two_models(spotter, pair, output, options):
    photo = painted_photo(*SCENE)
    one, two = spotter(photo, output=output, **options), pair(photo, output=output, **options)
    assert schema(one) == schema(two)
    assert [list(each) for each in one] == [list(each) for each in two]  # the order of keys, too
    assert json.loads(json.dumps(one)) == one


@pytest.mark.parametrize("turns", range(4))
def test_words_are_the_same_as_with_two_models(spotter, pair, turns):
    photo = painted_photo(("cab", 60, 60, turns))
    (one,), (two,) = spotter(photo), pair(photo)
    assert (one["text"], one["line"], one["paragraph"]) == (two["text"], 0, 0)
    np.testing.assert_allclose(one["polygon"], two["polygon"], atol=2)


def test_words_lines_and_paragraphs_are_the_same_as_with_two_models(spotter, pair):
    photo = painted_photo(*SCENE)
    assert [(w["text"], w["line"], w["paragraph"]) for w in spotter(photo)] == [
        (w["text"], w["line"], w["paragraph"]) for w in pair(photo)
    ]
    for output in ("lines", "paragraphs"):
        assert texts(spotter(photo, output=output)) == texts(pair(photo, output=output))


def test_a_picture_without_text_gives_an_empty_list(spotter):
    photo = painted_photo()
    assert spotter(photo) == spotter(photo, output="lines") == spotter(photo, output="paragraphs") == []
    assert spotter([]) == []


def test_straight_words_have_four_points_and_every_word_comes_once(spotter):
    words = spotter(painted_photo(*SCENE))  # the model finds the first one twice
    assert texts(words) == TEXTS
    assert [len(word["polygon"]) for word in words] == [4] * 4


@pytest.mark.parametrize("place", ["control_points", "bezier_points"])
@pytest.mark.parametrize("text", ["character_logits", "ctc_logits"])
def test_every_kind_of_head_is_decoded(place, text):
    assert texts(painted_one_model(place, text)(painted_photo(*SCENE))) == TEXTS


# --- batches and tiles


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_batch_sizes_never_change_a_result(spotter, batch_size):
    sizes = [(240, 480), (480, 240), (300, 300), (240, 480)]
    turned = [("abc", 20, 20, 0), ("cab", 40, 100, 2), ("bca", 180, 70, 1)]
    photos = [painted_photo(*turned[: i % 4], size_hw=size) for i, size in enumerate(sizes)]
    alone = [spotter(photo) for photo in photos]
    assert [len(found) for found in alone] == [0, 1, 2, 3]
    assert spotter(photos, batch_size=batch_size) == alone
    assert list(spotter(iter(photos), batch_size=batch_size)) == alone


def test_images_of_one_size_go_through_the_model_together():
    spotter = painted_one_model()
    spotter([painted_photo(*SCENE)] * 2, batch_size=2)
    assert spotter.model.batch_shapes == [(2, 3, 256, 512)]


def test_a_word_that_a_seam_cuts_is_taken_from_the_tile_that_sees_all_of_it(spotter):
    photo = painted_photo(("abc", 40, 20, 0), ("cab", 230, 60, 0), ("bca", 30, 160, 0), size_hw=(240, 780))
    words = spotter(photo, tile=240)
    assert sorted(texts(words)) == ["abc", "bca", "cab"]
    np.testing.assert_allclose(
        next(word for word in words if word["text"] == "cab")["polygon"],
        [(230, 60), (350, 60), (350, 92), (230, 92)],
        atol=2,
    )


def test_auto_leaves_small_photos_whole():
    spotter = painted_one_model()
    assert texts(spotter(painted_photo(*SCENE), tile="auto")) == TEXTS
    assert len(spotter.model.batch_shapes) == 1


# --- parameters


def test_the_parameters_of_places_work(spotter):
    photo = painted_photo(*SCENE)
    assert len(spotter(photo, max_detections=2)) == 2
    assert spotter(photo, threshold=0.9999) == []
    assert len(spotter(photo, polygon_mode="quad")) == 4


def test_a_quad_starts_where_reading_starts(spotter):
    (word,) = spotter(painted_photo(("cab", 60, 60, 1)), polygon_mode="quad")
    np.testing.assert_allclose(word["polygon"], [(92, 60), (92, 180), (60, 180), (60, 60)], atol=2)


def test_unsure_readings_can_be_left_out():
    photo = np.where(painted_photo(("abc", 250, 60, 0)) > 0, 255, 0).astype(np.uint8)  # no way up
    spotter = painted_one_model()
    assert len(spotter(photo)) == 1  # the processor's own threshold is 0
    assert spotter(photo, recognition_threshold=0.5) == []
    spotter.image_processor.recognition_threshold = 0.5
    assert spotter(photo) == []
    assert len(spotter(photo, recognition_threshold=0.0)) == 1


def test_places_that_cannot_be_read_take_no_room_from_words():
    doubtful = np.where(painted_photo(("abc", 250, 20, 0)) > 0, 255, 0).astype(np.uint8)  # no way up
    photo = np.maximum(doubtful, painted_photo(("cab", 20, 120, 0)))
    spotter = painted_one_model()
    spotter.model.register_forward_hook(prefer_the_topmost)
    limits = {"max_detections": 1, "recognition_threshold": 0.5}
    assert texts(spotter(photo, **limits)) == ["cab"]
    assert len(spotter(photo, max_detections=2)) == 2


def prefer_the_topmost(model, args, outputs):
    outputs.score_logits[:, :2] += 5


def test_lexicon_and_charset_reach_the_decoding(spotter):
    photo = painted_photo(("cab", 60, 60, 0))
    (word,) = spotter(photo, return_characters=True, lexicon=["CABA", "bcc"])
    assert (word["text"], word["edit_distance"]) == ("CABA", 1)
    assert [each["character"] for each in word["characters"]] == list("cab")
    assert painted_one_model(lexicon=["CABA"])(photo)[0]["text"] == "CABA"
    (far,) = spotter(photo, lexicon=["bcc"], max_lexicon_distance=0.4)
    assert (far["text"], "edit_distance" in far) == ("cab", False)
    (other,) = spotter(photo, charset="ab", recognition_threshold=0)
    assert set(other["text"]) <= set("ab")


def test_sorting_by_score_puts_the_surest_first(spotter):
    scores = [word["score"] for word in spotter(painted_photo(*SCENE), sort="score")]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "parameter",
    [
        {"rotations": True},
        {"crop_margin": 0.1},
        {"refine_iterations": 2},
        {"use_cross_branch": False},
        {"recognition_batch_size": 4},
    ],
)
def test_what_only_a_recogniser_goes_by_is_a_clear_error(spotter, parameter):
    (name,) = parameter
    for inputs in (painted_photo(), []):
        with pytest.raises(ValueError, match=rf"`{name}` is nothing that a model which reads by itself"):
            spotter(inputs, **parameter)
    with pytest.raises(ValueError, match=f"`{name}`"):
        painted_one_model(**parameter)
    assert spotter([], **{name: None}) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"unclip_ratio": 1.0}, "`unclip_ratio` is nothing"),
        ({"binarize_threshold": 0.5}, "`binarize_threshold` is nothing"),
        ({"threshold": 1.5}, "`threshold`"),
        ({"recognition_threshold": -0.1}, "`recognition_threshold`"),
        ({"output": "pages"}, "`output`"),
        ({"sort": "size"}, "`sort`"),
        ({"tile": 16}, "`tile`"),
        ({"charset": "日"}, "`charset`"),
        ({"lexicon": []}, "lexicon is empty"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(spotter, wrong, message):
    with pytest.raises(ValueError, match=message):
        spotter([], **wrong)
    with pytest.raises(ValueError, match=message):
        painted_one_model(**wrong)


# --- who reads


def test_a_spotter_reads_by_itself_unless_a_recogniser_is_named():
    assert painted_one_model().recognizer is None
    both = painted_one_model(recognizer=colour_pipeline())
    photo = painted_photo(*SCENE, ("acb", 400, 40, 1))
    assert sorted(texts(both(photo))) == sorted([*TEXTS, "acb"])
    assert sum(count for count, _, _ in both.recognizer.model.calls) == 7  # the tall word in three ways
    assert both([], rotations=False) == []


def test_a_spotter_is_a_text_detector_as_well():
    processor = painted_one_model().image_processor
    model = PaintedSpotter(PaintedSpotterConfig())
    detector = TextDetectionPipeline(model=model, image_processor=processor, device="cpu")
    found = detector(painted_photo(*SCENE), sort="reading")
    assert [set(each) for each in found] == [{"score", "label", "box", "polygon"}] * 4
    assert [each["box"]["xmin"] for each in found] == [19, 150, 23, 300]


def test_a_processor_of_other_characters_is_refused_before_anything_is_read():
    processor = painted_one_model().image_processor
    model = PaintedSpotter(PaintedSpotterConfig(characters=LETTERS[::-1]))
    with pytest.raises(ValueError, match=r"characters 'cba'.*knows 'abc'.*model\.config\.characters"):
        TextSpottingPipeline(model=model, image_processor=processor, device="cpu")
