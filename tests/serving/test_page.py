"""The page in headless Chromium, before a server whose reader has no models."""

import json
import re
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from json_schema import assert_follows, shipped_schema
from readings import bar, reading, word
from stub_server import image_file, live_server
from tcm_hf.serving.app import create_app
from tcm_hf.serving.settings import ServerSettings

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from page_checks import COLOURS_BELOW_CONTRAST, chromium, missing_chromium  # noqa: E402

pytestmark = pytest.mark.skipif(missing_chromium() is not None, reason=str(missing_chromium()))

PAGE = Path(__file__).parents[2] / "src" / "tcm_hf" / "serving" / "page"
LIMIT = 300_000
PHOTO_SIZE = (400, 240)
CURVED = [(20, 150), (120, 130), (220, 150), (220, 190), (120, 170), (20, 190)]
WORDS = [
    bar("GRAND", 20, 10),
    bar("CAFÉ", 140, 10, score=0.5),
    bar("<b>OPEN", 20, 60, line=1),
    word("ARCH", CURVED, line=2, paragraph=1),
]
TEXT = "GRAND CAFÉ\n<b>OPEN\n\nARCH"


class NamedReader:
    """Does what the name of a photo says: "none" has no words, "faulty" fails, "held" waits for `go`."""

    def __init__(self):
        self.go = threading.Event()

    def __call__(self, photos):
        return [self.record(photo) for photo in photos]

    def record(self, photo):
        if photo.name.startswith("faulty"):
            raise RuntimeError("on purpose")
        if photo.name.startswith("held"):
            self.go.wait(timeout=20)
        words = [] if photo.name.startswith("none") else WORDS
        return {**reading(words, path=photo.name, size_hw=photo.pixels.shape[:2]), "lines": []}


@pytest.fixture(scope="module")
def reader():
    return NamedReader()


@pytest.fixture(scope="module")
def address(reader):
    with live_server(create_app(reader, ServerSettings(max_file_bytes=LIMIT))) as url:
        yield url
        reader.go.set()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(browser, address, reader):
    """The page as it is at first, on a desk, in light colours; nothing it does may break its own rules."""
    reader.go.clear()
    browser.resize(1280, 800)
    browser.media()
    browser.open(address)
    yield browser
    wrong = [entry["message"] for entry in browser.driver.get_log("browser")]
    assert not [message for message in wrong if "Failed to load resource" not in message]


@pytest.fixture
def photo(tmp_path):
    """Makes a file of a photo by its name, which says what the reader does with it."""

    def make(name="street.jpg", **options):
        path = tmp_path / name
        path.write_bytes(image_file(size=PHOTO_SIZE, **options))
        return path

    return make


def test_a_chosen_photo_is_shown_with_its_words_and_outlines(page, photo):
    page.choose(photo())
    page.wait_for("done")
    assert page.texts("[role=option]") == ["GRAND", "CAFÉ", "<b>OPEN", "ARCH"]
    assert page.texts("#marks text") == ["GRAND", "CAFÉ", "<b>OPEN", "ARCH"]
    assert page.text("#status").startswith("4 words in 3 lines, read in ")
    assert page.text("#text") == TEXT
    image, outline = page.rectangle("#image"), page.rectangle("#marks [data-place='0'] .plate")
    scale = image["width"] / PHOTO_SIZE[0]
    assert outline["x"] == pytest.approx(image["x"] + 20 * scale, abs=1)
    assert outline["y"] == pytest.approx(image["y"] + 10 * scale, abs=1)
    assert (outline["width"], outline["height"]) == pytest.approx((100 * scale, 30 * scale), abs=1)


def test_letters_over_the_photo_stay_inside_their_outlines(page, photo):
    page.choose(photo())
    page.wait_for("done")
    for place in range(len(WORDS)):
        plate = page.rectangle(f"#marks [data-place='{place}'] .plate")
        letters = page.rectangle(f"#marks [data-place='{place}'] text")
        assert plate["x"] - 1 <= letters["x"]
        assert letters["x"] + letters["width"] <= plate["x"] + plate["width"] + 1
        assert letters["width"] > 0.3 * plate["width"]


