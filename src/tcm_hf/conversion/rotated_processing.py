"""The image processor of a converted rotated object detector, with what its configuration says."""

from collections.abc import Mapping
from typing import Any

from tcm_hf.conversion.tcm_processing import LEVELS, ToldProcessing
from tcm_hf.conversion.tcm_sizes import part_of
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor

DECODING = {"score_thr": "candidate_threshold", "nms_pre": "max_candidates", "max_per_img": "max_detections"}
"""The original's name of a number -> the setting of our image processor that it is."""


def rotated_processing(configuration: Mapping[str, Any]) -> ToldProcessing:
    """The image processor of a converted detector: the released settings, but for what is said otherwise.

    Args:
        configuration: the original's (`model`, `test_pipeline`), or nothing.

    Raises:
        ValueError: if the configuration says something impossible.
    """
    model = part_of(configuration, "model")
    told = _decoding(part_of(model, "test_cfg")) | _pictures(part_of(model, "data_preprocessor"))
    told |= _size(configuration.get("test_pipeline", configuration.get("val_pipeline")))
    if not told:
        return ToldProcessing(TCMRotatedImageProcessor(), "the released detectors' (assumed)")
    return ToldProcessing(TCMRotatedImageProcessor(**told), f"of its configuration: {', '.join(told)}")


def _decoding(said: Mapping[str, Any]) -> dict[str, Any]:
    told = {ours: _number(said[theirs], theirs) for theirs, ours in DECODING.items() if theirs in said}
    nms = part_of(said, "nms")
    if "iou_threshold" in nms:
        told["nms_threshold"] = _number(nms["iou_threshold"], "iou_threshold")
    return told


def _pictures(said: Mapping[str, Any]) -> dict[str, Any]:
    """Normalisation; the original reads pictures as BGR."""
    told: dict[str, Any] = {}
    for theirs, ours in (("mean", "image_mean"), ("std", "image_std")):
        values = said.get(theirs)
        if isinstance(values, list | tuple) and len(values) == 3:
            if said.get("bgr_to_rgb") is not True:
                raise ValueError("its configuration must say `bgr_to_rgb=True`: its pictures are not RGB")
            told[ours] = [_number(value, theirs) / LEVELS for value in values]
    return told


def _size(pipeline: Any) -> dict[str, Any]:
    """Size of test pictures: the longer side that the original resizes them to."""
    for step in pipeline if isinstance(pipeline, list) else []:
        scale = step.get("scale") if isinstance(step, Mapping) else None
        if isinstance(scale, list | tuple) and len(scale) == 2:
            sides = sorted(_number(side, "scale") for side in scale)
            if sides[0] == sides[1]:
                return {"size": {"longest_edge": int(sides[1])}}
            return {"size": {"shortest_edge": int(sides[0]), "longest_edge": int(sides[1])}}
    return {}


def _number(value: Any, name: str) -> float | int:
    if type(value) not in (int, float) or not 0 <= value < 1e9:
        raise ValueError(f"its configuration must say `{name}` as a number of at least 0")
    return value


__all__ = ["rotated_processing"]
