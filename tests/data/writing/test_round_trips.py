"""What is written is read back by name and by recognition; what a format cannot hold is counted."""

import io

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.words import WordRecord
from tcm_hf.data.writing.formats import FORMATS

QUAD = [[10, 5], [60, 8], [59, 20], [9, 17]]
FINE = [[10.25, 5.5], [60.75, 8.1], [59.33, 20], [9, 17]]
CURVE = [[10, 5], [30, 2], [60, 8], [59, 20], [30, 14], [9, 17]]
LADDER = [[x, 10] for x in range(10, 80, 10)] + [[x, 20] for x in range(70, 0, -10)]
UPWARDS = [[9, 60], [10, 15], [22, 15], [21, 60]]  # begins at the bottom left: read upwards
UPRIGHT = [[10, 5], [60, 5], [60, 20], [10, 20]]
TURNED = [[30, 60], [30, 10], [44, 10], [44, 60]]  # read upwards, too
PHOTOS = [name for name, target in FORMATS.items() if target.kind == "photos"]


def photo(folder, name="straße 1.jpg", size=(96, 64)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 10)).save(path)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tmp_path_factory.mktemp("source")


def everything(source):
    """Records that only our own metadata.jsonl and `datasets` hold whole."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    texts = [
        "Caf\u00e9\u2028, \"x\" 'y' <&>]",
        "text",
        "ignore",
        "score 0.55",
        "two\nlines",
        "\u65e5\u672c\u8a9e",
        "\u00a0 at the ends\t",
        "bell\x07",
        "",
        "*",
        "#",
        "###",
    ]
    return [
        TextRecord(
            photo(source),
            [
                TextInstance(FINE, None),
                TextInstance(CURVE, "known", True),
                TextInstance(UPWARDS, "up", False, "Latin"),
                TextInstance(QUAD, "###", True),
                TextInstance(LADDER, None, True),
            ],
            "line",
        ),
        TextRecord(photo(source, "other/straße 1.jpg", (64, 96))),
        TextRecord(
            photo(source, "b.png").read_bytes(), [TextInstance(QUAD, text) for text in texts], name="b.x"
        ),
        TextRecord(pixels, [TextInstance(CURVE, "a")], name="made"),
    ]


def plain(source):
    """Records of words that all formats but CTW1500's hold: quads in whole pixels, all transcribed."""
    texts = [
        TextInstance(QUAD, "Stra\u00dfe, 1"),
        TextInstance(UPWARDS, "up"),
        TextInstance(QUAD, "###", True),
    ]
    return [TextRecord(photo(source, f"{name}.jpg"), texts) for name in "ab"]


def assert_equal(found, expected, names=True):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.texts, one.level) == (other.texts, other.level)
        np.testing.assert_array_equal(one.ignore, other.ignore)
        assert [text.language for text in one.instances] == [text.language for text in other.instances]
        for polygon, expected_xy in zip(one.polygons_xy, other.polygons_xy, strict=True):
            np.testing.assert_allclose(polygon, expected_xy, atol=0.006)
        assert one.load_image().shape == other.load_image().shape
        assert not names or one.name == other.name


@pytest.mark.parametrize("name", PHOTOS)
def test_plain_records_come_back_from_every_format(tmp_path, source, name):
    records = plain(source)
    if name == "ctw1500":  # has lines of 14 points
        texts = [TextInstance(LADDER, "Stra\u00dfe, 1"), TextInstance(LADDER, "###", True)]
        records = [TextRecord(record.image, texts, "line") for record in records]
    if name == "td500":  # has rectangles, which may be turned, without transcriptions
        texts = [TextInstance(TURNED, "a"), TextInstance(UPRIGHT, None, True)]
        without = [(TURNED, None), (UPRIGHT, None, True)]
        records = [TextRecord(record.image, texts, "line") for record in records]
    report = FORMATS[name].write(records, tmp_path / "out")
    assert report.lost == ({"transcriptions": 2} if name == "td500" else {}) and report.pictures == 2
    assert report.texts == sum(len(record.instances) for record in records)
    assert recognise(tmp_path / "out").name == name
    if name == "td500":
        texts = [TextInstance(*text) for text in without]
        records = [TextRecord(record.image, texts, "line") for record in records]
    assert_equal(load_corpus(tmp_path / "out"), records, names=name not in ("ctw1500", "art", "td500"))


