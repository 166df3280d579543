"""Arguments about reading words, for `read` and `recognize`."""

import argparse
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import count_int, probability
from tcm_hf.cli.errors import CommandError

RECOGNIZER_PARAMETERS = (
    "refine_iterations",
    "use_cross_branch",
    "charset",
    "lexicon",
    "max_lexicon_distance",
)


def add_recognizer_arguments(group: argparse._ArgumentGroup) -> None:
    """Add what the recogniser of `pipeline("text-recognition")` can be told; see `RECOGNIZER_PARAMETERS`."""
    group.add_argument(
        "--refine-iterations", type=count_int, metavar="N", help="how often a word is looked at again"
    )
    group.add_argument(
        "--cross-branch",
        dest="use_cross_branch",
        action=argparse.BooleanOptionalAction,
        help="whether the reading is compared with the picture by CLIP's text tower",
    )
    group.add_argument("--charset", metavar="CHARACTERS", help="the only characters that may be read")
    group.add_argument(
        "--lexicon",
        type=Path,
        metavar="FILE",
        help="words that may be read, one a line; the nearest is taken",
    )
    group.add_argument(
        "--max-lexicon-distance",
        type=probability,
        metavar="SHARE",
        help="leave a reading as it is that is farther from its word: edits over the length of the longer, "
        "0 to 1; 0.4 where other words can come (default: always take a word)",
    )
    group.add_argument(
        "--characters",
        action="store_true",
        help="JSON results also have every character with its probability",
    )


def recognizer_params(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters as a record tells them: a lexicon by its file."""
    params = {name: getattr(arguments, name) for name in RECOGNIZER_PARAMETERS}
    return {**params, "lexicon": arguments.lexicon.as_posix() if arguments.lexicon else None}


def recognizer_call_params(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters as the pipeline takes them.

    Raises:
        CommandError: If the lexicon cannot be read, or holds no word, or there is a distance without one.
    """
    if arguments.max_lexicon_distance is not None and not arguments.lexicon:
        raise CommandError("--max-lexicon-distance needs --lexicon FILE")
    params = {name: getattr(arguments, name) for name in RECOGNIZER_PARAMETERS}
    params["lexicon"] = read_lexicon(arguments.lexicon) if arguments.lexicon else None
    params["return_characters"] = arguments.characters
    return {name: value for name, value in params.items() if value is not None}


def read_lexicon(path: Path) -> list[str]:
    """The words of a file, one a line.

    Raises:
        CommandError: If it is not there, is no UTF-8 text, or holds no word.
    """
    try:
        words = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--lexicon {path}: {error}") from error
    if not any(words):
        raise CommandError(f"--lexicon {path} holds no words: write one a line")
    return [word for word in words if word]
