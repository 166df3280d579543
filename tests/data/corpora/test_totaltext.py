"""Total-Text: what Python or Matlab printed is what the records hold."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from corpus_files import place
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import CorpusError, Problems
from tcm_hf.data.corpora.totaltext import read_totaltext_labels, read_totaltext_mat

THE = (
    "x: [[153 161 179 195 184 177]], y: [[347 323 305 315 331 357]], ornt: [u'c'], transcriptions: [u'the']\n"
)


def cells(*rows):
    """Cells as Matlab keeps them: each an array."""
    table = np.empty((len(rows), 6), dtype=object)
    for number, (xs, ys, text, orientation) in enumerate(rows):
        row = ("x:", np.int16([xs]), "y:", np.int16([ys]), text, orientation)
        for column, value in enumerate(row):
            table[number, column] = np.array([value]) if isinstance(value, str) else value
    return table


def mat(name, table) -> bytes:
    stream = io.BytesIO()
    savemat(stream, {name: table})
    return stream.getvalue()


def read(tmp_path, text, problems=None):
    path = tmp_path / "poly_gt_img1.txt"
    path.write_text(text, encoding="utf-8")
    return read_totaltext_labels(path, problems)


def test_a_polygon_keeps_its_points_and_first_corner(tmp_path):
    (instance,) = read(tmp_path, THE)
    assert (instance.text, instance.ignore) == ("the", False)
    np.testing.assert_array_equal(instance.polygon_xy[:2], [[153, 347], [161, 323]])
    assert instance.polygon_xy.shape == (6, 2)


@pytest.mark.parametrize(
    ("ornt", "transcription", "text", "ignore"),
    [
        ("[u'#']", "[u'#']", "###", True),
        ("[u'h']", "[u'#']", "###", True),
        ("[u'#']", "[u'SEEN']", "SEEN", True),
        ("[u'c']", '[u"PETER\'S"]', "PETER'S", False),
        ("[u'c']", "[u',']", ",", False),
        ("['m']", "['caf\u00e9, bar']", "caf\u00e9, bar", False),
        ("[u'c']", r"[u'caf\xe9']", "caf\u00e9", False),
        ("[]", "[]", None, False),
        ("[c]", "[word]", "word", False),
        ("[u'h']", "[u'a]b']", "a]b", False),
    ],
)
def test_texts_are_read_as_python_wrote_them(tmp_path, ornt, transcription, text, ignore):
    line = f"x: [[0 9 9 0]], y: [[0 0 5 5]], ornt: {ornt}, transcriptions: {transcription}"
    (instance,) = read(tmp_path, line)
    assert (instance.text, instance.ignore) == (text, ignore)


@pytest.mark.parametrize("words", ["[" + "-" * 100_000 + "1]", "[" + "[1]+" * 4000 + "[1]]", "[" * 5000])
def test_a_list_that_python_gives_up_on_is_text_or_a_broken_entry(tmp_path, words):
    entries = f"x: [[1 9 9]], y: [[2 2 7]], ornt: [u'c'], transcriptions: {words}\n" + f"{THE}\n"
    place(tmp_path, {"poly_gt_img1.txt": entries})
    assert len(read_totaltext_labels(tmp_path / "poly_gt_img1.txt", Problems())) in (1, 2)


def test_arrays_may_go_on_in_the_next_line_and_have_commas(tmp_path):
    text = (
        "x: [[  0   9\n    9   0]], y: [[0 0\n 5 5]], ornt: [u'c'], transcriptions: [u'one']\n\n"
        "x: [[0, 9, 9, 0]], y: [[0, 0, 5.5, 5]], ornt: [u'c'], transcriptions: [u'two']\n"
    )
    one, two = read(tmp_path, text)
    np.testing.assert_array_equal(one.polygon_xy, [[0, 0], [9, 0], [9, 5], [0, 5]])
    assert (one.text, two.text, two.polygon_xy[2, 1]) == ("one", "two", 5.5)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("x: [[0 9 9]], y: [[0 0]], ornt: [u'c'], transcriptions: [u'a']", "as many x as y, got 3 and 2"),
        ("x: [[0 9]], y: [[0 0]], ornt: [u'c'], transcriptions: [u'a']", "3 points"),
        ("x: [[0 b 9]], y: [[0 0 1]], ornt: [u'c'], transcriptions: [u'a']", "expected numbers"),
        ("x: [[0 9 9]]", "expected x: "),
        ("x: [[0 9 9]], y: [[0 0 5]], ornt: [u'c'], transcriptions: [u'a', u'b']", "one transcription"),
    ],
)
def test_a_broken_entry_is_left_out_and_has_its_line(tmp_path, entry, reason):
    problems = Problems()
    instances = read(tmp_path, f"{THE}{entry}\n{THE}", problems)
    assert [instance.text for instance in instances] == ["the", "the"]
    assert [problem.line for problem in problems] == [2] and reason in problems[0].reason
    with pytest.raises(CorpusError, match="line 2"):
        read(tmp_path, f"{THE}{entry}\n{THE}")


@pytest.mark.parametrize("name", ["polygt", "gt"])
def test_the_matlab_files_say_the_same(tmp_path, name):
    rows = [
        ([153, 161, 179, 195], [347, 323, 305, 315], "the", "c"),
        ([0, 9, 9, 0], [0, 0, 5, 5], "#", "#"),
        ([0, 9], [0, 0], "bad", "c"),
    ]
    path = place(tmp_path, {"poly_gt_img1.mat": mat(name, cells(*rows))}) / "poly_gt_img1.mat"
    problems = Problems()
    first, second = read_totaltext_mat(path, problems)
    assert (first.text, first.ignore) == ("the", False)
    np.testing.assert_array_equal(first.polygon_xy[0], [153, 347])
    assert (second.text, second.ignore) == ("###", True)
    assert [problem.reason[:6] for problem in problems] == ["row 3:"]


def test_a_column_of_numbers_is_as_good_as_a_row(tmp_path):
    table = cells(([0, 9, 9, 0], [0, 0, 5, 5], "a", "c"))
    table[0, 1], table[0, 3] = table[0, 1].T, table[0, 3].T
    path = place(tmp_path, {"poly_gt_img1.mat": mat("gt", table)}) / "poly_gt_img1.mat"
    (instance,) = read_totaltext_mat(path)
    assert instance.polygon_xy.shape == (4, 2)


@pytest.mark.parametrize("content", [b"MATLAB 7.3 MAT-file", b"", b"no matlab at all", b"\x00" * 200])
def test_what_is_no_matlab_file_is_a_problem_of_the_file(tmp_path, content):
    place(tmp_path, {"Groundtruth/Polygon/Train/poly_gt_img1.mat": content})
    problems = Problems()
    assert list(load_corpus(f"totaltext:{tmp_path}", problems=problems)) == []
    assert problems[0].path.name == "poly_gt_img1.mat"


@pytest.mark.parametrize(
    ("images", "labels"),
    [("Images/Train", "Groundtruth/Polygon/Train"), ("totaltext/Images/Train", "txt_format/Train")],
)
def test_the_official_folders_are_known(tmp_path, images, labels):
    place(tmp_path, {f"{labels}/poly_gt_img11.txt": THE, f"{images}/img11.JPG": ""})
    place(tmp_path, {f"{labels.replace('Train', 'Test')}/poly_gt_img1.txt": THE})
    assert recognise(tmp_path).name == "totaltext"
    assert recognise(tmp_path).splits(tmp_path) == ["train", "test"]
    (record,) = load_corpus(f"{tmp_path}@train")
    assert record.image == tmp_path / images / "img11.JPG"
    assert record.level == "word"


def test_text_files_win_over_the_same_in_matlab(tmp_path):
    place(
        tmp_path,
        {
            "poly_gt_img1.txt": THE,
            "poly_gt_img1.mat": mat("polygt", cells(([0, 9, 9], [0, 0, 5], "x", "c"))),
        },
    )
    (record,) = load_corpus(tmp_path)
    assert record.texts == ["the"]
