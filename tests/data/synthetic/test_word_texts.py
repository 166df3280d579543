import numpy as np
import pytest

from tcm_hf.data.synthetic.word_texts import CHARSET_94, WordTexts, read_word_list


def drawn(texts: WordTexts, count: int = 4000) -> list[str]:
    rng = np.random.default_rng(0)
    return [texts.draw(rng) for _ in range(count)]


def test_all_characters_of_the_charset_come_and_no_other():
    assert len(set(CHARSET_94)) == 94
    assert set("".join(drawn(WordTexts()))) == set(CHARSET_94)


def test_lengths_reach_from_one_to_the_longest():
    lengths = [len(text) for text in drawn(WordTexts(max_length=12))]
    assert (min(lengths), max(lengths)) == (1, 12)
    assert 4 < np.mean(lengths) < 8


def test_given_words_are_drawn_in_all_cases():
    found = drawn(WordTexts(words=["xylophone"]))
    for form in ("xylophone", "Xylophone", "XYLOPHONE", "XYLOPHONE'S"):
        assert form in found


def test_a_charset_without_capitals_gets_small_letters():
    found = drawn(WordTexts("0123456789abcdefghijklmnopqrstuvwxyz", ["Exit"]), 1000)
    assert set("".join(found)) == set("0123456789abcdefghijklmnopqrstuvwxyz")
    assert "exit" in found


@pytest.mark.parametrize("charset", ["x", "αβγδ", "0123456789", "中国大小店"])
def test_a_charset_without_listed_words_gives_strings_of_it(charset):
    assert set("".join(drawn(WordTexts(charset), 300))) == set(charset)


def test_a_word_list_of_another_script_is_used():
    assert "дом" in drawn(WordTexts("домсадДОМСАД", ["дом", "сад", "house"]), 300)


def test_the_same_numbers_draw_the_same_words():
    assert drawn(WordTexts(), 50) == drawn(WordTexts(), 50)


@pytest.mark.parametrize(("charset", "length"), [("", 5), ("a b", 5), ("abc", 0)])
def test_arguments_that_make_no_word_are_errors(charset, length):
    with pytest.raises(ValueError, match="must be"):
        WordTexts(charset, max_length=length)


def test_a_word_list_is_read_once_a_word_without_possessives(tmp_path):
    (tmp_path / "list").write_text("\ufeffcat\ncat's\n\n dog \ntwo words\ncafé\n", encoding="utf-8")
    assert read_word_list(tmp_path / "list") == ["cat", "dog", "café"]


@pytest.mark.parametrize(("content", "named"), [(b"\n \n", "found none"), (b"\xff\xfe\x00", "UTF-8")])
def test_a_file_that_is_no_word_list_is_an_error(tmp_path, content, named):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(ValueError, match=named):
        read_word_list(tmp_path / "list")
