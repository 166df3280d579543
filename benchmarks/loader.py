"""Share of the time of training that is spent waiting for data, with loader processes and without.

python benchmarks/loader.py --photos ../shared/data/ic15-train:1-100 --bf16 --steps 20 --workers 0 1

The recipe is that of `tcm-hf train detector` (preset, crop, batch). Without --photos pictures are generated.
Photos are decoded before; the first wait, in which loader processes start, does not count.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from harness import machine, print_table

from tcm_hf.cli.main import main as tcm_hf
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.recipe import AUGMENTATIONS, DetectorRecipe, prepare


def run(recipe: DetectorRecipe, steps: int, workers: int) -> list[object]:
    """Train some steps and give a row of the table."""
    recipe.arguments |= {"max_steps": steps, "dataloader_num_workers": workers}
    trainer = prepare(recipe).trainer
    trainer.train()
    clock = trainer.data_clock
    images = (steps - 1) * recipe.arguments["per_device_train_batch_size"]
    speed = images / (clock.waited_s + clock.computed_s * (steps - 1) / steps)
    return [workers, f"{speed:.1f}", f"{1000 * clock.waited_s / (steps - 1):.0f}", f"{clock.share:.1%}"]


def samples_a_second(recipe: DetectorRecipe, count: int) -> float:
    """What one loader process can prepare, in samples per second of CPU time; photos are decoded before."""
    recipe.arguments |= {"max_steps": count, "dataloader_num_workers": 0}
    samples = prepare(recipe).trainer.train_dataset
    for number in range(count):
        samples[number]
    began = time.process_time()
    for number in range(count):
        samples[number]
    return count / (time.process_time() - began)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", metavar="[NAME:]FOLDER[@SPLIT][:A-B]", help="annotated photos")
    parser.add_argument("--preset", default="fasttcm-dbnet-tiny")
    parser.add_argument("--crop", type=int, default=320)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--augmentation", choices=AUGMENTATIONS, default="default")
    parser.add_argument("--bf16", action="store_true", help="and channels-last order: faster on most CPUs")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = arguments()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        photos = args.photos
        if photos is None:
            photos = f"{folder}/pictures"
            with contextlib.redirect_stdout(sys.stderr):
                tcm_hf(["synth", "--output", photos, "--count", "32", "--size", "1280x720"])
        recipe = DetectorRecipe(
            train=[CorpusSpec.parse(photos)],
            output=Path(folder) / "none",
            preset=args.preset,
            crop=args.crop,
            cache=Path(folder) / "cache",
            augmentation=args.augmentation,
            arguments={
                "per_device_train_batch_size": args.batch_size,
                "bf16": args.bf16,
                "channels_last": args.bf16,
                "save_strategy": "no",
                "logging_steps": args.steps,
            },
        )
        rate = samples_a_second(recipe, 4 * args.batch_size)
        rows += [run(recipe, args.steps, workers) for workers in args.workers]
    print(f"{machine()}; {args.preset}, {args.batch_size} crops of {args.crop} px a step, {photos}\n")
    print_table(("loader processes", "images/s", "ms waited a step", "share of the time"), rows)
    print(f"\nOne loader process prepares {rate:.0f} samples a second of CPU time.")


if __name__ == "__main__":
    main()
