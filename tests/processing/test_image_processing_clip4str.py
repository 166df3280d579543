"""The image processor of CLIP4STR: the original's pixels, from any picture."""

import json
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import golden_files
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.processing.image_processing_clip4str import (
    UPSTREAM_TEST_NORMALIZATION,
    CLIP4STRImageProcessor,
    CLIP4STRImageProcessorPil,
)

BACKENDS = [CLIP4STRImageProcessor, CLIP4STRImageProcessorPil]
RGB = np.random.default_rng(0).integers(0, 256, (20, 61, 3), dtype=np.uint8)
SIZE = {"height": 32, "width": 128}


@pytest.fixture(params=BACKENDS)
def processor(request):
    return request.param(size=SIZE)


@pytest.mark.parametrize(
    ("case", "options"),
    [("train_val", {}), ("test_read", UPSTREAM_TEST_NORMALIZATION)],
    ids=lambda case: case,
)
@pytest.mark.parametrize(
    ("backend", "grey_levels"), [(CLIP4STRImageProcessorPil, 0), (CLIP4STRImageProcessor, 1)]
)
def test_pixels_are_those_of_the_original(case, options, backend, grey_levels):
    """Training and evaluation of the original normalise differently; both are at hand."""
    reference, arrays = golden_files.load("clip4str_text")
    crop = np.random.default_rng(zlib.crc32(b"input:pil")).integers(0, 256, (31, 97, 3)).astype(np.uint8)
    found = backend(**options)(Image.fromarray(crop), return_tensors="np").pixel_values
    assert list(found.shape[1:]) == reference["preprocess"]["shape"]
    deviation = min(options.get("image_std", [0.26130258]))
    sampled = found.reshape(-1)[:: reference["preprocess"]["stride"]]
    allowed = grey_levels * 1.01 / 255 / deviation + 1e-6
    np.testing.assert_allclose(sampled, arrays[f"preprocess/{case}"], rtol=0, atol=allowed)


def test_every_crop_is_stretched_whatever_its_aspect_ratio(processor):
    crops = [RGB, RGB[:, :1], RGB[:1], np.repeat(RGB, 40, axis=1), RGB[:1, :1]]
    batch = processor(crops, return_tensors="pt").pixel_values
    assert batch.shape == (5, 3, 32, 128)
    assert batch.dtype == torch.float32
    for crop, pixels in zip(crops, batch, strict=True):
        torch.testing.assert_close(processor(crop, return_tensors="pt").pixel_values[0], pixels)


def test_a_crop_of_the_right_size_is_only_normalised(processor):
    crop = np.full((32, 128, 3), 255, np.uint8)
    found = processor(crop, return_tensors="np").pixel_values[0]
    expected = (1 - np.array(processor.image_mean)) / np.array(processor.image_std)
    np.testing.assert_allclose(found[:, 5, 7], expected, atol=1e-5)


def test_pictures_come_in_any_form(processor, tmp_path):
    path = tmp_path / "crop.png"
    Image.fromarray(RGB).save(path)
    forms = [
        path,
        str(path),
        path.read_bytes(),
        Image.open(path),
        RGB,
        torch.from_numpy(RGB).permute(2, 0, 1),
    ]
    batch = processor(forms, return_tensors="np").pixel_values
    for pixels in batch[1:]:
        np.testing.assert_array_equal(pixels, batch[0])
    grey = processor([Image.fromarray(RGB).convert("L"), RGB[..., 0]], return_tensors="np").pixel_values
    assert grey.shape == (2, 3, 32, 128)


def test_no_pictures_are_no_pixels(processor):
    assert processor([], return_tensors="pt")["pixel_values"] == []


@pytest.mark.parametrize("option", ["do_center_crop", "do_pad"])
def test_what_would_cut_or_frame_a_word_is_refused(processor, option):
    with pytest.raises(ValueError, match="do_center_crop"):
        processor(RGB, **{option: True}, crop_size=SIZE, pad_size=SIZE)


def test_a_size_that_keeps_the_aspect_ratio_is_refused(processor):
    with pytest.raises(ValueError, match=r"height.*width"):
        processor(RGB, size={"shortest_edge": 32})


def test_crops_of_several_sizes_make_no_tensor_without_resizing(processor):
    with pytest.raises(ValueError, match="do_resize"):
        processor([RGB, RGB[:10]], do_resize=False, return_tensors="pt")
    assert len(processor([RGB, RGB[:10]], do_resize=False).pixel_values) == 2


@pytest.mark.parametrize("name", CLIP4STRConfig.preset_names())
def test_every_preset_of_a_model_has_its_size_here(name):
    processor = CLIP4STRImageProcessor.from_preset(name, **UPSTREAM_TEST_NORMALIZATION)
    size_hw = (processor.size["height"], processor.size["width"])
    assert size_hw == tuple(CLIP4STRConfig.from_preset(name).image_size_hw)
    assert list(processor.image_mean) == [0.5, 0.5, 0.5]


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match="clip4str-tiny"):
        CLIP4STRImageProcessor.from_preset("clip4str-giant")


@pytest.mark.parametrize("backend", BACKENDS)
def test_settings_survive_saving(backend, tmp_path):
    backend(size=SIZE, **UPSTREAM_TEST_NORMALIZATION).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert written["image_processor_type"] == "CLIP4STRImageProcessor"  # of either backend
    loaded = backend.from_pretrained(tmp_path)
    np.testing.assert_array_equal(
        loaded(RGB, return_tensors="np").pixel_values,
        backend(size=SIZE, **UPSTREAM_TEST_NORMALIZATION)(RGB, return_tensors="np").pixel_values,
    )
