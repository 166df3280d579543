"""Measure a recognizer on words: processor, model, texts of both branches, word accuracy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tcm_hf.data.words import WordRecord
from tcm_hf.evaluation.recognition import TextRecognitionMetric
from tcm_hf.training.processes import ALONE, Processes
from tcm_hf.training.recognition_words import load_pixels

FINAL, VISUAL = "", "visual_"


@torch.no_grad()
def read_words(
    model: nn.Module,
    processor: Any,
    records: Sequence[WordRecord],
    *,
    batch_size: int = 64,
    processes: Processes = ALONE,
) -> dict[str, list[str]]:
    """Read every word with the whole model and with its visual branch alone.

    Args:
        model: A `CLIP4STRForTextRecognition`; put in eval mode and left in the mode it came in.
        processor: Its `CLIP4STRProcessor`.
        records: The words; their texts are not looked at.
        batch_size: Words in one forward; changes no result.
        processes: Those that share the words; each gets all texts.

    Returns:
        The texts in order, under `""` those of the model and under `"visual_"` those of its visual branch.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    texts: dict[str, dict[int, str]] = {FINAL: {}, VISUAL: {}}
    own = processes.share(len(records))
    for first in range(0, len(own), batch_size):
        places = own[first : first + batch_size]
        images = [load_pixels(records[place]) for place in places]
        inputs = processor(images=images, return_tensors="pt")
        outputs = model(pixel_values=inputs["pixel_values"].to(device))
        for branch, logits in ((FINAL, outputs.logits), (VISUAL, outputs.visual_logits)):
            read = processor.post_process_text_recognition({"logits": logits})
            texts[branch] |= zip(places, [word["text"] for word in read], strict=True)
    model.train(was_training)
    everyone = {branch: processes.gathered(part) for branch, part in texts.items()}
    return {branch: [part[place] for place in range(len(records))] for branch, part in everyone.items()}


def evaluate_recognizer(
    model: nn.Module, processor: Any, records: Sequence[WordRecord], **options: Any
) -> dict[str, float]:
    """Read and score, both branches apart.

    Args:
        model: The recognizer.
        processor: Its processor.
        records: The words with their texts.
        **options: `batch_size` and `processes` as for `read_words`.

    Returns:
        `accuracy_36` (letters and digits, case ignored) and `accuracy_94` (marks and case count) of the
        model, the same as `visual_accuracy_…` of its visual branch alone, `num_words`, and
        `words_per_second`, reading and decoding included. A charset beyond ASCII has `accuracy_any` instead.

    Raises:
        ValueError: If there are no records.
    """
    if not len(records):
        raise ValueError("Evaluation needs at least one word: got none. Check the folder and the range.")
    start = time.perf_counter()
    texts = read_words(model, processor, records, **options)
    seconds = time.perf_counter() - start
    wanted = [record.text for record in records]
    scores: dict[str, float] = {}
    for branch in (FINAL, VISUAL):
        metric = TextRecognitionMetric(("36", "94") if processor.tokenizer.charset.isascii() else ("any",))
        metric.update(texts[branch], wanted)
        values = metric.compute()
        scores |= {f"{branch}{name}": value for name, value in values.items() if name.startswith("accuracy")}
    return scores | {"num_words": len(records), "words_per_second": len(records) / seconds}
