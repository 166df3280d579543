"""Precision, recall and hmean (ICDAR 2015 protocol) of detectors, at the threshold stored with each.

    python benchmarks/accuracy.py --data ../shared/data/ic15-train:901-1000
    python benchmarks/accuracy.py --data ../shared/data/ic15-train:901-1000 --dtypes float32 auto
    python benchmarks/accuracy.py --data my-photos --model runs/a runs/b --device cuda

DATA is a folder with metadata.jsonl, or FOLDER:FIRST-LAST for the images with these numbers. "auto" is the
leaner copy that `pipeline(task)` runs, in bfloat16 where the CPU has instructions for it.
"""

import argparse

import torch
from harness import machine, print_table
from transformers import AutoImageProcessor

from tcm_hf import AutoModelForTextDetection, default_checkpoint
from tcm_hf.pipelines.picture_pipeline import fast_dtype
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.evaluation_loop import evaluate_detector


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="DATA", help="annotated photos")
    parser.add_argument(
        "--model", nargs="+", default=[str(default_checkpoint())], help="checkpoints (the shipped one)"
    )
    parser.add_argument("--device", default="cpu", help="where to run (%(default)s)")
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "auto"), default=["float32"], help="(%(default)s)"
    )
    parser.add_argument("--batch-size", type=int, default=1, help="photos in one forward (%(default)s)")
    arguments = parser.parse_args()
    records = CorpusSpec.parse(arguments.data).records()
    rows = []
    for name in arguments.model:
        model = AutoModelForTextDetection.from_pretrained(name).to(arguments.device).eval()
        processor = AutoImageProcessor.from_pretrained(name)
        for asked in arguments.dtypes:
            network = model.inference_copy(fast_dtype(model.device)) if asked == "auto" else model
            result = evaluate_detector(network, processor, records, batch_size=arguments.batch_size)
            rows.append(
                (
                    name.rstrip("/").rsplit("/", 1)[-1],
                    str(network.compute_dtype).removeprefix("torch."),
                    processor.threshold,
                    *(f"{result[key]:.3f}" for key in ("precision", "recall", "hmean")),
                    result["num_references"],
                    result["images_per_second"],
                )
            )
    print(f"{len(records)} photos of {arguments.data}, {torch.get_num_threads()} thread(s); {machine()}\n")
    print_table(("model", "dtype", "threshold", "precision", "recall", "hmean", "texts", "images/s"), rows)


if __name__ == "__main__":
    main()
