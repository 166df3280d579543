"""`pipeline("rotated-object-detection")`: a planted detector that finds bright bars, and tiny real ones."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset

import tcm_hf  # noqa: F401
from planted_objects import planted_objects_pipeline, scene
from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, polygons_to_boxes, rotated_overlaps
from tiny_rotated import tiny_rotated_model

SHIP, TANK = ((100, 80, 60, 24, 0.5), 150), ((400, 180, 30, 30, 0.0), 230)
LARGE_HW = (300, 700)


@pytest.fixture(scope="module")
def detector():
    return planted_objects_pipeline()


def overlap_with(box, found):
    boxes = np.array([box])
    polygons = np.array([found["polygon"]])
    return rotated_overlaps(boxes, polygons_to_boxes(polygons), paired=True)[0]


def summary(found):
    return [(one["label"], round(one["score"], 3), one["box"]) for one in found]


def test_objects_come_best_first_with_class_box_polygon_and_angle(detector):
    tank, ship = detector(scene(objects=(SHIP, TANK)))
    assert set(ship) == {"score", "label", "box", "polygon", "angle_deg"}
    assert (tank["label"], ship["label"]) == ("storage tank", "ship")
    assert ship["score"] == pytest.approx(150 / 255, abs=0.01)
    assert ship["angle_deg"] == pytest.approx(math.degrees(0.5), abs=2)
    assert overlap_with(SHIP[0], ship) > 0.85 and overlap_with(TANK[0], tank) > 0.85
    corners = np.array(boxes_to_polygons(np.array([SHIP[0]]))[0])
    assert ship["box"]["xmin"] == pytest.approx(corners[:, 0].min(), abs=2)
    assert ship["box"]["ymax"] == pytest.approx(corners[:, 1].max(), abs=2)
    assert all(isinstance(value, int) for value in ship["box"].values())


def test_the_polygon_is_clockwise_and_its_first_side_runs_along_the_angle(detector):
    for angle in (-1.4, -0.7, 0.0, 0.7, 1.4):
        (found,) = detector(scene(objects=(((200, 120, 80, 20, angle), 150),)))
        polygon = np.array(found["polygon"])
        sides = np.roll(polygon, -1, axis=0) - polygon
        lengths = np.hypot(*sides.T)
        assert lengths[0] > 2 * lengths[1]
        assert math.degrees(math.atan2(sides[0, 1], sides[0, 0])) == pytest.approx(
            found["angle_deg"], abs=1e-3
        )
        first, second = sides[:2]
        assert first[0] * second[1] - first[1] * second[0] > 0  # clockwise where y points down


def test_the_box_of_an_object_that_leaves_the_picture_is_cut_and_its_polygon_is_not():
    class Beyond(RotatedObjectDetectionPipeline):
        def _forward(self, model_inputs, **kwargs):
            found = super()._forward(model_inputs, **kwargs)
            for tile in found["tiles"]:
                tile["polygons"] = tile["polygons"] - 90
                tile["boxes"][:, :2] -= 90
            return found

    made = planted_objects_pipeline()
    (found,) = Beyond(model=made.model, image_processor=made.image_processor, device="cpu")(scene())
    assert found["box"]["xmin"] == found["box"]["ymin"] == 0 < found["box"]["xmax"]
    assert min(x for x, _ in found["polygon"]) < -10


def test_every_kind_of_input_gives_the_same(detector, tmp_path):
    image = scene(objects=(SHIP, TANK))
    Image.fromarray(image).save(tmp_path / "scene.png")
    rows = [{"image": image}]
    expected = summary(detector(image))
    assert len(expected) == 2
    for given in (
        Image.fromarray(image),
        tmp_path / "scene.png",
        str(tmp_path / "scene.png"),
        (tmp_path / "scene.png").read_bytes(),
        torch.from_numpy(image).permute(2, 0, 1),
        rows[0],
    ):
        assert summary(detector(given)) == expected
    assert [summary(found) for found in detector([image, Path(tmp_path / "scene.png")])] == [expected] * 2
    assert [summary(found) for found in detector(one for one in [image] * 3)] == [expected] * 3
    from datasets import Dataset

    dataset = Dataset.from_dict({"image": [str(tmp_path / "scene.png")]})
    assert [summary(found) for found in detector(KeyDataset(dataset, "image"))] == [expected]
    assert detector([]) == []


@pytest.mark.parametrize("tile", [None, "auto", 200])
def test_batches_change_nothing_also_of_pictures_of_unequal_sizes_and_tiles(detector, tile):
    images = [scene(objects=(SHIP, TANK)), scene((200, 300)), scene((64, 96), ()), scene((120, 120))]
    alone = [summary(detector(image, tile=tile)) for image in images]
    for batch_size in (2, 3, 8):
        together = [summary(found) for found in detector(images, batch_size=batch_size, tile=tile)]
        assert together == alone


def test_one_picture_is_cut_into_batches_of_tiles(detector):
    detector.model.batch_shapes.clear()
    detector(scene((128, 448)), tile="auto", batch_size=3)
    assert [shape[0] for shape in detector.model.batch_shapes] == [3, 2]
    assert {shape[1:] for shape in detector.model.batch_shapes} == {(3, 512, 512)}


def test_tiles_give_each_object_once_in_the_frame_of_the_picture(detector):
    objects = [((60 + 90 * i, 70 + 20 * (i % 3), 50, 18, 0.4 * i - 1), 150) for i in range(7)]
    image = scene(LARGE_HW, objects)
    found = detector(image, tile="auto")
    assert len(detector.image_processor.plan_tiles(LARGE_HW, "auto")) > 8
    best = [max(overlap_with(box, one) for one in found) for box, _ in objects]
    assert min(best) > 0.8
    assert len(detector(image, tile="auto", max_detections=3)) == 3


def test_a_scene_that_is_shrunk_much_is_warned_of_once(caplog):
    detector = planted_objects_pipeline(size={"longest_edge": 128})
    with caplog.at_level("WARNING"):
        detector([scene(LARGE_HW), scene(LARGE_HW)])
    assert [("small objects are lost" in text, "tile" in text) for text in caplog.messages] == [(True, True)]
    caplog.clear()
    detector(scene(LARGE_HW), tile="auto")
    detector(scene((100, 200)))  # shrunk 1.6 times
    assert not caplog.messages


def test_parameters_of_the_pipeline_and_of_a_call():
    image = scene(objects=(SHIP, TANK))
    assert len(planted_objects_pipeline(threshold=0.8)(image)) == 1
    assert len(planted_objects_pipeline(threshold=0.8)(image, threshold=0.1)) == 2
    assert len(planted_objects_pipeline()(image, max_detections=1)) == 1


@pytest.mark.parametrize(
    "parameters, error, message",
    [
        ({"threshold": 1.5}, ValueError, "`threshold` must be in"),
        ({"threshold": "a"}, TypeError, r"`threshold` must be a number in \[0, 1\]: got 'a'"),
        ({"threshold": float("nan")}, ValueError, "`threshold` must be in"),
        ({"nms_threshold": -1}, ValueError, "nms_threshold"),
        ({"max_detections": 0}, ValueError, "at least 1"),
        ({"tile": 8}, ValueError, "at least 32"),
        ({"tile": "yes"}, ValueError, "auto"),
        ({"unclip_ratio": 2}, TypeError, "unclip_ratio"),
    ],
)
def test_wrong_parameters_are_told_before_a_picture_is_read(detector, parameters, error, message):
    with pytest.raises(error, match=message):
        detector([], **parameters)
    with pytest.raises(error, match=message):
        detector("nowhere.png", **parameters)


def test_nothing_found_is_an_empty_list(detector):
    assert detector(scene(objects=())) == []
    assert detector(scene(LARGE_HW, ()), tile="auto") == []


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rotated")
    tiny_rotated_model().save_pretrained(folder)
    TCMRotatedImageProcessor(
        size={"longest_edge": 96}, candidate_threshold=0, max_detections=5
    ).save_pretrained(folder)
    return folder


def test_a_saved_detector_is_a_pipeline_and_names_its_classes(checkpoint, tmp_path):
    detector = pipeline("rotated-object-detection", model=str(checkpoint))
    assert type(detector) is RotatedObjectDetectionPipeline
    image = scene((64, 96))
    found = detector(image)
    assert len(found) == 5 and {one["label"] for one in found} <= {"plane", "ship", "harbour"}
    detector.save_pretrained(tmp_path)
    again = pipeline("rotated-object-detection", model=str(tmp_path))
    assert summary(again(image)) == summary(found)


def test_half_precision_runs(checkpoint):
    detector = pipeline("rotated-object-detection", model=str(checkpoint), dtype=torch.bfloat16)
    assert len(detector(scene((64, 96)))) == 5


def test_upright_boxes_come_from_the_stock_object_detection_pipeline(checkpoint):
    found = pipeline("object-detection", model=str(checkpoint))(
        Image.fromarray(scene((64, 96))), threshold=0.0
    )
    assert found and set(found[0]) == {"score", "label", "box"}
