"""Readings as ALTO 4.4 (https://www.loc.gov/standards/alto), the XML of libraries and archives."""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tcm_hf._version import __version__
from tcm_hf.results.layout import Line, Word, enclosing_box, paragraphs_of, words_of, xml_text
from tcm_hf.results.records import Record

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def render_alto(record: Record) -> str:
    """One photo as a document: a block a paragraph, with the polygon of each word as its shape.

    Coordinates are pixels of the upright photo; of a PDF page, at the resolution that the record tells.
    """
    source = record["source"]
    alto = Element("alto", {"xmlns": _NAMESPACE, "SCHEMAVERSION": "4.4"})
    _add_description(alto, record)
    size = {"WIDTH": str(source["width"]), "HEIGHT": str(source["height"])}
    number = str(source.get("page", 1))
    page = SubElement(SubElement(alto, "Layout"), "Page", {"ID": "page_1", "PHYSICAL_IMG_NR": number, **size})
    space = SubElement(page, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    line_count = word_count = 0
    for block_count, paragraph in enumerate(paragraphs_of(record), start=1):
        block = _add_placed(space, "TextBlock", f"block_{block_count}", words_of(paragraph))
        for line in paragraph:
            line_count += 1
            _add_line(block, line, line_count, word_count + 1)
            word_count += len(line)
    ElementTree.indent(alto, " ")
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return declaration + ElementTree.tostring(alto, encoding="unicode") + "\n"


def _add_description(alto: Element, record: Record) -> None:
    description = SubElement(alto, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    image = SubElement(description, "sourceImageInformation")
    SubElement(image, "fileName").text = xml_text(record["source"]["path"])
    step = SubElement(description, "Processing", {"ID": "reading"})
    SubElement(step, "processingCategory").text = "contentGeneration"
    SubElement(step, "processingStepSettings").text = xml_text(_settings(record))
    software = SubElement(step, "processingSoftware")
    SubElement(software, "softwareName").text = "tcm_hf"
    SubElement(software, "softwareVersion").text = __version__


def _settings(record: Record) -> str:
    settings: dict[str, Any] = {**record["model"], **record["params"]}
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)


def _add_line(block: Element, line: Line, number: int, first_word: int) -> None:
    element = _add_placed(block, "TextLine", f"line_{number}", line)
    for index, word in enumerate(line):
        if index:
            SubElement(element, "SP")
        string = _add_placed(element, "String", f"word_{first_word + index}", [word])
        string.set("CONTENT", xml_text(word["text"]))
        string.set("WC", f"{word['score']:.4f}")
        points = " ".join(f"{x:g},{y:g}" for x, y in word["polygon"])
        SubElement(SubElement(string, "Shape"), "Polygon", {"POINTS": points})


def _add_placed(parent: Element, tag: str, identity: str, words: list[Word]) -> Element:
    xmin, ymin, xmax, ymax = enclosing_box(words)
    place = {"HPOS": xmin, "VPOS": ymin, "WIDTH": xmax - xmin, "HEIGHT": ymax - ymin}
    attributes = {name: str(value) for name, value in place.items()}
    return SubElement(parent, tag, {"ID": identity, **attributes})
