"""Score a trained run: the decoding chosen on its own training photos, then each test, photo by photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tcm_hf.evaluation.detection import TextDetectionMetric, sweep_thresholds
from tcm_hf.experiments.budget import Budget
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.detectors import detector_of
from tcm_hf.training.evaluation_loop import THRESHOLDS, choose_decoding, predict_detector, set_decoding
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.running import spread_evenly

COUNTS = ("references", "predictions", "recall_hits")
"""Of a photo: texts that count, polygons that count, hits."""


class Scorer:
    """A trained model with its image processor, ready to be scored.

    Args:
        folder: The model's.
        budget: Sizes and precision.
    """

    def __init__(self, folder: Path, budget: Budget):
        on_gpu = torch.cuda.is_available() and not budget.cpu
        self.folder = folder
        self.budget = budget
        self.device = torch.device("cuda" if on_gpu else "cpu")
        model: nn.Module = TCMForTextDetection.from_pretrained(folder)
        model = model.to(self.device)
        self.model = model.to(memory_format=torch.channels_last) if budget.channels_last else model
        self.image_processor = TCMImageProcessor.from_pretrained(folder)

    def choose(self, corpora: Sequence[CorpusSpec]) -> dict[str, Any]:
        """Choose the decoding by hmean on training photos and keep it in the model's folder.

        Args:
            corpora: What the model was trained on.

        Returns:
            The settings chosen, with the scores they reach.
        """
        candidates = detector_of(self.model.config).decodings
        decodings = spread_evenly(candidates, self.budget.decodings or len(candidates))
        records = [record for spec in corpora for record in spec.records()]
        photos = spread_evenly(records, self.budget.calibration_images)
        with self._precision():
            best, rows = choose_decoding(
                self.model,
                self.image_processor,
                photos,
                decodings=decodings,
                batch_size=1,
                image_cache=self._cache(corpora),
            )
        set_decoding(self.image_processor, best).save_pretrained(self.folder)
        return {"photos": len(photos), **rows[0]}

    def test(self, corpus: CorpusSpec) -> dict[str, Any]:
        """Score a corpus by the ICDAR 2015 protocol at the chosen decoding.

        Args:
            corpus: The photos.

        Returns:
            What `TextDetectionMetric.compute` gives; `best_hmean` and `best_threshold`, of the score
            threshold that is best on these very photos; `photos`, (name, references, predictions, hits) of
            each.
        """
        records = corpus.records()
        with self._precision():
            candidates = predict_detector(
                self.model,
                self.image_processor,
                records,
                threshold=min(THRESHOLDS),
                batch_size=1,
                image_cache=self._cache([corpus]),
            )
        references = [{"polygons_xy": record.polygons_xy, "ignore": record.ignore} for record in records]
        total, photos = TextDetectionMetric(), []
        for record, found, reference in zip(records, candidates, references, strict=True):
            kept = found["scores"] >= self.image_processor.threshold
            polygons = [polygon for polygon, keep in zip(found["polygons_xy"], kept, strict=True) if keep]
            one = TextDetectionMetric()
            one.update([{"polygons_xy": polygons}], [reference])
            total.merge(one)
            photos.append([record.name, *(int(one.counts[name]) for name in COUNTS)])
        best = max(sweep_thresholds(candidates, references, THRESHOLDS), key=lambda row: row["hmean"])
        return {
            **total.compute(),
            "best_hmean": best["hmean"],
            "best_threshold": best["threshold"],
            "photos": photos,
        }

    def _cache(self, corpora: Sequence[CorpusSpec]) -> ImageCache | None:
        """The decoded photos on disk; generated pictures are many and small, and never kept there."""
        if self.budget.cache is None or any(spec.is_generated for spec in corpora):
            return None
        return ImageCache(self.budget.cache)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.budget.bf16)
