"""Searchable PDFs, read again with pypdfium2: the words are there, at their places, and not to be seen."""

import ctypes
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from readings import bar, reading, word
from tcm_hf.cli.formats_pdf import render_searchable_pdf
from tcm_hf.cli.invisible_font import invisible_truetype_font
from tcm_hf.cli.pdf_pages import render_page

pdfium = pytest.importorskip("pypdfium2", reason="PDF needs the extra tcm_hf[pdf]")

SIZE_HW = (300, 400)


def turned_bar(text, centre_xy, width, height, degrees, **where):
    """A word that is read in a direction, in degrees clockwise from the right."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x * width / 2, y * height / 2) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    points = [(centre_xy[0] + x * cos - y * sin, centre_xy[1] + x * sin + y * cos) for x, y in corners]
    return word(text, points, **where)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = Image.new("RGB", SIZE_HW[::-1], "white")
    ImageDraw.Draw(image).rectangle((20, 20, 120, 50), fill="navy")
    image.save("photo.png")
    return "photo.png"


def opened(data, page=0):
    document = pdfium.PdfDocument(data)
    return document, document[page], document[page].get_textpage()


def found_places(page, text_page, text, size_hw=SIZE_HW):
    """Centres of the characters of a text, in pixels of the picture."""
    start, count = text_page.search(text).get_next()
    scale = size_hw[1] / page.get_width()
    boxes = [text_page.get_charbox(start + i) for i in range(count)]
    return [((x0 + x1) / 2 * scale, size_hw[0] - (y0 + y1) / 2 * scale) for x0, y0, x1, y1 in boxes]


def test_the_text_comes_out_in_reading_order(photo):
    words = [
        bar("GRAND", 20, 20),
        bar("Café", 140, 20),
        bar("since", 20, 60, line=1),
        bar("1900", 20, 250, line=2, paragraph=1),
    ]
    _, _, text_page = opened(render_searchable_pdf([reading(words, path=photo)]))
    assert text_page.get_text_range().split() == ["GRAND", "Café", "since", "1900"]
    assert text_page.get_text_range().splitlines()[0].strip() == "GRAND Café"


@pytest.mark.parametrize("text", ["&<>\"'", "Straße", "日本語", "𝔘𝔫", "é\u0301", "مرحبا", "שלום", "x"])
def test_any_script_comes_out_as_it_went_in(photo, text):
    _, _, text_page = opened(render_searchable_pdf([reading([bar(text, 20, 100)], path=photo)]))
    assert text_page.get_text_range().strip() == text


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -90, -45])
def test_characters_lie_along_the_word_whichever_way_it_runs(photo, degrees):
    slanted = turned_bar("abcdef", (200, 150), 180, 30, degrees)
    _, page, text_page = opened(render_searchable_pdf([reading([slanted], path=photo)]))
    places = np.array(found_places(page, text_page, "abcdef"))
    direction = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    expected = np.array([200, 150]) + np.outer(30 * (np.arange(6) - 2.5), direction)
    np.testing.assert_allclose(places, expected, atol=2)


def test_polygons_with_many_points_hold_their_word_too(photo):
    top = [(20 + 40 * i, 100 - 10 * math.sin(math.pi * i / 4)) for i in range(5)]
    bottom = [(x, y + 30) for x, y in top[::-1]]
    _, page, text_page = opened(render_searchable_pdf([reading([word("curved", top + bottom)], path=photo)]))
    places = found_places(page, text_page, "curved")
    assert places[0][0] < 50 < 150 < places[-1][0]


def test_the_picture_looks_as_before(photo):
    plain, layered = (
        render_searchable_pdf([reading(words, path=photo)])
        for words in ([], [bar("GRAND", 20, 20), bar("word", 200, 200)])
    )
    first, second = (opened(data)[1].render(scale=2).to_numpy() for data in (plain, layered))
    assert np.array_equal(first, second)
    assert first.shape[:2] == (288, 384)  # at 150 pixels per inch
    assert first[37, 60, 0] > 100 and first[37, 60, 2] < 50  # navy, BGR


def test_an_upright_jpeg_goes_in_as_it_is_and_a_turned_one_upright(photo):
    image = Image.open(photo)
    image.save("plain.jpg", quality=95, dpi=(300, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save("turned.jpg", quality=95, exif=exif)
    data = render_searchable_pdf([reading([], path="plain.jpg")])
    assert Path("plain.jpg").read_bytes()[-1000:] in data
    assert opened(data)[1].get_size() == pytest.approx((400 * 72 / 300, 300 * 72 / 300))
    _, page, _ = opened(render_searchable_pdf([reading([], path="turned.jpg")]))
    pixels = page.render(scale=400 / page.get_width()).to_numpy()
    assert pixels.shape[:2] == SIZE_HW
    assert pixels[35, 70, 2] < 100 and pixels[250, 300, 2] > 200


def pdf_of(photo, rotation, crop=None):
    """A PDF with the photo on a page that is turned."""
    document = pdfium.PdfDocument(render_searchable_pdf([reading([], path=photo)]))
    document[0].set_rotation(rotation)
    if crop:
        document[0].set_cropbox(*crop)
    document.save("scan.pdf")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (6, 4, 150, 140)])
def test_pages_of_a_pdf_stay_as_they_are_turned_and_cropped_ones_too(photo, rotation, crop):
    pdf_of(photo, rotation, crop)
    before = render_page(Path("scan.pdf"), 1, dpi=144)
    size_hw = before.shape[:2]
    record = reading([bar("found", 30, 40)], path="scan.pdf", size_hw=size_hw, page=1, dpi=144)
    data = render_searchable_pdf([record])
    Path("out.pdf").write_bytes(data)
    after = render_page(Path("out.pdf"), 1, dpi=144)
    assert np.array_equal(before, after)
    _, page, text_page = opened(data)
    assert text_page.get_text_range().strip() == "found"
    x0, y0, x1, y1 = text_page.get_charbox(0)
    height, width = size_hw
    device_x, device_y = ctypes.c_int(), ctypes.c_int()
    pdfium.raw.FPDF_PageToDevice(
        page, 0, 0, width, height, 0, (x0 + x1) / 2, (y0 + y1) / 2, device_x, device_y
    )
    assert (device_x.value, device_y.value) == pytest.approx((40, 55), abs=2)


def test_words_on_text_that_a_page_has_are_not_doubled(photo):
    first = render_searchable_pdf([reading([bar("GRAND", 20, 20)], path=photo)])
    Path("scan.pdf").write_bytes(first)
    size_hw = render_page(Path("scan.pdf"), 1, dpi=150).shape[:2]
    words = [bar("GRAND", 21, 19), bar("new", 200, 200, line=1)]
    _, _, text_page = opened(
        render_searchable_pdf([reading(words, path="scan.pdf", size_hw=size_hw, page=1, dpi=150)])
    )
    assert text_page.get_text_range().split() == ["GRAND", "new"]


def test_the_font_is_whole():
    font = invisible_truetype_font()
    count = struct.unpack(">H", font[4:6])[0]
    tags = []
    for index in range(count):
        tag, checksum, offset, length = struct.unpack(">4s3I", font[12 + 16 * index :][:16])
        table = font[offset : offset + length] + bytes(-length % 4)
        assert sum(struct.unpack(f">{len(table) // 4}I", table)) & 0xFFFFFFFF == checksum, tag
        tags.append(tag)
    assert tags == sorted(tags) == [b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp"]
    assert len(font) < 1000


def test_a_photo_that_has_gone_or_changed_is_named(photo):
    record = reading([], path="photo.png")
    Path(photo).unlink()
    with pytest.raises(OSError, match=r"photo\.png"):
        render_searchable_pdf([record])
    Path(photo).write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"photo\.png"):
        render_searchable_pdf([record])
    with pytest.raises(OSError, match=r"scan\.pdf"):
        render_searchable_pdf([reading([], path="scan.pdf", page=1)])
