import tarfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from bulk_jobs import picture, write_parquet, write_tar
from tcm_hf.bulk import rows as rows_module
from tcm_hf.bulk.locations import Location
from tcm_hf.bulk.rows import ParquetRows, PictureFiles, TarMembers, kind_of_file


def read(kind, folder, file):
    """What `rows` gives before it fails, and the failure."""
    found = []
    try:
        for row in kind.rows(Location(str(folder)), file):
            found.append(row)
    except Exception as error:
        return found, error
    return found, None


def count(kind, folder, file):
    return kind.count(Location(str(folder)), file)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("a.JPG", PictureFiles),
        ("x/a.tif", PictureFiles),
        ("a.parquet", ParquetRows),
        ("a.tar", TarMembers),
        ("a.TAR.GZ", TarMembers),
        ("a.tgz", TarMembers),
        ("a.txt", None),
        ("tar", None),
    ],
)
def test_files_are_known_by_their_suffix(file, kind):
    assert kind_of_file(file) is kind


def test_a_picture_file_is_one_row(tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1))
    [row], error = read(PictureFiles(), tmp_path, "a.png")
    assert (row.id, row.image, row.problem, error) == (f"{tmp_path}/a.png", picture(1), None, None)


@pytest.mark.parametrize(("content", "problem"), [(b"", "no bytes"), (b"123456789", "more than 0 MB")])
def test_an_empty_or_an_endless_file_is_a_bad_row(tmp_path, monkeypatch, content, problem):
    monkeypatch.setattr(rows_module, "MAX_PICTURE_BYTES", 8)
    (tmp_path / "a.png").write_bytes(content)
    [row], _ = read(PictureFiles(), tmp_path, "a.png")
    assert row.image is None
    assert problem in row.problem


def test_a_tar_file_gives_its_pictures_in_order_and_passes_over_the_rest(tmp_path):
    write_tar(tmp_path / "a.tar", ["0", "1"])
    found, error = read(TarMembers(), tmp_path, "a.tar")
    assert error is None
    assert [(row.id, row.image) for row in found] == [
        (f"{tmp_path}/a.tar#0.png", picture(0)),
        (f"{tmp_path}/a.tar#1.png", picture(1)),
    ]
    assert count(TarMembers(), tmp_path, "a.tar") == 2


def test_a_packed_tar_file_is_read_like_another(tmp_path):
    write_tar(tmp_path / "plain.tar", ["0", "1", "2"])
    with tarfile.open(tmp_path / "plain.tar") as plain, tarfile.open(tmp_path / "a.tgz", "w:gz") as packed:
        for member in plain:
            packed.addfile(member, plain.extractfile(member))
    assert count(TarMembers(), tmp_path, "a.tgz") == 3


# A picture's header and data take 1024 bytes, and so do those of the text behind it.
@pytest.mark.parametrize(
    ("length", "whole_rows"),
    [(560, 0), (600, 1), (1024, 1), (1100, 1), (2048 + 512, 1), (2048 + 1024, 2), (4096, 2), (4096 + 99, 2)],
    ids=["data", "padding", "behind data", "header", "behind a header", "border", "end", "end mark"],
)
def test_a_tar_file_that_was_cut_off_loses_what_was_cut_and_says_so(tmp_path, length, whole_rows):
    write_tar(tmp_path / "a.tar", ["0", "1"])
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[:length])
    found, error = read(TarMembers(), tmp_path, "a.tar")
    assert [row.image for row in found] == [picture(0), picture(1)][:whole_rows]
    assert isinstance(error, tarfile.ReadError)
    if whole_rows:
        assert count(TarMembers(), tmp_path, "a.tar") == whole_rows + 1
    else:
        with pytest.raises(tarfile.ReadError):
            count(TarMembers(), tmp_path, "a.tar")


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path):
    write_tar(tmp_path / "a.tar", ["0", "1"])
    content = bytearray((tmp_path / "a.tar").read_bytes())
    content[2048:2060] = b"\xff" * 12
    (tmp_path / "a.tar").write_bytes(content)
    found, error = read(TarMembers(), tmp_path, "a.tar")
    assert len(found) == 1
    assert "damaged or cut off at byte 2048" in str(error)


def test_a_parquet_file_gives_a_row_each_with_its_number(tmp_path):
    write_parquet(tmp_path / "a.parquet", [picture(0), None, b"", picture(3), picture(4)], rows_per_group=2)
    found, error = read(ParquetRows(), tmp_path, "a.parquet")
    assert error is None
    assert [row.id for row in found] == [f"{tmp_path}/a.parquet#{number}" for number in range(5)]
    assert [row.image for row in found] == [picture(0), None, None, picture(3), picture(4)]
    assert found[1].problem == "only the name of a picture: 1.png"
    assert count(ParquetRows(), tmp_path, "a.parquet") == 5


def test_a_parquet_column_may_hold_bare_bytes(tmp_path):
    parquet.write_table(pa.table({"key": ["x", "y"], "jpg": [picture(0), None]}), tmp_path / "a.parquet")
    found, _ = read(ParquetRows(), tmp_path, "a.parquet")
    assert [(row.image, row.problem) for row in found] == [
        (picture(0), None),
        (None, "no bytes: expected a picture"),
    ]


def test_the_rows_of_a_damaged_row_group_are_bad_and_the_next_group_goes_on(tmp_path):
    write_parquet(tmp_path / "a.parquet", [picture(number) for number in range(6)], rows_per_group=2)
    place = parquet.read_metadata(tmp_path / "a.parquet").row_group(1).column(1).data_page_offset
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[place : place + 20] = b"\xff" * 20
    (tmp_path / "a.parquet").write_bytes(content)
    found, error = read(ParquetRows(), tmp_path, "a.parquet")
    assert error is None
    assert [row.image is not None for row in found] == [True, True, False, False, True, True]
    assert found[2].problem.startswith("row group 1 is damaged: ")


@pytest.mark.parametrize(
    ("columns", "column", "message"),
    [
        ({"a": [1]}, None, "expected one column with the bytes of pictures .*, found none among a"),
        ({"a": [b"1"], "b": [b"1"]}, None, "found a, b among a, b: name it"),
        ({"a": [b"1"], "b": [1]}, "b", "expected the column b .*, found a among a, b"),
    ],
)
def test_a_parquet_file_where_the_pictures_could_be_anywhere_is_an_error(tmp_path, columns, column, message):
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=message):
        count(ParquetRows(column), tmp_path, "a.parquet")


def test_a_parquet_column_can_be_chosen(tmp_path):
    parquet.write_table(pa.table({"a": [b"1"], "b": [b"2"]}), tmp_path / "a.parquet")
    [row], _ = read(ParquetRows("b"), tmp_path, "a.parquet")
    assert row.image == b"2"
