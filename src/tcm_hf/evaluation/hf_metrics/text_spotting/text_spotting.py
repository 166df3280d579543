"""End-to-end accuracy for `evaluate.load`: `tcm_hf.evaluation.spotting` and `.cleval` do the work."""

import datasets
import evaluate

from tcm_hf.evaluation.cleval import CLEvalMetric
from tcm_hf.evaluation.spotting import TextSpottingMetric

DESCRIPTION = TextSpottingMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: an image each, {"polygons_xy": [[[x, y], …], …], "texts": [str, …]}.
    references: an image each, {"polygons_xy": …, "texts": …, "ignore": [bool, …]}, one of each a polygon.
    lexicons: the words of each image (strong), a list an image.
    protocol: "end-to-end", "word-spotting", or "cleval" (characters; `with_texts=False`: found ones).
    Further arguments go to `TextSpottingMetric`, `lexicon`, `max_lexicon_distance`, …, or to `CLEvalMetric`.
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

    def _compute(self, predictions, references, lexicons=None, protocol="end-to-end", **settings):
        if protocol == "cleval":
            if lexicons is not None:
                raise ValueError("`lexicons` are for other protocols: cleval scores readings as they are.")
            metric: CLEvalMetric | TextSpottingMetric = CLEvalMetric(**{"with_texts": True, **settings})
        else:
            metric = TextSpottingMetric(protocol, **settings)
        if lexicons is not None:
            references = [
                {**reference, "lexicon": words} for reference, words in zip(references, lexicons, strict=True)
            ]
        metric.update(predictions, references)
        return metric.compute()
