"""Pictures into a spotter's input, what it says back onto the picture as words."""

import json

import numpy as np
import pytest
import torch
from transformers.utils import ModelOutput

from tcm_hf.modeling.configuration_tcm_spotting import CHARACTERS_96
from tcm_hf.processing.image_processing_spotting import (
    TCMSpottingImageProcessor,
    TCMSpottingImageProcessorPil,
)
from tcm_hf.processing.presets_image_processing_spotting import PRESETS

PROCESSORS = (TCMSpottingImageProcessor, TCMSpottingImageProcessorPil)
CHARACTERS = "0123456789a口"
BOX = np.array([[0.1, 0.2], [0.2, 0.2], [0.3, 0.2], [0.3, 0.4], [0.2, 0.4], [0.1, 0.4]], np.float32)


@pytest.fixture
def processor():
    return TCMSpottingImageProcessor(characters=CHARACTERS, threshold=0.3)


def outputs(places=(BOX,), texts=("12",), scores=(2.0,), sure=(9.0,), dtype=torch.float32, **fields):
    """What a model returns for one image."""
    logits = torch.zeros(1, len(places), 6, len(CHARACTERS) + 1)
    for query, text in enumerate(texts):
        for slot in range(6):
            known = CHARACTERS.index(text[slot]) if slot < len(text) else -1
            logits[0, query, slot, known] = sure[query % len(sure)]
    return ModelOutput(
        score_logits=torch.tensor([scores], dtype=dtype)[..., None],
        control_points=torch.from_numpy(np.stack(places)[None]).to(dtype),
        character_logits=logits.to(dtype),
        **fields,
    )


def test_the_default_characters_are_the_models():
    assert TCMSpottingImageProcessor().characters == CHARACTERS_96


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(
    "size_hw, processed_hw",
    [((720, 1280), (1024, 1824)), ((1000, 1000), (1600, 1600)), ((40, 100), (736, 1824))],
)
def test_any_picture_becomes_multiples_of_32(processor, size_hw, processed_hw):
    pixels = processor()(np.zeros((*size_hw, 3), np.uint8), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, *processed_hw)
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-3)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_settings_survive_saving(processor, tmp_path):
    settings = {
        "characters": CHARACTERS,
        "threshold": 0.1,
        "recognition_threshold": 0.2,
        "polygon_mode": "quad",
        "nms_threshold": 0.7,
        "points_per_curve": 4,
        "max_detections": 9,
    }
    processor(**settings).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "preprocessor_config.json").read_text())["characters"] == CHARACTERS
    again = processor.from_pretrained(tmp_path)
    assert {name: getattr(again, name) for name in settings} == settings


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_of_a_preset_is_one_that_the_processor_has(name):
    processor = TCMSpottingImageProcessor.from_preset(name)
    assert all(hasattr(TCMSpottingImageProcessor, setting) for setting in PRESETS[name])
    assert processor.threshold == PRESETS[name]["threshold"]


# --- words


def test_words_lie_on_a_landscape_picture(processor):
    (found,) = processor.post_process_text_spotting(outputs(), target_sizes=[(100, 400)])
    assert found["texts"] == ["12"]
    assert found["scores"].tolist() == pytest.approx([1 / (1 + np.exp(-2.0))])
    np.testing.assert_allclose(found["polygons"][0], [[40, 20], [120, 20], [120, 40], [40, 40]])
    np.testing.assert_allclose(found["boxes"], [[40, 20, 120, 40]])
    (read,) = found["readings"]
    assert set(read) == {"text", "score", "characters"}
    assert [one["character"] for one in read["characters"]] == ["1", "2"]


