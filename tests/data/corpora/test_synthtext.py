"""SynthText and SynthText150k: generated photos by the hundred thousand."""

import json
import tracemalloc

import numpy as np
import pytest
from scipy.io import savemat

from corpus_files import place
from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.records import TextInstance

WORD = np.array([[10, 60, 59, 9], [5, 8, 20, 17]], dtype=np.float32)  # x, y of the four corners


def cell_row(values):
    cells = np.empty((1, len(values)), dtype=object)
    for number, value in enumerate(values):
        cells[0, number] = value
    return cells


def write_mat(folder, entries):
    """`gt.mat` of (name, boxes, lines of words)."""
    names, boxes, lines = zip(*entries, strict=True)
    savemat(
        folder / "gt.mat",
        {
            "charBB": cell_row([np.zeros((2, 4, 3), np.float32)] * len(names)),
            "wordBB": cell_row(boxes),
            "imnames": cell_row([np.array([name]) for name in names]),
            "txt": cell_row([np.array(texts) for texts in lines]),
        },
        do_compression=True,
    )


def test_lines_are_split_into_the_words_of_the_boxes(tmp_path):
    three = np.stack([WORD, WORD + 100, WORD[:, ::-1]], axis=2)
    write_mat(
        tmp_path,
        [
            ("8/a_0.jpg", three, ["I lost\nKevin ".ljust(20)]),
            ("8/a_1.jpg", WORD, ["word  "]),
            ("8/a_2.jpg", three, ["two words"]),
            ("8/a_3.jpg", np.full((2, 4), np.nan), ["word"]),
        ],
    )
    assert recognise(tmp_path).name == recognise(tmp_path / "gt.mat").name == "synthtext"
    problems = Problems()
    first, second = load_corpus(tmp_path, problems=problems)
    assert first.image == tmp_path / "8" / "a_0.jpg"
    assert first.texts == ["I", "lost", "Kevin"]
    np.testing.assert_array_equal(first.polygons_xy[0], WORD.T)
    np.testing.assert_array_equal(first.polygons_xy[1], WORD.T + 100)
    # Annotated anticlockwise: turned, the first corner stays.
    np.testing.assert_array_equal(first.polygons_xy[2], WORD.T[[3, 0, 1, 2]])
    assert second.texts == ["word"]
    assert [problem.reason for problem in problems] == [
        "photo 3 (8/a_2.jpg): expected a box a word, got 3 boxes and 2 words",
        "photo 4 (8/a_3.jpg): a coordinate is no finite number",
    ]