@pytest.mark.parametrize("name", ["imagefolder", "datasets"])
def test_our_own_formats_hold_everything(tmp_path, source, name):
    records = everything(source)
    report = FORMATS[name].write(records, tmp_path / "out")
    assert (report.pictures, report.texts, report.lost) == (4, 18, {})
    found = load_corpus(tmp_path / "out")
    assert_equal(found, records, names=False)
    assert [record.name for record in found] == ["straße 1.jpg", "straße 1_2.jpg", "b.png", "made.png"]


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("coco", {"lines": 5, "empty": 1, "###": 1, "ends": 1}),
        ("labelme", {"lines": 5, "empty": 1, "###": 1, "ends": 1}),
        ("cvat", {"lines": 5, "empty": 1, "###": 1, "ends": 1, "control": 1}),
        ("label-studio", {"lines": 5, "languages": 1, "empty": 1, "###": 1, "ends": 1}),
        ("mmocr", {"lines": 5, "languages": 1, "empty": 1}),
        ("art", {"lines": 5, "empty": 1, "###": 1}),
        ("paddleocr", {"lines": 5, "languages": 1, "ignored": 1, "empty": 1, "### or *": 2}),
        ("totaltext", {"lines": 5, "languages": 1, "ignored": 1, "pixels": 1, "empty": 1, "#": 1}),
        (
            "icdar2015",
            {
                "lines": 5,
                "languages": 1,
                "ignored": 1,
                "pixels": 1,
                "breaks": 1,
                "4 points": 3,
                "empty": 1,
                "###": 1,
            },
        ),
        (
            "mlt2017",
            {"lines": 5, "ignored": 1, "pixels": 1, "breaks": 1, "4 points": 3, "empty": 1, "###": 1},
        ),
        (
            "ctw1500",
            {
                "words": 13,
                "languages": 1,
                "ignored": 1,
                "pixels": 1,
                "breaks": 1,
                "14 points": 17,
                "empty": 1,
                "###": 1,
                "ends": 1,
            },
        ),
    ],
)
def test_what_a_format_cannot_hold_is_counted_and_the_rest_comes_back(tmp_path, source, name, losses):
    records = everything(source)
    lost = FORMATS[name].write(records, tmp_path / "out").lost
    words = {
        "lines": "texts are lines, which is not said there",
        "words": "texts are words, they count as lines there",
        "languages": "languages",
        "ignored": 'transcriptions of texts to be ignored (written as "###")',
        "pixels": "outlines between whole pixels (rounded)",
        "breaks": "line breaks in transcriptions (written as spaces)",
        "4 points": "outlines of other than 4 points (their smallest rectangles are written)",
        "14 points": "outlines of other than 14 points (drawn anew with 7 points a side)",
        "empty": "empty transcriptions (unknown ones when read back)",
        "ends": "transcriptions with white space around them (read back without it)",
        "control": "transcriptions with control characters (left out of them)",
        "###": 'legible transcriptions "###" (which is "do not care" there)',
        "#": 'legible transcriptions "#" (which is "do not care" there)',
        "### or *": 'legible transcriptions "###" or "*" (which is "do not care" there)',
    }
    assert dict(lost) == {words[key]: count for key, count in losses.items()}
    found = {record.name.rpartition(".")[0]: record for record in load_corpus(tmp_path / "out")}
    names = {"art": "gt_{}", "ctw1500": "000{}"}.get(name)
    own = ("straße 1", "straße 1_2", "b", "made")
    marks = {"#": ["#"], "###": ["###"], "### or *": ["###", "*"]}
    read_as_ignored = [mark for key in losses for mark in marks.get(key, [])]
    for number, record in enumerate(records):
        back = found[names.format(number + (name == "ctw1500")) if names else own[number]]
        assert back.level == ("line" if name == "ctw1500" else "word")
        for text, expected in zip(back.instances, record.instances, strict=True):
            assert text.ignore == (expected.ignore or expected.text in read_as_ignored)
            assert text.language == (None if "languages" in losses else expected.language)
            if not text.ignore:
                assert text.text == as_read_back(expected.text, losses)
            if "14 points" not in losses and not ("4 points" in losses and len(expected.polygon_xy) != 4):
                error = 0.51 if "pixels" in losses else 0.006
                np.testing.assert_allclose(text.polygon_xy, expected.polygon_xy, atol=error)


def as_read_back(text, losses):
    """A transcription without what is counted as lost, and nothing else."""
    if text is None or (text == "" and "empty" in losses):
        return None
    text = text.replace("\n", " ") if "breaks" in losses else text
    text = text.replace("\x07", "") if "control" in losses else text
    return text.strip() if "ends" in losses else text


