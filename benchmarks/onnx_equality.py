r"""Exported programs beside PyTorch: equality in five sizes, the same polygons and words, time and size.

    tcm-hf export fasttcm-dbnet-tiny reader --recognizer clip4str-tiny --to onnx torch \
        --int8 examples/images ../shared/data/ic15-train/img_1?.webp
    python benchmarks/onnx_equality.py reader
    python benchmarks/onnx_equality.py reader --photos ../shared/data/ic15-train --num-photos 20 --threads 2

READER is the folder of an exported detector with a recogniser inside. Differences are relative to PyTorch's
value where that is over 1; times are medians of one photo and of one batch of words, in turns.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import REPOSITORY, machine, medians_ms, print_table

from tcm_hf import CLIP4STRForTextRecognition, TCMForTextDetection, default_checkpoint
from tcm_hf.export.calibration import crops_of, photo_inputs
from tcm_hf.export.equality import largest_differences
from tcm_hf.export.formats import FORMATS
from tcm_hf.export.tracing import prepare
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

WORDS = 16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reader", type=Path, metavar="READER", help="what tcm-hf export wrote")
    parser.add_argument("--detector", default=str(default_checkpoint()), help="what it was made from")
    parser.add_argument("--recognizer", default=str(default_checkpoint("text-recognition")), help="likewise")
    parser.add_argument("--photos", type=Path, default=REPOSITORY / "examples" / "images", help="a folder")
    parser.add_argument("--num-photos", type=int, default=6, help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} thread(s); {machine()}\n")
    detector = TCMForTextDetection.from_pretrained(arguments.detector, dtype=torch.float32).eval()
    processor = TCMImageProcessor.from_pretrained(arguments.detector)
    suffixes = {".jpg", ".jpeg", ".png", ".webp"}
    paths = sorted(path for path in arguments.photos.iterdir() if path.suffix.lower() in suffixes)
    photos = [processor.load_rgb_image(path) for path in paths[: arguments.num_photos]]
    compare("detector", arguments.reader, detector, photo_inputs(processor, photos), arguments.repeats)
    words = CLIP4STRProcessor.from_pretrained(arguments.recognizer)
    recognizer = CLIP4STRForTextRecognition.from_pretrained(arguments.recognizer, dtype=torch.float32).eval()
    crops = photo_inputs(words, crops_of(detector, processor, photos))
    batches = [np.concatenate(crops[start : start + WORDS]) for start in range(0, len(crops), WORDS)]
    compare("recogniser", arguments.reader / "recognizer", recognizer, batches, arguments.repeats)


def compare(name: str, folder: Path, model: Any, inputs: list[np.ndarray], repeats: int) -> None:
    """Prints the tables of one model: sizes, then results and time on photos."""
    traced = prepare(model)
    paths = {one: folder / FORMATS[one].file for one in FORMATS if (folder / FORMATS[one].file).is_file()}
    programs = {one: FORMATS[one].open(path) for one, path in paths.items()}
    exact = [one for one in programs if one != "onnx-int8"]
    differences = {one: largest_differences(traced, programs[one]) for one in exact}
    shapes = list(next(iter(differences.values())))
    rows = [(str(shape), *(f"{differences[one][shape]:.1e}" for one in exact)) for shape in shapes]
    print_table((f"{name}: images, height, width", *exact), rows)
    print()

    def reference(pixels: np.ndarray) -> dict[str, Any]:
        with torch.no_grad():
            return traced.model(torch.from_numpy(pixels))

    expected = [np.asarray(next(iter(reference(pixels).values()))) for pixels in inputs]
    largest = inputs[int(np.argmax([pixels.size for pixels in inputs]))]
    timed = {"PyTorch float32": lambda: reference(largest)}
    timed |= {one: lambda run=run: run(largest) for one, run in programs.items()}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    took = medians_ms(timed, repeats, clock)
    rows = [("PyTorch float32", "", "", "", round(took["PyTorch float32"]), 1.0)]
    for one, run in programs.items():
        found = [np.asarray(next(iter(run(pixels).values()))) for pixels in inputs]
        parts = [paths[one], *paths[one].parent.glob(f"{paths[one].stem}.bin")]
        rows.append(
            (
                one,
                f"{sum(part.stat().st_size for part in parts) / 1e6:.1f}",
                f"{max(_distance(name, *pair) for pair in zip(found, expected, strict=True)):.1e}",
                changed(name, found, expected),
                round(took[one]),
                took["PyTorch float32"] / took[one],
            )
        )
    what = "pixels on the other side of 0.3" if name == "detector" else "words that differ"
    print_table((name, "MB", "largest difference of a probability", what, "ms", "speed"), rows)
    print()


def _distance(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of probabilities: a detector's map holds them, a recogniser gives logits."""
    if name == "recogniser":
        found, expected = (torch.from_numpy(logits).softmax(-1).numpy() for logits in (found, expected))
    return float(np.abs(found - expected).max())


def changed(name: str, found: list[np.ndarray], expected: list[np.ndarray]) -> str:
    """How much of what decoding looks at is another: pixels of the binarised map, or words."""
    if name == "detector":
        different = [((a > 0.3) != (b > 0.3)).ravel() for a, b in zip(found, expected, strict=True)]
    else:
        different = [(a.argmax(-1) != b.argmax(-1)).any(axis=1) for a, b in zip(found, expected, strict=True)]
    every = np.concatenate(different)
    return f"{int(every.sum())} of {len(every)}"


if __name__ == "__main__":
    main()