def test_the_folder_above_is_known_too_and_another_mat_is_not(tmp_path):
    (tmp_path / "SynthText").mkdir()
    write_mat(tmp_path / "SynthText", [("8/a.jpg", WORD, ["word"])])
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "SynthText" / "8" / "a.jpg"
    savemat(tmp_path / "gt.mat", {"other": np.zeros(3)})
    with pytest.raises(ValueError, match=r"gt\.mat: expected the variable txt"):
        load_corpus(tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_photos_fit_into_little_memory(tmp_path):
    words = np.stack([WORD] * 8, axis=2)
    write_mat(
        tmp_path,
        [(f"{i}/photo_{i}.jpg", words, ["one two\nthree four five six seven eight"]) for i in range(100_000)],
    )
    tracemalloc.start()
    records = load_corpus(tmp_path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(records) == 100_000
    assert records[99_999].texts[-1] == "eight"
    assert kept < 60e6, kept  # 800,000 words
    assert peak < 200e6, peak


def test_packed_records_give_back_what_was_put_in(tmp_path):
    records = PackedRecords(tmp_path, "line")
    curve = np.array([[0, 0], [9, 1], [9, 5], [4, 6], [0, 5]], np.float32)
    records.append(
        tmp_path / "a" / "b.jpg",
        [TextInstance(curve, "caf\u00e9\u2028", False, "Latin"), TextInstance(curve[:3], None, True)],
        (480, 640),
    )
    records.append(tmp_path.parent / "c.jpg", [])
    records.append(tmp_path / "d.jpg", [TextInstance(curve[:4], "", False, "Arabic")])
    first, second, third = records
    assert (first.image, first.level, first.size_hw) == (tmp_path / "a" / "b.jpg", "line", (480, 640))
    assert first.texts == ["caf\u00e9\u2028", None]
    assert [item.language for item in first.instances] == ["Latin", None]
    assert first.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(first.polygons_xy[0], curve)
    np.testing.assert_array_equal(first.polygons_xy[1], curve[:3])
    assert (second.image, second.instances, second.size_hw) == (tmp_path.parent / "c.jpg", [], None)
    assert [item.language for item in third.instances] == ["Arabic"]
    np.testing.assert_array_equal(records[-1].polygons_xy[0], curve[:4])
    assert [record.name for record in records[1:]] == ["c.jpg", "d.jpg"]
    with pytest.raises(IndexError):
        records[3]


def bezier(rec, **more):
    points = [10, 20, 30, 20, 50, 20, 70, 20, 70, 40, 50, 40, 30, 40, 10, 40]
    return {
        "id": 1,
        "image_id": 60001,
        "bbox": [10, 20, 60, 20],
        "bezier_pts": points,
        "rec": rec,
        "iscrowd": 0,
        **more,
    }


def bezier_file(*entries):
    image = {"id": 60001, "file_name": "0000001.jpg", "width": 400, "height": 600}
    return json.dumps({"licenses": [], "images": [image], "annotations": list(entries), "categories": []})


@pytest.mark.parametrize(
    ("rec", "filling", "text"),
    [
        ([33, 66], 96, "Ab"),
        ([33, 95], 96, None),
        ([0, 1, 26], 37, "ab0"),
        ([0, 36], 37, None),
        ([5000], 5461, None),
        ([], 96, None),
    ],
)
def test_bezier_curves_become_polygons_and_numbers_characters(tmp_path, rec, filling, text):
    entries = bezier(rec + [filling] * (25 - len(rec))), bezier([filling] * 25, iscrowd=1)
    place(tmp_path, {"annotations/train.json": bezier_file(*entries), "images/0000001.jpg": ""})
    assert recognise(tmp_path).name == "syntext150k"
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "images" / "0000001.jpg"
    assert record.size_hw == (600, 400)
    assert record.texts == [text, "###"]
    assert record.ignore.tolist() == [False, True]
    polygon = record.polygons_xy[0]
    assert polygon.shape == (16, 2)
    np.testing.assert_allclose(polygon[[0, 7, 8, 15]], [[10, 20], [70, 20], [70, 40], [10, 40]], atol=1e-4)


def test_the_two_parts_of_syntext150k_and_its_broken_rows(tmp_path):
    broken = bezier([1, 96], bezier_pts=[1, 2, 3]), bezier([1, 96], image_id=7), {"id": 4}, "x"
    place(
        tmp_path,
        {
            "syntext1/annotations/ecms_v1_maxlen25.json": bezier_file(bezier([33, 96]), *broken),
            "syntext2/annotations/train_37voc.json": bezier_file(bezier([0, 37])),
            "syntext2/annotations/train_96voc.json": bezier_file(bezier([65, 96])),
        },
    )
    assert recognise(tmp_path).splits(tmp_path) == ["syntext1", "syntext2"]
    problems = Problems()
    (record,) = load_corpus(f"{tmp_path}@syntext1", problems=problems)
    assert record.texts == ["A"]
    assert [problem.reason.split(":")[0] for problem in problems] == [f"annotation {n}" for n in (2, 3, 4, 5)]
    (record,) = load_corpus(f"{tmp_path}@syntext2")
    assert record.texts == ["a"] and record.image.parent == tmp_path / "syntext2" / "images"
