"""Detections drawn into a picture."""

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Hues a golden angle apart stay distinguishable however many there are.
_GOLDEN_RATIO = 0.618033988749895


def draw_detections(
    image: Image.Image | np.ndarray, detections: Sequence[dict[str, Any]], *, with_scores: bool = True
) -> Image.Image:
    """Draw each polygon in a colour of its own, with its score beside the first corner.

    Args:
        image: The upright picture, PIL or RGB uint8 (H, W, 3); it is not changed.
        detections: What the pipeline returned for it: "polygon" in pixels of `image`, and "score".
        with_scores: Whether scores are written.

    Returns:
        A new RGB image of the same size. Line width and letters grow with the image.
    """
    drawn = (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")
    if drawn is image:
        drawn = drawn.copy()
    canvas = ImageDraw.Draw(drawn)
    line_width = max(2, round(max(drawn.size) / 500))
    for index, detection in enumerate(detections):
        corners = [tuple(point) for point in detection["polygon"]]
        canvas.line([*corners, corners[0], corners[1]], fill=_color(index), width=line_width, joint="curve")
    if with_scores:
        font = ImageFont.load_default(size=max(10, round(max(drawn.size) / 120)))
        # Labels last: no polygon crosses them.
        for index, detection in enumerate(detections):
            _draw_label(
                canvas, drawn.size, detection["polygon"][0], f"{detection['score']:.2f}", _color(index), font
            )
    return drawn


def _color(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1.0, 0.95, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_label(
    canvas: ImageDraw.ImageDraw,
    size_wh: tuple[int, int],
    corner_xy: Sequence[float],
    text: str,
    color: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Write `text` on a patch of `color` above a corner, moved inside the image where it would stick out."""
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    width, height = right - left, bottom - top
    x = min(max(corner_xy[0], 0), max(size_wh[0] - width - 4, 0))
    y = min(max(corner_xy[1] - height - 6, 0), max(size_wh[1] - height - 4, 0))
    canvas.rectangle((x, y, x + width + 4, y + height + 4), fill=color)
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    canvas.text((x + 2 - left, y + 2 - top), text, fill="black" if luminance > 110 else "white", font=font)
