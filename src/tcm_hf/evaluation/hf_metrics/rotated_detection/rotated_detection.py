"""Average precision of rotated objects for `evaluate.load`: `tcm_hf.evaluation.rotated` does the work."""

import datasets
import evaluate

from tcm_hf.evaluation.rotated import RotatedDetectionMetric

DESCRIPTION = RotatedDetectionMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: an image each, {"boxes": [[cx, cy, w, h, angle_rad], …], "scores": [float, …],
        "labels": [int, …]}, one of each a box.
    references: an image each, {"boxes": …, "labels": …, "difficult": [bool, …]}, one of each an object.
    class_names: names of the labels; "class 0", "class 1", … when not given.
    Further arguments go to `RotatedDetectionMetric`: `iou_thresholds`.
"""


class RotatedDetection(evaluate.Metric):
    """`evaluate.load(<this folder>).compute(predictions=…, references=…)`."""

    def _info(self) -> evaluate.MetricInfo:
        objects = {
            "boxes": datasets.List(datasets.List(datasets.Value("float64"))),
            "labels": datasets.List(datasets.Value("int64")),
        }
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": {**objects, "scores": datasets.List(datasets.Value("float64"))},
                    "references": {**objects, "difficult": datasets.List(datasets.Value("bool"))},
                }
            ),
        )

    def _compute(self, predictions, references, class_names=None, **settings):
        if class_names is None:
            labels = [label for image in [*predictions, *references] for label in image["labels"]]
            class_names = [f"class {index}" for index in range(max(labels, default=-1) + 1)]
        metric = RotatedDetectionMetric(class_names, **settings)
        metric.update(predictions, references)
        return metric.compute()
