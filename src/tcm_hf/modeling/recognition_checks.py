"""What a recognizer cannot read or learn from, said before it fails in the middle."""

import torch

from .configuration_clip4str import CLIP4STRConfig

IGNORED = -100
"""Label of positions behind [E]; no loss there."""


def check_images(pixel_values: torch.Tensor) -> None:
    """Raises ValueError unless there is at least one image, (B, 3, H, W)."""
    if pixel_values.ndim != 4 or pixel_values.shape[0] == 0:
        raise ValueError(
            "`pixel_values` must be (B, 3, H, W) with at least one image: got "
            f"{tuple(pixel_values.shape)}. CLIP4STRProcessor makes them; skip a batch without images."
        )


def check_lengths(refine_iterations: int, num_steps: int | None, max_length: int | None) -> None:
    """Raises ValueError for a negative number of refinements and for words without a position."""
    if refine_iterations < 0:
        raise ValueError(
            f"`refine_iterations` must be 0 (read once) or more: got {refine_iterations}. None takes the "
            "config's."
        )
    for name, value, default in (
        ("num_steps", num_steps, "lets every word end by itself"),
        ("max_length", max_length, "takes the config's `max_label_length`"),
    ):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be 1 or more: got {value}. None {default}.")


def check_labels(labels: torch.Tensor, num_images: int, config: CLIP4STRConfig) -> None:
    """Raises ValueError unless labels (B, L) fit the images and hold ids of the charset, [E] and -100."""
    longest = config.max_label_length + 1
    if labels.ndim != 2 or len(labels) != num_images or not 1 <= labels.shape[1] <= longest:
        raise ValueError(
            f"`labels` must be (B, L) with B = {num_images} images and L up to {longest} (characters, 0 for "
            f"the end, then {IGNORED}): got {tuple(labels.shape)}. CLIP4STRProcessor makes them."
        )
    counted = labels[labels != IGNORED]
    if not counted.numel():
        raise ValueError(
            f"`labels` must hold a target: got {IGNORED}, which does not count, everywhere. An empty word "
            "has the label 0, its end."
        )
    smallest, largest = int(counted.min()), int(counted.max())
    if smallest < config.end_id or largest > len(config.charset):
        raise ValueError(
            f"`labels` must be ids of the charset, 1 to {len(config.charset)}, 0 for the end and {IGNORED} "
            f"behind it: got ids from {smallest} to {largest}. Make them with the processor of this model."
        )