def test_outlines_with_other_numbers_of_points_keep_their_start_and_place(tmp_path, source):
    records = [TextRecord(photo(source), [TextInstance(CURVE, "a"), TextInstance(UPWARDS, "up")])]
    FORMATS["icdar2015"].write(records, tmp_path / "quads")
    quad, up = load_corpus(tmp_path / "quads")[0].polygons_xy
    assert len(quad) == 4 and np.linalg.norm(quad[0] - CURVE[0]) < 5
    np.testing.assert_array_equal(up, UPWARDS)
    FORMATS["ctw1500"].write(records, tmp_path / "ladders")
    curve, up = load_corpus(tmp_path / "ladders")[0].polygons_xy
    assert len(curve) == 14
    for ladder, expected in ((curve, [CURVE[0], CURVE[2], CURVE[3], CURVE[5]]), (up, UPWARDS)):
        np.testing.assert_array_equal(ladder[[0, 6, 7, 13]], expected)


def test_words_come_back_from_every_format_of_words(tmp_path, source):
    records = [WordRecord(photo(source, f"{number}.png", (40, 12)), f"w {number}") for number in range(3)]
    records.append(WordRecord(np.zeros((12, 40, 3), np.uint8), "\u00e9", "made"))
    for name, target in FORMATS.items():
        if target.kind == "words":
            report = target.write(records, tmp_path / name)
            assert (report.pictures, report.texts) == (4, 4)
            assert recognise(tmp_path / name).name == name
            found = load_corpus(tmp_path / name)
            assert [record.text for record in found] == [record.text for record in records]
            assert {record.load_image().shape for record in found} == {(12, 40, 3)}


def test_words_without_a_transcription_are_left_out_and_counted(tmp_path, source):
    texts = ("a", "", "###", "*", "two\nlines", " b ")
    records = [WordRecord(photo(source, "1.png", (40, 12)), text) for text in texts]
    for name in ("words", "str-lmdb", "mmocr-words", "paddleocr-words"):
        report = FORMATS[name].write(records, tmp_path / name)
        is_paddle = name == "paddleocr-words"
        lost = {"words without a transcription (left out)": 2 + is_paddle}
        assert report.lost == lost | ({"line breaks in words (written as spaces)": 1} if is_paddle else {})
        expected = ["a", "two lines", " b "] if is_paddle else ["a", "*", "two\nlines", " b "]
        assert [record.text for record in load_corpus(tmp_path / name)] == expected
        assert report.texts == report.pictures == len(expected)


def test_languages_that_are_no_scripts_of_mlt_are_told(tmp_path, source):
    texts = [TextInstance(QUAD, "a, b", language=name) for name in ("latin", "Hindi", "de", None)]
    lost = FORMATS["mlt2017"].write([TextRecord(photo(source), texts)], tmp_path / "out").lost
    assert lost == {"languages that are none of the scripts of MLT": 1}
    (record,) = load_corpus(tmp_path / "out")
    assert [text.language for text in record.instances] == ["Latin", "Hindi", None, None]
    assert record.texts == ["a, b"] * 4


def test_outlines_become_the_nearest_rectangles_of_td500(tmp_path, source):
    slanted = np.array([[20, 10], [60, 30], [55, 40], [15, 20]], np.float32)
    records = [TextRecord(photo(source), [TextInstance(slanted), TextInstance(CURVE)], "line")]
    lost = FORMATS["td500"].write(records, tmp_path / "out").lost
    assert list(lost.values()) == [2]
    first, second = load_corpus(tmp_path / "out")[0].polygons_xy
    np.testing.assert_allclose(first, slanted, atol=1.1)
    assert len(second) == 4 and np.linalg.norm(second[0] - CURVE[0]) < 5


def test_objects_come_back_and_texts_become_objects(tmp_path, source):
    objects = [
        RotatedRecord(photo(source, "a.png"), [QUAD, UPWARDS], ["storage tank", "ship"], [False, True])
    ]
    for name in ("dota", "objects"):
        assert not FORMATS[name].write(objects, tmp_path / name).lost
        assert recognise(tmp_path / name).name == name
        (found,) = load_corpus(tmp_path / name)
        assert found.class_names == ["storage tank", "ship"] and found.difficult.tolist() == [False, True]
        np.testing.assert_array_equal(found.polygons_xy, [QUAD, UPWARDS])
    lost = FORMATS["dota"].write(plain(source), tmp_path / "texts").lost
    assert lost == {"transcriptions": 4}
    assert load_corpus(tmp_path / "texts")[0].class_names == ["text"] * 3


