"""Text, JSON, tables and outlines: what is wrong is said with file and line, in words of our own."""

import csv
import warnings

import pytest

from corpus_files import place
from tcm_hf.data.corpora.files import images_by_stem, json_of, part_folders, table_rows, text_instance
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import CorpusError, FileError, Problem, Problems

LINE = "10,5,60,8,59,20,9,17,{}\n"


def test_a_table_may_have_cells_of_any_length_and_short_rows(tmp_path):
    long = "x" * (csv.field_size_limit() + 1)
    place(tmp_path, {"a.csv": f'\ufeffname,text\r\na,"{long}"\r\nb\r\n"c\nd",e,,\r\n'})
    usual = csv.field_size_limit()
    rows = table_rows(tmp_path / "a.csv")
    assert rows == [
        (2, {"name": "a", "text": long}),
        (3, {"name": "b", "text": ""}),
        (5, {"name": "c\nd", "text": "e"}),
    ]
    assert csv.field_size_limit() == usual


def test_a_comma_that_is_not_in_quotes_does_not_shorten_a_text(tmp_path):
    path = place(tmp_path, {"metadata.csv": "file_name,text\na.png,Hello, world\nb.png,b\n"}) / "metadata.csv"
    problems = Problems()
    assert [row for _, row in table_rows(path, problems=problems)] == [{"file_name": "b.png", "text": "b"}]
    assert problems == [Problem(path, 2, "more cells than names: put a text with ',' in quotes")]
    with pytest.raises(CorpusError, match="line 2"):
        table_rows(path)
    assert [word.text for word in load_corpus(tmp_path, problems=Problems())] == ["b"]


def test_an_outline_of_thousands_of_points_fits_into_a_cell(tmp_path):
    polygon = [[number % 90 + 0.123456, number % 60 + 0.123456] for number in range(8000)]
    place(tmp_path, {"metadata.csv": f'file_name,polygons\na.png,"{[polygon]}"\n'})
    assert len(load_corpus(tmp_path)[0].polygons_xy[0]) == 8000


def test_a_table_of_another_encoding_is_named(tmp_path):
    place(tmp_path, {"metadata.csv": "file_name,text\na.png,Café\n".encode("latin-1")})
    with pytest.raises(FileError, match=r"metadata\.csv, line 2: expected UTF-8 text") as error:
        load_corpus(tmp_path)
    assert error.value.problem.line == 2


def test_json_that_is_nested_too_deeply_is_an_error_in_words(tmp_path):
    deep = "[" * 200_000
    with pytest.raises(ValueError, match="nested too deeply"):
        json_of(deep)
    place(tmp_path, {"train_labels.json": '{"gt_0": [' + deep})
    with pytest.raises(FileError, match=r"train_labels\.json: not JSON that can be read"):
        load_corpus(tmp_path)
    place(tmp_path, {"b/metadata.jsonl": f'{{"file_name": "a.jpg", "polygons": {deep}}}\n'})
    problems = Problems()
    assert len(load_corpus(tmp_path / "b", problems=problems)) == 0 and problems[0].line == 1


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("gt_img_2.txt", LINE.format("Café").encode("latin-1"), 1),
        ("gt_img_2.txt", (LINE.format("a") + LINE.format("é")).encode("latin-1"), 2),
    ],
)
def test_a_file_that_cannot_be_read_is_named_once_and_with_its_line(tmp_path, name, content, line):
    place(tmp_path, {"gt_img_1.txt": LINE.format("a"), name: content})
    problems = Problems()
    assert len(load_corpus(f"icdar2015:{tmp_path}", problems=problems)) == 1
    (problem,) = problems
    assert (problem.path, problem.line) == (tmp_path / name, line) and name not in problem.reason


@pytest.mark.parametrize(
    ("name", "corpus", "content"),
    [
        ("annotations.xml", "cvat", "<annotations>\n<version>1.1</version>\n<image></annotations>"),
        ("a.json", "labelme", '{"shapes": [\n\n}'),
    ],
)
def test_a_broken_document_has_its_line(tmp_path, name, corpus, content):
    place(tmp_path, {name: content})
    problems = Problems()
    load_corpus(f"{corpus}:{tmp_path}", problems=problems)
    assert [(problem.path.name, problem.line) for problem in problems] == [(name, 3)]
    assert name not in problems[0].reason


@pytest.mark.parametrize("far", [3e38, 1e300, 10**400, -1e8, float("inf")])
def test_a_coordinate_beyond_any_picture_is_refused_without_a_warning(far):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"coordinate|expected points"):
            text_instance([[1, 2], [far, 2], [9, 7]], "a")


def test_half_a_character_is_no_text():
    with pytest.raises(ValueError, match="half a character"):
        text_instance([[1, 2], [9, 2], [9, 7]], "a\ud800")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TypeError("unsupported operand type(s) for /: 'PosixPath' and 'NoneType'"), "of another kind"),
        (IndexError("list index out of range"), "shorter than expected"),
        (OverflowError("signed integer is greater than maximum"), "too large"),
        (KeyError("points"), "'points' is missing"),
        (ValueError("expected a number"), "expected a number"),
    ],
)
def test_a_reason_is_about_the_data_not_about_the_code(tmp_path, error, reason):
    problems = Problems()
    with problems.row(tmp_path / "a.json", 3, "text 1"):
        raise error
    assert problems[0].reason.startswith("text 1: ") and problems[0].reason.endswith(
        reason if not isinstance(error, TypeError) else "than expected"
    )
    assert problems[0].line == 3


def test_names_of_files_are_looked_at_without_asking_for_each(tmp_path):
    files = ["a.JPG", "b.c.png", "notes.txt", "train/x.jpg", "Test/x.jpg", "holiday/x.jpg", "val.txt"]
    place(tmp_path, dict.fromkeys(files, ""))
    assert images_by_stem([tmp_path, tmp_path / "nowhere"]) == {
        "a": tmp_path / "a.JPG",
        "b.c": tmp_path / "b.c.png",
    }
    assert [folder.name for folder in part_folders(tmp_path)] == ["Test", "train"]
    assert part_folders(tmp_path / "notes.txt") == []
