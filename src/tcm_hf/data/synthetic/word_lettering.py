"""Set one word, and what stands around it, as coverage maps: letters only, no colour yet."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ImageFont

from tcm_hf.data.synthetic.word_fonts import EM_PX, draw_glyphs


@dataclass(frozen=True)
class Lettering:
    """One word drawn flat.

    Args:
        ink: Coverage (H, W) uint8, cut to the word's ink.
        baseline_px: Rows from the top of the ink down to the baseline.
    """

    ink: np.ndarray
    baseline_px: int


@dataclass(frozen=True)
class LetterStyle:
    """How the letters of a word stand.

    Args:
        spacing_px: Added between letters; may be negative.
        jitter_px: Standard deviation of each letter's height above the line.
        turn_deg: Standard deviation of each letter's rotation.
        small_share: Height of the letters after the first one, as a share of the first ("SMALL CAPS").
        size_spread: Standard deviation of the letters' sizes, as a share.
    """

    spacing_px: float = 0.0
    jitter_px: float = 0.0
    turn_deg: float = 0.0
    small_share: float = 1.0
    size_spread: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether the whole word can be drawn at once."""
        return self == LetterStyle()


def set_word(
    rng: np.random.Generator, font: ImageFont.FreeTypeFont, text: str, style: LetterStyle
) -> Lettering | None:
    """Draw a word; None where the font leaves no ink."""
    if style.is_plain or len(text) == 1:
        ink, (_, top) = draw_glyphs(font, text)
        return Lettering(ink, -top) if ink.size else None
    placed: list[tuple[np.ndarray, int, int]] = []
    pen = 0.0
    for number, character in enumerate(text):
        scale = style.small_share if number else 1.0
        if style.size_spread:
            scale *= float(np.clip(1 + style.size_spread * rng.standard_normal(), 0.6, 1.5))
        ink, (left, top) = draw_glyphs(font, character)
        if ink.size:
            if scale != 1.0:
                size = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
                ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
            if style.turn_deg:
                ink, grown = _turned(ink, float(style.turn_deg * rng.standard_normal()))
                left, top = left - grown[0], top - grown[1]
            rise = style.jitter_px * float(rng.standard_normal()) if style.jitter_px else 0.0
            placed.append((ink, round(pen + left * scale), round(top * scale + rise)))
        pen += font.getlength(character) * scale + style.spacing_px
    return _joined(placed)


def random_style(rng: np.random.Generator) -> LetterStyle:
    """Mostly plain; else spaced out or tightened, dancing letters, or a big first letter is chosen apart."""
    draw = rng.random()
    if draw < 0.66:
        return LetterStyle()
    if draw < 0.80:
        return LetterStyle(spacing_px=EM_PX * float(rng.uniform(0.02, 0.16)))
    if draw < 0.86:
        return LetterStyle(spacing_px=EM_PX * float(rng.uniform(0.16, 0.6)))
    if draw < 0.90:
        return LetterStyle(spacing_px=-EM_PX * float(rng.uniform(0.01, 0.06)))
    return LetterStyle(
        spacing_px=EM_PX * float(rng.uniform(0, 0.12)),
        jitter_px=EM_PX * float(rng.uniform(0, 0.07)),
        turn_deg=float(rng.uniform(0, 8)),
        size_spread=float(rng.uniform(0, 0.12)),
    )


def thickened(rng: np.random.Generator, lettering: Lettering) -> Lettering:
    """The same word a little bolder or thinner, or in stencil bars or dots."""
    ink = lettering.ink
    draw = rng.random()
    if draw < 0.6:
        size = int(rng.integers(2, 5))
        ink = cv2.dilate(cv2.copyMakeBorder(ink, 2, 2, 2, 2, cv2.BORDER_CONSTANT), np.ones((size, size)))
        return Lettering(ink, lettering.baseline_px + 2)
    if draw < 0.8:
        thinner = cv2.erode(ink, np.ones((2, 2)))
        # Hairlines do not survive: what would lose half of its ink stays as it is.
        return Lettering(thinner, lettering.baseline_px) if thinner.sum() > 0.6 * ink.sum() else lettering
    cell = int(rng.integers(4, 7))
    rows, columns = np.arange(ink.shape[0])[:, None], np.arange(ink.shape[1])[None, :]
    dots = (rows % cell > 0) & (columns % cell > 0)
    return Lettering(ink * dots.astype(np.uint8), lettering.baseline_px)


@dataclass(frozen=True)
class Setting:
    """A word on its canvas with neighbours.

    Args:
        ink: The word's coverage (H, W) uint8.
        others: The neighbours' coverage, the same size; None where there are none.
        box_xyxy: The word's ink on the canvas.
    """

    ink: np.ndarray
    others: np.ndarray | None
    box_xyxy: tuple[int, int, int, int]


def on_canvas(lettering: Lettering, neighbours: dict[str, Lettering], gap_px: int, pad_px: int) -> Setting:
    """Lay the word on a canvas with room around it, neighbours beside, above and below it.

    Args:
        lettering: The word.
        neighbours: By side: "left", "right", "above", "below".
        gap_px: Room between the word and a neighbour.
        pad_px: Room on each side of the word; neighbours reach to the canvas' edge.
    """
    height, width = lettering.ink.shape
    ink = cv2.copyMakeBorder(lettering.ink, pad_px, pad_px, pad_px, pad_px, cv2.BORDER_CONSTANT)
    box = (pad_px, pad_px, pad_px + width, pad_px + height)
    if not neighbours:
        return Setting(ink, None, box)
    others = np.zeros_like(ink)
    baseline = pad_px + lettering.baseline_px
    for side, other in neighbours.items():
        other_h, other_w = other.ink.shape
        left, top = {
            "left": (box[0] - gap_px - other_w, baseline - other.baseline_px),
            "right": (box[2] + gap_px, baseline - other.baseline_px),
            "above": ((ink.shape[1] - other_w) // 2, box[1] - gap_px // 2 - other_h),
            "below": ((ink.shape[1] - other_w) // 2, box[3] + gap_px // 2),
        }[side]
        _lay(others, other.ink, left, top)
    return Setting(ink, others, box)


def _lay(canvas: np.ndarray, ink: np.ndarray, left: int, top: int) -> None:
    """Lay ink on a canvas in place; what does not fit is cut off."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + ink.shape[1], canvas.shape[1]), min(top + ink.shape[0], canvas.shape[0])
    if x1 > x0 and y1 > y0:
        region = canvas[y0:y1, x0:x1]
        np.maximum(region, ink[y0 - top : y1 - top, x0 - left : x1 - left], out=region)


def _joined(placed: list[tuple[np.ndarray, int, int]]) -> Lettering | None:
    if not placed:
        return None
    low_x, low_y = min(left for _, left, _ in placed), min(top for _, _, top in placed)
    width = max(left + ink.shape[1] for ink, left, _ in placed) - low_x
    height = max(top + ink.shape[0] for ink, _, top in placed) - low_y
    canvas = np.zeros((height, width), np.uint8)
    for ink, left, top in placed:
        _lay(canvas, ink, left - low_x, top - low_y)
    return Lettering(canvas, -low_y)


def _turned(ink: np.ndarray, angle_deg: float) -> tuple[np.ndarray, tuple[int, int]]:
    """Ink turned about its centre on a canvas that grew by so many pixels on the left and the top."""
    height, width = ink.shape
    reach = int(np.ceil(abs(np.sin(np.radians(angle_deg))) * max(height, width) / 2)) + 1
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    matrix[:, 2] += reach
    return cv2.warpAffine(ink, matrix, (width + 2 * reach, height + 2 * reach)), (reach, reach)
