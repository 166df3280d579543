"""Sizes and tiles of photos: what the image processors of text detectors and spotters share."""

from typing import TYPE_CHECKING, Any, Literal

from .image_sizes import processed_size_hw, shrink_factor
from .tiling import Tile, plan_tiles

if TYPE_CHECKING:  # used where there is no transformers, too
    from transformers.image_utils import SizeDict

_LEGIBLE_SCALE = 0.5  # most letters of a photo survive being shrunk to half their size


class PhotoSizes:
    """Methods of an image processor that keeps the aspect ratio and rounds to `size_divisor`."""

    size: Any
    size_divisor = 32

    no_cropping_because = (
        "after either of them the sizes of the images alone no longer lead from the map back to the image. "
        'For one size of all images use `size={"height": …, "width": …}`.'
    )
    for_unequal_sizes = (
        "Process them one by one, group them by `get_processed_size_hw`, or leave out `return_tensors` for a "
        "list."
    )

    def _processed_size_hw(
        self, size_hw: tuple[int, int], size: "SizeDict", **kwargs: Any
    ) -> tuple[int, int]:
        return processed_size_hw(size_hw, dict(size), kwargs["size_divisor"])

    def get_processed_size_hw(self, size_hw: tuple[int, int], size: dict | None = None) -> tuple[int, int]:
        """Size that an image gets before the network sees it.

        Args:
            size_hw: (height, width) of the upright image in pixels.
            size: bounds to use instead of the processor's own, see `processed_size_hw`.

        Returns:
            (height, width) in pixels, multiples of `size_divisor`.
        """
        return processed_size_hw(size_hw, self.size if size is None else size, self.size_divisor)

    def get_shrink_factor(self, size_hw: tuple[int, int], size: dict | None = None) -> float:
        """Scale of the letters after resizing: below 1 they become smaller. See `shrink_factor`."""
        return shrink_factor(size_hw, self.size if size is None else size, self.size_divisor)

    def plan_tiles(self, size_hw: tuple[int, int], tile: int | Literal["auto"] | None = None) -> list[Tile]:
        """Tiles to process one by one, so that letters stay legible.

        Args:
            size_hw: (height, width) of the upright image in pixels.
            tile: the side of a tile in pixels of the image; "auto" for the largest tiles whose letters keep
                half of their size, and none if the whole image does so already; None for no tiles.

        Returns:
            `(x0, y0, x1, y1)` each, all of one size, overlapping by a sixth: the whole image where it needs
            no tiles.
        """
        if tile is None or (tile == "auto" and self.get_shrink_factor(size_hw) >= _LEGIBLE_SCALE):
            return [(0, 0, size_hw[1], size_hw[0])]
        if tile == "auto":
            tile = int(min(self.get_processed_size_hw((1000, 1000))) / _LEGIBLE_SCALE)
        return plan_tiles(size_hw, (tile, tile), overlap_px=tile // 6)


__all__ = ["PhotoSizes"]
