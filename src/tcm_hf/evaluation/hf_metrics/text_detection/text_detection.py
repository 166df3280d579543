"""Text detection accuracy for `evaluate.load`: `tcm_hf.evaluation.detection` does the work."""

import datasets
import evaluate

from tcm_hf.evaluation.cleval import CLEvalMetric
from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, TIoUMetric

METRICS = {
    "icdar2015": TextDetectionMetric,
    "deteval": DetEvalMetric,
    "tiou": TIoUMetric,
    "cleval": CLEvalMetric,
}
DESCRIPTION = TextDetectionMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: an image each, {"polygons_xy": [[[x, y], …], …]}.
    references: an image each, {"polygons_xy": …, "ignore": [bool, …]}, a flag a polygon; for "cleval" also
        "texts": `evaluate.load(<this folder>, "cleval")`.
    protocol: "icdar2015", "deteval" or "tiou"; not with "cleval".
    Further arguments go to the metric of the protocol.
"""


class TextDetection(evaluate.Metric):
    """`evaluate.load(<this folder>).compute(predictions=…, references=…)`."""

    def _info(self) -> evaluate.MetricInfo:
        polygons = datasets.List(datasets.List(datasets.List(datasets.Value("float64"))))
        references = {"polygons_xy": polygons, "ignore": datasets.List(datasets.Value("bool"))}
        if self.config_name == "cleval":
            references["texts"] = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": {"polygons_xy": polygons},
                    "references": references,
                }
            ),
        )

    def _compute(self, predictions, references, protocol=None, **settings):
        as_loaded = "cleval" if self.config_name == "cleval" else "icdar2015"
        protocol = protocol or as_loaded
        if protocol not in METRICS:
            raise ValueError(f"`protocol` must be one of {sorted(METRICS)}: got {protocol!r}.")
        if (protocol == "cleval") != (as_loaded == "cleval"):
            raise ValueError("The protocol cleval needs texts: load this metric with the name 'cleval'.")
        metric = METRICS[protocol](**settings)
        metric.update(predictions, references)
        return metric.compute()
