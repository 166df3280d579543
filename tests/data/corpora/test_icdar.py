"""ICDAR's label files: what a line says is what the record holds; a bad line is named with its reason."""

import time

import numpy as np
import pytest
from PIL import Image

from corpus_files import place
from tcm_hf.data.corpora.icdar import load_icdar2015, read_icdar2013_labels, read_icdar2015_labels
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems


def test_icdar2015_labels_keep_commas_and_skip_the_byte_order_mark(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    lines = "377,117,463,117,465,130,378,130,Genaxis, Theatre", "", "374,155,409,155,409,170,374,170,###", ""
    path.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    first, second = read_icdar2015_labels(path)
    np.testing.assert_array_equal(first.polygon_xy, [[377, 117], [463, 117], [465, 130], [378, 130]])
    assert (first.text, first.ignore) == ("Genaxis, Theatre", False)
    assert (second.text, second.ignore) == ("###", True)


def test_anticlockwise_labels_are_turned_round_and_keep_their_first_corner(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    path.write_text("10,5,10,20,60,20,60,5,word\n")
    (instance,) = read_icdar2015_labels(path)
    np.testing.assert_array_equal(instance.polygon_xy, [[10, 5], [60, 5], [60, 20], [10, 20]])


def test_icdar2015_pairs_labels_with_images_in_the_order_of_their_numbers(tmp_path):
    for number, suffix in ((10, "jpg"), (2, "png"), (1, "JPG")):
        Image.new("RGB", (64, 32)).save(tmp_path / f"img_{number}.{suffix}", "PNG")
        (tmp_path / f"gt_img_{number}.txt").write_text(f"1,1,9,1,9,5,1,5,word {number}")
    records = load_icdar2015(tmp_path, tmp_path)
    assert [record.name for record in records] == ["img_1.JPG", "img_2.png", "img_10.jpg"]
    assert [record.texts for record in records] == [["word 1"], ["word 2"], ["word 10"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3,4,5,6,7,8", "expected 8 coordinates and a text, got 8"),
        ("1,2,3,4,5,6,7,x,word", "expected a number, got 'x'"),
        ("hello", "got 1 values"),
    ],
)
def test_a_bad_icdar_line_is_named(tmp_path, line, reason):
    path = tmp_path / "gt_img_7.txt"
    path.write_text(f"1,1,9,1,9,5,1,5,word\n{line}\n")
    with pytest.raises(ValueError, match=rf"gt_img_7\.txt, line 2: .*{reason}"):
        read_icdar2015_labels(path)


def test_missing_icdar_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        load_icdar2015(tmp_path, tmp_path)
    (tmp_path / "gt_img_3.txt").write_text("")
    with pytest.raises(ValueError, match=r"gt_img_3\.txt: expected its image img_3\.jpg"):
        load_icdar2015(tmp_path, tmp_path)


def test_a_label_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "gt_img_1.txt"
    path.write_bytes(b"1,1,9,1,9,5,1,5,caf\xe9\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_icdar2015_labels(path)


def test_icdar2013_has_spaces_in_training_and_commas_in_test(tmp_path):
    place(
        tmp_path,
        {
            "Challenge2_Training_Task1_GT/gt_100.txt": '158 128 411 181 "Footpath"\r\n4 1 5 6 "To"\r\n',
            "Challenge2_Test_Task1_GT/gt_img_1.txt": '38, 43, 920, 215, "\\"A, B\\""\n0, 69, 77, 83, "###"\n',
            "Challenge2_Training_Task12_Images/100.JPG": "",
        },
    )
    assert recognise(tmp_path).name == "icdar2013"
    (record,) = load_corpus(f"{tmp_path}@train")
    assert record.image == tmp_path / "Challenge2_Training_Task12_Images" / "100.JPG"
    assert record.texts == ["Footpath", "To"]
    np.testing.assert_array_equal(record.polygons_xy[0], [[158, 128], [411, 128], [411, 181], [158, 181]])
    (record,) = load_corpus(f"{tmp_path}@test")
    assert record.name == "img_1.jpg"
    assert record.texts == ['"A, B"', "###"]
    assert record.ignore.tolist() == [False, True]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("38, 43, 920", "expected left, top, right, bottom"),
        ("1,2,3,4,5,6,7,8,word", "expected left, top, right, bottom"),
        ('50, 43, 20, 215, "a"', "expected left <= right"),
    ],
)
def test_a_bad_line_of_icdar2013_is_named(tmp_path, line, reason):
    path = tmp_path / "gt_1.txt"
    path.write_text(f'1 2 3 4 "good"\n{line}\n')
    problems = Problems()
    (instance,) = read_icdar2013_labels(path, problems)
    assert instance.text == "good"
    assert [problem.line for problem in problems] == [2] and reason in problems[0].reason


def test_mlt_has_scripts(tmp_path):
    gt = "ch8_training_localization_transcription_gt_v2"
    lines = ["1,1,9,1,9,5,1,5,Latin,a, b", "1,1,9,1,9,5,1,5,None,###", "1,1,9,1,9,5,1,5,Korean,\uac00"]
    place(
        tmp_path,
        {
            f"{gt}/gt_img_2.txt": "\ufeff" + "\r\n".join(lines),
            f"{gt}/gt_img_10.txt": "1,1,9,1,9,5,1,5\n1,1,9,1,9,5,1,5,Latin\n",
            "ch8_training_images_1/img_2.png": "",
            "ch8_training_images_2/img_10.gif": "",
            "ch8_validation_localization_transcription_gt_v2/gt_img_1.txt": lines[0],
        },
    )
    assert recognise(tmp_path).name == "mlt2017"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "validation"]
    problems = Problems()
    first, second = load_corpus(tmp_path, split="train", problems=problems)
    assert first.image == tmp_path / "ch8_training_images_1" / "img_2.png"
    assert second.image == tmp_path / "ch8_training_images_2" / "img_10.gif"
    assert [(text.text, text.language, text.ignore) for text in first.instances] == [
        ("a, b", "Latin", False),
        ("###", None, True),
        ("\uac00", "Korean", False),
    ]
    assert [problem.line for problem in problems] == [1, 2]
    assert "expected a script and a text" in problems[1].reason


