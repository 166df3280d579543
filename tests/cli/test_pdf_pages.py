"""Pages of PDF files as photos: which are read, how they are drawn, and what cannot be read."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from planted_words import painted_photo, painted_spotter
from tcm_hf.cli import read
from tcm_hf.cli.arguments import page_ranges
from tcm_hf.cli.inputs import expand_inputs
from tcm_hf.cli.main import main
from tcm_hf.cli.pdf_pages import is_pdf, page_count, render_page

pdfium = pytest.importorskip("pypdfium2", reason="PDF needs the extra tcm_hf[pdf]")

WORDS = ("abc", "bca", "cab")
# An empty page under the password "secret"; readers find the objects without a table.
LOCKED = b"""%PDF-1.3
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Count 1/Kids[3 0 R]>> endobj
3 0 obj <</Type/Page/MediaBox[0 0 100 50]/Parent 2 0 R>> endobj
4 0 obj <</V 1/R 2/Length 40/P 4294967292/Filter/Standard
/O <e5a8d2687bd9d0cff946b7ac55f51081dcf0d116554c4bfcb0a5e446f69ea48a>
/U <e78d0827af1cb88dcd3153e1e3328574e7f4830260daf981df3a1486e0bdef68>>> endobj
trailer <</Size 5/Root 1 0 R/Encrypt 4 0 R
/ID[<31419ba41a5c2c2c92164ed3645c8ae8><31419ba41a5c2c2c92164ed3645c8ae8>]>>
%%EOF
"""


def write_pdf(path, pages, dpi=150):
    """A PDF with a picture (H, W, 3) on each page, in the size that it has at these pixels per inch."""
    document = pdfium.PdfDocument.new()
    for pixels in pages:
        height, width = (side * 72 / dpi for side in pixels.shape[:2])
        page = document.new_page(width, height)
        bitmap = pdfium.PdfBitmap.from_pil(Image.fromarray(pixels))
        image = pdfium.PdfImage.new(document)
        image.set_bitmap(bitmap)
        image.set_matrix(pdfium.PdfMatrix().scale(width, height))
        page.insert_obj(image)
        page.gen_content()
    document.save(path)


@pytest.fixture(scope="module")
def spotter():
    return painted_spotter()


@pytest.fixture
def scan(tmp_path, monkeypatch, spotter):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(read, "_load_spotter", lambda _: spotter)
    write_pdf("scan.pdf", [painted_photo((text, 60, 80, 0)) for text in WORDS])
    return tmp_path / "scan.pdf"


# --- arguments and inputs


@pytest.mark.parametrize(
    ("text", "pages"), [("3", [3]), ("1-3", [1, 2, 3]), ("1-2,5", [1, 2, 5]), ("4-", [4, 5, 6]), (" 2 ", [2])]
)
def test_pages_are_named_by_numbers_and_ranges(text, pages):
    ranges = page_ranges(text)
    assert [page for page in range(1, 7) if any(page in part for part in ranges)] == pages


@pytest.mark.parametrize("text", ["", "0", "3-1", "a", "1;2", "-2", "1,,2"])
def test_other_pages_are_an_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match="names no pages"):
        page_ranges(text)


def test_a_pdf_gives_its_pages_and_a_photo_of_its_name_keeps_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blank = np.full((20, 30, 3), 255, dtype=np.uint8)
    write_pdf("scan.pdf", [blank] * 12)
    Image.fromarray(blank).save("scan.png")
    found = expand_inputs(["."], [], pages=page_ranges("2,11-"))
    assert [(str(image.name), image.page) for image in found] == [
        ("scan.pdf-p02", 2),
        ("scan.pdf-p11", 11),
        ("scan.pdf-p12", 12),
        ("scan.png", None),
    ]
    assert {str(image.document_name) for image in found} == {"scan.pdf", "scan.png"}
    assert [image.page for image in expand_inputs(["scan.pdf"], [], pages=page_ranges("13"))] == [None]


def test_a_photo_that_is_called_like_a_page_gets_a_number(tmp_path):
    blank = np.full((20, 30, 3), 255, dtype=np.uint8)
    write_pdf(tmp_path / "scan.pdf", [blank])
    Image.fromarray(blank).save(tmp_path / "scan-p1.png")
    names = [str(image.name) for image in expand_inputs([str(tmp_path)], [])]
    assert names == ["scan-p1", "scan-2-p1"]


def test_a_pdf_is_told_by_its_name_or_else_by_its_beginning(tmp_path):
    write_pdf(tmp_path / "nameless", [np.zeros((9, 9, 3), dtype=np.uint8)])
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff")
    told = {name: is_pdf(tmp_path / name) for name in ("nameless", "photo", "a.PDF", "a.jpg", "gone")}
    assert told == {"nameless": True, "photo": False, "a.PDF": True, "a.jpg": False, "gone": False}


def test_a_page_is_drawn_at_the_asked_resolution(tmp_path):
    picture = painted_photo(("abc", 60, 80, 0))
    write_pdf(tmp_path / "scan.pdf", [picture], dpi=150)
    assert page_count(tmp_path / "scan.pdf") == 1
    same = render_page(tmp_path / "scan.pdf", 1, dpi=150)
    assert same.shape == picture.shape
    assert np.abs(same.astype(int) - picture).mean() < 2, "RGB, not BGR"
    assert render_page(tmp_path / "scan.pdf", 1, dpi=75).shape == (120, 240, 3)


def test_a_page_too_large_for_memory_is_refused(tmp_path):
    document = pdfium.PdfDocument.new()
    document.new_page(14_000, 14_000)
    document.save(tmp_path / "poster.pdf")
    with pytest.raises(ValueError, match="lower --dpi"):
        render_page(tmp_path / "poster.pdf", 1, dpi=200)


# --- tcm-hf read


def test_pages_are_read_like_photos(scan, capsys):
    assert main(["read", "scan.pdf", "--dpi", "150", "--pages", "1,3", "--format", "jsonl", "--draw"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["source"]["page"], record["instances"][0]["text"]) for record in records] == [
        (1, "abc"),
        (3, "cab"),
    ]
    assert records[0]["source"] == {"path": "scan.pdf", "width": 480, "height": 240, "page": 1, "dpi": 150}
    drawn = sorted(path.name for path in (scan.parent / "drawn").glob("*.jpg"))
    assert drawn == ["scan-p1.jpg", "scan-p3.jpg"]


def test_what_is_no_readable_pdf_is_named_and_skipped(scan, capsys):
    (scan.parent / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    (scan.parent / "empty.pdf").write_bytes(b"")
    (scan.parent / "locked.pdf").write_bytes(LOCKED)
    assert main(["read", ".", "--pages", "2", "--dpi", "150"]) == 3
    output = capsys.readouterr()
    assert output.out == "==> scan.pdf page 2 <==\nbca\n\n"
    assert "skipped broken.pdf: the file is broken or no PDF" in output.err
    assert "skipped empty.pdf: the file is broken or no PDF" in output.err
    assert "skipped locked.pdf: the file is protected by a password" in output.err
    assert "Traceback" not in output.err
    assert main(["read", "scan.pdf", "--pages", "7"]) == 3
    assert "it has 3 pages, and --pages names none of them" in capsys.readouterr().err


def test_without_pypdfium2_the_extra_is_named(scan, capsys, monkeypatch):
    Image.fromarray(painted_photo(("abc", 60, 80, 0))).save("photo.png")
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert main(["read", "photo.png", "scan.pdf"]) == 3
    output = capsys.readouterr()
    assert "abc" in output.out
    assert "skipped scan.pdf: PDF files need pypdfium2: pip install 'tcm_hf[pdf]'" in output.err
    assert main(["read", "photo.png", "--output", "out.pdf"]) == 2
    assert "pip install 'tcm_hf[pdf]'" in capsys.readouterr().err


def texts_of(path):
    return [page.get_textpage().get_text_range().strip() for page in pdfium.PdfDocument(path)]


def test_a_searchable_pdf_has_all_pages_and_is_not_made_twice(scan, capsys, monkeypatch):
    Image.fromarray(painted_photo(("bbb", 60, 80, 0))).save("photo.png")
    arguments = ["read", "scan.pdf", "photo.png", "--dpi", "150", "--format", "searchable-pdf"]
    assert main([*arguments, "--output", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "photo.pdf",
        "readings.run.jsonl",
        "scan.pdf",
    ]
    assert texts_of("out/scan.pdf") == list(WORDS)
    assert texts_of("out/photo.pdf") == ["bbb"]
    assert main(["read", "scan.pdf", "photo.png", "--dpi", "150", "--output", "all.pdf"]) == 0
    assert texts_of("all.pdf") == [*WORDS, "bbb"]

    def fail(_):
        raise AssertionError("loaded")

    monkeypatch.setattr(read, "_load_spotter", fail)
    for output in ("out", "all.pdf"):
        assert main([*arguments, "--output", output, "--resume"]) == 0
        assert "4 done before" in capsys.readouterr().err
    assert main([*arguments, "--output", "out", "--resume", "--dpi", "200"]) == 2
    assert "--dpi" in capsys.readouterr().err


def test_pages_are_cut_in_tiles_and_photos_are_not(scan, capsys, monkeypatch, spotter):
    for name in ("a.png", "z.png"):
        Image.fromarray(painted_photo(("bbb", 60, 80, 0), size_hw=(300, 480))).save(name)
    used = []
    prepare = spotter._prepared

    def spy(image_rgb, tile):
        used.append((len(image_rgb), tile))
        return prepare(image_rgb, tile)

    monkeypatch.setattr(spotter, "_prepared", spy)
    command = ["read", "a.png", "scan.pdf", "z.png", "--dpi", "150", "--output", "out", "--format", "json"]

    def tiles(*asked):
        """What the records say, and what was done to heights of photos and pages."""
        used.clear()
        assert main([*command, "--batch-size", "2", *asked]) == 0
        records = [json.loads(path.read_text()) for path in sorted(Path("out").glob("*.json"))]
        assert [record["instances"][0]["text"] for record in records] == ["bbb", *WORDS, "bbb"]
        return [record["params"]["tile"] for record in records], set(used)

    assert tiles() == ([None, "auto", "auto", "auto", None], {(300, None), (240, "auto")})
    Path("out/z.json").unlink()
    assert main([*command, "--resume"]) == 0, "each with its own default"
    Path("out/z.json").unlink()
    assert main([*command, "--resume", "--tile", "off"]) == 2
    assert "--tile" in capsys.readouterr().err
    assert tiles("--tile", "off") == (["off"] * 5, {(300, None), (240, None)})
    assert tiles("--tile", "3000") == ([3000] * 5, {(300, 3000), (240, 3000)})


def test_a_half_read_pdf_is_read_again_as_a_whole(scan, monkeypatch):
    Image.fromarray(painted_photo(("bbb", 60, 80, 0))).save("photo.png")
    arguments = ["read", "photo.png", "scan.pdf", "--dpi", "150", "--format", "searchable-pdf"]
    load = read.ReadJob.record

    def interrupt(self, source, *rest):
        if source.get("page") == 2:
            raise KeyboardInterrupt
        return load(self, source, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(read.ReadJob, "record", interrupt)
        assert main([*arguments, "--output", "out"]) == 130
        assert [path.name for path in Path("out").glob("*.pdf")] == ["photo.pdf"]
    assert main([*arguments, "--output", "out", "--resume"]) == 0
    assert texts_of("out/scan.pdf") == list(WORDS)


def test_more_pages_of_a_pdf_make_it_anew(scan):
    arguments = ["read", "scan.pdf", "--dpi", "150", "--format", "searchable-pdf", "--output", "out"]
    main([*arguments, "--pages", "2"])
    assert texts_of("out/scan.pdf") == ["bca"]
    assert main([*arguments, "--resume"]) == 0
    assert texts_of("out/scan.pdf") == list(WORDS)


def test_what_was_written_can_be_read(scan):
    assert main(["read", "scan.pdf", "--dpi", "150", "--output", "first.pdf"]) == 0
    assert main(["read", "first.pdf", "--dpi", "150", "--output", "second.pdf"]) == 0
    assert texts_of("second.pdf") == list(WORDS), "and not each word twice"


@pytest.mark.parametrize("output", [["."], ["scan.pdf"], ["../{}/scan.pdf"]])
def test_a_pdf_is_never_overwritten_by_its_own_result(scan, capsys, output):
    before = scan.read_bytes()
    arguments = ["--format", "searchable-pdf", "--output", *[name.format(Path.cwd().name) for name in output]]
    assert main(["read", "scan.pdf", *arguments]) == 2
    assert "scan.pdf would be read and overwritten" in capsys.readouterr().err
    assert scan.read_bytes() == before


def test_results_below_the_photos_are_not_read_as_photos(scan, capsys):
    Path("in").mkdir()
    Image.fromarray(painted_photo(("abc", 60, 80, 0))).save("in/photo.png")
    arguments = ["read", "in", "--output", "in/out", "--format", "searchable-pdf"]
    for resume, told in (([], "1 words in 1 images"), (["--resume"], "1 done before")):
        assert main([*arguments, *resume]) == 0
        assert told in capsys.readouterr().err
