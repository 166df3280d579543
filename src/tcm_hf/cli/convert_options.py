"""What the kinds of `tcm-hf convert` have in common."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import add_verb

EPILOG = "Exit codes: 0 done, 2 wrong use or a file that does not fit (nothing is written), 130 Ctrl-C."


def add_kind(
    kinds: Any,
    name: str,
    summary: str,
    description: str,
    source: tuple[str, str] = ("CKPT", "the checkpoint file"),
) -> argparse.ArgumentParser:
    """A kind of checkpoint, with the arguments that all have.

    Args:
        kinds: where it is added.
        name: what is typed.
        summary: one line.
        description: all of it.
        source: name and help of the first argument.
    """
    parser = add_verb(kinds, name, summary, description, EPILOG)
    parser.add_argument("source", metavar=source[0], help=source[1])
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="folder to write; must not exist or be empty"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="the model that it should be; its size is compared (default: any size)",
    )
    parser.add_argument(
        "--vocabulary",
        metavar="SOURCE",
        help="CLIP's vocabulary: folder or Hub id with vocab.json and merges.txt or tokenizer.json (default: "
        "the installed open_clip_torch's)",
    )
    parser.add_argument(
        "--keys", action="store_true", help="print what became of every tensor: taken, left out, fresh"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    return parser


def add_prompt(parser: argparse.ArgumentParser, text: str, metavar: str = "TEXT") -> None:
    """`--prompt`, once a class."""
    parser.add_argument("--prompt", action="append", metavar=metavar, help=text)


def add_config(parser: argparse.ArgumentParser, text: str) -> None:
    """`--config`, the original's configuration."""
    parser.add_argument("--config", metavar="FILE", help=text)


def tell(parts: Iterable[str]) -> None:
    """One line about the model that was made, for people."""
    from tcm_hf.conversion.shown_text import one_line

    print(f"tcm-hf convert: {one_line('; '.join(parts))}", file=sys.stderr)


def told_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What all converters of TCM's checkpoints take beside file and folder."""
    return {
        "preset": arguments.preset,
        "vocabulary": arguments.vocabulary,
        "upstream_config": arguments.config,
    }


def report_of(converted: Any, quiet: bool) -> Any:
    """What became of every tensor; tells, unless quiet, method, head and what is known of the model."""
    if not quiet:
        config = converted.model.config
        notes = [f"{name}: {note}" for name, note in converted.notes.items()]
        tell([f"{config.method} with {config.head_config.head_type}", *notes])
    return converted.report
