"""What a foreign file says is shown in one line that steers nothing."""

import pytest

from tcm_hf.conversion.shown_text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\n\tc", "a b c"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("right \u202e to left", "right \\u202e to left"),
        ("Größe 文字 …", "Größe 文字 …"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
def test_control_characters_are_spelled_out_and_words_are_not(text, shown):
    assert one_line(text) == shown


def test_long_texts_are_cut_off():
    assert one_line("ab" * 10, 20) == "ab" * 10
    assert one_line("ab" * 10, 19) == "ab" * 9 + "a …"
