import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers.pipelines.pt_utils import KeyDataset

from planted_words import colour_pipeline, painted_word

WORDS = ["abc", "cab", "bbb", "aca", "cbb"]


@pytest.fixture(scope="module")
def recognizer():
    return colour_pipeline()


@pytest.fixture(scope="module")
def crops():
    """Words of unequal sizes."""
    return [painted_word(text, 20 + 7 * i, 15 + 9 * i) for i, text in enumerate(WORDS)]


# --- what comes out


def test_a_crop_becomes_its_text(recognizer):
    found = recognizer(painted_word("cab"))
    assert set(found) == {"text", "score"}
    assert found["text"] == "cab"
    assert found["score"] == pytest.approx(1, abs=1e-3)


def test_characters_come_on_request(recognizer):
    found = recognizer(painted_word("cab"), return_characters=True)
    assert [each["character"] for each in found["characters"]] == list("cab")
    assert np.prod([each["score"] for each in found["characters"]]) >= found["score"] > 0.9
    assert json.loads(json.dumps(found)) == found


def test_a_crop_without_sense_has_a_low_score(recognizer):
    assert recognizer(painted_word("cab")[::-1])["score"] < 0.3


def test_a_lexicon_gives_the_nearest_word_and_its_distance(recognizer):
    found = recognizer(painted_word("cab"), lexicon=["CABA", "bcc"])
    assert (found["text"], found["edit_distance"]) == ("CABA", 1)
    assert "edit_distance" not in recognizer(painted_word("cab"))


def test_a_reading_far_from_the_lexicon_stays(recognizer):
    found = recognizer(painted_word("cab"), lexicon=["bcc"], max_lexicon_distance=0.4)
    assert found == recognizer(painted_word("cab"))
    near = recognizer(painted_word("cab"), lexicon=["bcc", "CABA"], max_lexicon_distance=0.4)
    assert (near["text"], near["edit_distance"]) == ("CABA", 1)


def test_a_charset_restricts_what_is_read(recognizer):
    assert set(recognizer(painted_word("cab"), charset="ab")["text"]) <= {"a", "b"}


# --- what goes in


def test_every_kind_of_input_gives_the_same(recognizer, tmp_path):
    crop = painted_word("cab")
    path = tmp_path / "word.png"
    Image.fromarray(crop).save(path)
    inputs = [
        str(path),
        path,
        path.read_bytes(),
        base64.b64encode(path.read_bytes()).decode(),
        Image.fromarray(crop),
        Image.fromarray(crop).convert("RGBA"),
        crop,
        torch.from_numpy(crop).permute(2, 0, 1),
        {"image": crop},
    ]
    expected = recognizer(crop)
    for given in inputs:
        assert recognizer(given) == expected, type(given)
    assert recognizer(inputs) == [expected] * len(inputs)
    assert recognizer(tuple(inputs[:2])) == [expected] * 2


def test_exif_orientation_is_honoured(recognizer):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for display
    buffer = io.BytesIO()
    Image.fromarray(painted_word("cab")).transpose(Image.Transpose.ROTATE_90).save(buffer, "png", exif=exif)
    assert recognizer(buffer.getvalue())["text"] == "cab"


def test_an_empty_list_gives_an_empty_list(recognizer):
    assert recognizer([]) == []
    assert recognizer(()) == []
    assert recognizer(KeyDataset([], "image")) == []
    assert list(recognizer(image for image in ())) == []


def test_what_is_no_picture_is_an_error(recognizer):
    with pytest.raises(ValueError):
        recognizer(b"no picture")
    with pytest.raises(TypeError):
        recognizer(3.5)


class _Crops(Dataset):
    def __len__(self):
        return len(WORDS)

    def __getitem__(self, index):
        return painted_word(WORDS[index])


def test_datasets_and_iterators_stream(recognizer):
    assert [found["text"] for found in recognizer(_Crops())] == WORDS
    rows = [{"image": painted_word(text)} for text in WORDS]
    assert [found["text"] for found in recognizer(KeyDataset(rows, "image"))] == WORDS
    assert [found["text"] for found in recognizer(map(painted_word, WORDS))] == WORDS


# --- batches


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_batch_size_never_changes_a_result(recognizer, crops, batch_size):
    alone = [recognizer(crop, return_characters=True) for crop in crops]
    assert [found["text"] for found in alone] == WORDS
    assert recognizer(crops, batch_size=batch_size, return_characters=True) == alone
    assert list(recognizer(iter(crops), batch_size=batch_size, return_characters=True)) == alone


def test_crops_run_together(crops):
    recognizer = colour_pipeline()
    recognizer(crops, batch_size=4)
    assert [call[0] for call in recognizer.model.calls] == [4, 1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_reads_the_same(dtype):
    half = colour_pipeline()
    half.model.to(dtype)
    assert half(painted_word("cab"))["text"] == "cab"


# --- parameters


def test_decoding_parameters_reach_the_model_only_if_given():
    recognizer = colour_pipeline(refine_iterations=2)
    recognizer(painted_word("cab"))
    recognizer(painted_word("cab"), refine_iterations=0, use_cross_branch=False)
    recognizer(painted_word("cab"), refine_iterations=None)
    assert recognizer.model.calls == [(1, 2, None), (1, 0, False), (1, None, None)]


@pytest.mark.parametrize("inputs", [painted_word("cab"), []], ids=["crop", "empty list"])
def test_an_unknown_keyword_is_named(recognizer, inputs):
    with pytest.raises(TypeError, match=r"`lexikon`.*lexicon"):
        recognizer(inputs, lexikon=["cab"])
    with pytest.raises(TypeError, match="`colour`"):
        colour_pipeline(colour=True)


WRONG = [
    {"refine_iterations": -1},
    {"lexicon": []},
    {"lexicon": "cab"},
    {"lexicon": [["cab"], ["abc"]]},
    {"lexicon": [None]},
    {"max_lexicon_distance": 2},
    {"charset": "日"},
    {"charset": ""},
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("inputs", [painted_word("cab"), []], ids=["crop", "empty list"])
def test_a_value_out_of_range_is_an_error_before_anything_is_read(recognizer, wrong, inputs):
    recognizer.model.calls.clear()
    with pytest.raises(ValueError):
        recognizer(inputs, **wrong)
    with pytest.raises(ValueError):
        colour_pipeline(**wrong)
    assert recognizer.model.calls == []


def test_a_cross_branch_that_the_model_has_not_is_an_error_before_anything_is_read(recognizer, monkeypatch):
    monkeypatch.setattr(recognizer.model.config, "use_cross_branch", False, raising=False)
    recognizer([], use_cross_branch=False)
    with pytest.raises(ValueError, match="`use_cross_branch`"):
        recognizer([], use_cross_branch=True)


def test_a_lexicon_is_prepared_once_for_all_crops(crops, monkeypatch):
    recognizer = colour_pipeline()
    prepared = []
    original = recognizer.processor.make_lexicon
    monkeypatch.setattr(
        recognizer.processor, "make_lexicon", lambda words: prepared.append(words) or original(words)
    )
    assert [found["text"] for found in recognizer(crops, lexicon=WORDS)] == WORDS
    assert prepared == [WORDS]
