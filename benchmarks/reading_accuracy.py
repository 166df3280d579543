"""End-to-end accuracy on photos (words found and read, no lexicon) of the pipeline and of other readers.

    python benchmarks/reading_accuracy.py --photos ../shared/data/ic15-train:901-1000 --peers rapidocr
    python benchmarks/reading_accuracy.py --photos my-photos --recognizer runs/a --recognition-threshold 0 0.5

Protocols: ICDAR 2015 end-to-end (every legible word) and word spotting (words of three letters and more),
both without regard to case. Choose a recognition threshold on photos that you do not report on.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from harness import machine, print_table
from peers import PHOTO_READERS, PeerCache
from recognition_accuracy import CACHE
from transformers import pipeline

from tcm_hf import default_checkpoint
from tcm_hf.data.records import TextRecord
from tcm_hf.evaluation.detection import TextDetectionMetric
from tcm_hf.evaluation.spotting import TextSpottingMetric
from tcm_hf.training.corpus_spec import CorpusSpec

Words = list[dict[str, Any]]


def scores(pages: Sequence[Words], records: Sequence[TextRecord]) -> tuple[str, ...]:
    """Precision, recall and hmean end to end, then the hmean of word spotting and of detection."""
    predictions = [
        {"polygons_xy": [word["polygon"] for word in page], "texts": [word["text"] for word in page]}
        for page in pages
    ]
    references = [
        {"polygons_xy": record.polygons_xy, "texts": record.texts, "ignore": record.ignore}
        for record in records
    ]
    results = []
    for metric in (TextSpottingMetric(), TextSpottingMetric("word-spotting"), TextDetectionMetric()):
        metric.update(predictions, references)
        results.append(metric.compute())
    end_to_end, spotting, detection = results
    values = (*(end_to_end[key] for key in ("precision", "recall", "hmean")), spotting["hmean"])
    return tuple(f"{value:.3f}" for value in (*values, detection["hmean"]))


def timed(read: Callable[[], list[Words]]) -> tuple[list[Words], float]:
    began = time.perf_counter()
    return read(), time.perf_counter() - began


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", required=True, metavar="DATA", help="annotated photos")
    parser.add_argument("--model", default=str(default_checkpoint()), help="detector (the shipped one)")
    parser.add_argument("--recognizer", nargs="*", metavar="PATH", help="recognisers (the shipped one)")
    parser.add_argument(
        "--recognition-threshold", type=float, nargs="+", default=[0.3], metavar="SCORE", help="(%(default)s)"
    )
    parser.add_argument("--crop-margin", type=float, help="around a word, in its heights (the pipeline's)")
    parser.add_argument(
        "--peers", nargs="*", choices=tuple(PHOTO_READERS), default=[], help="other readers (none)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N photos only")
    parser.add_argument("--device", default="cpu", help="where to run (%(default)s)")
    parser.add_argument("--dtype", default="float32", help='"auto" as a user gets it (%(default)s)')
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="answers of the other readers (%(default)s)"
    )
    arguments = parser.parse_args()
    records = CorpusSpec.parse(arguments.photos).records()[: arguments.limit]
    photos = [record.load_image() for record in records]
    recognizers = arguments.recognizer
    if recognizers is None:
        recognizers = [str(default_checkpoint("text-recognition"))]
    rows = []
    for name in recognizers:
        reader = pipeline(
            "text-spotting",
            model=arguments.model,
            recognizer=name,
            device=arguments.device,
            dtype=arguments.dtype,
            recognition_threshold=0.0,
        )
        pages, seconds = timed(lambda reader=reader: reader(photos, crop_margin=arguments.crop_margin))
        for threshold in arguments.recognition_threshold:
            kept = [[word for word in page if word["score"] >= threshold] for page in pages]
            label = f"{Path(arguments.model).name} + {Path(name).name}"
            rows.append((label, threshold, *scores(kept, records), len(photos) / seconds))
    for name in arguments.peers:
        peer, cache = PHOTO_READERS[name](), PeerCache(arguments.cache)
        known = cache.knows(peer, "photos", photos)
        pages, seconds = timed(lambda peer=peer, cache=cache: cache.ask(peer, "photos", photos))
        rows.append((peer.identity, "", *scores(pages, records), "" if known else len(photos) / seconds))
    print(f"{len(photos)} photos of {arguments.photos}, {torch.get_num_threads()} thread(s); {machine()}\n")
    header = ("reader", "score >=", "precision", "recall", "hmean", "word spotting", "detection", "photos/s")
    print_table(header, rows)


if __name__ == "__main__":
    main()
