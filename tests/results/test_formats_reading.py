"""Readings in every format: what the words, their places and awkward characters become."""

import json
from xml.etree import ElementTree

import pytest

from json_schema import assert_follows, shipped_schema
from readings import bar, reading, word
from tcm_hf.results import formats_annotation
from tcm_hf.results import records as record_module
from tcm_hf.results.formats_alto import render_alto
from tcm_hf.results.formats_hocr import render_hocr, render_hocr_page
from tcm_hf.results.formats_text import render_all_text, render_headed_text, render_text
from tcm_hf.results.layout import is_upright_box, xml_text

XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"

SLANTED = [(10.25, 200.0), (90.0, 180.5), (95.0, 200.0), (15.0, 220.0)]
AWKWARD = ["&", "<b>", '"quoted"', "it's", "Straße", "日本語", "مرحبا", "𝔘", "a]]>b", "--", "é\u0301"]


@pytest.fixture
def street():
    words = [
        bar("GRAND", 20, 20),
        bar("CAFÉ", 140, 20, score=0.5),
        bar("since", 20, 60, line=1),
        word("1900&more", SLANTED, line=2, paragraph=1),
    ]
    return reading(words)


@pytest.fixture
def empty():
    return reading([], path="empty.jpg")


def test_text_has_lines_and_empty_lines_between_paragraphs(street, empty):
    text = "GRAND CAFÉ\nsince\n\n1900&more\n"
    assert render_text(street) == text
    assert render_text(empty) == ""
    assert render_text(reading([bar("", 1, 1)])) == ""
    assert render_all_text([street]) == text
    assert render_all_text([street, empty]) == f"==> photos/street.jpg <==\n{text}\n==> empty.jpg <==\n\n"
    page = reading([bar("a", 1, 1)], path="scan.pdf", page=3)
    assert render_headed_text(page) == "==> scan.pdf page 3 <==\na\n\n"


def test_a_word_never_breaks_a_line():
    record = reading([bar("a\nb\t c", 1, 1), bar(" ", 120, 1)])
    assert render_text(record) == "a b c\n"
    assert formats_annotation.render_icdar(record).splitlines()[0] == "1,1,101,1,101,31,1,31,a b c"


def test_icdar_lines_with_words_have_four_corners(street):
    """The end-to-end task takes no others: a fifth point would be taken for the word."""
    street["instances"][0]["polygon"] = [[10, 10], [60, 0], [110, 10], [110, 40], [10, 40]]
    *corners, word = formats_annotation.render_icdar(street).splitlines()[0].split(",")
    assert [int(value) for value in corners] == [10, 0, 110, 0, 110, 40, 10, 40]
    assert word == street["instances"][0]["text"]


def test_icdar_lines_end_with_the_word(street, empty):
    assert formats_annotation.render_icdar(street).splitlines()[3] == "10,200,90,180,95,200,15,220,1900&more"
    assert formats_annotation.render_icdar(empty) == ""


def test_labelme_shapes_are_labelled_with_their_words(street):
    shapes = json.loads(formats_annotation.render_labelme(street))["shapes"]
    assert [shape["label"] for shape in shapes] == ["GRAND", "CAFÉ", "since", "1900&more"]
    nothing = json.loads(formats_annotation.render_labelme(reading([bar("", 1, 1)])))["shapes"]
    assert nothing[0]["label"] == "text"


@pytest.mark.parametrize(
    ("render", "parse"),
    [
        (record_module.render_json_array, record_module.parse_json_array),
        (record_module.render_json_lines, record_module.parse_json_lines),
        (formats_annotation.render_coco, formats_annotation.parse_coco),
    ],
)
def test_files_for_many_photos_are_read_back_equal(street, empty, render, parse):
    page = {**reading([bar(text, 1, 1) for text in AWKWARD], path="scan.pdf", page=2), "lines": []}
    assert parse(render([street, empty, page])) == [street, empty, page]


def test_records_follow_the_schema_that_ships(street, empty):
    schema = shipped_schema("reading-1.json")
    for record in (street, empty, reading([], path="scan.pdf", page=2)):
        assert_follows(record, schema)
    with pytest.raises(AssertionError):
        assert_follows({**street, "instances": [{"text": "a"}]}, schema)
    assert schema["$id"] == record_module.READINGS.schema


# --- hOCR


def hocr_elements(record):
    root = ElementTree.fromstring(render_hocr_page(record))
    return {
        name: [element for element in root.iter() if element.get("class") == name]
        for name in ("ocr_page", "ocr_carea", "ocr_par", "ocr_line", "ocrx_word")
    }


def properties(element):
    return dict(part.strip().split(" ", 1) for part in element.get("title").split("; "))


