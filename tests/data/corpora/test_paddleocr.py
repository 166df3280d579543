"""PaddleOCR's label files for photos and for words."""

import json

import numpy as np
import pytest

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

QUAD = [[10, 5], [60, 8], [59, 20], [9, 17]]


def text(transcription, **known):
    return {"transcription": transcription, "points": QUAD, **known}


def test_texts_of_a_photo(tmp_path):
    folder = tmp_path / "photos"  # PPOCRLabel's paths begin with the name of its folder
    folder.mkdir()
    (folder / "a b.jpg").touch()
    texts = [text("Straße"), text("###"), text("*"), text("x", difficult=True), text("", key_cls="None")]
    (folder / "Label.txt").write_text(f"photos/a b.jpg\t{json.dumps(texts)}\nphotos/c.jpg\t[]\n")
    first, second = load_corpus(folder)
    assert first.image == folder / "a b.jpg" and second.name == "c.jpg"
    assert first.texts == ["Straße", "###", "*", "x", None]
    assert first.ignore.tolist() == [False, True, True, True, False]
    np.testing.assert_array_equal(first.polygons_xy[0], QUAD)


def test_broken_lines_and_texts_are_named_with_their_lines(tmp_path):
    lines = [f"a.jpg\t{json.dumps([text('a')])}", "", "b.jpg [{}]", "c.jpg\t{", "d.jpg\t{}"]
    lines.append(f"e.jpg\t{json.dumps([{'points': QUAD}, text('f', points=QUAD[:2]), text('g')])}")
    (tmp_path / "Label.txt").write_text("\n".join(lines))
    problems = Problems()
    records = load_corpus(tmp_path, problems=problems)
    assert [record.texts for record in records] == [["a"], ["g"]]
    assert [problem.line for problem in problems] == [3, 4, 5, 6, 6]
    assert "text 1: 'transcription' is missing" in problems[3].reason


def test_several_files_are_parts(tmp_path):
    for part in ("train", "val"):
        (tmp_path / f"{part}.txt").write_text(f"{part}.jpg\t{json.dumps([text(part)])}\n")
    assert load_corpus(f"{tmp_path}@val")[0].texts == ["val"]
    assert load_corpus(tmp_path / "train.txt")[0].texts == ["train"]


def test_words(tmp_path):
    (tmp_path / "crop_img").mkdir()
    (tmp_path / "crop_img" / "a.jpg").touch()
    (tmp_path / "rec_gt.txt").write_text('crop_img/a.jpg\tStra\u00dfe 1\n["b.jpg", "c.jpg"]\tx\nd.jpg\t###\n')
    records = load_corpus(tmp_path)
    assert [(record.name, record.text) for record in records] == [
        ("a.jpg", "Stra\u00dfe 1"),
        ("b.jpg", "x"),
        ("c.jpg", "x"),
    ]
    assert records[0].image == tmp_path / "crop_img" / "a.jpg"


@pytest.mark.parametrize("line", ["crop_img/b.jpg", "crop_img/b.jpg\t", '["b.jpg"\tx', "\tx"])
def test_broken_words_are_named(tmp_path, line):
    (tmp_path / "rec_gt.txt").write_text(f"crop_img/a.jpg\ta\n{line}\n")
    problems = Problems()
    assert len(load_corpus(tmp_path, problems=problems)) == 1
    assert problems[0].line == 2


def test_a_broken_first_line_does_not_hide_the_corpus(tmp_path):
    (tmp_path / "Label.txt").write_text(f"no tab\na.jpg\t{json.dumps([text('a')])}\n")
    problems = Problems()
    assert [record.texts for record in load_corpus(tmp_path, problems=problems)] == [["a"]]
    assert [problem.line for problem in problems] == [1]


def test_a_file_without_any_good_line_is_read_where_the_corpus_is_named(tmp_path):
    (tmp_path / "Label.txt").write_text("no tab\n")
    problems = Problems()
    assert load_corpus(f"paddleocr:{tmp_path}", problems=problems) == []
    assert [(problem.path.name, problem.line) for problem in problems] == [("Label.txt", 1)]


def test_a_file_of_words_may_be_given_itself(tmp_path):
    path = tmp_path / "rec_gt_test.txt"
    path.write_text("b.jpg\tx\nc.jpg\t### \n")
    assert recognise(path).name == "paddleocr-words"
    assert [record.text for record in load_corpus(path)] == ["x"]
