"""Read the words of a folder on several GPUs or processes: accelerate gives each its share. Copy this file.

    python accelerate_split.py photos out                                                  (one process)
    python -m torch.distributed.run --nproc_per_node 2 accelerate_split.py photos out      (two)
    accelerate launch --multi_gpu accelerate_split.py photos out                           (all GPUs)

Every process writes OUT/words-RANK.jsonl. For runs that can be resumed, bad pictures kept aside, parquet, tar
files and several machines see docs/bulk.md.
"""

import argparse
import json
from pathlib import Path

from accelerate import PartialState
from transformers import pipeline

import tcm_hf  # noqa: F401  (makes the task known)

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def main(argv: list[str] | None = None) -> None:
    """Split, read, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args(argv)
    state = PartialState()
    photos = sorted(path for path in arguments.photos.rglob("*") if path.suffix.lower() in SUFFIXES)
    reader = pipeline("text-spotting", device=state.device)
    arguments.output.mkdir(parents=True, exist_ok=True)
    result = arguments.output / f"words-{state.process_index}.jsonl"
    with state.split_between_processes(photos) as own, result.open("w", encoding="utf-8") as lines:
        # A stream: one photo is in memory at a time.
        for path, words in zip(own, reader(str(path) for path in own), strict=True):
            texts = [{"text": word["text"], "polygon": word["polygon"]} for word in words]
            lines.write(json.dumps({"photo": str(path), "words": texts}, ensure_ascii=False) + "\n")
    state.wait_for_everyone()
    state.print(f"{len(photos)} photos by {state.num_processes} processes; results in {arguments.output}")


if __name__ == "__main__":
    main()