def test_mlt_2019_is_told_by_its_names(tmp_path):
    place(
        tmp_path,
        {"train_gt_t13/tr_img_00001.txt": "1,1,9,1,9,5,1,5,Hindi,x", "ImagesPart2/tr_img_00001.jpg": ""},
    )
    assert recognise(tmp_path).name == "mlt2019"
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "ImagesPart2" / "tr_img_00001.jpg"
    assert record.instances[0].language == "Hindi"


def test_rctw_has_a_flag_and_quotes(tmp_path):
    rests = ['0,"\u91d1,\u6c0f"', '1,"x"', '0,"###"', 'x,"y"']
    lines = [f"39,90,185,90,185,122,39,122,{rest}" for rest in rests]
    place(tmp_path, {"train_gts/image_0.txt": "\n".join(lines), "train_images/image_0.jpg": ""})
    assert recognise(tmp_path).name == "rctw17"
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.level == "line"
    assert record.texts == ["\u91d1,\u6c0f", "x", "###"]
    assert record.ignore.tolist() == [False, True, True]
    assert [problem.line for problem in problems] == [4]


def test_the_folders_of_mmocr_are_known_too(tmp_path):
    place(
        tmp_path, {"annotations/train/gt_img_1.txt": "1,1,9,1,9,5,1,5,a", "textdet_imgs/train/img_1.jpg": ""}
    )
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "textdet_imgs" / "train" / "img_1.jpg"


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("icdar2015", "gt_1.txt", "1,2,9,2,9,7,1,7,{}\n"),
        ("mlt2017", "gt_1.txt", "1,2,9,2,9,7,1,7,Latin,{}\n"),
        (
            "paddleocr",
            "Label.txt",
            '1.jpg\t[{{"transcription": "{}", "points": [[1, 2], [9, 2], [9, 7]]}}]\n',
        ),
    ],
)
def test_hashes_with_white_space_are_do_not_care_and_nothing_is_unknown(tmp_path, name, file, line):
    (tmp_path / file).write_text("".join(map(line.format, ("### ", " ###", "", "a"))))
    instances = [text for record in load_corpus(f"{name}:{tmp_path}") for text in record.instances]
    assert [text.ignore for text in instances] == [True, True, False, False]
    assert [text.text for text in instances[2:]] == [None, "a"]


@pytest.mark.parametrize(
    "line",
    ["1 2 3 4" + " " * 20_000 + ",", "1, 2, 3, " + " \t" * 10_000 + "4 ,", "1 2 3 4 " + '" ' * 20_000 + ","],
)
def test_a_long_line_of_icdar2013_is_read_in_time_that_grows_with_its_length(tmp_path, line):
    # Its spaces could belong to three parts of the pattern: tried in all ways, hours for 20 kB.
    place(tmp_path, {"gt_1.txt": f'{line}\n1 2 9 7 "a"\n'})
    started = time.process_time()
    problems = Problems()
    texts = [instance.text for instance in read_icdar2013_labels(tmp_path / "gt_1.txt", problems)]
    assert texts == ["a"] and [problem.line for problem in problems] == [1]
    assert time.process_time() - started < 5


def test_digits_that_are_no_numbers_in_the_name_of_a_file_are_letters(tmp_path):
    place(tmp_path, {"gt_img_\u00b2.txt": "1,2,9,2,9,7,1,7,a\n", "gt_img_10.txt": "", "gt_img_9.txt": ""})
    records = load_corpus(f"icdar2015:{tmp_path}")
    assert [record.name for record in records][-2:] == ["img_9", "img_10"] or len(records) == 3
