"""A sheet of small pictures of a corpus with their annotations drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tcm_hf.cli.drawing import Outline, draw_outlines, text_font
from tcm_hf.data.inspection import Inspection, PartInspection, spread_places
from tcm_hf.data.inspection_labels import OutlineTally, text_height_px

COUNTED, IGNORED, DOUBTFUL = (0, 230, 255), (255, 170, 0), (255, 40, 40)
"""RGB of outlines: what counts, what is "do not care", what is hardly meant so."""

Cell = tuple[Image.Image, str]
"""A small picture and what stands below it."""

_PAPER, _INK = (255, 255, 255), (28, 32, 36)
_GAP = 10
_CAPTION_PX = 18
_DOT_PX = 2  # radius of the mark at the first corner
_PHOTO_CELL, _PHOTO_COLUMNS, _PHOTOS = (480, 360), 4, 12
_WORD_CELL, _WORD_COLUMNS, _WORDS = (180, 60), 10, 60
_LABELLED = 20  # texts of a picture that may all have their transcription beside them
_LEGIBLE_PX = 7  # height of a text in the small picture from which on its transcription is written


def contact_sheet(inspection: Inspection, count: int | None = None) -> Image.Image | None:
    """Draw pictures spread evenly over the parts; up to a third of them are ones with doubts.

    Args:
        inspection: Of a corpus.
        count: Number of pictures; None: 12 photos or 60 words.

    Returns:
        An RGB picture; None where no picture can be read.
    """
    words = inspection.corpus.kind == "words"
    cell_wh, columns, usual = (
        (_WORD_CELL, _WORD_COLUMNS, _WORDS) if words else (_PHOTO_CELL, _PHOTO_COLUMNS, _PHOTOS)
    )
    cells = []
    for index, part in enumerate(inspection.parts):
        parts, wanted = len(inspection.parts), count or usual
        for place in _chosen(part, wanted * (index + 1) // parts - wanted * index // parts):
            cell = _cell(part, place, cell_wh)
            if cell is not None:
                cells.append(cell)
    return _laid_out(cells, cell_wh[0], min(columns, len(cells))) if cells else None


def _chosen(part: PartInspection, count: int) -> list[int]:
    """Places of records: some with doubts, then some spread evenly."""
    doubtful = [part.doubtful[index] for index in spread_places(len(part.doubtful), count // 3)]
    others = [part.looked_at[index] for index in spread_places(len(part.looked_at), count)]
    return sorted(dict.fromkeys([*doubtful, *others[: count - len(doubtful)]])) if count else []


def _cell(part: PartInspection, place: int, cell_wh: tuple[int, int]) -> Cell | None:
    """A small picture with its outlines, and what stands below it; None for one that cannot be read."""
    try:
        record = part.records[place]
        picture = Image.fromarray(record.load_image())
    except ValueError:
        return None
    size_hw = (picture.height, picture.width)
    scale = min(cell_wh[0] / picture.width, cell_wh[1] / picture.height)
    size_wh = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if hasattr(record, "text"):
        return small, record.text
    outlines = _outlines(record, size_hw, scale)
    drawn = draw_outlines(small, outlines, letter_px=0)
    canvas = ImageDraw.Draw(drawn)
    for outline in outlines:
        x, y = outline.polygon[0]
        canvas.ellipse((x - _DOT_PX, y - _DOT_PX, x + _DOT_PX, y + _DOT_PX), fill=outline.color)
    split = f"{part.split}: " if part.split else ""
    return drawn, f"{split}{record.name}, {len(outlines)}"


def _outlines(record: Any, size_hw: tuple[int, int], scale: float) -> list[Outline]:
    """What is drawn of a record of photos or objects, in pixels of the small picture."""
    if hasattr(record, "instances"):
        rows = [(one.polygon_xy, one.ignore, one.text or "") for one in record.instances]
    else:
        rows = list(zip(record.polygons_xy, record.difficult, record.class_names, strict=True))
    outlines = []
    for polygon, ignored, label in rows:
        doubtful = any(True for _ in OutlineTally().add(polygon, size_hw))
        color = DOUBTFUL if doubtful else IGNORED if ignored else COUNTED
        points = np.asarray(polygon) * scale
        legible = len(rows) <= _LABELLED and not ignored and text_height_px(points) >= _LEGIBLE_PX
        outlines.append(Outline(points.tolist(), color, bool(ignored), label if legible else ""))
    return outlines


def _laid_out(cells: Sequence[Cell], cell_width: int, columns: int) -> Image.Image:
    """The cells row by row; a row is as high as its highest picture."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(picture.height for picture, _ in row) for row in rows]
    width, height = (
        _GAP + columns * (cell_width + _GAP),
        _GAP + sum(heights) + len(rows) * (_GAP + _CAPTION_PX),
    )
    sheet = Image.new("RGB", (width, height), _PAPER)
    canvas = ImageDraw.Draw(sheet)
    top = _GAP
    for row, row_height in zip(rows, heights, strict=True):
        for column, (picture, caption) in enumerate(row):
            middle = _GAP + column * (cell_width + _GAP) + cell_width // 2
            sheet.paste(picture, (middle - picture.width // 2, top + row_height - picture.height))
            text, font = text_font(caption, 13)
            while canvas.textlength(text, font=font) > cell_width and len(text) > 1:
                text = text[:-1]
            canvas.text((middle, top + row_height + 3), text, fill=_INK, font=font, anchor="ma")
        top += row_height + _CAPTION_PX + _GAP
    return sheet
