"""Generated photos from above."""

import numpy as np
import pytest

from tcm_hf.data.synthetic.aerial import AERIAL_CLASSES, SyntheticAerialDataset, aerial_photo
from tcm_hf.processing.rotated_boxes import rotated_overlaps

SIZE_HW = (96, 160)


def test_an_image_depends_on_seed_and_index_alone():
    first, again = SyntheticAerialDataset(5, 3, SIZE_HW), SyntheticAerialDataset(9, 3, SIZE_HW)
    assert np.array_equal(first[4].load_image(), again[4].load_image())
    assert np.array_equal(first[-1].polygons_xy, first[4].polygons_xy)
    other = SyntheticAerialDataset(5, 4, SIZE_HW)
    assert not np.array_equal(first[0].load_image(), other[0].load_image())
    assert len(first) == len(list(first)) == 5
    with pytest.raises(IndexError):
        _ = first[5]


def test_objects_are_inside_and_apart():
    seen = set()
    for record in SyntheticAerialDataset(20, 0, SIZE_HW):
        assert record.load_image().shape == (*SIZE_HW, 3) and record.load_image().dtype == np.uint8
        corners = record.polygons_xy
        assert (corners >= 0).all() and (corners <= (SIZE_HW[1], SIZE_HW[0])).all()
        overlaps = rotated_overlaps(record.boxes(), record.boxes())
        assert np.allclose(overlaps, np.eye(len(overlaps)), atol=1e-5)
        seen |= set(record.class_names)
    assert seen == set(AERIAL_CLASSES)


@pytest.mark.parametrize("kind", sorted(AERIAL_CLASSES))
def test_an_object_fills_its_box_and_nothing_beyond(kind):
    with pytest.MonkeyPatch.context() as patch:
        for other in set(AERIAL_CLASSES) - {kind}:
            patch.delitem(AERIAL_CLASSES, other)
        patch.setattr(
            "tcm_hf.data.synthetic.aerial._ground", lambda rng, size_hw: np.zeros((*size_hw, 3), np.uint8)
        )
        record = aerial_photo(np.random.default_rng(1), (192, 256), max_objects=1)
    assert record.class_names == [kind]
    painted = np.argwhere(record.load_image().max(axis=2) > 50)[:, ::-1] + 0.5
    center, size, angle = np.split(record.boxes()[0], [2, 4])
    turned = (painted - center) @ np.array(
        [[np.cos(angle[0]), -np.sin(angle[0])], [np.sin(angle[0]), np.cos(angle[0])]]
    )
    reach = np.abs(turned).max(axis=0)
    assert (reach <= size / 2 + 1.5).all()
    assert (reach >= size / 2 - 2.5).all()


def test_no_objects_where_there_is_no_room():
    record = aerial_photo(np.random.default_rng(0), (8, 256))
    assert record.class_names == [] and record.boxes().shape == (0, 5)
