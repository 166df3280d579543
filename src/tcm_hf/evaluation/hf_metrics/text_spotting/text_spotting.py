"""End-to-end accuracy for `evaluate.load`: `tcm_hf.evaluation.spotting` does the work."""

import datasets
import evaluate

from tcm_hf.evaluation.spotting import TextSpottingMetric

DESCRIPTION = TextSpottingMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: an image each, {"polygons_xy": [[[x, y], …], …], "texts": [str, …]}.
    references: an image each, {"polygons_xy": …, "texts": …, "ignore": [bool, …]}, one of each a polygon.
    lexicons: the words of each image (strong), a list an image.
    Further arguments go to `TextSpottingMetric`: `protocol`, `lexicon`, `max_lexicon_distance`, …
"""


class TextSpotting(evaluate.Metric):
    """`evaluate.load(<this folder>).compute(predictions=…, references=…)`."""

    def _info(self) -> evaluate.MetricInfo:
        words = {
            "polygons_xy": datasets.List(datasets.List(datasets.List(datasets.Value("float64")))),
            "texts": datasets.List(datasets.Value("string")),
        }
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": words,
                    "references": {**words, "ignore": datasets.List(datasets.Value("bool"))},
                }
            ),
        )

    def _compute(self, predictions, references, lexicons=None, **settings):
        metric = TextSpottingMetric(**settings)
        if lexicons is not None:
            references = [
                {**reference, "lexicon": words} for reference, words in zip(references, lexicons, strict=True)
            ]
        metric.update(predictions, references)
        return metric.compute()
