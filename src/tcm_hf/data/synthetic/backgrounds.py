"""What lies behind the text: procedural scenes, and text-free regions of annotated photos."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from tcm_hf.data.corpora.metadata import load_metadata_jsonl
from tcm_hf.data.records import TextRecord
from tcm_hf.data.synthetic.textures import random_texture


def procedural_background(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A scene of one to six textured regions, (H, W, 3) uint8 RGB."""
    image = random_texture(rng, size_hw)
    height, width = size_hw
    for _ in range(int(rng.integers(0, 6))):
        region_h = int(height * rng.uniform(0.12, 0.6))
        region_w = int(width * rng.uniform(0.12, 0.6))
        patch = random_texture(rng, (max(8, region_h), max(8, region_w)))
        paste_in_perspective(rng, image, patch)
    return image


def paste_in_perspective(rng: np.random.Generator, image: np.ndarray, patch: np.ndarray) -> None:
    """Paste a texture as a slightly skewed quadrilateral somewhere into the image, in place."""
    height, width = image.shape[:2]
    patch_h, patch_w = patch.shape[:2]
    corner = rng.random(2) * (width, height) - (patch_w / 2, patch_h / 2)
    source = np.array([[0, 0], [patch_w, 0], [patch_w, patch_h], [0, patch_h]], dtype=np.float32)
    jitter = rng.uniform(-0.12, 0.12, (4, 2)) * (patch_w, patch_h)
    target = (source + corner + jitter).astype(np.float32)
    low = np.maximum(np.floor(target.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(target.max(0)).astype(int), (width, height))
    if (high - low < 2).any():
        return
    matrix = cv2.getPerspectiveTransform(source, target - low.astype(np.float32))
    region = image[low[1] : high[1], low[0] : high[0]]
    warped = cv2.warpPerspective(patch, matrix, (high - low).tolist(), flags=cv2.INTER_LINEAR)
    mask = np.zeros(region.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(mask, (target - low).astype(np.int32), 255)
    cv2.copyTo(warped, mask, region)


class PhotoBackgrounds:
    """Crops of annotated photos that touch no annotated text, "do not care" included.

    Args:
        records: Photos with all their text annotated.
        clearance_px: Distance kept from every polygon, pixels of the photo.
    """

    def __init__(self, records: Sequence[TextRecord], clearance_px: int = 6) -> None:
        if not records:
            raise ValueError("Expected at least one photo for the backgrounds: got none.")
        self.records = list(records)
        self.clearance_px = clearance_px

    @classmethod
    def from_folders(cls, folders: Sequence[Path | str], first: int | None = None) -> PhotoBackgrounds:
        """Read folders with a `metadata.jsonl` each.

        Args:
            folders: The folders.
            first: Use only the first so many rows of each (keeps a validation tail out).
        """
        return cls([record for folder in folders for record in load_metadata_jsonl(folder)[:first]])

    def draw(self, rng: np.random.Generator, size_hw: tuple[int, int], tries: int = 4) -> np.ndarray | None:
        """A random text-free crop, scaled to the size; None when no photo of a few had room.

        Args:
            rng: Source of randomness.
            size_hw: Wanted height and width, pixels.
            tries: How many photos are tried.

        Returns:
            Array (H, W, 3) uint8 RGB, or None.
        """
        for _ in range(tries):
            record = self.records[int(rng.integers(len(self.records)))]
            image = _read_photo(record.image) if isinstance(record.image, Path) else record.load_image()
            box = self._free_box(rng, record, image.shape[:2], size_hw)
            if box is not None:
                left, top, crop_w, crop_h = box
                crop = image[top : top + crop_h, left : left + crop_w]
                if rng.random() < 0.5:
                    crop = crop[:, ::-1]
                method = cv2.INTER_AREA if crop_h > size_hw[0] else cv2.INTER_LINEAR
                return cv2.resize(np.ascontiguousarray(crop), size_hw[::-1], interpolation=method)
        return None

    def _free_box(
        self,
        rng: np.random.Generator,
        record: TextRecord,
        photo_hw: tuple[int, int],
        size_hw: tuple[int, int],
    ) -> tuple[int, int, int, int] | None:
        """The largest of a few random boxes that touch no text: left, top, width, height."""
        photo_h, photo_w = photo_hw
        taken = np.zeros(photo_hw, dtype=np.uint8)
        for polygon in record.polygons_xy:
            cv2.fillPoly(taken, [polygon.astype(np.int32)], 1)
            cv2.polylines(taken, [polygon.astype(np.int32)], True, 1, 2 * self.clearance_px)
        sums = cv2.integral(taken)
        largest = min(photo_h / size_hw[0], photo_w / size_hw[1])
        # Enlarging more than about three times shows as blur that real photos do not have.
        smallest = min(largest, 0.33)
        count = 400
        scales = largest - (largest - smallest) * rng.random(count) ** 0.7
        heights = np.minimum((scales * size_hw[0]).astype(int), photo_h)
        widths = np.minimum((scales * size_hw[1]).astype(int), photo_w)
        tops = (rng.random(count) * (photo_h - heights + 1)).astype(int)
        lefts = (rng.random(count) * (photo_w - widths + 1)).astype(int)
        bottoms, rights = tops + heights, lefts + widths
        covered = sums[bottoms, rights] - sums[tops, rights] - sums[bottoms, lefts] + sums[tops, lefts]
        free = np.flatnonzero((covered == 0) & (heights >= 32) & (widths >= 32))
        if len(free) == 0:
            return None
        best = free[: 1 + int(rng.integers(len(free)))]
        chosen = int(best[np.argmax(heights[best])])
        return int(lefts[chosen]), int(tops[chosen]), int(widths[chosen]), int(heights[chosen])


@lru_cache(maxsize=64)
def _read_photo(path: Path) -> np.ndarray:
    return TextRecord(path).load_image()
