"""Labels of the rotated detector."""

import numpy as np
import pytest

from tcm_hf.data.targets_rotated import NO_OBJECT, pad_rotated_targets, rotated_targets
from tcm_hf.processing.rotated_boxes import boxes_to_polygons

BOXES = np.array([[30, 20, 16, 8, 0.4], [60, 30, 8, 16, 0.1], [9, 9, 12, 0.5, 0]])


def test_polygons_become_boxes_the_longer_side_first():
    targets = rotated_targets(boxes_to_polygons(BOXES), [2, 0, 1])
    np.testing.assert_allclose(
        targets["boxes"], [[30, 20, 16, 8, 0.4], [60, 30, 16, 8, 0.1 - np.pi / 2]], atol=1e-5
    )
    assert targets["class_labels"].tolist() == [2, 0]  # the third is too thin
    assert targets["boxes"].dtype == np.float32 and targets["class_labels"].dtype == np.int64


@pytest.mark.parametrize("counts", [(2, 0, 1), (0, 0), ()])
def test_images_with_different_numbers_of_objects_make_a_batch(counts):
    polygons = boxes_to_polygons(BOXES)
    batch = pad_rotated_targets([rotated_targets(polygons[:n], [1] * n) for n in counts])
    most = max(counts, default=0)
    assert batch["boxes"].shape == (len(counts), most, 5)
    present = batch["class_labels"] != NO_OBJECT
    assert present.sum(axis=1).tolist() == list(counts)
    assert (batch["boxes"][~present] == 0).all()


def test_a_label_too_few_is_refused():
    with pytest.raises(ValueError, match="1 for 3"):
        rotated_targets(boxes_to_polygons(BOXES), [1])
