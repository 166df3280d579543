import os
import pickle
from pathlib import Path

import pytest
from pyarrow import fs

from tcm_hf.bulk.locations import Location


def test_files_are_listed_to_the_bottom_sorted_and_without_hidden_ones(tmp_path):
    for name in ("b.png", "a/2.png", "a/1.png", ".hidden/x.png", "a/.x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    assert Location(str(tmp_path)).file_sizes() == [("a/1.png", 2), ("a/2.png", 2), ("b.png", 2)]


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert Location(str(tmp_path / "none")).file_sizes() == []


@pytest.mark.parametrize(
    ("address", "name", "expected"),
    [
        ("photos", "a.png", "photos/a.png"),
        ("photos/", "a.png", "photos/a.png"),
        ("a.tar", "", "a.tar"),
        ("what?/a.tar", "", "what?/a.tar"),
        ("s3://key:secret@bucket/photos/?region=eu&scheme=http", "a.png", "s3://bucket/photos/a.png"),
        ("s3://bucket/a.tar?region=eu", "", "s3://bucket/a.tar"),
    ],
)
def test_files_are_told_as_the_user_named_the_folder(address, name, expected):
    assert Location(address).address_of(name) == expected


def test_a_relative_path_means_the_same_folder_in_a_process_that_works_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Location("photos"))
    monkeypatch.chdir("/")
    location = pickle.loads(pickled)
    assert location.address == "photos"
    assert location.read("a.png") == b"1"


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    location = Location(str(tmp_path / "new" / "folder"))
    with pytest.raises(KeyboardInterrupt), location.whole_stream("a.txt") as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    location.write_whole("a.txt", b"first")
    location.write_whole("a.txt", b"second")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.txt"]
    assert location.read("a.txt") == b"second"


def test_what_a_killed_process_left_half_written_is_no_file_and_can_be_removed(tmp_path):
    location = Location(str(tmp_path))
    location.write_whole("a.txt", b"whole")
    left = tmp_path / f".a.txt.{'0' * 32}.tmp"
    left.write_bytes(b"ha")
    (tmp_path / ".mine.tmp").write_bytes(b"not ours")
    assert location.file_sizes() == [("a.txt", 5)]
    location.remove_temporary_files()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.tmp", "a.txt"]


@pytest.mark.parametrize(
    ("content", "lines"), [(b"", 0), (b"a\n", 1), (b"a\nb", 1), (b"a\n\nb\n", 3), ("\u2028\n".encode(), 1)]
)
def test_lines_are_those_that_are_ended(tmp_path, content, lines):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert Location(str(tmp_path)).line_count("a.jsonl") == lines


def test_there_are_no_lines_where_there_is_no_file(tmp_path):
    assert Location(str(tmp_path)).line_count("a.jsonl") == 0


def test_what_is_not_there_can_be_removed(tmp_path):
    location = Location(str(tmp_path))
    location.remove("a.txt")
    location.remove_folder("a")
    assert location.kind("a") == fs.FileType.NotFound


def test_an_address_may_be_one_that_fsspec_knows():
    location = Location("memory://bucket/photos")
    location.write_whole("a/b.txt", b"12")
    assert location.file_sizes() == [("a/b.txt", 2)]
    assert location.address_of("a/b.txt") == "memory://bucket/photos/a/b.txt"


def test_an_address_that_nobody_knows_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="nonsense://x: expected a path, or an address that pyarrow"):
        Location("nonsense://x")


def test_a_file_name_that_is_no_text_is_an_error_that_says_so(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(b"1")
    except OSError:
        pytest.skip("the file system takes names in UTF-8 only")
    with pytest.raises(ValueError, match="has a name that is no UTF-8: rename it"):
        Location(str(tmp_path)).file_sizes()
