"""One model that finds and reads words beside the reader of two models, on annotated photos.

    python benchmarks/spotting_accuracy.py --photos ../shared/data/ic15-train:901-1000 --model runs/spotter
    python benchmarks/spotting_accuracy.py --photos my-photos --model runs/a runs/b --without-shipped

Thresholds are those that lie beside each model: `tcm-hf train spotter` chooses them on training photos. Size
is that of both models where there are two. Protocols as in reading_accuracy.py.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from harness import machine, print_table
from reading_accuracy import scores, timed
from transformers import pipeline

from tcm_hf import default_checkpoint
from tcm_hf.training.corpus_spec import CorpusSpec

HEADER = ("reader", "precision", "recall", "hmean", "word spotting", "detection", "photos/s", "M parameters")


def parameters_in_millions(reader: Any) -> float:
    """Of the spotter, or of detector and recogniser together."""
    recognizer = getattr(reader, "recognizer", None)
    models = [reader.model, *([recognizer.model] if recognizer is not None else [])]
    return sum(parameter.numel() for model in models for parameter in model.parameters()) / 1e6


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", required=True, metavar="DATA", help="annotated photos")
    parser.add_argument("--model", nargs="+", default=[], metavar="PATH", help="spotters")
    parser.add_argument(
        "--without-shipped", action="store_true", help="leave the shipped detector and recogniser out"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N photos only")
    parser.add_argument("--device", default="cpu", help="where to run (%(default)s)")
    parser.add_argument("--dtype", default="float32", help='"auto" as a user gets it (%(default)s)')
    arguments = parser.parse_args()
    records = CorpusSpec.parse(arguments.photos).records()[: arguments.limit]
    photos = [record.load_image() for record in records]
    models = list(arguments.model)
    if not arguments.without_shipped:
        models.append(str(default_checkpoint()))
    rows = []
    for name in models:
        reader = pipeline("text-spotting", model=name, device=arguments.device, dtype=arguments.dtype)
        pages, seconds = timed(lambda reader=reader: reader(photos))
        label = Path(name).name
        if reader.recognizer is not None:
            label += " + " + Path(default_checkpoint("text-recognition")).name
        speed = len(photos) / seconds
        rows.append((label, *scores(pages, records), speed, parameters_in_millions(reader)))
    print(f"{len(photos)} photos of {arguments.photos}, {torch.get_num_threads()} thread(s); {machine()}\n")
    print_table(HEADER, rows)


if __name__ == "__main__":
    main()
