"""Photos from above: records, their tiles, and tiles put together again."""

import numpy as np
import pytest

from tcm_hf.data.rotated_records import PADDING_RGB, RotatedRecord, plan_square_tiles, split_record
from tcm_hf.processing.decode_rotated import RotatedObjects, merge_tile_objects
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, rotated_overlaps


def record(size_hw: tuple[int, int], boxes: list, **options) -> RotatedRecord:
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    polygons = boxes_to_polygons(np.array(boxes, dtype=float).reshape(-1, 5))
    return RotatedRecord(image, polygons, ["ship"] * len(boxes), name="P1", **options)


@pytest.mark.parametrize(
    "size_hw, xs, ys, why",
    [
        ((1024, 1024), [0], [0], "one tile"),
        ((500, 800), [0], [0], "smaller than a tile"),
        ((1024, 1025), [0, 1], [0], "a pixel more"),
        ((1024, 1848), [0, 824], [0], "two that fit"),
        ((2000, 2672), [0, 824, 1648], [0, 824, 976], "the last at the border"),
    ],
)
def test_tiles_stand_at_steps_and_end_at_the_border(size_hw, xs, ys, why):
    tiles = plan_square_tiles(size_hw)
    assert [tile[:2] for tile in tiles] == [(x, y) for y in ys for x in xs], why
    assert all(x1 - x0 == y1 - y0 == 1024 for x0, y0, x1, y1 in tiles)


def test_an_overlap_as_large_as_a_tile_is_refused():
    with pytest.raises(ValueError, match="overlap_px"):
        plan_square_tiles((100, 100), 50, 50)


def test_a_tile_has_the_objects_that_are_mostly_inside():
    whole = record((100, 180), [[90, 50, 40, 20, 0.0], [20, 50, 30, 10, 0.6], [170, 95, 30, 20, 0]])
    tiles = split_record(whole, (100, 180), tile_px=100, overlap_px=20)
    assert [tile.name for tile in tiles] == ["P1__100__0___0", "P1__100__80___0"]
    # The first object lies in both to 3/4; the last leaves the image, but not the second tile by much.
    assert [len(tile.class_names) for tile in tiles] == [2, 1]
    np.testing.assert_allclose(tiles[1].boxes()[0], [10, 50, 40, 20, 0], atol=1e-4)
    strict = split_record(whole, (100, 180), tile_px=100, overlap_px=20, min_visible=0.8)
    assert [len(tile.class_names) for tile in strict] == [1, 0]


def test_objects_without_area_and_images_without_objects_are_split_too():
    flat = record((100, 180), [[50, 50, 40, 0, 0.3]])
    tiles = split_record(flat, (100, 180), tile_px=100, overlap_px=20)
    assert [len(tile.polygons_xy) for tile in tiles] == [0, 0]
    assert len(split_record(record((100, 180), []), (100, 180), tile_px=100, overlap_px=20)) == 2


def test_either_sense_of_rotation_is_seen():
    whole = record((100, 180), [[50, 50, 40, 20, 0.3]])
    whole.polygons_xy = whole.polygons_xy[:, ::-1]
    tiles = split_record(whole, (100, 180), tile_px=100, overlap_px=20)
    assert [len(tile.class_names) for tile in tiles] == [1, 0]


def test_a_tile_that_leaves_its_image_is_filled():
    whole = record((60, 80), [])
    whole.image = np.full((60, 80, 3), 200, dtype=np.uint8)
    tile = split_record(whole, (60, 80), tile_px=100, overlap_px=20)[0].load_image()
    assert tile.shape == (100, 100, 3)
    assert (tile[:60, :80] == 200).all() and (tile[60:] == PADDING_RGB).all()


def test_tiles_together_are_the_whole():
    rng = np.random.default_rng(0)
    boxes = [[x, y, 50, 20, rng.uniform(-1.5, 1.5)] for x in range(60, 500, 80) for y in range(60, 300, 80)]
    whole = record((340, 560), boxes)
    tiles = split_record(whole, (340, 560), tile_px=200, overlap_px=80)
    found = [
        RotatedObjects(tile.boxes(), np.full(len(tile.boxes()), 0.9, np.float32), tile.class_labels(["ship"]))
        for tile in tiles
    ]
    assert sum(len(tile.boxes) for tile in found) > len(boxes)
    together = merge_tile_objects(found, [tile.tile[:2] for tile in tiles])
    assert len(together.boxes) == len(boxes)
    assert rotated_overlaps(whole.boxes(), together.boxes).max(axis=1).min() > 0.99


def test_no_tiles_are_no_objects():
    assert merge_tile_objects([], []).boxes.shape == (0, 5)
    with pytest.raises(ValueError, match="1 for 0"):
        merge_tile_objects([], [(0, 0)])


def test_a_record_that_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="2, 1 and 2"):
        RotatedRecord(np.zeros((9, 9, 3), np.uint8), np.zeros((2, 4, 2)), ["ship"])
    with pytest.raises(ValueError, match="plane"):
        record((9, 9), [[5, 5, 4, 2, 0]]).class_labels(["plane"])