@pytest.mark.parametrize("pointed", ["[role=option]", "#marks .word"])
def test_pointing_at_a_word_lights_it_up_in_the_photo_and_in_the_list(page, photo, pointed):
    page.choose(photo())
    page.wait_for("done")
    ActionChains(page.driver).move_to_element(page.all(pointed)[1]).perform()
    assert page.texts("[role=option].marked") == page.texts("#marks .marked text") == ["CAFÉ"]
    assert page.text("#told-word") == "CAFÉ"
    assert page.text("#told-score") == "50 % sure"
    ActionChains(page.driver).move_to_element(page.one("h1")).perform()
    assert page.all(".marked") == []


def test_a_click_in_the_photo_goes_to_the_word_in_the_list(page, photo):
    page.choose(photo())
    page.wait_for("done")
    ActionChains(page.driver).move_to_element(page.all("#marks .word")[2]).click().perform()
    assert page.texts("[role=option]:focus") == page.texts("[aria-selected=true]") == ["<b>OPEN"]


def test_the_tab_key_comes_to_everything_in_order_and_shows_where_it_is(page, photo):
    assert page.tab_order() == ["API description", "Choose a photo", "Use the camera", "Try an example"]
    page.choose(photo())
    page.wait_for("done")
    assert page.tab_order() == [
        *("API description", "Choose a photo", "Use the camera", "Try an example"),
        *("Words", "Smaller", "Larger", "Copy text", "JSON, download", "hOCR, download"),
        *("GRAND", "As plain text"),
    ]


def test_arrow_keys_go_from_word_to_word_and_from_line_to_line(page, photo):
    page.choose(photo())
    page.wait_for("done")
    page.all("[role=option]")[0].click()
    seen = []
    down = Keys.ARROW_DOWN
    for key in (Keys.ARROW_RIGHT, down, down, down, Keys.ARROW_UP, Keys.HOME, Keys.END):
        page.press(key)
        seen += page.texts("[role=option]:focus")
        assert page.texts("#marks .marked text") == [seen[-1]]
    assert seen == ["CAFÉ", "<b>OPEN", "ARCH", "ARCH", "<b>OPEN", "GRAND", "ARCH"]
    # One stop of the Tab key, at the word that was chosen.
    assert len(page.all("[role=option][tabindex='0']")) == 1


def test_everything_has_a_role_and_a_name(page, photo):
    page.choose(photo())
    page.wait_for("done")
    nodes = page.accessibility_tree()
    named = {(node["role"], node["name"]) for node in nodes}
    assert ("heading", "Read the text in a photo") in named
    assert ("image", "street.jpg") in named
    assert ("listbox", "Words in reading order") in named
    assert ("group", "Line 1") in named
    assert ("option", "CAFÉ, 50 % sure") in named
    assert ("radio", "Outlines") in named
    assert ("status", "") in named
    acted_on = ("button", "link", "radio", "option", "listbox", "textbox", "image", "img")
    assert [node for node in nodes if node["role"] in acted_on and not node["name"]] == []


