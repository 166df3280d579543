"""Sizes, normalisation and thresholds of a converted detector: told, taken, and written back."""

import copy

import pytest

import tcm_checkpoints
from tcm_hf.conversion.convert_tcm import stored_configuration
from tcm_hf.conversion.mmcv_config import write_mmcv_config
from tcm_hf.conversion.tcm_processing import (
    told_processing,
    upstream_postprocessor,
    upstream_test_data,
    without_counterpart,
)
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.presets_image_processing import PRESETS

CONFIGS = {head: TCMConfig(head_config={"head_type": head}) for head in ("dbnet", "pan", "fcenet", "segnet")}
CAFFE = {"mean": [103.53, 116.28, 123.675], "std": [1.0, 1.0, 1.0]}


def told(head, postprocessor=None, data=None, preset=None):
    configuration = {"model": {"bbox_head": {"postprocessor": postprocessor}}, "data": data}
    return told_processing(CONFIGS[head], configuration, preset)


def settings(processor):
    return processor.to_dict() | {"size": dict(processor.size)}


PUBLISHED = [name for name in PRESETS if name.startswith("tcm-")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_image_processor_comes_back_from_the_originals_configuration(name):
    head = next(head for head in CONFIGS if f"-{head}-" in name)
    processor = TCMImageProcessor.from_preset(name)
    model = {"bbox_head": {"postprocessor": upstream_postprocessor(processor, head)}}
    text = write_mmcv_config({"model": model, "data": {"test": upstream_test_data(processor)}})
    back = told_processing(CONFIGS[head], stored_configuration({"config": text}))
    assert settings(back.processor) == settings(processor)
    assert without_counterpart(processor, head) == []


@pytest.mark.parametrize(
    ("head", "changes"),
    [
        ("dbnet", {"polygon_mode": "polygon", "min_side_px": 4, "arc_length_ratio": 0.002}),
        ("dbnet", {"threshold": 0.61, "size": {"height": 640, "width": 960}, "image_std": [0.5, 0.25, 0.2]}),
        ("pan", {"threshold": 0.7, "embedding_distance": 0.7, "min_area_px": 30, "polygon_mode": "polygon"}),
        ("fcenet", {"nms_threshold": 0.3, "center_exponent": 2.0, "num_contour_points": 20}),
    ],
)
def test_settings_of_ones_own_come_back_too(head, changes):
    processor = TCMImageProcessor.from_preset(f"tcm-{head}-r50-ic15", **changes)
    postprocessor = upstream_postprocessor(processor, head)
    back = told(head, postprocessor, {"test": upstream_test_data(processor)}).processor
    assert settings(back) == settings(processor)


def test_what_the_original_cannot_say_is_named():
    processor = TCMImageProcessor.from_preset("tcm-pan-r50-ic15", embedding_distance=0.6, max_detections=9)
    notes = without_counterpart(processor, "pan")
    assert len(notes) == 2 and "`max_detections` 9" in notes[0]
    assert "threshold and embedding_distance: `min_text_avg_confidence` is the first" in notes[1]
    dbnet = TCMImageProcessor.from_preset("tcm-dbnet-r50-ic15", shrink_ratio=0.4)
    assert [note[:19] for note in without_counterpart(dbnet, "dbnet")] == ["`shrink_ratio` 0.4 "]


TD500_BUT = {
    "type": "DBVisPostprocessor", "text_repr_type": "quad", "mask_thr": 0.1, "min_text_score": 0.5,
    "min_text_width": 4, "unclip_ratio": 1.9, "use_approxPolyDP": False, "max_candidates": 1000,
}  # fmt: skip


def test_thresholds_that_no_preset_has_replace_those_of_the_nearest():
    found = told("dbnet", TD500_BUT)
    wanted = PRESETS["tcm-dbnet-r50-td500"] | {
        "binarize_threshold": 0.1,
        "threshold": 0.5,
        "min_side_px": 4,
    }
    assert {name: settings(found.processor)[name] for name in wanted} == wanted
    assert found.note.startswith("tcm-dbnet-r50-td500 (the nearest preset); of its configuration: ")
    assert "binarize_threshold 0.1, threshold 0.5" in found.note and found.note.endswith(
        "; of the preset: size"
    )


@pytest.mark.parametrize(
    ("head", "postprocessor", "wanted"),
    [
        (
            "pan",
            {"text_repr_type": "poly", "min_text_avg_confidence": 0.6, "min_text_area": 30},
            {"polygon_mode": "polygon", "threshold": 0.6, "embedding_distance": 0.6, "min_area_px": 30},
        ),
        (
            "pan",
            {"min_text_confidence": 0.4, "min_kernel_confidence": 0.3},
            {"binarize_threshold": 0.4, "kernel_threshold": 0.3, "threshold": 0.85, "polygon_mode": "quad"},
        ),
        (
            "fcenet",
            {"text_repr_type": "poly", "score_thr": 0.4, "alpha": 1.0, "beta": 2.0,
             "num_reconstr_points": 20, "nms_thr": 0.2},
            {"polygon_mode": "polygon", "threshold": 0.4, "region_exponent": 1.0, "center_exponent": 2.0,
             "num_contour_points": 20, "nms_threshold": 0.2},
        ),
        (
            "dbnet",
            {"type": "DBParamPostprocessor", "text_repr_type": "poly", "min_text_width": 5},
            {"polygon_mode": "polygon", "min_side_px": 0},
        ),
        (
            "dbnet",
            {"text_repr_type": "poly", "min_text_width": 5, "filter_min_text_poly": True},
            {"polygon_mode": "polygon", "min_side_px": 5},
        ),
        # mmocr's own defaults hold for what its post-processor is not told.
        (
            "dbnet",
            {"type": "DBPostprocessor", "text_repr_type": "quad"},
            {"binarize_threshold": 0.3, "threshold": 0.3, "min_side_px": 5, "unclip_ratio": 1.5,
             "arc_length_ratio": 0.01, "max_candidates": 3000},
        ),
    ],
)  # fmt: skip
def test_every_stored_setting_is_taken(head, postprocessor, wanted):
    processor = told(head, postprocessor).processor
    assert {name: getattr(processor, name) for name in wanted} == wanted


def test_size_and_normalisation_are_those_of_the_test_pipeline():
    found = told("fcenet", None, tcm_checkpoints.test_data((2000, 900), **CAFFE))
    assert dict(found.processor.size) == {"shortest_edge": 900, "longest_edge": 2000}
    assert [round(255 * value, 3) for value in found.processor.image_mean] == CAFFE["mean"]
    assert "size 900 x 2000" in found.note
    in_list = told("dbnet", None, tcm_checkpoints.test_data([(4068, 1024)], **CAFFE))
    assert dict(in_list.processor.size) == {"shortest_edge": 1024, "longest_edge": 4068}
    for nothing in (None, {}, {"test": 3}, {"test": {"pipeline": [3]}}, {"test": {"datasets": [None]}}):
        assert told("dbnet", None, nothing).note == "tcm-dbnet-r50-ic15 (assumed)"


def test_a_preset_that_is_asked_for_wins_and_what_differs_is_named():
    found = told("dbnet", TD500_BUT, preset="tcm-dbnet-r50-td500")
    assert found.processor.threshold == 0.17
    assert found.note == (
        "tcm-dbnet-r50-td500 (as asked for); of its configuration and not taken: "
        "binarize_threshold 0.1, threshold 0.5, min_side_px 4"
    )


BOMB = [1, 2]
for _ in range(60):
    BOMB = [BOMB, BOMB]


@pytest.mark.parametrize(
    ("head", "name", "value"),
    [
        ("dbnet", "mask_thr", 1.5),
        ("dbnet", "mask_thr", "0.3"),
        ("dbnet", "unclip_ratio", BOMB),
        ("dbnet", "text_repr_type", ["quad"]),
        ("dbnet", "text_repr_type", "box"),
        ("dbnet", "max_candidates", float("nan")),
        ("pan", "min_text_avg_confidence", 0),
        ("pan", "min_text_area", True),
        ("fcenet", "num_reconstr_points", 2),
        ("fcenet", "alpha", float("inf")),
    ],
)
def test_impossible_settings_are_refused(head, name, value):
    with pytest.raises(ValueError, match=r"its configuration (must say|says an impossible)") as caught:
        told(head, {name: value})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("img_scale", [(0, 100), ("a", 3), (BOMB, 3), (float("nan"), 1)])
def test_impossible_sizes_are_refused(img_scale):
    with pytest.raises(ValueError, match="must say `img_scale` as a number"):
        told("dbnet", None, tcm_checkpoints.test_data(img_scale, **CAFFE))


def test_pictures_that_are_not_rgb_are_refused():
    with pytest.raises(ValueError, match="its pictures are not RGB"):
        told("dbnet", None, tcm_checkpoints.test_data((9, 9), **CAFFE | {"to_rgb": False}))


def test_nothing_of_the_configuration_is_changed():
    configuration = {"model": {"bbox_head": {"postprocessor": {"type": "DBPostprocessor"}}}}
    before = copy.deepcopy(configuration)
    told_processing(CONFIGS["dbnet"], configuration)
    assert configuration == before
