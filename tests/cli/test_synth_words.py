import pytest

from tcm_hf.cli.main import main
from tcm_hf.data.synthetic import fonts
from tcm_hf.data.synthetic.fonts import FontLibrary, builtin_face
from tcm_hf.data.words import LMDBWords

pytest.importorskip("lmdb", reason="the extra `words` is not installed")


@pytest.fixture(autouse=True)
def one_font(monkeypatch):
    """The face that Pillow carries: there on every machine, and nothing to search."""
    monkeypatch.setattr(FontLibrary, "from_folders", lambda folders=None: _library(folders))


def _library(folders) -> FontLibrary:
    if folders is not None:
        fonts.find_font_files(folders)
    return FontLibrary([builtin_face()])


def synth_words(output, *more: str) -> int:
    return main(["synth-words", "--output", str(output), "--workers", "1", *more])


def contents(path) -> list[tuple[str, bytes]]:
    return [(word.text, word.image) for word in LMDBWords(path)]


def test_it_writes_words_that_a_recogniser_can_be_trained_on(tmp_path, capsys):
    assert synth_words(tmp_path / "w.lmdb", "--count", "5", "--charset", "abc", "--max-length", "4") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "w.lmdb")
    words = LMDBWords(tmp_path / "w.lmdb")
    assert len(words) == 5
    assert all(set(word.text) <= set("abc") and len(word.text) <= 4 for word in words)
    assert all(24 <= word.load_image().shape[0] <= 64 for word in words)


def test_it_goes_on_where_it_stopped_and_makes_the_same_words(tmp_path, capsys):
    assert synth_words(tmp_path / "twice", "--count", "3") == 0
    assert synth_words(tmp_path / "twice", "--count", "6") == 0
    assert "3 of 6 words are there already" in capsys.readouterr().err
    assert synth_words(tmp_path / "once", "--count", "6") == 0
    assert contents(tmp_path / "twice") == contents(tmp_path / "once")


def test_a_run_that_ends_in_the_middle_goes_on(tmp_path, monkeypatch):
    from tcm_hf.data.synthetic.word_generator import SyntheticWordGenerator

    make = SyntheticWordGenerator.__call__

    def fails(self, seed, index):
        if index == 2:
            raise KeyboardInterrupt
        return make(self, seed, index)

    monkeypatch.setattr(SyntheticWordGenerator, "__call__", fails)
    assert synth_words(tmp_path / "w", "--count", "4") == 130
    assert len(LMDBWords(tmp_path / "w")) == 2
    monkeypatch.setattr(SyntheticWordGenerator, "__call__", make)
    assert synth_words(tmp_path / "w", "--count", "4") == 0
    assert synth_words(tmp_path / "once", "--count", "4") == 0
    assert contents(tmp_path / "w") == contents(tmp_path / "once")


def test_two_processes_make_the_same_words_as_one(tmp_path):
    assert synth_words(tmp_path / "one", "--count", "4") == 0
    assert main(["synth-words", "--output", str(tmp_path / "two"), "--count", "4", "--workers", "2"]) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_word_list_is_used(tmp_path):
    (tmp_path / "list").write_text("zyzzyva\n")
    assert synth_words(tmp_path / "w", "--count", "30", "--words", str(tmp_path / "list")) == 0
    assert any("zyzzyva" in LMDBWords(tmp_path / "w").text(index).lower() for index in range(30))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--seed", "9"], "other settings"),
        (["--charset", ""], "charset"),
        (["--charset", "中"], "No font has a glyph"),
        (["--words", "no/such/list"], "no/such/list"),
        (["--backgrounds", "no/such/folder"], "no/such/folder is not there"),
        (["--fonts", "no/such/folder"], "no/such/folder"),
    ],
)
def test_a_mistake_ends_with_one_line_and_code_2(tmp_path, capsys, more, named):
    assert synth_words(tmp_path, "--count", "1") == 0
    capsys.readouterr()
    assert synth_words(tmp_path, "--count", "1", *more) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert named in error
    assert error.startswith("tcm-hf synth-words: error: ")
    assert error.count("\n") == 1


def test_a_folder_of_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("all I have")
    assert synth_words(tmp_path) == 2
    assert "is no LMDB" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_lmdb_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    assert synth_words(tmp_path / "w", "--count", "1") == 2
    assert 'pip install "tcm_hf[words]"' in capsys.readouterr().err
