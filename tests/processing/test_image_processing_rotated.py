"""Pictures into the rotated detector's input, its boxes back onto the picture."""

import math

import numpy as np
import pytest
import torch

from tcm_hf.processing.image_processing_rotated import (
    TCMRotatedImageProcessor,
    TCMRotatedImageProcessorPil,
)
from tcm_hf.processing.rotated_boxes import rotated_overlaps

PROCESSORS = (TCMRotatedImageProcessor, TCMRotatedImageProcessorPil)


def outputs(boxes: list, input_hw: tuple[int, int], labels: list | None = None) -> dict:
    """A model's outputs of one image with these objects at the first cells of the first level."""
    height, width = input_hw[0] // 8, input_hw[1] // 8
    logits = torch.full((1, height * width, 1, 3), -9.0)
    places = torch.zeros(1, height * width, 1, 5)
    for i, box in enumerate(boxes):
        logits[0, i, 0, labels[i] if labels else 0] = 3.0 - i
        places[0, i, 0] = torch.tensor(box)
    return {
        "class_logits": (logits.unflatten(1, (height, width)),),
        "boxes": (places.unflatten(1, (height, width)),),
        "centerness_logits": None,
    }


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(
    "size_hw, processed_hw",
    [((1024, 1024), (1024, 1024)), ((720, 1280), (576, 1024)), ((40, 100), (416, 1024))],
)
def test_any_picture_becomes_multiples_of_32(processor, size_hw, processed_hw):
    pixels = processor()(np.zeros((*size_hw, 3), np.uint8), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, *processed_hw)


def test_colours_are_normalised_with_clips_statistics():
    pixels = TCMRotatedImageProcessor()(np.full((64, 96, 3), 128, np.uint8), return_tensors="pt")
    expected = (128 / 255 - 0.48145466) / 0.26862954
    assert pixels["pixel_values"][0, 0].mean().item() == pytest.approx(expected, abs=1e-4)


def test_boxes_go_back_to_the_picture():
    found = TCMRotatedImageProcessor().post_process_rotated_object_detection(
        outputs([[30, 20, 16, 8, 0.4]], (64, 96), [2]), target_sizes=[(128, 192)]
    )[0]
    np.testing.assert_allclose(found["boxes"], [[60, 40, 32, 16, 0.4]], rtol=1e-5)
    assert found["labels"].tolist() == [2] and found["polygons"].shape == (1, 4, 2)
    assert found["scores"].tolist() == pytest.approx([1 / (1 + math.exp(-3))])


def test_a_stretched_picture_gets_the_smallest_boxes_around_the_stretched_ones():
    processor = TCMRotatedImageProcessor()
    raw = outputs([[30, 20, 16, 8, 0.0], [60, 40, 16, 8, 0.5]], (64, 96))
    upright, turned = processor.post_process_rotated_object_detection(raw, target_sizes=[(64, 192)])[0][
        "boxes"
    ]
    np.testing.assert_allclose(upright, [60, 20, 32, 8, 0], atol=1e-4)
    assert turned[2] > 16 and turned[4] < 0.5
    same = processor.post_process_rotated_object_detection(raw)[0]["boxes"]
    np.testing.assert_allclose(same[1], [60, 40, 16, 8, 0.5], rtol=1e-6)


def test_upright_boxes_are_those_around_the_objects():
    found = TCMRotatedImageProcessor().post_process_object_detection(
        outputs([[30, 20, 16, 8, math.pi / 2]], (64, 96))
    )[0]
    np.testing.assert_allclose(found["boxes"], [[26, 12, 34, 28]], atol=1e-4)


def test_an_object_that_two_tiles_see_is_one():
    processor = TCMRotatedImageProcessor(tile_px=96, tile_overlap_px=32)
    tiles = processor.plan_tiles((96, 150), "auto")
    assert tiles == [(0, 0, 96, 96), (54, 0, 150, 96)]
    left = outputs([[75, 48, 20, 10, 0.3]], (96, 96))
    right = outputs([[21, 48, 20, 10, 0.3], [80, 20, 20, 10, 0]], (96, 96))
    of_tiles = [
        processor.post_process_rotated_object_detection(one, target_sizes=[(96, 96)])[0]
        for one in (left, right)
    ]
    found = processor.merge_tiles(of_tiles, tiles)
    assert len(found["boxes"]) == 2
    expected = np.array([[75, 48, 20, 10, 0.3], [134, 20, 20, 10, 0]])
    assert rotated_overlaps(expected, found["boxes"].numpy(), paired=True).min() > 0.999
    best = processor.merge_tiles(of_tiles, tiles, max_detections=1)
    assert best["scores"].tolist() == found["scores"][:1].tolist()
    assert len(processor.merge_tiles(of_tiles, tiles, nms_threshold=1.0)["boxes"]) == 3


