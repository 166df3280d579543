"""Texts and objects drawn into a picture."""

import colorsys
import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

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

# Of a dashed line, in widths of it.
_DASH, _GAP = 4.0, 3.0

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[float, float, float, float]
Color = tuple[int, int, int]
Point = Sequence[float]


class Outline(NamedTuple):
    """A closed line to draw, and what stands beside it."""

    polygon: Sequence[Point]
    """Corners (x, y), pixels of the picture."""
    color: Color
    """RGB, 0..255."""
    dashed: bool = False
    label: str = ""


def draw_outlines(
    image: Image.Image | np.ndarray, outlines: Sequence[Outline], *, letter_px: float = 1 / 100
) -> Image.Image:
    """Draw outlines and then their labels, each where it hides the least of other outlines and labels.

    Args:
        image: The upright picture, PIL or RGB uint8 (H, W, 3); it is not changed.
        outlines: What is drawn, in this order.
        letter_px: Height of the letters as a part of the longer side; never below 10 pixels.

    Returns:
        A new RGB image of the same size. Line width and letters grow with the image.
    """
    drawn = (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")
    if drawn is image:
        drawn = drawn.copy()
    canvas = ImageDraw.Draw(drawn)
    line_width = max(2, round(max(drawn.size) / 500))
    for outline in outlines:
        corners = [(float(x), float(y)) for x, y in outline.polygon]
        if outline.dashed:
            for dash in _dashes([*corners, corners[0]], line_width):
                canvas.line(dash, fill=outline.color, width=line_width)
        else:
            closed = [*corners, corners[0], corners[1]]
            canvas.line(closed, fill=outline.color, width=line_width, joint="curve")
    size = max(10, round(max(drawn.size) * letter_px))
    taken = [_bounds(outline.polygon) for outline in outlines]
    for index, outline in enumerate(outlines):
        if outline.label:
            taken.append(_draw_label(canvas, drawn.size, taken, index, outline.label, size, outline.color))
    return drawn


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
    outlines = [
        Outline(text["polygon"], _color(hue), label=label)
        for text, label, hue in zip(texts, labels, hues, strict=True)
    ]
    return draw_outlines(image, outlines, letter_px=letter_px)


def _dashes(path: Sequence[tuple[float, float]], line_width: int) -> list[list[tuple[float, float]]]:
    """The dashes of a line, each as its two ends; a corner ends a dash."""
    dashes = []
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        length = math.hypot(x1 - x0, y1 - y0)
        start = 0.0
        while start < length:
            ends = (start / length, min(start + _DASH * line_width, length) / length)
            dashes.append([(x0 + part * (x1 - x0), y0 + part * (y1 - y0)) for part in ends])
            start += (_DASH + _GAP) * line_width
    return dashes


def _color(index: int) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1.0, 0.95, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_label(
    canvas: ImageDraw.ImageDraw,
    size_wh: tuple[int, int],
    taken: Sequence[Box],
    index: int,
    label: str,
    letter_px: int,
    color: Color,
) -> Box:
    """Write a label on a patch of a colour beside the polygon of this index; returns the patch."""
    label, font = text_font(label, letter_px)
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


def text_font(text: str, size: int) -> tuple[str, Font]:
    """A text and the font to print it in; what no font here has becomes a box or a question mark."""
    text = "".join(character if character.isprintable() else " " for character in text)
    font = _font(size, text.isascii())
    if isinstance(font, ImageFont.FreeTypeFont):
        return text, font
    # The font of a PIL without FreeType is a bitmap of 256 letters.
    return text.encode("latin-1", errors="replace").decode("latin-1"), font
