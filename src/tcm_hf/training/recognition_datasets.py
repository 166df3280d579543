"""Training samples of a recognizer: a word crop, distorted and resized, with its text.

As in `tcm_hf.training.datasets` a sample is a function of its number alone, so a run that resumes sees what
an uninterrupted one would have seen. Pixels stay bytes until they are in the training process
(`normalize_pixels`): a batch of 128 words crosses the process border as 1.5 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from tcm_hf.data.words import WordRecord
from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer
from tcm_hf.training.datasets import NumberedSamples
from tcm_hf.training.recognition_words import load_pixels

PixelAugmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class WordDataset(NumberedSamples):
    """Samples of one collection of words, ready for `WordCollator`.

    Args:
        records: The words, their texts of characters of the charset only (see `usable_words`).
        augmentation: Called with image (H, W, 3) uint8 and a random generator, gives an image of any size.
        size_hw: Height and width that every crop is stretched to, as the image processor does it.
        seed: Decides order and augmentations.

    Raises:
        ValueError: If there are no records.
    """

    def __init__(
        self,
        records: Sequence[WordRecord],
        augmentation: PixelAugmentation,
        *,
        size_hw: tuple[int, int],
        seed: int = 0,
    ):
        if not len(records):
            raise ValueError("A training set needs at least one word: got none. Check the folder or range.")
        super().__init__(records, seed)
        self.augmentation = augmentation
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Make sample `number` (0, 1, …, beyond the length too).

        Returns:
            `pixel_values`, uint8 array (H, W, 3) RGB, and `text`.
        """
        record, rng = self._drawn(number)
        image = self.augmentation(load_pixels(record), rng)
        return {"pixel_values": stretch(image, self.size_hw), "text": record.text}


class WordCollator:
    """Batches of words: `pixel_values` (B, H, W, 3) uint8 and `labels` (B, L) int64.

    Args:
        tokenizer: The processor's `CharacterTokenizer`. Labels are its character ids, then the end 0, then
            -100 up to the longest word of the batch.
    """

    def __init__(self, tokenizer: CharacterTokenizer):
        self.tokenizer = tokenizer

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Stack `samples` of `WordDataset`."""
        labels = self.tokenizer.make_labels([sample["text"] for sample in samples])
        pixels = np.stack([sample["pixel_values"] for sample in samples])
        return {"pixel_values": torch.from_numpy(pixels), "labels": torch.from_numpy(labels)}


def stretch(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, 3) uint8 to `size_hw` whatever its shape, bicubic with antialiasing.

    The same function as in `CLIP4STRImageProcessor`: what training shows is what inference sees.
    """
    if image.shape[:2] == size_hw:
        return image
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    resized = resize(planes, list(size_hw), interpolation=InterpolationMode.BICUBIC, antialias=True)
    return resized.permute(1, 2, 0).numpy()


def normalize_pixels(
    pixels: torch.Tensor, image_mean: Sequence[float], image_std: Sequence[float]
) -> torch.Tensor:
    """Bytes (B, H, W, 3) to what the network takes: float32 (B, 3, H, W), in channels-last memory order."""
    scale = torch.tensor([1 / (255 * std) for std in image_std], device=pixels.device)
    offset = torch.tensor(
        [mean / std for mean, std in zip(image_mean, image_std, strict=True)], device=pixels.device
    )
    return (pixels.float() * scale - offset).permute(0, 3, 1, 2)
