"""Texts and objects drawn into a picture."""

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Hues a golden angle apart stay distinguishable however many there are.
_GOLDEN_RATIO = 0.618033988749895
# Fonts of many scripts that systems come with, the widest first; PIL knows where each system keeps them.
_FONT_FILES = (
    "NotoSansCJK-Regular.ttc",
    "ArialUnicode.ttf",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "wqy-microhei.ttc",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "arial.ttf",
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[float, float, float, float]


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
    labels = [f"{detection['score']:.2f}" if with_scores else "" for detection in detections]
    return _draw(image, detections, labels, letter_px=1 / 120)


def draw_objects(
    image: Image.Image | np.ndarray, objects: Sequence[dict[str, Any]], class_names: Sequence[str]
) -> Image.Image:
    """Draw each polygon in the colour of its class, with class and score beside it.

    Args:
        image: As for `draw_detections`.
        objects: What the pipeline returned for it: "polygon" in pixels of `image`, "label" and "score".
        class_names: All that there are, in an order that gives each its colour in every picture.

    Returns:
        A new RGB image of the same size.
    """
    labels = [f"{one['label']} {one['score']:.2f}" for one in objects]
    hues = [list(class_names).index(one["label"]) for one in objects]
    return _draw(image, objects, labels, letter_px=1 / 100, hues=hues)


def draw_words(image: Image.Image | np.ndarray, words: Sequence[dict[str, Any]]) -> Image.Image:
    """Draw each polygon in a colour of its own, with the word that was read beside it.

    Args:
        image: As for `draw_detections`.
        words: What the pipeline returned for it: "polygon" in pixels of `image`, and "text".

    Returns:
        A new RGB image of the same size. A word stands above its polygon, or else below or beside it, where
        it hides the least of other polygons and words.
    """
    return _draw(image, words, [word["text"] for word in words], letter_px=1 / 75)


def _draw(
    image: Image.Image | np.ndarray,
    texts: Sequence[dict[str, Any]],
    labels: Sequence[str],
    letter_px: float,
    hues: Sequence[int] | None = None,
) -> Image.Image:
    hues = range(len(texts)) if hues is None else hues
    drawn = (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")
    if drawn is image:
        drawn = drawn.copy()
    canvas = ImageDraw.Draw(drawn)
    line_width = max(2, round(max(drawn.size) / 500))
    for hue, text in zip(hues, texts, strict=True):
        corners = [tuple(point) for point in text["polygon"]]
        canvas.line([*corners, corners[0], corners[1]], fill=_color(hue), width=line_width, joint="curve")
    size = max(10, round(max(drawn.size) * letter_px))
    taken = [_bounds(text["polygon"]) for text in texts]
    # Labels last: no polygon crosses them.
    for index, label in enumerate(labels):
        if label:
            color = _color(hues[index])
            taken.append(_draw_label(canvas, drawn.size, taken, index, label, size, color))
    return drawn


def _color(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1.0, 0.95, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_label(
    canvas: ImageDraw.ImageDraw,
    size_wh: tuple[int, int],
    taken: Sequence[Box],
    index: int,
    label: str,
    letter_px: int,
    color: tuple[int, int, int],
) -> Box:
    """Write a label on a patch of a colour beside the polygon of this index; returns the patch."""
    label, font = _printable(label, letter_px)
    left, top, right, bottom = canvas.textbbox((0, 0), label, font=font)
    patch = _best_place((right - left + 4, bottom - top + 4), size_wh, taken, index)
    canvas.rectangle(patch, fill=color)
    red, green, blue = color
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 110
    where = (patch[0] + 2 - left, patch[1] + 2 - top)
    canvas.text(where, label, fill="black" if is_light else "white", font=font)
    return patch


def _best_place(
    label_wh: tuple[float, float], size_wh: tuple[int, int], taken: Sequence[Box], index: int
) -> Box:
    """The place beside a box, inside the picture, where a label covers the least of all that is taken."""
    width, height = label_wh
    xmin, ymin, xmax, ymax = taken[index]
    corners = (
        (xmin, ymin - height - 2),
        (xmin, ymax + 2),
        (xmax + 2, ymin),
        (xmin - width - 2, ymin),
        (xmax - width, ymin - height - 2),
        (xmax - width, ymax + 2),
    )
    places = []
    for x, y in corners:
        x = min(max(x, 0), max(size_wh[0] - width, 0))
        y = min(max(y, 0), max(size_wh[1] - height, 0))
        places.append((x, y, x + width, y + height))
    return min(places, key=lambda place: sum(_overlap(place, other) for other in taken))


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def _bounds(polygon: Sequence[Sequence[float]]) -> Box:
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@lru_cache(maxsize=64)
def _font(size: int, is_plain: bool) -> Font:
    """PIL's own font, which knows ASCII, or a font of the system with more where there is one."""
    if not is_plain:
        for name in _FONT_FILES:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)


def _printable(text: str, size: int) -> tuple[str, Font]:
    """A text and the font to print it in; what no font here has becomes a box or a question mark."""
    text = "".join(character if character.isprintable() else " " for character in text)
    font = _font(size, text.isascii())
    if isinstance(font, ImageFont.FreeTypeFont):
        return text, font
    # The font of a PIL without FreeType is a bitmap of 256 letters.
    return text.encode("latin-1", errors="replace").decode("latin-1"), font