def test_without_target_sizes_places_are_parts_of_the_picture(processor):
    (found,) = processor.post_process_text_spotting(outputs())
    np.testing.assert_allclose(found["polygons"][0], BOX[[0, 2, 3, 5]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_outputs_of_any_precision_and_missing_fields_are_read(processor, dtype):
    given = outputs(dtype=dtype, bezier_points=None, ctc_logits=None, matching_map=torch.zeros(1, 1, 2, 3))
    assert processor.post_process_text_spotting(given)[0]["texts"] == ["12"]


def test_the_best_come_first_and_max_detections_keeps_them(processor):
    places = [BOX + np.float32([0, 0.25 * index]) for index in range(3)]
    given = outputs(places, ("1", "2", "3"), (0.0, 3.0, 1.0))
    (found,) = processor.post_process_text_spotting(given)
    assert found["texts"] == ["2", "3", "1"]
    (found,) = processor.post_process_text_spotting(given, max_detections=2)
    assert found["texts"] == ["2", "3"]


def test_words_that_read_as_nothing_or_doubtfully_are_left_out_but_found(processor):
    places = [BOX + np.float32([0, 0.25 * index]) for index in range(3)]
    given = outputs(places, ("1", "", "3"), (2.0, 2.0, 2.0), sure=(9.0, 9.0, 2.0))
    (found,) = processor.post_process_text_spotting(given, recognition_threshold=0.5, max_detections=1)
    assert found["texts"] == ["1"]
    assert (
        len(found["scores"]) == len(found["boxes"]) == len(found["polygons"]) == len(found["readings"]) == 1
    )
    assert len(processor.post_process_text_spotting(given)[0]["texts"]) == 2
    (places_alone,) = processor.post_process_text_detection(given)
    assert set(places_alone) == {"scores", "polygons", "boxes"}
    assert len(places_alone["polygons"]) == 3


def test_places_that_cannot_be_read_take_no_room_from_words(processor):
    places = [BOX + np.float32([0, 0.25 * index]) for index in range(3)]
    given = outputs(places, ("", "2", "3"), (3.0, 2.0, 1.0), sure=(9.0, 1.0, 9.0))
    limits = {"recognition_threshold": 0.5, "max_detections": 1}
    (found,) = processor.post_process_text_spotting(given, target_sizes=[(100, 200)], **limits)
    fields, tile = processor.split_images(given), (0, 0, 200, 100)
    tiled = processor.post_process_tiles(fields, [tile], (100, 200), **limits)
    assert found["texts"] == tiled["texts"] == ["3"]
    np.testing.assert_allclose(found["boxes"], tiled["boxes"])
    everything = processor.post_process_tiles(fields, [tile], (100, 200))
    assert [*everything["texts"][:1], len(everything["texts"])] == ["", 3]


def test_a_charset_in_the_other_case_is_one_that_the_model_reads(processor):
    (found,) = processor.post_process_text_spotting(outputs(texts=("a1",)), charset="A01")
    assert found["texts"] == ["a1"]
    processor.check_charset("A")
    with pytest.raises(ValueError, match="`charset`"):
        processor.check_charset("B")


@pytest.mark.parametrize("queries", [0, 2])
def test_pictures_without_words_give_empty_results(processor, queries):
    fields = {
        "score_logits": torch.full((1, queries, 1), -9.0),
        "control_points": torch.zeros(1, queries, 6, 2),
        "character_logits": torch.zeros(1, queries, 6, 13),
    }
    (found,) = processor.post_process_text_spotting(fields, target_sizes=torch.tensor([[9, 16]]))
    assert found["texts"] == found["polygons"] == found["readings"] == []
    assert found["boxes"].shape == (0, 4)
    assert found["scores"].shape == (0,)


def test_degenerate_outlines_are_no_words_and_others_stay_inside(processor):
    line, outside = BOX * np.float32([1, 0]), BOX + np.float32(2)
    across = BOX + np.float32([-0.2, 0])
    (found,) = processor.post_process_text_spotting(
        outputs([line, outside, across], ("1", "2", "3"), (2.0,) * 3), target_sizes=[(100, 200)]
    )
    assert found["texts"] == ["3"]
    np.testing.assert_allclose(found["boxes"], [[0, 20, 20, 40]])


def test_curved_words_keep_their_points_and_mirrored_ones_turn_clockwise(processor):
    curved = BOX + np.float32([[0, 0], [0, 0.1], [0, 0], [0, 0], [0, 0.1], [0, 0]])
    (found,) = processor.post_process_text_spotting(outputs([curved]), target_sizes=[(100, 200)])
    np.testing.assert_allclose(found["polygons"][0], curved * [200, 100], rtol=1e-6)
    (quad,) = processor.post_process_text_spotting(outputs([curved]), polygon_mode="quad")
    assert quad["polygons"][0].shape == (4, 2)
    mirrored = BOX[[2, 1, 0, 5, 4, 3]]
    (found,) = processor.post_process_text_spotting(outputs([mirrored]))
    np.testing.assert_allclose(found["polygons"][0], BOX[[3, 5, 0, 2]])  # reading still starts at the right


def test_of_two_outlines_of_one_word_the_better_is_kept_unless_all_are_wanted(processor):
    given = outputs([BOX, BOX + np.float32(0.005)], ("1", "2"), (1.0, 2.0))
    assert processor.post_process_text_spotting(given)[0]["texts"] == ["2"]
    processor.nms_threshold = 1.0
    assert processor.post_process_text_spotting(given)[0]["texts"] == ["2", "1"]


def test_every_image_may_have_its_own_lexicon(processor):
    one = outputs()
    batch = {name: one[name].repeat(2, 1, 1, *[1] * (one[name].ndim - 3)) for name in one}
    first, second = processor.post_process_text_spotting(batch, lexicon=[["13"], ["2"]])
    assert (first["texts"], second["texts"]) == (["13"], ["2"])
    assert first["readings"][0]["edit_distance"] == second["readings"][0]["edit_distance"] == 1
    with pytest.raises(ValueError, match="one for each of 2"):
        processor.post_process_text_spotting(batch, lexicon=[["13"]])


def test_of_equally_near_words_the_likelier_is_taken(processor):
    given = outputs(texts=("12",))
    given.character_logits[0, 0, 1, 5] = 8.0
    assert processor.post_process_text_spotting(given, lexicon=["13", "15", "17"])[0]["texts"] == ["15"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_sizes": [(1, 2), (3, 4)]}, "one .height, width. per image: got 2 for a batch of 1"),
        ({"threshold": 2}, "`threshold`"),
        ({"polygon_mode": "box"}, "`polygon_mode`"),
    ],
)
def test_wrong_calls_are_refused(processor, change, message):
    with pytest.raises(ValueError, match=message):
        processor.post_process_text_spotting(outputs(), **change)


def test_models_of_other_characters_are_refused():
    with pytest.raises(ValueError, match=r"tells 12 characters apart, and .* processor are 96"):
        TCMSpottingImageProcessor().post_process_text_spotting(outputs())


def test_fields_of_unequal_batches_are_refused(processor):
    given = outputs() | {"control_points": torch.zeros(0, 1, 6, 2)}
    with pytest.raises(ValueError, match="one number of images"):
        processor.post_process_text_spotting(given)
