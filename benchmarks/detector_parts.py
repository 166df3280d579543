"""What the parts are worth: every detector with and without TCM and FastTCM, trained alike, side by side.

    python benchmarks/detector_parts.py --data ../shared/data/ic15-train --output runs/parts

Trains {dbnet, pan, fcenet} x {baseline, tcm, fasttcm} once a seed: the same small trunk, the same crops in
the same order, the same optimizer and schedule, a fixed number of images. All runs start from the trunk of
the shipped fasttcm-dbnet-tiny (which was trained with FastTCM and DBNet: a bias towards them) and random
weights for all the rest, the text tower included. The decoding of each is chosen on training photos; then it
is scored once on photos that were used for nothing else in these runs.

Each run leaves OUTPUT/<detector>-<method>-seed<n>, a model folder (tcm-hf detect --model …) with result.json;
the table lies in OUTPUT/table.md. Call the same command again to go on after an interruption.
"""

import argparse
import itertools
import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
from harness import REPOSITORY, machine, markdown_table
from transformers import set_seed

from tcm_hf import default_checkpoint
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.evaluation_loop import choose_decoding, evaluate_detector, set_decoding
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.recipe import DetectorRecipe, prepare, train_detector
from tcm_hf.training.running import spread_evenly

DETECTORS = ("dbnet", "pan", "fcenet")
METHODS = ("baseline", "tcm", "fasttcm")
RESULT_NAME = "result.json"
# Options that must be equal in all runs of a table.
COMPARABLE = (
    "train",
    "test",
    "images",
    "batch_size",
    "crop",
    "learning_rate",
    "image_tower_lr_factor",
    "calibration_images",
    "size",
    "float32",
)


class Run(NamedTuple):
    """One training."""

    detector: str
    method: str
    seed: int

    def __str__(self) -> str:
        """The name of its folder."""
        return f"{self.detector}-{self.method}-seed{self.seed}"

    def is_named(self, name: str) -> bool:
        """Whether `name` holds nothing but parts of the run's: "pan", "tcm", "pan-tcm", "pan-tcm-seed0"."""
        return set(name.split("-")) <= set(str(self).split("-"))


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse(argv)
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    everything = [
        Run(detector, method, seed)
        for seed, detector, method in itertools.product(arguments.seeds, DETECTORS, METHODS)
    ]
    for run in everything:
        if not arguments.only or any(run.is_named(name) for name in arguments.only):
            train_and_score(run, arguments)
            write_table(everything, arguments.output)
    print((arguments.output / "table.md").read_text(encoding="utf-8"))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="FOLDER", help="annotated photos with numbers")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="models and results")
    parser.add_argument("--train", default="1-900", metavar="A-B", help="photos to train on (%(default)s)")
    parser.add_argument("--test", default="901-1000", metavar="A-B", help="photos to score on (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help='some runs: "pan", "tcm", "pan-tcm-seed0"')
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], metavar="N", help="(%(default)s)")
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="crops a run (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=4, metavar="N", help="crops a step (%(default)s)")
    parser.add_argument("--crop", type=int, default=256, metavar="PX", help="side of a crop (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="peak rate (%(default)s)")
    parser.add_argument(
        "--image-tower-lr-factor", type=float, default=0.3, help="its part of the rate (%(default)s)"
    )
    parser.add_argument(
        "--calibration-images",
        type=int,
        default=40,
        metavar="N",
        help="training photos that choose the decoding (%(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=[736, 1536],
        metavar=("SHORT", "LONG"),
        help="bounds of a whole photo in pixels (736 1536)",
    )
    parser.add_argument(
        "--trunk", default=default_checkpoint(), metavar="DIR", help="detector whose trunk all start from"
    )
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "data_cache" / "decoded", metavar="DIR")
    parser.add_argument("--save-steps", type=int, default=250, metavar="N", help="steps between checkpoints")
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="decode and score anew what is trained, after a change of those",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of torch (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="loader processes (%(default)s)")
    parser.add_argument("--float32", action="store_true", help="for processors without bfloat16 instructions")
    return parser.parse_args(argv)


def train_and_score(run: Run, arguments: argparse.Namespace) -> None:
    """Bring one run from wherever it is to its result.json."""
    folder = arguments.output / str(run)
    settings = comparable_settings(arguments)
    result = read_result(folder) if (folder / RESULT_NAME).is_file() else None
    if result is not None and result["settings"] != settings:
        sys.exit(f"{folder} was made with {result['settings']}, now {settings}. Give another --output.")
    if result is not None and not arguments.rescore:
        return
    print(f"\n== {run} ==", file=sys.stderr, flush=True)
    if result is None:
        began = time.perf_counter()
        if train(run, folder, arguments) is None:
            sys.exit(130)  # stopped by a signal; a checkpoint is there to go on from
        seconds = round(time.perf_counter() - began, 1)  # of the last session, if there were several
        result = {"run": run._asdict(), "settings": settings, "seconds_training": seconds}
    write_result(folder, result | {"machine": machine()} | score(folder, arguments))
    for leftover in (folder / "start", *folder.glob("checkpoint-*")):
        shutil.rmtree(leftover, ignore_errors=True)


