"""Areas that outlines share: golden numbers and degenerate shapes."""

import numpy as np

import golden_files
from tcm_hf.evaluation.overlaps import measure_overlaps

WORD = np.array([[100, 20], [200, 20], [200, 50], [100, 50]], dtype=float)


def moved(x) -> np.ndarray:
    return WORD + np.array([x, 0])


def test_golden_areas_come_out():
    reference, arrays = golden_files.load("G_hmean")
    shapes = [np.array(row, dtype=float).reshape(-1, 2) for row in reference["iou_polys"]]
    overlaps = measure_overlaps(shapes, shapes)
    np.testing.assert_allclose(overlaps.iou, arrays["iou"], atol=1e-12)
    np.testing.assert_allclose(overlaps.shared_area, arrays["inter"], atol=1e-9)


def test_area_on_texts_is_counted_once_where_texts_overlap():
    overlaps = measure_overlaps([WORD, moved(50), WORD + 1000], [WORD, WORD, moved(80)])
    np.testing.assert_allclose(overlaps.text_area, [3000, 3000, 0])
    half = overlaps.take_predictions(np.array([False, True, False]))
    np.testing.assert_allclose(half.text_area, [3000])


def test_images_without_texts_or_predictions_have_empty_tables():
    assert measure_overlaps([], [WORD]).text_area.shape == (0,)
    assert measure_overlaps([WORD], []).text_area.tolist() == [0]
    assert measure_overlaps([], []).iou.shape == (0, 0)
