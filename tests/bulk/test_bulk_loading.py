from pathlib import Path

import pyarrow as pa
import pytest

from bulk_jobs import picture, write_parquet, write_pictures, write_tar
from tcm_hf.bulk.loading import RowReader, load_slices, rows_of_slices, slice_item
from tcm_hf.bulk.locations import Location
from tcm_hf.bulk.plan import Piece, Slice, Source, row_kind
from tcm_hf.bulk.rows import PictureFiles, TarMembers


@pytest.fixture
def tars(tmp_path):
    """Two tar files with ten pictures each; the reds are 0..9."""
    for name in ("a.tar", "b.tar"):
        write_tar(tmp_path / name, [f"{number}" for number in range(10)])
    return Source(Location(str(tmp_path)), TarMembers())


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened."""
    names = []
    open_stream = Location.open_stream

    def spy(self, name):
        names.append(name)
        return open_stream(self, name)

    monkeypatch.setattr(Location, "open_stream", spy)
    return names


def path_of(source, name):
    return Path(source.location.address) / name


def numbers(rows):
    return [row.image and [picture(red) for red in range(60)].index(row.image) for row in rows]


def test_pieces_of_one_file_in_a_row_open_it_once(tars, opened):
    reader = RowReader(tars)
    assert numbers(reader.rows(Piece("a.tar", 2, 4))) == [2, 3]
    assert numbers(reader.rows(Piece("a.tar", 4, 5))) == [4]
    assert numbers(reader.rows(Piece("a.tar", 8, 10))) == [8, 9]
    assert opened == ["a.tar"]
    assert numbers(reader.rows(Piece("b.tar", 0, 1))) == [0]
    assert numbers(reader.rows(Piece("a.tar", 0, 1))) == [0]
    assert numbers(reader.rows(Piece("a.tar", 0, 2))) == [0, 1]
    assert opened == ["a.tar", "b.tar", "a.tar", "a.tar"]


def test_every_row_of_a_piece_comes_even_where_the_file_ends_before(tars):
    path = path_of(tars, "a.tar")
    path.write_bytes(path.read_bytes()[: 3 * 2048 + 100])
    rows = list(RowReader(tars).rows(Piece("a.tar", 2, 5)))
    assert numbers(rows) == [2, None, None]
    assert [row.id for row in rows[1:]] == [f"{path}#3", f"{path}#4"]
    assert all(row.problem.startswith("cannot be read: damaged or cut off") for row in rows[1:])


def test_a_file_that_has_become_shorter_says_so(tars):
    write_tar(path_of(tars, "a.tar"), ["0"])
    rows = list(RowReader(tars).rows(Piece("a.tar", 0, 3)))
    assert [row.problem for row in rows] == [None, *["cannot be read: the file has become shorter"] * 2]


def test_after_damage_the_next_file_is_read(tars):
    path_of(tars, "a.tar").write_bytes(b"no tar")
    reader = RowReader(tars)
    assert [row.problem is None for row in reader.rows(Piece("a.tar", 0, 2))] == [False, False]
    assert [row.problem is None for row in reader.rows(Piece("a.tar", 2, 3))] == [False]
    assert numbers(reader.rows(Piece("b.tar", 0, 2))) == [0, 1]


def test_a_picture_that_is_not_there_is_a_bad_row_by_its_own_name(tmp_path):
    source = Source(Location(str(tmp_path)), PictureFiles())
    [row] = RowReader(source).rows(Piece("gone.png", 0, 1))
    assert row.id == f"{tmp_path}/gone.png"
    assert row.problem.startswith("cannot be read: ")


def test_a_file_that_could_not_be_counted_is_not_opened(tars, opened):
    [row] = RowReader(tars).rows(Piece("a.tar", 0, 1, problem="cannot be read: rust"))
    assert (row.id, row.problem) == (f"{tars.location.address}/a.tar", "cannot be read: rust")
    assert opened == []


@pytest.mark.parametrize("kind", ["pictures", "tar", "parquet"])
def test_slices_come_back_from_ray_tables_with_their_rows(tmp_path, kind):
    write_pictures(tmp_path / "pictures", 6)
    write_tar(tmp_path / "tar" / "a.tar", ["0", "1", "2"])
    write_parquet(tmp_path / "parquet" / "a.parquet", [picture(0), None, picture(2)])
    pieces = {
        "pictures": (
            (Piece("half0/000.png", 0, 1), Piece("half0/001.png", 0, 1)),
            (Piece("half1/003.png", 0, 1),),
        ),
        "tar": ((Piece("a.tar", 0, 2),), (Piece("a.tar", 2, 3),)),
        "parquet": ((Piece("a.parquet", 0, 2),), (Piece("a.parquet", 2, 3),)),
    }[kind]
    table = pa.Table.from_pylist([slice_item([Slice(5 + place, own) for place, own in enumerate(pieces)])])
    source = Source(Location(str(tmp_path / kind)), row_kind(kind, None))
    loaded = [part for one in load_slices(table, source) for part in rows_of_slices(one)]
    assert [(part, len(rows)) for part, rows in loaded] == [(5, 2), (6, 1)]
    second = None if kind == "parquet" else 1
    assert [numbers(rows) for _, rows in loaded] == [[0, second], [3 if kind == "pictures" else 2]]
