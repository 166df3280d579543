"""The parser, and types of arguments that several verbs take."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

# No document has so many pages: "10-" is from the tenth on.
PAGES_END = 10**9
# How a corpus is named, see `tcm_hf.training.corpus_spec`.
CORPUS_METAVAR = "[NAME:]FOLDER[@SPLIT][:A-B]"
ABOUT_CORPORA = """\
A corpus is [NAME:]FOLDER[@SPLIT][:A-B]: NAME one of `tcm-hf data list`, which also shows how each lies on
disk (left out: recognised by its files), SPLIT one of its parts where it has several, A-B file numbers."""


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


def probability(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def ratio(text: str) -> float:
    """A number of 0 or more."""
    value = float(text)
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not a ratio of 0 or more")
    return value


def tile(text: str) -> str | int:
    """`auto`, `off`, or the side of a tile in pixels."""
    if text in ("auto", "off"):
        return text
    if not text.isdecimal() or int(text) < 32:
        raise argparse.ArgumentTypeError(f"{text} is neither auto nor off nor a side of at least 32 pixels")
    return int(text)


def device(text: str) -> str:
    """The name of a device, as torch has them, or `auto`."""
    if not re.fullmatch(r"auto|cpu|(cuda|xpu)(:\d+)?|mps", text):
        raise argparse.ArgumentTypeError(f"{text} is none of auto, cpu, cuda, cuda:0, mps, xpu")
    return text


def checkpoint(text: str) -> str:
    """A checkpoint folder or Hub id as it is, the name of a model that ships with tcm_hf as its folder."""
    shipped = Path(__file__).parents[1] / "checkpoints" / Path(text).name
    return str(shipped) if text == shipped.name and shipped.is_dir() and not Path(text).exists() else text


def page_ranges(text: str) -> list[range]:
    """Pages of a document, counted from 1: `3`, `1-4,7` or `10-`."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(-\s*(\d*)\s*)?", part)
        first = int(match[1]) if match else 0
        last = int(match[3] or PAGES_END) if match and match[2] else first
        if not 1 <= first <= last:
            raise argparse.ArgumentTypeError(f"{text} names no pages: write them as 3 or 1-4,7 or 10-")
        ranges.append(range(first, last + 1))
    return ranges


def add_verb(
    subparsers: Any, name: str, summary: str, description: str, epilog: str
) -> argparse.ArgumentParser:
    """A verb whose description and epilog are printed as they are written."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser
