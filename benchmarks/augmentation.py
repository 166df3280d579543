"""Time to make a training sample from a photo: our augmentation, and that of the papers on torchvision.

python benchmarks/augmentation.py
"""

import argparse
from itertools import count

import cv2
import numpy as np
import torch
from harness import machine, medians_ms, print_table

from tcm_hf.data.augmentation import Augmentation, Compose, HorizontalFlip, default_training_augmentation
from tcm_hf.data.augmentation_papers import EastCrop, paper_augmentation

PHOTO_HW = (720, 1280)


def photo_with_texts() -> tuple[np.ndarray, list[np.ndarray]]:
    """A photo-like picture and 10 words, in a grid with gaps between."""
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (*PHOTO_HW, 3), np.uint8), (0, 0), 3)
    polygons = []
    for index in range(10):
        left, top = 60 + 240 * (index % 5), 150 + 300 * (index // 5)
        width, height = rng.uniform(60, 140), rng.uniform(15, 50)
        right, bottom = left + width, top + height
        polygons.append(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32))
    return photo, polygons


class Samples:
    """The samples of an augmentation, one after the other."""

    def __init__(self, augmentation: Augmentation):
        self.augmentation = augmentation
        self.photo, self.polygons = photo_with_texts()
        self.seeds = count()

    def next(self) -> object:
        """Make one."""
        rng = np.random.default_rng(next(self.seeds))
        return self.augmentation(self.photo, self.polygons, [False] * len(self.polygons), rng)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=60, help="timed samples of each (%(default)s)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows = []
    for side in (320, 640):
        size_hw = (side, side)
        parts = {
            "ours (default)": default_training_augmentation(size_hw),
            "papers (torchvision v2)": paper_augmentation(size_hw),
            "papers, without the colours": Compose((EastCrop(size_hw),)),
            "mirroring alone": Compose((HorizontalFlip(),)),
        }
        times = medians_ms({name: Samples(part).next for name, part in parts.items()}, repeats)
        rows += [(f"{side}x{side}", name, times[name]) for name in parts]
    print(f"One sample of a {PHOTO_HW[1]}x{PHOTO_HW[0]} photo with 10 words, one thread; {machine()}\n")
    print_table(("sample", "augmentation", "ms (median)"), rows)


if __name__ == "__main__":
    main()
