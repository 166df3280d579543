"""Text detection accuracy for `evaluate.load`: `tcm_hf.evaluation.detection` does the work."""

import datasets
import evaluate

from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric

METRICS = {"icdar2015": TextDetectionMetric, "deteval": DetEvalMetric}
DESCRIPTION = TextDetectionMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: an image each, {"polygons_xy": [[[x, y], …], …]}.
    references: an image each, {"polygons_xy": …, "ignore": [bool, …]}, a flag a polygon.
    protocol: "icdar2015" or "deteval".
    Further arguments go to the metric of the protocol.
"""


class TextDetection(evaluate.Metric):
    """`evaluate.load(<this folder>).compute(predictions=…, references=…)`."""

    def _info(self) -> evaluate.MetricInfo:
        polygons = datasets.List(datasets.List(datasets.List(datasets.Value("float64"))))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": {"polygons_xy": polygons},
                    "references": {
                        "polygons_xy": polygons,
                        "ignore": datasets.List(datasets.Value("bool")),
                    },
                }
            ),
        )

    def _compute(self, predictions, references, protocol="icdar2015", **settings):
        if protocol not in METRICS:
            raise ValueError(f"`protocol` must be one of {sorted(METRICS)}: got {protocol!r}.")
        metric = METRICS[protocol](**settings)
        metric.update(predictions, references)
        return metric.compute()
