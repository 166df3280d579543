"""The fields of the outputs choose the decoder, and the decoder the settings that may be given."""

import numpy as np
import pytest
import torch

from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.data.targets_fcenet import STRIDES, fcenet_targets
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.modeling.pan import PREDICTION_STRIDE
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from text_shapes import tilted

SIZE_HW = (64, 128)


def dbnet_outputs():
    probability_map = torch.zeros(2, *SIZE_HW)
    probability_map[1, 16:32, 24:88] = 0.9
    return {"probability_map": probability_map}


def pan_outputs():
    """The second image has a text on cells 6..22 x 4..8 of the map at stride 4."""
    text = torch.full((2, 16, 32), -8.0)
    text[1, 4:8, 6:22] = 8.0
    kernel = torch.full_like(text, -8.0)
    kernel[1, 5:7, 8:20] = 8.0
    return {"text_logits": text, "kernel_logits": kernel, "pixel_embeddings": torch.zeros(2, 4, 16, 32)}


def fcenet_outputs():
    """The second image has an ellipse of 64 x 16 pixels around (56, 24), told by one cell of stride 8."""
    strides = (8, 16, 32)
    sizes = [(SIZE_HW[0] // stride, SIZE_HW[1] // stride) for stride in strides]
    regions = [torch.stack([torch.full((2, *size), 8.0), torch.full((2, *size), -8.0)], 1) for size in sizes]
    centers = [one.clone() for one in regions]
    coefficients = [torch.zeros(2, 22, *size) for size in sizes]
    for maps in (regions[0], centers[0]):
        maps[1, :, 3, 7] = torch.tensor([-8.0, 8.0])
    # x = 4 cos, y = sin in cells of 8 px: c(1) = 2.5, c(-1) = 1.5
    coefficients[0][1, 6, 3, 7], coefficients[0][1, 4, 3, 7] = 2.5, 1.5
    return {
        "region_logits": tuple(regions),
        "center_logits": tuple(centers),
        "fourier_coefficients": tuple(coefficients),
    }


OUTPUTS = {"dbnet": dbnet_outputs, "pan": pan_outputs, "fcenet": fcenet_outputs}


def box_of(result):
    return result["boxes"][0].tolist()


@pytest.mark.parametrize("detector", OUTPUTS)
@pytest.mark.parametrize("polygon_mode", ["quad", "polygon"])
def test_every_detector_finds_the_text_in_pixels_of_the_photo(detector, polygon_mode):
    processor = TCMImageProcessor(polygon_mode=polygon_mode, unclip_ratio=0)
    empty, found = processor.post_process_text_detection(
        OUTPUTS[detector](), target_sizes=[(128, 256), (32, 256)]
    )
    assert len(empty["polygons"]) == 0 and empty["boxes"].shape == (0, 4)
    assert len(found["polygons"]) == 1
    # The photo is twice as wide and half as high as the input. PAN's last cell speaks of its first pixel.
    np.testing.assert_allclose(box_of(found) / np.array([2, 0.5, 2, 0.5]), [24, 16, 88, 32], atol=4)
    assert (len(found["polygons"][0]) == 4) or polygon_mode == "polygon"


@pytest.mark.parametrize("detector", OUTPUTS)
def test_tiles_give_what_the_whole_photo_gives(detector):
    processor = TCMImageProcessor(unclip_ratio=0)
    outputs = OUTPUTS[detector]()
    (_, whole) = processor.post_process_text_detection(outputs, target_sizes=[SIZE_HW] * 2)
    # The photo is two tiles wide; the text lies in the overlap's left tile, whole, the right one is empty.
    empty, left = processor.split_images(outputs)
    tiles = [(0, 0, 128, 64), (108, 0, 236, 64)]
    tiled = processor.post_process_tiles([left, empty], tiles, (64, 236))
    assert len(tiled["polygons"]) == 1
    np.testing.assert_allclose(tiled["boxes"], whole["boxes"], atol=1.5)


@pytest.mark.parametrize(
    ("detector", "setting"),
    [
        ("pan", {"unclip_ratio": 1.5}),
        ("fcenet", {"unclip_ratio": 1.5}),
        ("fcenet", {"binarize_threshold": 0.3}),
    ],
)
def test_a_setting_that_the_detector_does_not_know_is_refused(detector, setting):
    with pytest.raises(ValueError, match=f"no settings.*{next(iter(setting))}.*knows.*threshold"):
        TCMImageProcessor().post_process_text_detection(OUTPUTS[detector](), **setting)


def test_outputs_of_no_detector_are_refused():
    with pytest.raises(ValueError, match=r"no text detector.*probability_map.*logits"):
        TCMImageProcessor().post_process_text_detection({"logits": torch.zeros(1, 2)})


@pytest.mark.parametrize(
    ("detector", "setting"),
    [
        ("dbnet", {"binarize_threshold": 2}),
        ("dbnet", {"min_side_px": -1}),
        ("dbnet", {"max_candidates": -1}),
        ("dbnet", {"arc_length_ratio": float("nan")}),
        ("dbnet", {"shrink_ratio": 1.5}),
        ("pan", {"kernel_threshold": 1.5}),
        ("pan", {"embedding_distance": 0}),
        ("pan", {"min_area_px": "many"}),
        ("fcenet", {"num_contour_points": 2}),
        ("fcenet", {"num_contour_points": 10**9}),
        ("fcenet", {"nms_threshold": -0.1}),
        ("fcenet", {"threshold": 30}),
        ("fcenet", {"polygon_mode": "box"}),
    ],
)
def test_a_value_that_no_setting_can_have_is_refused(detector, setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"`{name}` must be.*got"):
        TCMImageProcessor(**setting).post_process_text_detection(OUTPUTS[detector]())
    with pytest.raises(ValueError, match=rf"`{name}` must be.*got"):
        maps = TCMImageProcessor.split_images(OUTPUTS[detector]())
        TCMImageProcessor(**setting).post_process_tiles(maps[:1], [(0, 0, 128, 64)], SIZE_HW)


@pytest.mark.parametrize(("detector", "multiple"), [("pan", 4), ("fcenet", 8)])
def test_sizes_that_the_maps_round_up_are_refused(detector, multiple):
    for size_divisor in (1, multiple // 2):
        with pytest.raises(ValueError, match=rf"multiple of {multiple} .*got {size_divisor}\. Take 32"):
            TCMImageProcessor(size_divisor=size_divisor).post_process_text_detection(OUTPUTS[detector]())
    TCMImageProcessor(size_divisor=multiple).post_process_text_detection(OUTPUTS[detector]())
    TCMImageProcessor(size_divisor=1).post_process_text_detection(OUTPUTS["dbnet"]())


def first_of(value):
    return tuple(one[:1] for one in value) if isinstance(value, tuple) else value[:1]


def without_batch(value):
    return tuple(one[0] for one in value) if isinstance(value, tuple) else value[0]


@pytest.mark.parametrize(
    ("detector", "field"),
    [(detector, field) for detector in ("pan", "fcenet") for field in OUTPUTS[detector]()],
)
def test_maps_that_do_not_belong_together_are_told(detector, field):
    outputs = OUTPUTS[detector]()
    processor = TCMImageProcessor()
    with pytest.raises(ValueError, match=rf"(`{field}` is missing|no text detector)"):
        processor.post_process_text_detection({k: v for k, v in outputs.items() if k != field})
    with pytest.raises(ValueError, match=rf"one number of images.*'{field}': \[1"):
        processor.post_process_text_detection(outputs | {field: first_of(outputs[field])})
    with pytest.raises(ValueError, match=rf"`{field}` must have . dimensions, the first that of the batch"):
        processor.post_process_text_detection(outputs | {field: without_batch(outputs[field])})


@pytest.mark.parametrize("detector", OUTPUTS)
def test_half_precision_is_decoded(detector):
    halved = {
        name: tuple(one.bfloat16() for one in value) if isinstance(value, tuple) else value.bfloat16()
        for name, value in OUTPUTS[detector]().items()
    }
    assert len(TCMImageProcessor(unclip_ratio=0).post_process_text_detection(halved)[1]["scores"]) == 1


# --- where the outlines lie

SIZE_OF_WORDS_HW = (160, 320)


def learned_dbnet(word, size_hw):
    """What a network says that has learned the targets of one word by heart, a batch of one."""
    targets = dbnet_targets([word], [False], size_hw)
    return {"probability_map": torch.from_numpy(targets["probability_map"])[None]}


def learned_pan(word, size_hw):
    targets = pan_targets([word], [False], size_hw)
    instances, kernels = (
        torch.from_numpy(targets[name])[None, ::PREDICTION_STRIDE, ::PREDICTION_STRIDE]
        for name in ("instance_map", "kernel_map")
    )  # as `PANHead.loss` samples them
    embeddings = torch.zeros(1, 4, *instances.shape[1:])
    return {
        "text_logits": 16 * instances - 8,
        "kernel_logits": 16 * kernels - 8,
        "pixel_embeddings": embeddings,
    }


def learned_fcenet(word, size_hw):
    targets = fcenet_targets([word], [False], size_hw)
    levels = [torch.from_numpy(targets[f"contour_maps_{stride}"])[None] for stride in STRIDES]
    region, center = (
        tuple(torch.stack([4 - 8 * level[:, i], 8 * level[:, i] - 4], 1) for level in levels) for i in (0, 1)
    )
    coefficients = tuple(level[:, 3:] for level in levels)
    return {"region_logits": region, "center_logits": center, "fourier_coefficients": coefficients}


@pytest.mark.parametrize("learned", [learned_dbnet, learned_pan, learned_fcenet])
@pytest.mark.parametrize("photo_hw", [SIZE_OF_WORDS_HW, (240, 1280)])
def test_what_the_targets_teach_is_decoded_without_a_shift(learned, photo_hw):
    rng, shifts, processor = np.random.default_rng(0), [], TCMImageProcessor(shrink_ratio=0.4)
    scale_xy = np.divide(photo_hw, SIZE_OF_WORDS_HW)[::-1]
    for _ in range(40):
        center, (width, height) = rng.uniform((100, 60), (200, 100)), rng.uniform((90, 24), (160, 40))
        word = tilted(center, width, height, rng.uniform(-9, 9))
        (found,) = processor.post_process_text_detection(
            learned(word, SIZE_OF_WORDS_HW), target_sizes=[photo_hw]
        )
        (quad,) = found["polygons"]
        shifts.append(quad.numpy().mean(axis=0) / scale_xy - word.mean(axis=0))
    np.testing.assert_allclose(np.mean(shifts, axis=0), 0, atol=0.5)
