"""Pictures are resized as torchvision does it, to the last bit, and at most two grey levels from Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from tcm_hf.processing.resampling import resize_smoothly

MODES = {2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}


@pytest.mark.parametrize("resample", [2, 3], ids=["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("size_hw", "wanted_hw"),
    [
        ((72, 128), (74, 132)),
        ((72, 128), (32, 64)),
        ((37, 211), (32, 128)),
        ((300, 500), (31, 97)),
        ((64, 40), (64, 128)),
        ((64, 40), (32, 40)),
        ((9, 7), (64, 96)),
        ((1, 1), (32, 64)),
        ((500, 3), (2, 300)),
        ((40, 60), (40, 60)),
    ],
    ids=str,
)
def test_pixels_are_those_of_torchvision(size_hw, wanted_hw, resample):
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    found = resize_smoothly(image, wanted_hw, resample)
    assert found.dtype == np.uint8 and found.shape == (*wanted_hw, 3)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    expected = resize(tensor, list(wanted_hw), interpolation=MODES[resample], antialias=True)
    # Other processors round the same weights in other ways.
    difference = np.abs(found.astype(int) - expected.permute(1, 2, 0).numpy().astype(int))
    assert difference.max() <= 1 and difference.mean() < 0.01
    pillow = np.asarray(Image.fromarray(image).resize(wanted_hw[::-1], resample=resample))
    assert np.abs(found.astype(int) - pillow.astype(int)).max() <= 2


def test_one_grey_stays_one_grey():
    image = np.full((50, 70, 3), 201, np.uint8)
    for resample in MODES:
        assert (resize_smoothly(image, (13, 128), resample) == 201).all()


def test_another_kind_of_resampling_is_refused():
    with pytest.raises(ValueError, match=r"one of \[2, 3\].*got 1"):
        resize_smoothly(np.zeros((4, 4, 3), np.uint8), (2, 2), 1)