def test_links_lead_to_the_pictures(tmp_path, source):
    records = plain(source)
    FORMATS["coco"].write(records, tmp_path / "out", copy_images=False)
    link = tmp_path / "out" / "images" / "a.jpg"
    assert link.is_symlink() and link.resolve() == records[0].image.resolve()


def test_a_folder_appears_whole_or_not_at_all(tmp_path, source):
    records = [*plain(source), TextRecord(source / "lost.jpg")]
    for name in ("coco", "icdar2015", "datasets"):
        with pytest.raises(ValueError, match="lost"):
            FORMATS[name].write(records, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    FORMATS["coco"].write([], tmp_path / "out")
    with pytest.raises(ValueError, match="is not empty"):
        FORMATS["labelme"].write([], tmp_path / "out")


def test_the_folder_may_be_there_be_a_link_or_the_current_one(tmp_path, source, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for folder in (tmp_path / "link", "."):
        FORMATS["coco"].write(plain(source), folder)
        assert len(load_corpus(folder)) == 2
    assert (tmp_path / "link").is_symlink() and len(load_corpus(tmp_path / "real")) == 2
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["annotations", "images"]


def test_pictures_get_a_suffix_that_is_known(tmp_path, source):
    pixels = Image.new("RGB", (96, 64))
    several, portable = io.BytesIO(), io.BytesIO()
    pixels.save(several, "MPO", save_all=True, append_images=[pixels])
    pixels.save(portable, "PPM")
    (source / "c.ppm").write_bytes(portable.getvalue())
    images = [several.getvalue(), portable.getvalue(), source / "c.ppm"]
    records = [TextRecord(image, [TextInstance(QUAD, "a")], name="x") for image in images]
    FORMATS["icdar2015"].write(records, tmp_path / "out", copy_images=False)
    found = load_corpus(tmp_path / "out")
    assert [record.name for record in found] == ["x.jpg", "x_2.png", "x_3.png"]
    assert {record.load_image().shape for record in found} == {(64, 96, 3)}


def test_a_photo_that_lies_on_its_side_is_measured_upright(tmp_path, source):
    image, exif = Image.new("RGB", (96, 64)), Image.Exif()
    exif[0x0112] = 6
    image.save(source / "side.jpg", exif=exif)
    for name in ("coco", "labelme", "cvat", "label-studio", "mmocr", "imagefolder"):
        FORMATS[name].write([TextRecord(source / "side.jpg", [TextInstance(QUAD, "a")])], tmp_path / name)
        (record,) = load_corpus(tmp_path / name)
        assert record.size_hw == record.load_image().shape[:2] == (96, 64)
        np.testing.assert_allclose(record.polygons_xy[0], QUAD, atol=0.006)


def test_a_corpus_goes_through_all_formats_one_after_another(tmp_path, source):
    records = found = plain(source)
    for name in PHOTOS:
        if name not in ("ctw1500", "td500"):  # have outlines of 14 points, and no transcriptions
            FORMATS[name].write(found, tmp_path / name)
            found = load_corpus(tmp_path / name)
    assert_equal(found, records, names=False)


ODD_NAMES = (
    *("a\tb.jpg", "a\nb.jpg", "../../up.jpg", "/etc/passwd.jpg", "..", "C:\\x\\y.jpg", "con.jpg", "nul"),
    *("\0.jpg", "caf\udce9.jpg", "a" * 300 + ".jpg", "\u65e5" * 100, "a\u2028b", "...jpg", "x|y?.jpg"),
)


@pytest.mark.parametrize("format_name", PHOTOS)
def test_names_that_no_file_should_have_are_those_of_files_in_the_folder(tmp_path, format_name):
    if format_name == "datasets":
        pytest.importorskip("datasets")
    pixels = np.zeros((64, 96, 3), np.uint8)
    records = [TextRecord(pixels, [TextInstance(UPRIGHT, "a")], name=name) for name in ODD_NAMES]
    folder = tmp_path / "deep" / "corpus"
    report = FORMATS[format_name].write(records, folder)
    assert report.pictures == len(ODD_NAMES)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents]
    assert not outside
    assert all(path.name.isprintable() and len(path.name.encode()) < 256 for path in folder.rglob("*"))
    if format_name not in ("dota", "objects"):
        assert len(load_corpus(f"{format_name}:{folder}")) == len(ODD_NAMES)
