"""Augmentation of photos with rotated objects: boxes, classes and pixels go together."""

import numpy as np
import pytest

from tcm_hf.data.augmentation import RandomWarpCrop
from tcm_hf.data.augmentation_rotated import (
    AnyWayUp,
    RotatedAugmentation,
    aerial_augmentation,
    upright_augmentation,
    visible_parts,
)
from tcm_hf.data.synthetic.aerial import aerial_photo
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, polygons_to_boxes

SIZE_HW = (60, 100)
NONE = np.zeros((0, 4, 2), np.float32), np.zeros(0, np.int64)


def photo(boxes, size_hw=SIZE_HW):
    """A dark photo whose upright boxes are bright."""
    image = np.full((*size_hw, 3), 20, np.uint8)
    for cx, cy, w, h, _ in boxes:
        image[round(cy - h / 2) : round(cy + h / 2), round(cx - w / 2) : round(cx + w / 2)] = 220
    polygons = boxes_to_polygons(np.array(boxes, dtype=float).reshape(-1, 5))
    return image, polygons.astype(np.float32)


def whole(size_hw, scale=(1.0, 1.0)) -> RandomWarpCrop:
    """A window that shows a photo of its size as it is."""
    return RandomWarpCrop(size_hw, scale, 1.0, max_angle_deg=0, wide_angle_probability=0)


def test_every_way_up_is_drawn_and_boxes_stay_on_their_pixels():
    image, polygons = photo([[20, 15, 24, 10, 0.0], [70, 40, 30, 16, 0.0]])
    image[10:20, 8:12] = (220, 20, 20)  # tells the ends of the first apart
    seen = set()
    for seed in range(40):
        turned = AnyWayUp(whole((100, 100)))
        sample = RotatedAugmentation(turned)(image, polygons, np.array([3, 5]), np.random.default_rng(seed))
        assert sample.class_labels.tolist() == [3, 5]
        boxes = polygons_to_boxes(sample.polygons_xy)
        np.testing.assert_allclose(boxes[:, 2:4], [[24, 10], [30, 16]], atol=1e-3)
        for cx, cy, w, h, angle in boxes:
            across, down = (w, h) if abs(np.sin(angle)) < 0.5 else (h, w)
            inside = sample.image[
                round(cy - down / 2 + 1) : round(cy + down / 2 - 1),
                round(cx - across / 2 + 1) : round(cx + across / 2 - 1),
            ]
            assert (inside.max(axis=2) > 180).all()
        (red_y, red_x) = np.argwhere((sample.image[..., 0] > 180) & (sample.image[..., 1] < 60)).mean(axis=0)
        offset = np.sign(np.round((np.array([red_x, red_y]) - boxes[0, :2]) / 10))
        other = np.sign(boxes[1, :2] - boxes[0, :2])
        seen.add((*offset.tolist(), *other.tolist()))
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("center_x", "kept", "painted"),
    [(50.0, 1, False), (92.0, 1, False), (98.0, 0, True), (130.0, 0, False)],
    ids=["inside", "mostly inside", "cut", "outside"],
)
def test_an_object_that_is_cut_is_neither_learned_nor_left_in_the_picture(center_x, kept, painted):
    image, polygons = photo([[center_x, 30, 24, 10, 0.0]], (60, 160))
    window = whole(SIZE_HW)
    augmentation = RotatedAugmentation(_FromTheLeft(window))
    sample = augmentation(image, polygons, np.array([1]), np.random.default_rng(0))
    assert sample.image.shape == (*SIZE_HW, 3)
    assert len(sample.polygons_xy) == len(sample.class_labels) == kept
    assert (sample.image.max() < 150) == (painted or center_x > 120)
    if kept:  # the whole box, also what is outside
        np.testing.assert_allclose(
            polygons_to_boxes(sample.polygons_xy)[0], [center_x, 30, 24, 10, 0], atol=1e-3
        )


class _FromTheLeft:
    def __init__(self, window):
        self.size_hw = window.size_hw

    def draw_matrix(self, image_hw, polygons_xy, ignore, generator):
        return np.array([[1.0, 0, 0], [0, 1, 0]])


def test_objects_are_learned_as_large_as_they_are_shown():
    image, polygons = photo([[50, 30, 24, 10, 0.3]])
    augmentation = RotatedAugmentation(whole((120, 200)))
    sample = augmentation(image, polygons, np.array([0]), np.random.default_rng(0), shown_hw=(120, 200))
    np.testing.assert_allclose(polygons_to_boxes(sample.polygons_xy)[0], [100, 60, 48, 20, 0.3], atol=1e-3)


@pytest.mark.parametrize("make", [aerial_augmentation, upright_augmentation])
def test_the_defaults_make_samples_of_their_size_and_the_same_seed_the_same_sample(make):
    record = aerial_photo(np.random.default_rng(3), (90, 130))
    labels = np.arange(len(record.class_names))
    samples = [
        make((96, 128))(record.load_image(), record.polygons_xy, labels, np.random.default_rng(7))
        for _ in range(2)
    ]
    assert samples[0].image.shape == (96, 128, 3)
    assert set(samples[0].class_labels) <= set(labels)
    for one, other in zip(*samples, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_photo_without_objects_stays_without():
    image, _ = photo([])
    sample = aerial_augmentation((64, 64))(image, *NONE, np.random.default_rng(0))
    assert sample.polygons_xy.shape == (0, 4, 2)


@pytest.mark.parametrize(
    ("box", "part"),
    [
        ([50, 30, 20, 10, 0.5], 1.0),
        ([100, 30, 20, 10, 0.0], 0.5),
        ([100, 0, 20, 10, 0.0], 0.25),
        ([200, 30, 20, 10, 0.0], 0.0),
    ],
)
def test_visible_parts(box, part):
    polygons = boxes_to_polygons(np.array([box], dtype=float))
    assert visible_parts(polygons, SIZE_HW) == pytest.approx([part])