def test_hocr_nests_words_in_lines_in_paragraphs_on_the_page(street):
    elements = hocr_elements(street)
    assert {name: len(found) for name, found in elements.items()} == {
        "ocr_page": 1,
        "ocr_carea": 2,
        "ocr_par": 2,
        "ocr_line": 3,
        "ocrx_word": 4,
    }
    (page,) = elements["ocr_page"]
    assert properties(page) == {
        "image": '"photos/street.jpg"',
        "bbox": "0 0 400 300",
        "ppageno": "0",
    }
    nested = [tag.removeprefix(XHTML) for tag in (child.tag for child in page.iter())]
    assert nested == [
        "div",
        *["div", "p", "span", "span", "span", "span", "span"],
        *["div", "p", *["span"] * 2],
    ]
    assert [word.text for word in elements["ocrx_word"]] == ["GRAND", "CAFÉ", "since", "1900&more"]
    assert properties(elements["ocrx_word"][1]) == {"bbox": "140 20 240 50", "x_wconf": "50"}
    assert properties(elements["ocr_line"][0]) == {"bbox": "20 20 240 50"}
    assert properties(elements["ocr_par"][0]) == {"bbox": "20 20 240 90"}
    identities = [element.get("id") for found in elements.values() for element in found]
    assert len(set(identities)) == len(identities)


def test_hocr_tells_the_polygon_where_the_box_does_not(street):
    slanted = hocr_elements(street)["ocrx_word"][3]
    assert properties(slanted)["poly"] == "10 200 90 180 95 200 15 220"
    outside = hocr_elements(reading([word("a", [(-5, -3), (20, 4), (18, 20), (-7, 12)])]))
    assert properties(outside["ocrx_word"][0])["poly"] == "0 0 20 4 18 20 0 12"


def test_hocr_of_many_photos_has_a_page_each(street, empty):
    root = ElementTree.fromstring(render_hocr([street, empty, reading([], path="scan.pdf", page=7)]))
    pages = [element for element in root.iter() if element.get("class") == "ocr_page"]
    assert [page.get("id") for page in pages] == ["page_1", "page_2", "page_3"]
    assert [properties(page)["ppageno"] for page in pages] == ["0", "0", "6"]
    assert not list(pages[1])
    assert ElementTree.fromstring(render_hocr([])).find(f"{XHTML}body") is not None


@pytest.mark.parametrize("text", [*AWKWARD, "bell\x07", "\ufffe", "\ud800"])
def test_awkward_words_are_whole_in_xml(text):
    record = reading([bar(text, 1, 1)], path=f'a "b" & <c>/{text}.jpg')
    allowed = xml_text(text)
    assert len(allowed) == len(text)
    (found,) = hocr_elements(record)["ocrx_word"]
    assert found.text == allowed
    render_hocr_page(record).encode()
    (string,) = ElementTree.fromstring(render_alto(record)).iter(f"{ALTO}String")
    assert string.get("CONTENT") == allowed
    render_alto(record).encode()


# --- ALTO


def test_alto_nests_strings_in_lines_in_blocks_in_the_print_space(street):
    root = ElementTree.fromstring(render_alto(street))
    assert [child.tag.removeprefix(ALTO) for child in root] == ["Description", "Layout"]
    page = root.find(f"{ALTO}Layout/{ALTO}Page")
    assert page.attrib == {"ID": "page_1", "PHYSICAL_IMG_NR": "1", "WIDTH": "400", "HEIGHT": "300"}
    blocks = page.findall(f"{ALTO}PrintSpace/{ALTO}TextBlock")
    assert [len(block.findall(f"{ALTO}TextLine")) for block in blocks] == [2, 1]
    first = blocks[0].find(f"{ALTO}TextLine")
    assert [child.tag.removeprefix(ALTO) for child in first] == ["String", "SP", "String"]
    assert first.attrib == {"ID": "line_1", "HPOS": "20", "VPOS": "20", "WIDTH": "220", "HEIGHT": "30"}
    strings = list(root.iter(f"{ALTO}String"))
    assert [(string.get("CONTENT"), string.get("WC")) for string in strings] == [
        ("GRAND", "0.9000"),
        ("CAFÉ", "0.5000"),
        ("since", "0.9000"),
        ("1900&more", "0.9000"),
    ]
    polygon = strings[3].find(f"{ALTO}Shape/{ALTO}Polygon")
    assert polygon.get("POINTS") == "10.25,200 90,180.5 95,200 15,220"
    identities = [element.get("ID") for element in root.iter() if "ID" in element.attrib]
    assert len(set(identities)) == len(identities)


def test_alto_of_an_empty_page_has_no_blocks(empty):
    root = ElementTree.fromstring(render_alto(empty))
    assert len(root.find(f"{ALTO}Layout/{ALTO}Page/{ALTO}PrintSpace")) == 0
    assert root.find(f".//{ALTO}fileName").text == "empty.jpg"
    scan = ElementTree.fromstring(render_alto(reading([], path="scan.pdf", page=4)))
    assert scan.find(f".//{ALTO}Page").get("PHYSICAL_IMG_NR") == "4"


@pytest.mark.parametrize(
    ("polygon", "expected"),
    [
        ([(0, 0), (10, 0), (10, 5), (0, 5)], True),
        ([(10, 5), (0, 5), (0.4, 0), (10, 0.9)], True),
        ([(0, 0), (10, 2), (10, 7), (0, 5)], False),
        ([(0, 0), (5, 0), (10, 0), (10, 5), (0, 5)], False),
        ([(0, 0), (10, 0), (5, 5)], False),
    ],
)
def test_a_box_is_told_from_other_polygons(polygon, expected):
    assert is_upright_box(polygon) is expected
