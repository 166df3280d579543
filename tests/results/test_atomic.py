import pytest

from tcm_hf.results.atomic import whole_file, write_text_whole


def test_a_file_and_its_folders_appear(tmp_path):
    write_text_whole(tmp_path / "new" / "a.txt", "Straße")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "Straße"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_whole_and_nothing_else_is_left(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert path.read_text() == "old"


def test_the_temporary_file_keeps_the_suffix_and_is_hidden(tmp_path):
    with whole_file(tmp_path / "a.jpg") as temporary:
        temporary.touch()
        assert temporary.suffix == ".jpg"
        assert temporary.name.startswith(".")
        assert not (tmp_path / "a.jpg").exists()
