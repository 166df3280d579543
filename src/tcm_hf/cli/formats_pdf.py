"""Readings as a searchable PDF: the photo, or the page as it was, under an invisible layer of its words.

pypdfium2 writes it, which reads our PDF pages already: it keeps pages as they are, takes any Unicode text in
any direction (with `invisible_font.py`), has no dependencies, and its licences are Apache-2.0 and BSD.
"""

import ctypes
import io
import struct
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.cli.invisible_font import ADVANCE, CID_TO_GLYPH, TO_UNICODE, UNITS_PER_EM, invisible_truetype_font
from tcm_hf.cli.pdf_pages import POINTS_PER_INCH, import_pdfium, opened_pdf
from tcm_hf.results.layout import Word, paragraphs_of
from tcm_hf.results.records import Record

# For photos that do not say how large they are printed. 72 is what cameras write for want of knowing.
_PHOTO_DPI = 150
_SENSIBLE_DPI = range(73, 1201)
# PDF knows no pages beyond 200 inches (ISO 32000-1, annex C).
_MAX_SIDE_POINTS = 14_400
_JPEG_QUALITY = 90


def render_searchable_pdf(records: Iterable[Record]) -> bytes:
    """All photos and pages, in this order, as the pages of one PDF.

    A JPEG that is upright goes in as it is, other photos are encoded as JPEG. Words that lie on text which a
    page has already are left out.

    Args:
        records: Of readings; their source files are read once more.

    Raises:
        ValueError: If pypdfium2 is missing.
        OSError: If a source file has gone, or can no longer be read.
    """
    pdfium = import_pdfium()
    with pdfium.PdfDocument.new() as document:
        font = _load_font(document)
        for record in records:
            try:
                _add_record(document, font, record)
            except (pdfium.PdfiumError, ValueError) as error:
                raise OSError(f"{record['source']['path']} cannot become a page: {error}") from error
        output = io.BytesIO()
        document.save(output)
        return output.getvalue()


def _add_record(document: Any, font: Any, record: Record) -> None:
    source = record["source"]
    add_page = _add_page_of_pdf if "page" in source else _add_photo
    page, pixel_to_page = add_page(document, source)
    for text, corners in _placed_texts(page, record, pixel_to_page):
        _add_text(document, page, font, text, corners)
    page.gen_content()
    page.close()


class _Affine:
    """From pixels of a picture to points on its page: x right and y up, or turned as the page is."""

    def __init__(self, origin: tuple[float, float], right: tuple[float, float], down: tuple[float, float]):
        self.origin, self.right, self.down = origin, right, down

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        first, second = (self.origin[axis] + x * self.right[axis] + y * self.down[axis] for axis in range(2))
        return first, second


def _add_photo(document: Any, source: dict[str, Any]) -> tuple[Any, _Affine]:
    pdfium = import_pdfium()
    jpeg, dpi = _as_jpeg(Path(source["path"]))
    scale = min(POINTS_PER_INCH / dpi, _MAX_SIDE_POINTS / max(source["width"], source["height"]))
    width, height = source["width"] * scale, source["height"] * scale
    page = document.new_page(width, height)
    image = pdfium.PdfImage.new(document)
    image.load_jpeg(io.BytesIO(jpeg), inline=True)
    image.set_matrix(pdfium.PdfMatrix().scale(width, height))
    page.insert_obj(image)
    return page, _Affine((0, height), (scale, 0), (0, -scale))


def _as_jpeg(path: Path) -> tuple[bytes, float]:
    """The upright photo as a JPEG file, and its pixels per inch."""
    from PIL import Image

    from tcm_hf.processing.image_loading import load_rgb_image

    with Image.open(path) as image:
        stated = image.info.get("dpi", (0, 0))[0]
        dpi = float(stated) if int(stated) in _SENSIBLE_DPI else _PHOTO_DPI
        orientation = image.getexif().get(0x0112, 1)
        if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation in (0, 1):
            return path.read_bytes(), dpi
    encoded = io.BytesIO()
    load_rgb_image(path).save(encoded, "JPEG", quality=_JPEG_QUALITY)
    return encoded.getvalue(), dpi


