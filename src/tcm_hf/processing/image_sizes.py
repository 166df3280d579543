"""How large an image becomes before the network sees it: pure arithmetic, no third-party imports."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

SizeHW = tuple[float, float]


def processed_size_hw(
    size_hw: tuple[int, int], size: Mapping[str, int], size_divisor: int = 32
) -> tuple[int, int]:
    """Size that an image is resized to.

    With bounds for its sides the image is scaled by `min(shortest_edge / short, longest_edge / long)`, up or
    down; then each side is rounded to the nearest multiple of `size_divisor`, and at least to one.

    Parity: the original rounds to whole pixels and pads the right and the bottom up to the divisor. Here
    the image is stretched by at most half a divisor instead, so that a point of the map goes back to the
    image by `W_image / W_map` and `H_image / H_map`, whatever the size was.

    Args:
        size_hw: (height, width) of the image in pixels.
        size: `{"shortest_edge", "longest_edge"}`, either of them alone, or `{"height", "width"}`, in pixels.
        size_divisor: what the network needs both sides to be a multiple of; 1 for any size.

    Returns:
        (height, width) in pixels.

    Raises:
        ValueError: for an image without pixels, other keys in `size`, or a divisor below 1.
    """
    height, width = size_hw
    if height < 1 or width < 1:
        raise ValueError(
            f"The image has no pixels: its size (height, width) is {height, width}. Leave it out."
        )
    if size_divisor < 1:
        raise ValueError(f"`size_divisor` must be at least 1: got {size_divisor}.")
    bounds = {key: value for key, value in dict(size).items() if value is not None}
    if bounds.keys() == {"height", "width"}:
        target = float(bounds["height"]), float(bounds["width"])
    elif bounds and bounds.keys() <= {"shortest_edge", "longest_edge"}:
        scale = min(
            bounds.get("shortest_edge", math.inf) / min(height, width),
            bounds.get("longest_edge", math.inf) / max(height, width),
        )
        target = height * scale, width * scale
    else:
        raise ValueError(
            '`size` must have the keys "shortest_edge" and / or "longest_edge", or "height" and "width": '
            f"got {sorted(bounds)}."
        )
    if min(bounds.values()) < 1:
        raise ValueError(f"`size` must be in whole pixels from 1 on: got {bounds}.")
    nearest_h, nearest_w = (math.floor(side / size_divisor + 0.5) * size_divisor for side in target)
    return max(nearest_h, size_divisor), max(nearest_w, size_divisor)


def shrink_factor(size_hw: tuple[int, int], size: Mapping[str, int], size_divisor: int = 32) -> float:
    """By how much resizing changes the size of letters: 0.25 makes them a quarter as high (or wide).

    Use it to warn: letters that come out below about 8 pixels are not found, so a photo whose smallest text
    is 20 pixels high wants a factor of 0.4 or more, a larger `size`, or tiles.

    Args:
        size_hw: (height, width) of the image in pixels.
        size: as in `processed_size_hw`.
        size_divisor: as in `processed_size_hw`.

    Returns:
        The smaller of the two scales of height and width; above 1 where the image is enlarged.
    """
    height, width = processed_size_hw(size_hw, size, size_divisor)
    return min(height / size_hw[0], width / size_hw[1])


def each_target_size(target_sizes: Any, count: int) -> Sequence[SizeHW | None]:
    """The (height, width) of each image of a batch that results are wanted in; None for all where none is.

    Args:
        target_sizes: one (height, width) an image, as a list or `(B, 2)`, or None.
        count: of images.

    Raises:
        ValueError: for another number of sizes.
    """
    if target_sizes is None:
        return [None] * count
    if len(target_sizes) != count:
        raise ValueError(
            f"`target_sizes` must have one (height, width) per image: got {len(target_sizes)} for a batch of "
            f"{count}."
        )
    return [(float(height), float(width)) for height, width in target_sizes]
