"""What 8-bit programs are calibrated on: the inputs that photos become."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

_LEAST_SIDE_PX = 64


def photo_inputs(image_processor: Any, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(1, 3, H, W) float32 of every photo, or of every crop of a word."""
    return [image_processor(images=photo, return_tensors="np")["pixel_values"] for photo in photos]


@torch.no_grad()
def crops_of(model: Any, image_processor: Any, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The words that a detector finds in photos, cut out for a recogniser.

    Args:
        model: The detector.
        image_processor: The detector's.
        photos: (H, W, 3) uint8 each.

    Raises:
        ValueError: If there is no word.
    """
    crops: list[np.ndarray] = []
    for photo, inputs in zip(photos, photo_inputs(image_processor, photos), strict=True):
        outputs = model(pixel_values=torch.from_numpy(inputs))
        (found,) = image_processor.post_process_text_detection(outputs, target_sizes=[photo.shape[:2]])
        polygons = [np.asarray(polygon) for polygon in found["polygons"]]
        crops += [crop.image for crop in image_processor.crop_words(photo, polygons, _LEAST_SIDE_PX)]
    if not crops:
        raise ValueError(
            f"The detector finds no word in the {len(photos)} photos, so there is nothing to calibrate the "
            "recogniser on: take photos with text, as they will come."
        )
    return crops
