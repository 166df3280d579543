"""What the detecting pipelines share: tiles of large pictures, batches of equal size."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers.utils import logging

from .picture_pipeline import PicturePipeline

logger = logging.get_logger(__name__)


class TiledPipeline(PicturePipeline):
    """Base of the pipelines that take a parameter `tile`.

    Attributes:
        lost_when_shrunk: end of the warning for a picture that loses more than half of its height.
    """

    _load_image_processor = True

    lost_when_shrunk: str

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._has_warned_of_shrinking = False

    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        tile = parameters.get("tile")
        is_side = isinstance(tile, int) and not isinstance(tile, bool) and tile >= 32
        if tile is not None and tile != "auto" and not is_side:
            raise ValueError(f'`tile` must be None, "auto" or a side of at least 32 pixels: got {tile!r}.')

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Run on one image, on a list of images, or on a stream of images."""
        self._has_warned_of_shrinking = False
        return super().__call__(inputs, **kwargs)

    def _warn_if_shrunk(self, size_hw: tuple[int, int]) -> None:
        """Warn, once a call, of a picture that loses more than half and that `tile="auto"` would cut."""
        factor = 1 / self.image_processor.get_shrink_factor(size_hw)
        if self._has_warned_of_shrinking or factor <= 2:
            return
        if len(self.image_processor.plan_tiles(size_hw, "auto")) == 1:
            return
        self._has_warned_of_shrinking = True
        height, width = size_hw
        processed_height, processed_width = self.image_processor.get_processed_size_hw(size_hw)
        logger.warning(
            f"An image of {width}x{height} pixels is shrunk {factor:.1f} times, to {processed_width}x"
            f'{processed_height}: {self.lost_when_shrunk}. Pass tile="auto" to find it '
            "(tcm-hf: --tile auto)."
        )


def batches_of_one_shape(
    images: Sequence[torch.Tensor], at_once: int
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Images of unequal sizes in batches of one size each.

    Never padded to a common size: the models attend to the whole image, padding would change the result.

    Args:
        images: (3, h, w) each.
        at_once: Largest batch.

    Yields:
        Places in `images`, and the batch (B, 3, h, w) of them.
    """
    places_by_shape: dict[torch.Size, list[int]] = {}
    for index, image in enumerate(images):
        places_by_shape.setdefault(image.shape, []).append(index)
    for places in places_by_shape.values():
        for start in range(0, len(places), at_once):
            chunk = places[start : start + at_once]
            batch = [images[index] for index in chunk]
            # One alone, as most are, needs no copy.
            yield chunk, _laid_out(torch.stack(batch) if len(batch) > 1 else batch[0][None])


def _laid_out(batch: torch.Tensor) -> torch.Tensor:
    """Channels last on a CPU, where convolutions then take a quarter less; the numbers are the same."""
    return batch.contiguous(memory_format=torch.channels_last) if batch.device.type == "cpu" else batch
