"""Word accuracy and edit distance for `evaluate.load`: `tcm_hf.evaluation.recognition` does the work."""

import datasets
import evaluate

from tcm_hf.evaluation.recognition import TextRecognitionMetric

DESCRIPTION = TextRecognitionMetric.__doc__ or ""
INPUTS = """
Args:
    predictions: what was read, a text a word.
    references: what the words say.
    protocols: names of character sets, "36", "62", "94", "any"; the first three when not given.
"""


class TextRecognition(evaluate.Metric):
    """`evaluate.load(<this folder>).compute(predictions=…, references=…)`."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions, references, protocols=("36", "62", "94")):
        metric = TextRecognitionMetric(protocols)
        metric.update(predictions, references)
        return metric.compute()