def read_result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RESULT_NAME).read_text(encoding="utf-8"))


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write result.json, whole or not at all."""
    partial = folder / f"{RESULT_NAME}.partial"
    partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / RESULT_NAME)


def comparable_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    names = {name: Path(getattr(arguments, name)).name for name in ("data", "trunk")}
    return names | {name: getattr(arguments, name) for name in COMPARABLE}


def train(run: Run, folder: Path, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Train a run to its end; None when a signal stopped it."""
    start = folder / "start"
    if not (start / "preprocessor_config.json").is_file():
        write_start(run, start, arguments.trunk)
    recipe = DetectorRecipe(
        train=[CorpusSpec.parse(f"{arguments.data}:{arguments.train}")],
        output=folder,
        model=str(start),
        crop=arguments.crop,
        size=tuple(arguments.size),
        calibration_images=0,
        cache=arguments.cache,
        arguments={
            "max_steps": arguments.images // arguments.batch_size,
            "per_device_train_batch_size": arguments.batch_size,
            "learning_rate": arguments.learning_rate,
            "image_tower_lr_factor": arguments.image_tower_lr_factor,
            "average_decay": 0.97,
            "bf16": not arguments.float32,
            "channels_last": True,
            "seed": run.seed,
            "save_steps": arguments.save_steps,
            "save_total_limit": 1,
            "dataloader_num_workers": arguments.workers,
        },
    )
    return train_detector(prepare(recipe))


def write_start(run: Run, folder: Path, trunk: str | Path) -> None:
    """The checkpoint that a run begins with: random by its seed, but for the weights of the trunk."""
    preset = f"fasttcm-{run.detector}-tiny"
    config = TCMConfig.from_preset(preset, method=run.method)
    set_seed(run.seed)
    model = TCMForTextDetection(config)
    trained = TCMForTextDetection.from_pretrained(trunk)
    model.model.image_tower.trunk.load_state_dict(trained.model.image_tower.trunk.state_dict())
    model.save_pretrained(folder)
    TCMImageProcessor.from_preset(preset).save_pretrained(folder)


def score(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Choose the decoding on training photos, write it to the model folder, score the test photos with it."""
    began = time.perf_counter()
    model = TCMForTextDetection.from_pretrained(folder).to(memory_format=torch.channels_last)
    image_processor = TCMImageProcessor.from_pretrained(folder)
    options: dict[str, Any] = {"batch_size": 1, "image_cache": ImageCache(arguments.cache)}
    training = CorpusSpec.parse(f"{arguments.data}:{arguments.train}").records()
    calibration = spread_evenly(training, arguments.calibration_images)
    with precision(arguments):
        best, rows = choose_decoding(model, image_processor, calibration, **options)
        set_decoding(image_processor, best).save_pretrained(folder)
        records = CorpusSpec.parse(f"{arguments.data}:{arguments.test}").records()
        test = evaluate_detector(model, image_processor, records, **options)
    # Without the token table, of which the class prompt reads a few rows.
    working = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if not name.startswith("model.text_tower.embeddings.token_embedding")
    )
    return {
        "parameters": working,
        "decoding": best,
        "calibration": rows[0],
        "test": test,
        "seconds_scoring": round(time.perf_counter() - began, 1),
    }


def precision(arguments: argparse.Namespace) -> AbstractContextManager:
    return torch.autocast("cpu", torch.bfloat16, enabled=not arguments.float32)


def write_table(runs: Sequence[Run], output: Path) -> None:
    """OUTPUT/table.md over the runs that are done; what is missing is named."""
    results = {
        run: read_result(output / str(run)) for run in runs if (output / str(run) / RESULT_NAME).is_file()
    }
    rows = [
        table_row(detector, method, results)
        for detector, method in itertools.product(DETECTORS, METHODS)
        if any(run[:2] == (detector, method) for run in results)
    ]
    columns = (
        "detector",
        "method",
        "seeds",
        "recall",
        "precision",
        "hmean, mean (min..max)",
        "hmean - baseline, mean (by seed)",
        "hmean at the best threshold of the test photos",
        "hmean on the calibration photos",
    )
    missing = [str(run) for run in runs if run not in results]
    text = markdown_table(columns, rows)
    if missing:
        text += f"\nNot there: {', '.join(missing)}.\n"
    (output / "table.md").write_text(text, encoding="utf-8")


def table_row(detector: str, method: str, results: dict[Run, dict[str, Any]]) -> tuple[object, ...]:
    """One detector with one method: means over the seeds, their spread, differences paired by seed."""
    found = {run.seed: result for run, result in results.items() if run[:2] == (detector, method)}
    values = {
        name: [result["test"][name] for result in found.values()]
        for name in ("recall", "precision", "hmean", "best_hmean")
    }
    differences = [
        result["test"]["hmean"] - results[baseline]["test"]["hmean"]
        for seed, result in found.items()
        if method != "baseline" and (baseline := Run(detector, "baseline", seed)) in results
    ]
    return (
        detector,
        method,
        len(found),
        f"{mean(values['recall']):.3f}",
        f"{mean(values['precision']):.3f}",
        _spread(values["hmean"]),
        _by_seed(differences) if differences else "",
        _spread(values["best_hmean"]),
        _spread([result["calibration"]["hmean"] for result in found.values()]),
    )


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _by_seed(differences: Sequence[float]) -> str:
    return f"{mean(differences):+.3f} ({', '.join(f'{one:+.3f}' for one in differences)})"


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.3f} ({min(values):.3f}..{max(values):.3f})"


if __name__ == "__main__":
    main()
