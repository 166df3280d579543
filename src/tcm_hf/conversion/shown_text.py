"""Text that a foreign file may have a part in, as people are shown it."""

MAX_CHARACTERS = 2000


def one_line(text: str, longest: int = MAX_CHARACTERS) -> str:
    r"""A text in one line, without what would steer a terminal.

    Args:
        text: any text. Whitespace becomes single spaces; control characters and the like are spelled out
            (`\x1b`).
        longest: characters after which it is cut off.
    """
    line = " ".join(text.split())
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in line[:longest]
    )
    return shown if len(line) <= longest else f"{shown} …"


__all__ = ["one_line"]
