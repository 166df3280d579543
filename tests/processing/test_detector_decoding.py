"""The fields of the outputs choose the decoder, and the decoder the settings that may be given."""

import numpy as np
import pytest
import torch

from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

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
    # twice as wide and half as high as the input; an outline on pixel centres lies half a cell inside
    np.testing.assert_allclose(box_of(found), [48, 8, 176, 16], atol=5)
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


@pytest.mark.parametrize("detector", OUTPUTS)
def test_half_precision_is_decoded(detector):
    halved = {
        name: tuple(one.bfloat16() for one in value) if isinstance(value, tuple) else value.bfloat16()
        for name, value in OUTPUTS[detector]().items()
    }
    assert len(TCMImageProcessor(unclip_ratio=0).post_process_text_detection(halved)[1]["scores"]) == 1