@pytest.mark.parametrize(
    "size_hw, tile, expected",
    [
        ((96, 150), None, [(0, 0, 150, 96)]),
        ((96, 150), "auto", [(0, 0, 96, 96), (54, 0, 150, 96)]),
        ((60, 96), "auto", [(0, 0, 96, 60)]),
        ((60, 192), "auto", [(0, 0, 96, 60), (48, 0, 144, 60), (96, 0, 192, 60)]),
        ((96, 150), 48, [(x, y, x + 48, y + 48) for y in (0, 24, 48) for x in (0, 26, 51, 76, 102)]),
        ((96, 150), 300, [(0, 0, 150, 96)]),
    ],
)
def test_tiles_are_cut_where_they_are_asked_for(size_hw, tile, expected):
    processor = TCMRotatedImageProcessor(tile_px=96, tile_overlap_px=32)
    assert processor.plan_tiles(size_hw, tile) == expected


def test_a_scene_is_shrunk_to_the_longest_side():
    processor = TCMRotatedImageProcessor()
    assert processor.get_processed_size_hw((3000, 4000)) == (768, 1024)
    assert processor.get_shrink_factor((3000, 4000)) == pytest.approx(0.256)


def test_settings_of_the_processor_and_of_a_call():
    processor = TCMRotatedImageProcessor(threshold=0.9)
    raw = outputs([[30, 20, 16, 8, 0], [60, 40, 16, 8, 0]], (64, 96))
    assert len(processor.post_process_rotated_object_detection(raw)[0]["scores"]) == 1
    assert len(processor.post_process_rotated_object_detection(raw, threshold=0.5)[0]["scores"]) == 2
    one = processor.post_process_rotated_object_detection(raw, threshold=0.5, max_detections=1)
    assert len(one[0]["scores"]) == 1


def test_the_threshold_is_for_the_score_and_candidates_have_their_own_for_the_class():
    raw = outputs([[30, 20, 16, 8, 0], [60, 40, 16, 8, 0]], (64, 96))  # classes: 0.953, 0.881
    centerness = torch.full((1, 8, 12, 1), -9.0)
    centerness[0, 0, 0, 0], centerness[0, 0, 1, 0] = -2.0, 2.0  # 0.119, 0.881
    raw["centerness_logits"] = (centerness,)
    processor = TCMRotatedImageProcessor()
    scores = [0.776, 0.114]
    for threshold, count in ((0.0, 2), (0.11, 2), (0.12, 1), (0.8, 0)):
        found = processor.post_process_rotated_object_detection(raw, threshold=threshold)[0]
        assert found["scores"].tolist() == pytest.approx(scores[:count], abs=1e-3)
    processor.candidate_threshold = 0.9
    (found,) = processor.post_process_rotated_object_detection(raw)
    assert found["scores"].tolist() == pytest.approx(scores[1:], abs=1e-3)


def test_nothing_found_is_empty_tensors():
    found = TCMRotatedImageProcessor().post_process_rotated_object_detection(
        outputs([], (64, 96)), target_sizes=torch.tensor([[50, 90]])
    )[0]
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {"scores": (0,), "labels": (0,), "boxes": (0, 5), "polygons": (0, 4, 2)}


def test_target_sizes_must_fit_the_batch():
    with pytest.raises(ValueError, match="2 for a batch of 1"):
        TCMRotatedImageProcessor().post_process_rotated_object_detection(
            outputs([], (64, 96)), target_sizes=[(1, 1), (2, 2)]
        )


@pytest.mark.parametrize("processor", PROCESSORS)
def test_settings_are_saved(processor, tmp_path):
    processor(threshold=0.4, tile_px=512).save_pretrained(tmp_path)
    again = processor.from_pretrained(tmp_path)
    assert again.threshold == 0.4 and again.tile_px == 512 and again.nms_threshold == 0.1
