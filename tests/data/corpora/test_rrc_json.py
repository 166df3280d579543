"""ArT, LSVT and ReCTS, and NightTime-ArT in their form."""

import json

import numpy as np
import pytest

from corpus_files import place
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

QUAD = [[45, 272], [215, 273], [212, 296], [45, 290]]
CURVE = [[141, 199], [237, 201], [313, 236], [357, 283], [359, 300], [309, 261], [233, 230], [140, 231]]


def text(transcription, points=QUAD, illegible=False, **more):
    return {"transcription": transcription, "points": points, "illegibility": illegible, **more}


def dumped(document):
    return json.dumps(document, ensure_ascii=False)


def test_art_has_polygons_of_any_number_of_points_and_languages(tmp_path):
    labels = {
        "gt_1726": [
            text("\u71ce\u7533\u96c6\u56e2", CURVE, language="Chinese"),
            text("###", illegible=True, language="Latin"),
        ],
        "gt_2": [],
    }
    place(tmp_path, {"train_labels.json": dumped(labels), "train_images/train_images/gt_1726.jpg": ""})
    assert recognise(tmp_path).name == "art"
    first, second = load_corpus(tmp_path)
    assert first.image == tmp_path / "train_images" / "train_images" / "gt_1726.jpg"
    assert [(len(item.polygon_xy), item.language, item.ignore) for item in first.instances] == [
        (8, "Chinese", False),
        (4, "Latin", True),
    ]
    assert first.texts == ["\u71ce\u7533\u96c6\u56e2", "###"]
    assert second.instances == [] and second.name == "gt_2.jpg"
    assert recognise(tmp_path / "train_labels.json").name == "art"


def test_lsvt_has_lines_in_two_folders_of_images(tmp_path):
    labels = {"gt_0": [text("a")], "gt_1": [text("b", illegible=True)]}
    place(
        tmp_path,
        {
            "train_full_labels.json": dumped(labels),
            "train_full_images_0/gt_0.jpg": "",
            "train_full_images_1/gt_1.jpg": "",
        },
    )
    assert recognise(tmp_path).name == "lsvt"
    first, second = load_corpus(tmp_path)
    assert (first.image.parent.name, second.image.parent.name) == (
        "train_full_images_0",
        "train_full_images_1",
    )
    assert (first.level, second.ignore.tolist(), second.texts) == ("line", [True], ["b"])
    assert recognise(tmp_path / "train_full_labels.json").name == "lsvt"


def test_weak_labels_without_points_are_not_background(tmp_path):
    labels = {"gt_30000": [{"transcription": "a"}], "gt_30001": [text("b")], "gt_30002": []}
    place(
        tmp_path, {"train_full_labels.json": dumped({"gt_0": []}), "train_weak_labels.json": dumped(labels)}
    )
    assert [record.name for record in load_corpus(tmp_path)] == ["gt_0.jpg"]  # the official download
    problems = Problems()
    records = load_corpus(tmp_path / "train_weak_labels.json", problems=problems)
    assert [record.name for record in records] == ["gt_30001.jpg", "gt_30002.jpg"]
    assert [problem.reason[:8] for problem in problems] == ["1 images"]


@pytest.mark.parametrize("flag", ["false", "0", "no", 0, None])
def test_a_flag_that_is_written_as_a_word_is_understood(tmp_path, flag):
    labels = [{**text("a"), "illegibility": flag}, {**text("b"), "illegibility": "true"}]
    place(
        tmp_path, {"train_labels.json": dumped({"gt_0": [*labels, {**text("c"), "illegibility": "maybe"}]})}
    )
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.ignore.tolist() == [False, True]
    assert problems[0].reason == "text 3 of gt_0: expected true or false, got 'maybe'"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (text("a", [[1, 2], [3, 4]]), "3 points"),
        (text("a", [[1, 2], [3, 4], [5]]), "expected points"),
        (text("a", [[1, 2], [3, 4], [5, None]]), "no finite number"),
        ({"transcription": "a", "points": None}, "3 points"),
        (text(7), "expected a transcription as text"),
        ("a", "expected an object"),
    ],
)
def test_a_broken_text_is_left_out_and_named(tmp_path, entry, reason):
    place(tmp_path, {"train_labels.json": dumped({"gt_0": [text("good"), entry]})})
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.texts == ["good"]
    (problem,) = problems
    assert problem.reason.startswith("text 2 of gt_0: ") and reason in problem.reason


def test_json_that_is_cut_off_is_named(tmp_path):
    place(tmp_path, {"train_labels.json": '{"gt_0": [\n{"transcription": "a"'})
    with pytest.raises(ValueError, match="line 2"):
        load_corpus(tmp_path)


def test_rects_reads_lines_and_not_characters(tmp_path):
    flat = [23, 173, 327, 180, 327, 290, 23, 283]
    lines = [
        {"points": flat, "transcription": "HOKI", "ignore": 0},
        {"points": flat, "transcription": "TEA", "ignore": 1},
        {"points": flat, "transcription": "###", "ignore": 0},
        {"points": flat[:7], "transcription": "bad", "ignore": 0},
    ]
    label = dumped({"chars": [{"points": flat, "transcription": "H", "ignore": 0}], "lines": lines})
    place(
        tmp_path,
        {
            "gt/train_ReCTS_000001.json": label,
            "gt_unicode/train_ReCTS_000001.json": label,
            "img/train_ReCTS_000001.jpg": "",
        },
    )
    assert recognise(tmp_path).name == "rects"
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.image == tmp_path / "img" / "train_ReCTS_000001.jpg"
    assert record.texts == ["HOKI", "TEA", "###"]
    assert record.ignore.tolist() == [False, True, True]
    np.testing.assert_array_equal(record.polygons_xy[0][:2], [[23, 173], [327, 180]])
    assert len(problems) == 1 and "got 7 numbers" in problems[0].reason


@pytest.mark.parametrize(
    "files",
    [
        {
            "train_labels.json": dumped({"gt_1": [text("a")], "gt_2": [text("b")]}),
            "train_images/gt_1.jpg": "",
        },
        {
            "poly_gt_img1.txt": "x: [[0 9 9]], y: [[0 0 5]], ornt: [u'c'], transcriptions: [u'a']",
            "img1.jpg": "",
        },
        {"gt_img_1.txt": "0,0,9,0,9,5,0,5,a", "img_1.jpg": ""},
        {
            "instances_test.json": dumped(
                {
                    "images": [{"id": 0, "file_name": "a.jpg", "width": 9, "height": 5}],
                    "annotations": [
                        {
                            "id": 0,
                            "image_id": 0,
                            "category_id": 1,
                            "segmentation": [[0, 0, 9, 0, 9, 5]],
                            "text": "a",
                        }
                    ],
                    "categories": [{"id": 1, "name": "text"}],
                }
            ),
            "a.jpg": "",
        },
    ],
    ids=["art", "totaltext", "icdar2015", "coco"],
)
def test_nighttime_art_is_read_in_the_likely_forms_when_it_is_named(tmp_path, files):
    place(tmp_path, files)
    (record,) = load_corpus(f"nighttime-art:{tmp_path}")
    assert record.image.is_file() and len(record.instances) == 1


def test_nighttime_art_says_what_it_looked_for(tmp_path):
    with pytest.raises(ValueError, match="in the form of art, coco, totaltext, icdar2015"):
        load_corpus(f"nighttime-art:{tmp_path}")
