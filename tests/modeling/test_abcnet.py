"""ABCNet's head on tiny configurations: curves, padding, what is read, what is learned."""

import pytest
import torch

from tcm_hf.modeling.abcnet import image_sizes_xy
from tcm_hf.modeling.abcnet_dense import DenseWords
from tcm_hf.modeling.abcnet_proposals import find_curves
from tcm_hf.modeling.configuration_abcnet import ABCNetHeadConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tiny import SIZE_HW, tiny_images
from tiny_spotter import ABCNET_HEAD, RESNET, RESNET_FPN, tiny_spotter, tiny_spotting_labels

BACKBONES = {
    "fasttcm": {},
    "tcm": {"method": "tcm"},
    "baseline": {"method": "baseline"},
    "ordinary resnet": {"image_tower_config": RESNET, "matching_stage": 2},
    "resnet with a pyramid": {
        "image_tower_config": RESNET_FPN,
        "matching_stage": 2,
        "head_config": {"neck": "none"},
    },
    "pyramid without text": {
        "image_tower_config": RESNET_FPN | {"norm": "batch", "strided_conv": "1x1"},
        "method": "baseline",
        "head_config": {"neck": "none"},
    },
}
READINGS = {"attention": "character_logits", "ctc": "ctc_logits"}


def spotter(backbone="fasttcm", **head):
    """A tiny spotter whose curves lie about their places and differ, as after some training."""
    parts = BACKBONES[backbone]
    options = ABCNET_HEAD | parts.get("head_config", {}) | head
    model = tiny_spotter(**parts | {"head_config": options})
    with torch.no_grad():
        model.head.dense.curve.weight.normal_(std=0.3)
        model.head.dense.score.weight.normal_(std=0.3)
    return model


@pytest.mark.parametrize("recognizer", READINGS)
@pytest.mark.parametrize("backbone", BACKBONES)
@torch.no_grad()
def test_a_spotter_gives_curves_scores_and_characters(backbone, recognizer):
    output = spotter(backbone, recognizer=recognizer)(tiny_images())
    count = output.score_logits.shape[1]
    steps = {"attention": 5, "ctc": 16}[recognizer]
    assert count > 10
    assert output.score_logits.shape == (2, count, 1)
    assert output.bezier_points.shape == (2, count, 8, 2)
    assert output[READINGS[recognizer]].shape == (2, count, steps, 13)
    assert output.proposal_boxes.shape == (2, count, 4)
    assert output.control_points is None
    assert (output.matching_map is None) == (BACKBONES[backbone].get("method") == "baseline")


