"""One reader by every way of running it: torch, onnxruntime in the pipeline, and the reader without torch.

The same photos, the same number of threads, taking turns in one process; CPU time where there is one thread.
The export is made first, or given:

    tcm-hf export fasttcm-dbnet-tiny exported --recognizer clip4str-tiny
    python benchmarks/reading_backends.py --export exported
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from harness import REPOSITORY, medians_ms, print_table
from transformers import pipeline
from transformers.utils import logging

from tcm_hf import default_checkpoint
from tcm_hf.onnx_reader import Reader
from tcm_hf.processing.image_loading import load_rgb_image


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--export", type=Path, help="the shipped reader, exported (default: now)")
    parser.add_argument("--photos", type=Path, nargs="+", help="(default: the example scenes)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def made_export(folder: Path) -> Path:
    from tcm_hf.export.folders import export_checkpoint

    recognizer = default_checkpoint("text-recognition")
    export_checkpoint(default_checkpoint(), folder, ("onnx",), recognizer=recognizer)
    return folder


def main() -> None:
    options = arguments()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    paths = options.photos or sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))
    photos = [np.array(load_rgb_image(path)) for path in paths]
    with tempfile.TemporaryDirectory() as temporary:
        export = options.export or made_export(Path(temporary) / "exported")
        readers = {
            "torch, float32": pipeline("text-spotting", device="cpu", dtype="float32"),
            'torch, dtype="auto"': pipeline("text-spotting", device="cpu"),
            'onnxruntime, backend="onnx"': pipeline("text-spotting", model=export, backend="onnx"),
            "reader without torch": Reader(export, num_threads=options.threads),
        }
        clock = time.process_time if options.threads == 1 else time.perf_counter
        took = medians_ms(
            {name: partial(_read_all, reader, photos) for name, reader in readers.items()},
            options.repeats,
            clock,
        )
        found = {name: _read_all(reader, photos) for name, reader in readers.items()}
    first = next(iter(took))
    print(f"{len(photos)} photos, {options.threads} thread(s), words and polygons beside torch in float32.\n")
    print_table(
        ["", "ms a photo", "of torch float32", "same words", "polygons differ by"],
        [
            [
                name,
                f"{ms / len(photos):.0f}",
                f"{ms / took[first]:.2f}",
                "yes" if _texts(found[name]) == _texts(found[first]) else "no",
                _largest_px(found[name], found[first]),
            ]
            for name, ms in took.items()
        ],
    )


def _read_all(reader: Callable[[Any], Any], photos: list[np.ndarray]) -> list[Any]:
    return [reader(photo) for photo in photos]


def _texts(photos: list) -> list[list[str]]:
    return [[word["text"] for word in photo] for photo in photos]


def _largest_px(photos: list, others: list) -> str:
    """Over the words that both found in the same place of the order."""
    if _texts(photos) != _texts(others):
        return "-"
    pairs = [
        (np.array(word["polygon"]), np.array(other["polygon"]))
        for photo, of_other in zip(photos, others, strict=True)
        for word, other in zip(photo, of_other, strict=True)
    ]
    same = [np.abs(one - other).max() for one, other in pairs if one.shape == other.shape]
    return f"{max(same, default=0):.2f} px"


if __name__ == "__main__":
    main()