def _add_page_of_pdf(document: Any, source: dict[str, Any]) -> tuple[Any, _Affine]:
    import pypdfium2.raw as pdfium_c

    with opened_pdf(Path(source["path"])) as original:
        document.import_pages(original, pages=[source["page"] - 1])
    page = document[len(document) - 1]
    width, height = source["width"], source["height"]

    def place_of(x: int, y: int) -> tuple[float, float]:
        page_x, page_y = ctypes.c_double(), ctypes.c_double()
        pdfium_c.FPDF_DeviceToPage(page, 0, 0, width, height, 0, x, y, page_x, page_y)
        return page_x.value, page_y.value

    # Through three corners, for pages may be turned and cropped.
    origin, right, down = place_of(0, 0), place_of(width, 0), place_of(0, height)
    return page, _Affine(
        origin,
        ((right[0] - origin[0]) / width, (right[1] - origin[1]) / width),
        ((down[0] - origin[0]) / height, (down[1] - origin[1]) / height),
    )


def _placed_texts(
    page: Any, record: Record, pixel_to_page: _Affine
) -> list[tuple[str, list[tuple[float, float]]]]:
    """The words with a space after each, and their corners on the page.

    The corners begin where reading begins, clockwise as the word is seen: top left, top right, ....
    """
    from tcm_hf.processing.word_outlines import outline_corners, word_outline

    text_page = page.get_textpage()
    placed = []
    for paragraph in paragraphs_of(record):
        for line in paragraph:
            for word in line:
                corners = [
                    pixel_to_page(float(x), float(y))
                    for x, y in outline_corners(word_outline(word["polygon"]))
                ]
                if not _has_text(text_page, corners):
                    placed.append((f"{_visual(word)} ", corners))
    text_page.close()
    return placed


def _has_text(text_page: Any, corners: list[tuple[float, float]]) -> bool:
    xs, ys = zip(*corners, strict=True)
    return bool(text_page.get_text_bounded(min(xs), min(ys), max(xs), max(ys)).strip())


def _visual(word: Word) -> str:
    """The characters as PDF wants them: from left to right, those of scripts from the right too."""
    text = word["text"]
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return text[::-1]
    return text


def _add_text(document: Any, page: Any, font: Any, text: str, corners: list[tuple[float, float]]) -> None:
    """Lay `text` on the page so that its cells fill the corners; a space at its end comes after them."""
    import pypdfium2.raw as pdfium_c

    top_left, _, bottom_right, bottom_left = corners
    codes = _utf16(text)
    # Of font size 1, the cells are so wide; the last side of the corners is the height of the line.
    width = len(_utf16(text.removesuffix(" "))) * ADVANCE / UNITS_PER_EM
    matrix = pdfium_c.FS_MATRIX(
        (bottom_right[0] - bottom_left[0]) / width,
        (bottom_right[1] - bottom_left[1]) / width,
        top_left[0] - bottom_left[0],
        top_left[1] - bottom_left[1],
        *bottom_left,
    )
    text_object = pdfium_c.FPDFPageObj_CreateTextObj(document, font, 1.0)
    pdfium_c.FPDFText_SetCharcodes(text_object, (ctypes.c_uint32 * len(codes))(*codes), len(codes))
    pdfium_c.FPDFTextObj_SetTextRenderMode(text_object, pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE)
    pdfium_c.FPDFPageObj_SetMatrix(text_object, matrix)
    pdfium_c.FPDFPage_InsertObject(page, text_object)


def _utf16(text: str) -> tuple[int, ...]:
    encoded = text.encode("utf-16-be", errors="replace")
    return struct.unpack(f">{len(encoded) // 2}H", encoded)


def _load_font(document: Any) -> Any:
    import pypdfium2.raw as pdfium_c

    data = invisible_truetype_font()
    return pdfium_c.FPDFText_LoadCidType2Font(
        document,
        (ctypes.c_ubyte * len(data)).from_buffer_copy(data),
        len(data),
        TO_UNICODE.encode(),
        (ctypes.c_ubyte * len(CID_TO_GLYPH)).from_buffer_copy(CID_TO_GLYPH),
        len(CID_TO_GLYPH),
    )
