"""Resident memory of the shipped reader while it reads photo after photo: it must not grow.

    python benchmarks/memory_over_images.py --photos ../shared/data/ic15-train --images 1000
    python benchmarks/memory_over_images.py --images 50 --batch-size 4

Every photo is cut to another size, as the photos of a real folder differ: libraries keep something for every
size that they meet.
"""

import argparse
import gc
import itertools
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from harness import machine, print_table, resident_mib
from photo_arguments import add_photos, photo_paths
from transformers import pipeline

import tcm_hf  # noqa: F401 (registers the tasks)

ROWS = 10


def photos_of_many_sizes(paths: Sequence[str], count: int) -> Iterator[np.ndarray]:
    """`count` photos, from the first again after the last, each cut to a size of its own."""
    rng = np.random.default_rng(0)
    for path in itertools.islice(itertools.cycle(paths), count):
        photo = cv2.imread(path)[..., ::-1]
        height, width = (int(side * rng.uniform(0.5, 1)) for side in photo.shape[:2])
        yield np.ascontiguousarray(photo[:height, :width])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_photos(parser)
    parser.add_argument("--images", type=int, default=100, help="how many to read (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=1, help="photos at once (%(default)s)")
    parser.add_argument("--dtype", default="auto", help="of the models (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="that it may use (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    paths = photo_paths(arguments.photos)
    reader = pipeline("text-spotting", device="cpu", dtype=arguments.dtype)
    at = {round(arguments.images * part / ROWS) for part in range(1, ROWS + 1)} | {1}
    rows, words, began = [], 0, time.perf_counter()
    stream = reader(photos_of_many_sizes(paths, arguments.images), batch_size=arguments.batch_size)
    for count, found in enumerate(stream, start=1):
        words += len(found)
        if count in at:
            gc.collect()
            rows.append((count, words, resident_mib(), time.perf_counter() - began))
    print(
        f"{arguments.images} photos of {arguments.photos}, each cut to another size, {arguments.threads} "
        f"thread(s), dtype {arguments.dtype}, batches of {arguments.batch_size}; {machine()}\n"
    )
    print_table(("photos", "words", "resident memory, MiB", "seconds"), rows)


if __name__ == "__main__":
    main()
