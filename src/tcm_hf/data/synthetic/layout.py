"""Lay words out as a flat block of text: glyph masks, word boxes, lines. No colour yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tcm_hf.data.synthetic.fonts import SHAPED_SCRIPTS, FontFace

INK_LEVEL = 64  # of 255: where an antialiased glyph counts as ink


@dataclass(frozen=True)
class PlacedWord:
    """A word inside a flat block.

    Args:
        text: The transcription.
        script: The script it is written in.
        box_xyxy: Its ink box, pixel edges of the block.
    """

    text: str
    script: str
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class TextBlock:
    """A flat block of text, before colour and warping.

    Args:
        ink: Glyph coverage, (H, W) uint8.
        words: The words with their boxes.
        em_px: The largest em size used.
    """

    ink: np.ndarray
    words: tuple[PlacedWord, ...]
    em_px: int


@dataclass(frozen=True)
class TextLine:
    """One line to lay out.

    Args:
        words: The words.
        script: Their script.
        face: The face to draw with.
        em_px: Its em size.
        tracking_px: Extra space between letters (never for joining scripts).
        gap_px: Space between words.
    """

    words: tuple[str, ...]
    script: str
    face: FontFace
    em_px: int
    tracking_px: int = 0
    gap_px: int = 4


def em_for_height(face: FontFace, height_px: float) -> int:
    """The em size at which capitals (or the script's tall letters) are about so many pixels high."""
    return max(5, round(height_px / _relative_height(face)))


@lru_cache(maxsize=4096)
def _relative_height(face: FontFace) -> float:
    probe = "Hd" if face.covers("Hd") else "8"
    if not face.covers(probe):
        return 0.75
    _, top, _, bottom = face.at_size(100).getbbox(probe)
    return float(np.clip((bottom - top) / 100, 0.3, 1.2))


def render_word(line: TextLine, text: str) -> tuple[np.ndarray, int] | None:
    """Glyph coverage of one word.

    Returns:
        The mask cut to its ink (h, w) uint8, and the offset of its top edge from the baseline (negative is
        up); None when the face draws nothing for it.
    """
    font = line.face.at_size(line.em_px)
    # CJK fonts are drawn upright; the anchor "ls" puts the origin on the baseline.
    if line.tracking_px and line.script not in SHAPED_SCRIPTS:
        mask, top = _render_tracked(font, text, line.tracking_px)
    else:
        core, offset = font.getmask2(text, mode="L", anchor="ls")
        mask = np.asarray(core, dtype=np.uint8).reshape(core.size[1], core.size[0])
        top = offset[1]
    inked = mask >= INK_LEVEL
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if len(rows) == 0:
        return None
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut, top + int(rows[0])


def _render_tracked(font, text: str, tracking_px: int) -> tuple[np.ndarray, int]:
    parts, pen = [], 0.0
    for letter in text:
        core, (left, top) = font.getmask2(letter, mode="L", anchor="ls")
        mask = np.asarray(core, dtype=np.uint8).reshape(core.size[1], core.size[0])
        parts.append((mask, round(pen) + left, top))
        pen += font.getlength(letter) + tracking_px
    low_x = min(left for _, left, _ in parts)
    low_y = min(top for _, _, top in parts)
    high_x = max(left + mask.shape[1] for mask, left, _ in parts)
    high_y = max(top + mask.shape[0] for mask, _, top in parts)
    canvas = np.zeros((max(1, high_y - low_y), max(1, high_x - low_x)), dtype=np.uint8)
    for mask, left, top in parts:
        y, x = top - low_y, left - low_x
        region = canvas[y : y + mask.shape[0], x : x + mask.shape[1]]
        np.maximum(region, mask, out=region)
    return canvas, low_y


def lay_out(lines: Sequence[TextLine], alignment: float, leading: float, padding_px: int) -> TextBlock | None:
    """Put lines below one another.

    Args:
        lines: The lines, top to bottom.
        alignment: 0 left, 0.5 centred, 1 right.
        leading: Space between lines as a share of the em.
        padding_px: Empty border on all sides.

    Returns:
        The block, or None when nothing was drawn.
    """
    rows = []
    for line in lines:
        drawn = [(text, render_word(line, text)) for text in line.words]
        words = [(text, *result) for text, result in drawn if result is not None]
        if words:
            width = sum(mask.shape[1] for _, mask, _ in words) + line.gap_px * (len(words) - 1)
            rise = -min(top for _, _, top in words)
            drop = max(top + mask.shape[0] for _, mask, top in words)
            rows.append((line, words, width, rise, drop))
    if not rows:
        return None
    block_w = max(row[2] for row in rows)
    gaps = [max(2, round(leading * row[0].em_px)) for row in rows[:-1]]
    block_h = sum(rise + drop for _, _, _, rise, drop in rows) + sum(gaps)
    ink = np.zeros((block_h + 2 * padding_px, block_w + 2 * padding_px), dtype=np.uint8)
    placed = []
    y = padding_px
    for number, (line, words, width, rise, drop) in enumerate(rows):
        x = padding_px + round(alignment * (block_w - width))
        ordered = words[::-1] if line.script == "arabic" else words
        for text, mask, top in ordered:
            height, word_w = mask.shape
            start = y + rise + top
            ink[start : start + height, x : x + word_w] = mask
            placed.append(PlacedWord(text, line.script, (x, start, x + word_w, start + height)))
            x += word_w + line.gap_px
        y += rise + drop + (gaps[number] if number < len(gaps) else 0)
    return TextBlock(ink, tuple(placed), max(line.em_px for line in lines))
