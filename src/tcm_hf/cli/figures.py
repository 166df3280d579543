"""Figure 7 of the paper for any photo: image embedding, visual prompt, matching map and result in a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tcm_hf.cli.drawing import draw_detections

if TYPE_CHECKING:
    from tcm_hf.pipelines.text_explanation import TextExplanation

# Its lightness grows evenly, for those too who do not tell red from green.
_COLORMAP = cv2.COLORMAP_INFERNO
# Of the heat map over the photo: where it is cold the photo stays visible.
_OPACITY = 0.62
_INK, _PALE_INK, _PAPER = (28, 32, 36), (96, 102, 108), (255, 255, 255)
# Of the panel size: a narrower panel stands in a column as wide as its caption.
_LEAST_COLUMN = 0.56

_TITLES = {
    "image_embedding": ("image embedding", "length of the embedding"),
    "visual_prompt": ("visual prompt", "length of what is added"),
    "matching_map": ("matching map", "similarity to the text prompt"),
}


class Panel(NamedTuple):
    """One picture of a figure, with what is written around it."""

    title: str
    picture: Image.Image
    caption: str
    value_range: tuple[float, float] | None
    """Least and greatest value of the heat map; None where there is none."""


def figure_of(explanation: "TextExplanation", *, panel_px: int = 640) -> Image.Image:
    """Draw what `TextExplanationPipeline` told of a photo.

    Args:
        explanation: The pipeline's result.
        panel_px: Longer side of a panel in pixels; letters grow with it.

    Returns:
        An RGB picture: the panels side by side, those of the maps over a grey photo, each coloured from its
        own least to its own greatest value, which stand below it. A visual prompt that the model does not
        have is left out.
    """
    image = explanation["image"]
    scale = panel_px / max(image.shape[:2])
    size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    photo = Image.fromarray(image).resize(size_wh, Image.Resampling.LANCZOS)
    maps: dict[str, Any] = {name: explanation[name] for name in _TITLES}  # type: ignore[literal-required]
    panels = [_map_panel(photo, name, values) for name, values in maps.items() if values is not None]
    panels.append(_result_panel(photo, explanation["detections"], scale))
    return _in_a_row(panels, panel_px)


def heat_map(photo: Image.Image, values: np.ndarray) -> Image.Image:
    """Lay values over a photo: black for the least, then violet and orange, pale yellow for the greatest.

    Args:
        photo: RGB.
        values: (h, w) float, any size: it covers the photo and is interpolated bilinearly.

    Returns:
        An RGB picture of the photo's size.
    """
    fractions = (values.astype(np.float32) - values.min()) / max(float(np.ptp(values)), 1e-12)
    # OpenCV aligns the edges of both grids, as the model's own interpolation does.
    colored = _colored(cv2.resize(fractions, photo.size, interpolation=cv2.INTER_LINEAR))
    grey = np.asarray(photo.convert("L"), np.float32)[..., None]
    return Image.fromarray(np.rint(_OPACITY * colored + (1 - _OPACITY) * grey).astype(np.uint8))


def _colored(fractions: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1] -> (h, w, 3) RGB uint8."""
    levels = np.rint(np.clip(fractions, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, _COLORMAP), cv2.COLOR_BGR2RGB)


def _map_panel(photo: Image.Image, name: str, values: np.ndarray) -> Panel:
    title, caption = _TITLES[name]
    return Panel(title, heat_map(photo, values), caption, (float(values.min()), float(values.max())))


def _result_panel(photo: Image.Image, detections: Sequence[Any], scale: float) -> Panel:
    scaled = [
        {**found, "polygon": [[x * scale, y * scale] for x, y in found["polygon"]]} for found in detections
    ]
    count = f"{len(scaled)} text{'' if len(scaled) == 1 else 's'}"
    return Panel("result", draw_detections(photo, scaled, with_scores=False), count, None)


def _in_a_row(panels: Sequence[Panel], panel_px: int) -> Image.Image:
    gap = round(panel_px / 32)
    title_font, small_font = (ImageFont.load_default(max(9, round(panel_px / by))) for by in (20, 28))
    title_px, line_px = round(panel_px / 13), round(panel_px / 20)
    panel_w, panel_h = panels[0].picture.size
    column_w = max(panel_w, round(_LEAST_COLUMN * panel_px))
    size = (gap + len(panels) * (column_w + gap), gap + title_px + panel_h + 2 * line_px + gap // 2)
    figure = Image.new("RGB", size, _PAPER)
    canvas = ImageDraw.Draw(figure)
    for index, panel in enumerate(panels):
        left = gap + index * (column_w + gap) + (column_w - panel_w) // 2
        middle, top = left + panel_w / 2, gap + title_px
        below = top + panel_h + line_px * 0.75
        canvas.text((middle, gap + title_px * 0.4), panel.title, fill=_INK, font=title_font, anchor="mm")
        figure.paste(panel.picture, (left, top))
        if panel.value_range is None:
            canvas.text((middle, below), panel.caption, fill=_PALE_INK, font=small_font, anchor="mm")
            continue
        _draw_scale(figure, panel.value_range, (middle, below), column_w, small_font)
        place = (middle, below + line_px * 0.95)
        canvas.text(place, panel.caption, fill=_PALE_INK, font=small_font, anchor="mm")
    return figure


def _draw_scale(
    figure: Image.Image,
    value_range: tuple[float, float],
    middle: tuple[float, float],
    width: float,
    font: Any,
) -> None:
    """Draw the colours from least to greatest, with both numbers at their ends."""
    x, y = middle
    bar_w, bar_h = max(8, round(width * 0.4)), max(4, round(font.size * 0.45))
    ramp = Image.fromarray(_colored(np.tile(np.linspace(0, 1, bar_w, dtype=np.float32), (bar_h, 1))))
    figure.paste(ramp, (round(x - bar_w / 2), round(y - bar_h / 2)))
    canvas = ImageDraw.Draw(figure)
    for value, edge, anchor in ((value_range[0], -1, "rm"), (value_range[1], 1, "lm")):
        place = (x + edge * (bar_w / 2 + font.size * 0.5), y)
        canvas.text(place, f"{value:.3g}", fill=_PALE_INK, font=font, anchor=anchor)