@pytest.mark.parametrize(
    ("name", "state"),
    [(None, "start"), ("street.jpg", "done"), ("none.jpg", "none"), ("faulty.jpg", "failed")],
)
def test_contrast_is_that_of_wcag_aa_in_light_and_dark(page, photo, name, state):
    if name:
        page.choose(photo(name))
    page.wait_for(state)
    if state == "done":
        page.all("[role=option]")[1].click()
    for scheme in ("light", "dark"):
        # Without motion, colours change at once.
        page.media(**{"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
        assert page.run(COLOURS_BELOW_CONTRAST) == [], scheme


def test_nothing_is_cut_off_at_any_width(page, photo):
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    widths = (320, 390, 768, 1280)
    for width in widths:
        page.resize(width, 800, is_phone=width < 600)
        assert page.run(wide) <= 0, width
    page.choose(photo())
    page.wait_for("done")
    page.all("[role=option]")[0].click()
    for width in widths:
        page.resize(width, 800, is_phone=width < 600)
        assert page.run(wide) <= 0, width
        assert page.rectangle("#image")["width"] > 0.8 * min(width, 700)


def test_whoever_wants_less_motion_gets_none(page, photo, reader):
    page.media(**{"prefers-reduced-motion": "reduce"})
    page.choose(photo("held.jpg"))
    page.wait_for("working")
    assert page.run("return document.getAnimations().length") == 0
    page.media()
    assert page.run("return document.getAnimations().length") > 0


def test_while_it_reads_the_page_says_so_and_can_be_told_to_stop(page, photo):
    page.choose(photo("held.jpg"))
    page.wait_for("working")
    assert page.text("#status") == "Reading held.jpg …"
    assert page.one("#result").get_attribute("aria-busy") == "true"
    page.one("#cancel").click()
    page.wait_for("start")
    assert page.text("#status") == "Cancelled."
    assert len(page.all("#choose:focus")) == 1


def test_another_photo_takes_the_place_of_one_that_is_still_read(page, photo, reader):
    page.choose(photo("held.jpg"))
    page.wait_for("working")
    page.choose(photo("none.jpg"))
    reader.go.set()
    page.wait_for("none")
    assert page.one("#image").get_attribute("alt") == "none.jpg"


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_can_be_dropped_and_pasted(page, way):
    page.give(image_file(size=PHOTO_SIZE), "given.jpg", way)
    page.wait_for("done")
    assert page.one("#image").get_attribute("alt") == "given.jpg"


def test_a_photo_can_be_taken_with_the_camera(page):
    page.one("#camera").click()
    page.wait_until("return document.getElementById('video').videoWidth > 2")
    page.one("#shutter").click()
    page.wait_for("done")
    assert page.one("#image").get_attribute("alt") == "camera.jpg"
    assert not page.one("#camera-dialog").is_displayed()


def test_a_photo_without_text_is_told_to_have_none(page, photo):
    page.choose(photo("none.jpg"))
    page.wait_for("none")
    assert page.text("#status") == "No text was found."
    assert "sharper photo" in page.text("#none")


def test_a_fault_of_the_server_can_be_tried_again(page, photo):
    page.choose(photo("faulty.jpg"))
    page.wait_for("failed")
    assert page.text("#problem-title") == "The server made a mistake"
    assert "log" in page.text("#problem-id")
    page.one("#again").click()
    page.wait_for("failed")


def test_what_is_no_photo_is_told_in_words(page, tmp_path):
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF-1.7\n")
    page.choose(letter)
    page.wait_for("failed")
    assert "PDF" in page.text("#problem-detail")
    assert not page.one("#again").is_displayed()
    assert not page.one("#image").is_displayed()


def test_a_file_that_is_too_large_is_not_even_sent(page, tmp_path):
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(LIMIT + 1))
    page.choose(large)
    page.wait_for("failed")
    assert page.text("#problem-title") == "The photo is too large"
    sent = "return performance.getEntriesByType('resource').filter(e => e.name.includes('/v1/read')).length"
    assert page.run(sent) == 0


def test_a_server_that_has_gone_is_told_in_words(page, photo):
    page.offline(True)
    page.choose(photo())
    page.wait_for("failed")
    assert page.text("#problem-title") == "The server cannot be reached"
    page.offline(False)
    page.one("#again").click()
    page.wait_for("done")


def test_a_photo_that_the_browser_cannot_draw_still_shows_its_words(page, photo):
    page.choose(photo("scan.tiff", format="TIFF"))
    page.wait_for("done")
    assert page.one("#stage").get_attribute("class") == "stage blank"
    page.all("[role=option]")[0].click()
    assert not page.one("#crop").is_displayed()
    stage = page.rectangle("#stage")
    assert stage["width"] / stage["height"] == pytest.approx(PHOTO_SIZE[0] / PHOTO_SIZE[1], rel=0.01)


def test_what_is_drawn_on_the_photo_can_be_chosen(page, photo):
    page.choose(photo())
    page.wait_for("done")
    opacity = "return getComputedStyle(document.querySelector('#marks text')).opacity"
    assert page.run(opacity) == "1"
    page.one("input[value=outlines]").send_keys(Keys.SPACE)
    assert page.run(opacity) == "0"


def test_an_enlarged_photo_scrolls_to_the_word_that_is_chosen(page, photo):
    page.choose(photo())
    page.wait_for("done")
    for _ in range(4):
        page.one("#larger").click()
    assert page.text("#zoom") == "400 %"
    for option in page.all("[role=option]"):
        option.click()
        frame, outline = page.rectangle("#viewport"), page.rectangle("#marks .marked .plate")
        middle = outline["x"] + outline["width"] / 2, outline["y"] + outline["height"] / 2
        assert frame["x"] < middle[0] < frame["x"] + frame["width"]
        assert frame["y"] < middle[1] < frame["y"] + frame["height"]


def test_text_and_words_are_copied(page, photo):
    page.choose(photo())
    page.wait_for("done")
    page.one("#copy").click()
    page.wait_for_text("#status", "The text is copied.")
    assert page.clipboard() == TEXT
    page.all("[role=option]")[1].click()
    page.press(Keys.ENTER)
    page.wait_for_text("#status", "“CAFÉ” copied.")
    assert page.clipboard() == "CAFÉ"


def test_the_record_and_the_hocr_document_are_downloaded(page, photo):
    page.choose(photo())
    page.wait_for("done")
    page.one("#json").click()
    record = json.loads(page.download("street.json"))
    assert_follows(record, shipped_schema("reading-1.json"))
    assert [found["text"] for found in record["instances"]] == [found["text"] for found in WORDS]
    page.one("#hocr").click()
    document = ElementTree.fromstring(page.download("street.hocr"))
    assert "".join(document.itertext()).split() == ["Text", "found", "by", "tcm_hf", *TEXT.split()]


def test_the_example_is_one_of_the_repository_and_is_read(page):
    page.one("#example").click()
    page.wait_for("done")
    assert page.one("#image").get_attribute("alt") == "example.jpg"
    ours = PAGE.parents[3] / "examples" / "images" / "street.jpg"
    assert (PAGE / "example.jpg").read_bytes() == ours.read_bytes()


def test_nothing_comes_from_elsewhere(page, photo, address):
    page.choose(photo())
    page.wait_for("done")
    names = page.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert names
    assert [name for name in names if not name.startswith((address, f"blob:{address}"))] == []
    texts = {file: file.read_text(encoding="utf-8") for file in PAGE.iterdir() if file.suffix != ".jpg"}
    for file, text in texts.items():
        assert not re.search(r"//\w", text.replace("http://www.w3.org/2000/svg", "")), file


@pytest.mark.slow
def test_the_shipped_models_read_the_example_on_the_page(browser):
    """With everything between: decoding, batching, the detector and the reader."""
    from transformers import pipeline

    import tcm_hf  # noqa: F401
    from tcm_hf.serving.pipeline_reader import PipelineReader

    with live_server(create_app(PipelineReader(pipeline("text-spotting")))) as url:
        browser.resize(1280, 800)
        browser.media()
        browser.open(url)
        browser.one("#example").click()
        browser.wait_for("done", seconds=60)
        assert {"BOOKS", "COFFEE", "OPEN", "SALE"} <= set(browser.texts("[role=option]"))