@torch.no_grad()
def test_a_batch_of_one_size_gives_what_every_image_gives_alone():
    model, images = spotter(), tiny_images(3)
    together = model(images)
    for row in range(3):
        alone = model(images[row : row + 1])
        count = alone.score_logits.shape[1]
        assert torch.equal(alone.proposal_index[0], together.proposal_index[row, :count])
        assert (together.score_logits[row, count:] == -torch.inf).all()
        for name in ("score_logits", "bezier_points", "character_logits"):
            torch.testing.assert_close(alone[name][0], together[name][row, :count], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("recognizer", READINGS)
@torch.no_grad()
def test_images_without_words_give_none(recognizer):
    model = spotter(recognizer=recognizer, proposal_threshold=1.0)
    output = model(tiny_images())
    assert output.score_logits.shape == (2, 0, 1)
    assert output.bezier_points.shape == (2, 0, 8, 2)
    assert output[READINGS[recognizer]].shape[:2] == (2, 0)
    assert output[READINGS[recognizer]].shape[3] == 13


@torch.no_grad()
def test_places_are_parts_of_the_image_without_its_padding():
    model, images = spotter(), tiny_images(1)
    mask = torch.zeros(1, *SIZE_HW)
    mask[:, : SIZE_HW[0] // 2] = 1
    whole, masked = model(images), model(images, pixel_mask=mask)
    kept = torch.isin(whole.proposal_index[0], masked.proposal_index[0])
    assert 0 < kept.sum() < len(kept)
    torch.testing.assert_close(masked.bezier_points[0, ..., 0], whole.bezier_points[0, kept, :, 0])
    torch.testing.assert_close(masked.bezier_points[0, ..., 1], whole.bezier_points[0, kept, :, 1] * 2)
    # What lies in the padding is no word.
    assert ((masked.proposal_boxes[..., 1] - masked.proposal_boxes[..., 3] / 2) < 1).all()


@torch.no_grad()
def test_places_are_parts_of_images_whose_sides_are_no_multiples_of_the_stride():
    model, images = spotter("ordinary resnet"), tiny_images(1, (65, 97))
    plain, masked = model(images), model(images, pixel_mask=torch.ones(1, 65, 97))
    assert plain.bezier_points.shape[1] > 10
    torch.testing.assert_close(plain.bezier_points, masked.bezier_points)


def test_sizes_of_images_are_those_of_their_masks():
    mask = torch.zeros(2, 64, 96)
    mask[0, :33, :17], mask[1] = 1, 1
    assert image_sizes_xy(mask, torch.zeros(2, 1, 16, 24)).tolist() == [[17, 33], [96, 64]]
    assert image_sizes_xy(None, torch.zeros(2, 1, 16, 24)).tolist() == [[96, 64], [96, 64]]


@pytest.mark.parametrize("recognizer", READINGS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_parameter_learns_but_the_frozen_ones(backbone, recognizer):
    model = spotter(backbone, recognizer=recognizer).train()
    model(tiny_images(), labels=tiny_spotting_labels()).loss.backward()
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == learned


def test_words_are_looked_for_in_training_without_labels_and_in_evaluation_with_them():
    model, labels = spotter(), tiny_spotting_labels()
    model.train()
    learning = model(tiny_images(), labels=labels)
    assert learning.score_logits is None
    assert model(tiny_images()).score_logits is not None
    model.eval()
    judged = model(tiny_images(), labels=labels)
    assert judged.score_logits is not None
    expected = {
        "loss_score",
        "loss_box",
        "loss_centerness",
        "loss_bezier",
        "loss_characters",
        "loss_matching",
    }
    assert set(judged.loss_dict) == set(learning.loss_dict) == expected


@pytest.mark.parametrize("backbone", ["fasttcm", "resnet with a pyramid"])
@pytest.mark.parametrize("recognizer", READINGS)
@pytest.mark.parametrize("words", [(0, 0), (0, 2)])
def test_without_words_every_parameter_has_a_gradient_too(words, recognizer, backbone):
    model = spotter(backbone, recognizer=recognizer).train()
    output = model(tiny_images(), labels=tiny_spotting_labels(words))
    output.loss.backward()
    assert output.loss.isfinite()
    learned = [(name, p.grad) for name, p in model.named_parameters() if p.requires_grad]
    assert [name for name, gradient in learned if gradient is None or not gradient.isfinite().all()] == []


@torch.no_grad()
def test_a_recogniser_fed_with_what_it_read_reads_it_again():
    recognizer = spotter().head.recognizer
    recognizer.character_embedding.weight.normal_()
    features = torch.randn(4, 32, 8, 16)
    read = recognizer(features)
    torch.testing.assert_close(recognizer(features, read.argmax(-1)), read)
    other = (read.argmax(-1) + 1) % 13
    assert not torch.allclose(recognizer(features, other)[:, 1:], read[:, 1:])


def test_training_runs_in_half_precision():
    model = spotter().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(tiny_images(), labels=tiny_spotting_labels())
    output.loss.backward()
    assert output.loss.dtype == torch.float32
    assert output.loss.isfinite()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.eval()(tiny_images()).bezier_points.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("recognizer", READINGS)
@torch.no_grad()
def test_a_spotter_can_be_cast(recognizer, dtype):
    model = spotter(recognizer=recognizer).to(dtype)
    output = model(tiny_images().to(dtype), labels=tiny_spotting_labels())
    assert output.loss.isfinite()
    assert output.bezier_points.dtype == output[READINGS[recognizer]].dtype == torch.float32


@pytest.mark.parametrize("backbone", ["fasttcm", "resnet with a pyramid"])
@torch.no_grad()
def test_what_is_saved_loads_as_it_was(backbone, tmp_path):
    model = spotter(backbone)
    model.save_pretrained(tmp_path)
    loaded = FastTCMForTextSpotting.from_pretrained(tmp_path)
    assert loaded.config.head_config.to_dict() == model.config.head_config.to_dict()
    assert loaded.config.image_tower_config.to_dict() == model.config.image_tower_config.to_dict()
    for name in ("score_logits", "bezier_points", "character_logits"):
        assert torch.equal(loaded(tiny_images())[name], model(tiny_images())[name])
    half = FastTCMForTextSpotting.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half(tiny_images().bfloat16()).bezier_points.dtype == torch.float32


def test_a_pyramid_of_other_channels_is_refused():
    with pytest.raises(ValueError, match=r"neck='none'.*32.*resnet_fpn"):
        tiny_spotter(head_config=ABCNET_HEAD | {"neck": "none"})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"norm_groups": 3}, "`neck_channels` must be a positive multiple of 3"),
        ({"region_size_hw": [8]}, "rows and columns"),
        ({"level_sizes": [64]}, "two to four rising"),
        ({"level_sizes": [64, 32]}, "two to four rising"),
        ({"level_sizes": [64, 64]}, "two to four rising"),
        ({"recognizer_hidden_size": 0}, "`recognizer_hidden_size` must be at least 1"),
        ({"nms_threshold": 1.5}, "between 0 and 1"),
        ({"max_words": 0}, "`max_words` must be at least 1"),
        ({"box_loss_weight": -1}, "`box_loss_weight` must be at least 0"),
        ({"neck": "pan"}, "neck"),
        ({"num_query": 3}, "num_query"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        tiny_spotter(head_config=ABCNET_HEAD | setting)


def dense_words(scores, boxes, strides):
    """Places of one image, in the middle of their boxes, all equally central."""
    boxes, strides = torch.tensor(boxes, dtype=torch.float32), torch.tensor(strides, dtype=torch.float32)
    places = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - places) / strides[:, None]
    return DenseWords(
        score_logits=torch.tensor([scores]).logit(),
        centerness_logits=torch.full((1, len(scores)), 20.0),
        distances=half.repeat(1, 2)[None],
        curve_offsets=torch.ones(1, len(scores), 8, 2),
        places=places,
        strides=strides,
    )


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [2, 0, 3]),  # 1 is 0 again, 4 unlikely, 5 outside, 6 without area
        ({"nms_threshold": 0.95}, [2, 0, 1, 3]),
        ({"proposal_threshold": 0.65}, [2, 0]),
        ({"proposal_threshold": 0.1}, [2, 0, 3, 4]),
        ({"candidates_per_level": 1}, [2, 3]),  # places 0 to 2 are of one level
        ({"max_words": 3}, [2]),
    ],
)
def test_of_many_places_every_word_is_found_once(settings, kept):
    boxes = [
        [10, 10, 50, 20], [12, 10, 52, 20], [60, 30, 90, 50], [10, 40, 40, 60],
        [60, 4, 90, 12], [100, 10, 130, 20], [70, 20, 70, 40],
    ]  # fmt: skip
    dense = dense_words([0.8, 0.7, 0.9, 0.6, 0.2, 0.95, 0.9], boxes, [8, 8, 8, 16, 16, 32, 32])
    config = ABCNetHeadConfig(**{"proposal_threshold": 0.3} | settings)
    (found,) = find_curves(dense, torch.tensor([[96.0, 64.0]]), config)
    assert found.place_index.tolist() == kept
    torch.testing.assert_close(found.boxes, dense.boxes[0, kept])
    torch.testing.assert_close(found.scores, dense.score_logits[0, kept].sigmoid().sqrt())
    first = dense.places[kept[0]] + 8
    torch.testing.assert_close(found.bezier_points[0], first.expand(8, 2))


@torch.no_grad()
def test_a_new_spotter_believes_in_nothing_and_has_boxes_around_its_places():
    dense = tiny_spotter(head_config=ABCNET_HEAD).head.dense
    words = dense([torch.randn(1, 32, 8, 12), torch.randn(1, 32, 4, 6)])
    assert words.score_logits.sigmoid().mean() == pytest.approx(0.01, abs=0.005)
    assert (words.distances > 1).all()
    assert words.curve_offsets.abs().max() < 1
    assert words.places[:2].tolist() == [[4, 4], [12, 4]]
    assert words.places[96:98].tolist() == [[8, 8], [24, 8]]
    assert words.strides.unique(return_counts=True)[1].tolist() == [96, 24]
