"""The parser, and types of arguments that several verbs take."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """A parser, and by inheritance its verbs, whose errors are one line without the usage."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with code 2; the usage is a `--help` away."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def positive_int(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def count_int(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return int(text)
