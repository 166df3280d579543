"""Readings as hOCR 1.2 (https://kba.github.io/hocr-spec/1.2), which ocrmypdf, hocr-tools and editors read."""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tcm_hf._version import __version__
from tcm_hf.results.layout import (
    Word,
    enclosing_box,
    is_upright_box,
    paragraphs_of,
    words_of,
    xml_text,
)
from tcm_hf.results.records import Record

_CLASSES = ("ocr_page", "ocr_carea", "ocr_par", "ocr_line", "ocrx_word")
_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)


def render_hocr(records: Iterable[Record]) -> str:
    """All photos as the pages of one document.

    A word tells its upright "bbox" and its "x_wconf" in per cent, and its polygon as "poly" where that says
    more than the box. Our paragraphs are content areas and paragraphs at once: nothing larger is found.
    """
    html = Element("html", {"xmlns": "http://www.w3.org/1999/xhtml", "lang": "en", "xml:lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "title").text = "Text found by tcm_hf"
    SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    SubElement(head, "meta", {"name": "ocr-system", "content": f"tcm_hf {__version__}"})
    SubElement(head, "meta", {"name": "ocr-capabilities", "content": " ".join(_CLASSES)})
    body = SubElement(html, "body")
    for number, record in enumerate(records, start=1):
        _add_page(body, record, number)
    ElementTree.indent(html, " ")
    return _DOCTYPE + ElementTree.tostring(html, encoding="unicode") + "\n"


def render_hocr_page(record: Record) -> str:
    """One photo as a document."""
    return render_hocr([record])


def _add_page(body: Element, record: Record, number: int) -> None:
    source = record["source"]
    # Values have no escapes: the quote that ends the name must not come in it.
    image = xml_text(source["path"]).replace('"', "%22")
    box = f"bbox 0 0 {source['width']} {source['height']}"
    title = f'image "{image}"; {box}; ppageno {source.get("page", 1) - 1}'
    page = SubElement(body, "div", {"class": "ocr_page", "id": f"page_{number}", "title": title})
    counts: dict[str, int] = {}

    def add(parent: Element, tag: str, css_class: str, title: str) -> Element:
        kind = css_class.partition("_")[2]
        counts[kind] = counts.get(kind, 0) + 1
        identity = f"{kind}_{number}_{counts[kind]}"
        return SubElement(parent, tag, {"class": css_class, "id": identity, "title": title})

    for paragraph in paragraphs_of(record):
        area = add(page, "div", "ocr_carea", _bbox(words_of(paragraph)))
        block = add(area, "p", "ocr_par", _bbox(words_of(paragraph)))
        for line in paragraph:
            span = add(block, "span", "ocr_line", _bbox(line))
            for word in line:
                add(span, "span", "ocrx_word", _word_title(word)).text = xml_text(word["text"])


def _bbox(words: list[Word]) -> str:
    return "bbox " + " ".join(map(str, enclosing_box(words)))


def _word_title(word: Word) -> str:
    title = f"{_bbox([word])}; x_wconf {round(100 * word['score'])}"
    if is_upright_box(word["polygon"]):
        return title
    # The grammar knows whole numbers without a sign.
    points = (str(max(0, round(value))) for point in word["polygon"] for value in point)
    return f"{title}; poly {' '.join(points)}"
