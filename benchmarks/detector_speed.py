"""Milliseconds a photo for each stage of a detector, and for its variants.

    python benchmarks/detector_speed.py
    python benchmarks/detector_speed.py --short-side 736 --threads 1 2 --dtypes float32 bfloat16

Stages: `preprocess` (decoded photo -> tensor), `model`, `decode` (map -> polygons); `pipeline` is the whole
of `pipeline("text-detection")` from the file on. Variants, in float32: the text embedding computed anew for
every photo instead of cached, and the threshold branch computed too, which only training reads.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from harness import REPOSITORY, machine, medians_ms, print_table
from PIL import Image
from transformers import AutoImageProcessor

from tcm_hf import (
    AutoModelForTextDetection,
    TCMConfig,
    TCMForTextDetection,
    TextDetectionPipeline,
    default_checkpoint,
)

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def load(folder: Path, short_side: int | None):
    """The detector with its text embedding cached, and its image processor at the wanted size."""
    processor = AutoImageProcessor.from_pretrained(folder)
    if short_side is not None:
        processor.size = {**dict(processor.size), "shortest_edge": short_side}
    model = AutoModelForTextDetection.from_pretrained(folder).eval()
    if model.config.method == "fasttcm":
        model.cache_text_embeddings()
    return model, processor


def with_text_tower(model: TCMForTextDetection) -> TCMForTextDetection:
    """The same network with the text side in place (at random: only its cost matters here)."""
    settings = model.config.to_diff_dict() | {"text_embedding_cached": False}
    return TCMForTextDetection(TCMConfig.from_dict(settings)).eval()


def stage_times(model, processor, photos, files, repeats: int) -> tuple[float, ...]:
    """Mean over the photos of the median milliseconds of each stage and of the whole pipeline."""
    detector = TextDetectionPipeline(model=model, image_processor=processor, device="cpu")
    totals = []
    for photo, file in zip(photos, files, strict=True):
        pixel_values = processor(photo, return_tensors="pt")["pixel_values"].to(model.dtype)
        maps = {"probability_map": model(pixel_values)["probability_map"].float()}
        decode = partial(processor.post_process_text_detection, maps, target_sizes=[photo.shape[:2]])
        functions = {
            "preprocess": partial(processor, photo, return_tensors="pt"),
            "model": partial(model, pixel_values),
            "decode": decode,
            "pipeline": partial(detector, str(file)),
        }
        totals.append(list(medians_ms(functions, repeats, time.perf_counter).values()))
    return tuple(float(value) for value in np.mean(totals, axis=0))


def variant_times(model, processor, photo: np.ndarray, repeats: int) -> dict[str, float]:
    """Milliseconds of one forward pass and of its variants."""
    pixel_values = processor(photo, return_tensors="pt")["pixel_values"]

    def with_threshold_branch():
        model.head(model.model(pixel_values), for_training=True)

    functions = {
        "as it ships": lambda: model(pixel_values),
        "with the threshold branch": with_threshold_branch,
    }
    if model.config.method != "baseline":
        uncached = with_text_tower(model)
        functions["text embedding not cached"] = lambda: uncached(pixel_values)
    return medians_ms(functions, repeats, time.perf_counter)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=Path, default=default_checkpoint(), help="checkpoint (the shipped one)"
    )
    parser.add_argument(
        "--photos", type=Path, default=REPOSITORY / "examples" / "images", help="folder (%(default)s)"
    )
    parser.add_argument("--images", type=int, default=10, help="at most so many photos (%(default)s)")
    parser.add_argument("--short-side", type=int, help="of the processed photo (as stored with the model)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="thread counts (%(default)s)")
    parser.add_argument("--dtypes", nargs="+", default=["float32"], help="number types (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each (%(default)s)")
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in SUFFIXES)[: arguments.images]
    photos = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    model, processor = load(arguments.model, arguments.short_side)
    height, width = processor.get_processed_size_hw(photos[0].shape[:2])
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(f"{arguments.model.name}, {millions:.2f} M parameters; {machine()}")
    print(f"{len(files)} photos, the first at {width}x{height}\n")
    rows, variants = [], []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for dtype in arguments.dtypes:
            times = stage_times(model.to(getattr(torch, dtype)), processor, photos, files, arguments.repeats)
            rows.append((threads, dtype, *times, 1000 / times[-1]))
        found = variant_times(model.float(), processor, photos[0], arguments.repeats)
        variants += [(threads, name, value) for name, value in found.items()]
    print_table(
        ("threads", "dtype", "preprocess, ms", "model, ms", "decode, ms", "pipeline, ms", "images/s"), rows
    )
    print()
    print_table(("threads", "variant, float32", "model, ms"), variants)


if __name__ == "__main__":
    main()
