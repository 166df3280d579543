import json

import pytest

from tcm_hf.bulk.parts import BadRow, PartCount, PartFolder
from tcm_hf.bulk.plan import Plan, SourceFile


@pytest.fixture
def folder(tmp_path):
    return PartFolder(str(tmp_path))


def plan_of(rows):
    return Plan("photos", "tar", None, 2, {}, (SourceFile("a.tar", 100, rows),))


def test_a_folder_in_which_nothing_was_begun_has_no_plan(folder):
    assert folder.read_plan() is None
    assert folder.parts() == []
    assert folder.count(0) == PartCount(0, 0, 0)


def test_the_plan_can_be_read_back(folder):
    folder.write_plan(plan_of(3))
    assert folder.read_plan() == plan_of(3)


def test_a_broken_plan_is_an_error_that_names_the_file(folder, tmp_path):
    (tmp_path / "plan.jsonl").write_text("{}")
    with pytest.raises(ValueError, match=r"plan.jsonl: no plan of this version .*; use another --output"):
        folder.read_plan()


def test_other_files_are_no_parts(folder, tmp_path):
    folder.write_part(12, [{"a": 1}], [])
    for name in ("part-1.txt", "part-x.jsonl", ".part-00000003.jsonl", "part-00000012.jsonl.bak"):
        (tmp_path / "parts" / name).write_text("")
    assert folder.parts() == [12]


def test_rows_are_counted_in_the_files(folder, tmp_path):
    folder.write_part(0, [{"a": 1}, {"b": "\u2028\n"}], [BadRow("x", "two\nlines")])
    assert folder.count(0) == PartCount(0, 2, 1)
    part = tmp_path / "parts" / "part-00000000.jsonl"
    part.write_bytes(part.read_bytes()[:-5])
    assert folder.count(0) == PartCount(0, 1, 1)


def test_the_end_is_a_manifest_with_exact_counts_and_all_bad_rows(folder, tmp_path):
    plan = plan_of(5)
    folder.write_plan(plan)
    folder.write_part(0, [{}, {}], [])
    folder.write_part(1, [{}], [BadRow("a.tar#2", "größe")])
    folder.write_part(2, [], [BadRow("a.tar#4", "")])
    folder.begin_part(2)
    (tmp_path / "parts" / f".part-00000002.jsonl.{'f' * 32}.tmp").write_text("half")
    folder.finish(plan, [folder.count(part) for part in folder.parts()])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["rows"], manifest["records"], manifest["bad"]) == (5, 3, 2)
    assert manifest["parts"] == [[2, 0], [1, 1], [0, 1]]
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in bad] == ["a.tar#2", "a.tar#4"]
    assert sorted(path.name for path in tmp_path.rglob(".*")) == []
    assert not (tmp_path / "begun").exists()
