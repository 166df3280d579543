import pytest

from bulk_jobs import picture, write_parquet, write_pictures, write_tar
from tcm_hf.bulk import plan as plan_module
from tcm_hf.bulk.plan import Plan, SourceFile, list_source, stretches


def plan_of(*rows, size=1, rows_per_part=4, problem=None):
    files = tuple(
        SourceFile(f"{index}.tar", size * count, count, problem) for index, count in enumerate(rows)
    )
    return Plan("source", "tar", None, rows_per_part, {"threshold": 0.5}, files)


def pieces_of(plan):
    """Of each slice the files with the rows of each."""
    return [
        [(int(piece.file.removesuffix(".tar")), piece.start, piece.stop) for piece in one.pieces]
        for one in plan.slices
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), []),
        ((0, 0), []),
        ((4,), [[(0, 0, 4)]]),
        ((1, 1, 1, 1, 1), [[(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 1)], [(4, 0, 1)]]),
        ((3, 2), [[(0, 0, 3)], [(1, 0, 2)]]),
        ((1, 0, 2), [[(0, 0, 1), (2, 0, 2)]]),
        ((5,), [[(0, 0, 4)], [(0, 4, 5)]]),
        ((1, 9, 1), [[(0, 0, 1)], [(1, 0, 4)], [(1, 4, 8)], [(1, 8, 9)], [(2, 0, 1)]]),
    ],
)
def test_small_files_share_a_slice_and_large_ones_are_cut(rows, expected):
    assert pieces_of(plan_of(*rows)) == expected


def test_slices_are_numbered_and_hold_every_row_once():
    plan = plan_of(3, 0, 11, 1, 1, 4, 5)
    assert [one.part for one in plan.slices] == list(range(len(plan.slices)))
    rows = [
        (file, row)
        for pieces in pieces_of(plan)
        for file, start, stop in pieces
        for row in range(start, stop)
    ]
    assert rows == [(index, row) for index, file in enumerate(plan.files) for row in range(file.rows)]
    assert sum(one.rows for one in plan.slices) == plan.rows == 25


def test_slices_of_large_images_have_fewer_rows(monkeypatch):
    monkeypatch.setattr(plan_module, "MAX_SLICE_BYTES", 100)
    assert [one.rows for one in plan_of(5, size=40).slices] == [2, 2, 1]
    assert [one.rows for one in plan_of(1, 1, 1, size=40).slices] == [2, 1]
    # One that is larger than a slice still is one.
    assert [one.rows for one in plan_of(2, size=1000).slices] == [1, 1]


def test_slices_of_one_large_file_are_read_in_one_go():
    plan = plan_of(9, 1, 1, 8)
    assert [[one.part for one in stretch] for stretch in stretches(plan.slices)] == [[0, 1, 2], [3], [4, 5]]
    left = [plan.slices[part] for part in (0, 2, 3, 5)]
    assert [[one.part for one in stretch] for stretch in stretches(left)] == [[0, 2], [3], [5]]


def test_a_plan_can_be_read_back():
    names = ("a.tar", "b\u2028 \n.tar", "größe.tar")
    files = tuple(SourceFile(name, 1, 5, "broken" if name == "a.tar" else None) for name in names)
    plan = Plan("s3://bucket/photos", "tar", None, 4, {"threshold": 0.5, "tile": None}, files)
    assert Plan.from_json_lines(plan.to_json_lines()) == plan
    assert Plan.from_json_lines(plan.to_json_lines()).slices == plan.slices


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff\xfe", b'{"schema": "tcm_hf.bulk/0"}', plan_of(1).to_json_lines()[:-9]],
    ids=["empty", "no header", "a list", "no text", "another version", "cut off"],
)
def test_what_is_no_plan_is_an_error(content):
    with pytest.raises(ValueError, match="no plan of this version"):
        Plan.from_json_lines(content)


def test_a_source_is_known_by_its_files(tmp_path):
    write_pictures(tmp_path / "photos", 3)
    (tmp_path / "photos" / "list.txt").write_text("not a photo")
    write_tar(tmp_path / "tars" / "a.tar", ["0"])
    write_parquet(tmp_path / "tables" / "a.parquet", [picture(0)])
    kind, files = list_source(str(tmp_path / "photos"))
    assert (kind, [name for name, _ in files]) == (
        "pictures",
        ["half0/000.png", "half0/001.png", "half1/002.png"],
    )
    assert list_source(str(tmp_path / "tars"))[0] == "tar"
    assert list_source(str(tmp_path / "tables"))[0] == "parquet"


def test_a_source_may_be_one_file(tmp_path):
    write_tar(tmp_path / "a.tar", ["0"])
    assert list_source(str(tmp_path / "a.tar")) == ("tar", [("", (tmp_path / "a.tar").stat().st_size)])


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("nowhere", "no such file or folder: .*nowhere"),
        ("empty", "expected pictures, parquet or tar files in .*empty, found none of them"),
        ("mixed", "found 2 files of pictures and 1 files of tar: name a folder with one kind"),
    ],
)
def test_a_source_without_images_or_with_images_of_several_kinds_is_an_error(tmp_path, folder, message):
    (tmp_path / "empty").mkdir()
    write_pictures(tmp_path / "mixed", 2)
    write_tar(tmp_path / "mixed" / "z.tar", ["0"])
    with pytest.raises(ValueError, match=message):
        list_source(str(tmp_path / folder))
