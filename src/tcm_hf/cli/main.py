"""The command `tcm-hf`: reads the arguments and hands over to one verb.

Exit codes: 0 done, 1 a comparison that found a difference (verify), 2 a mistake of the user (one line on
stderr), 3 done but for some inputs, 130 Ctrl-C.

No verb file imports torch, transformers or numpy at its top: help, version and argument errors answer at
once.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from tcm_hf._version import __version__
from tcm_hf.cli import (
    convert,
    data,
    detect,
    dota,
    evaluate,
    experiment,
    explain,
    export,
    export_state_dict,
    presets,
    push,
    read,
    recognize,
    serve,
    synth,
    synth_aerial,
    synth_words,
    train,
    verify,
)
from tcm_hf.cli.arguments import OneLineParser
from tcm_hf.cli.errors import CommandError

EXIT_USER_MISTAKE = 2
EXIT_INTERRUPTED = 130
# What a shell reports for a program that wrote to a closed pipe (128 + SIGPIPE).
EXIT_CLOSED_PIPE = 141

# Each has `add_parser(subparsers)` and `run(arguments)`; the help lists them in this order.
_VERBS = {
    "read": read,
    "detect": detect,
    "recognize": recognize,
    "serve": serve,
    "explain": explain,
    "evaluate": evaluate,
    "data": data,
    "train": train,
    "experiment": experiment,
    "synth": synth,
    "synth-words": synth_words,
    "synth-aerial": synth_aerial,
    "dota": dota,
    "presets": presets,
    "convert": convert,
    "verify": verify,
    "export": export,
    "export-state-dict": export_state_dict,
    "push": push,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = OneLineParser(
        prog="tcm-hf",
        description="Find and read text in photos with CLIP-guided models (TCM, FastTCM, CLIP4STR).",
    )
    parser.add_argument("--version", action="version", version=f"tcm-hf {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in _VERBS.values():
        verb.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; `None` takes those of the process.

    Returns:
        The exit code. For help, version and argument errors argparse raises `SystemExit` itself (0, 0, 2).
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = build_parser().parse_args(argv)
    # Reports of training and evaluation name the command that made them.
    arguments.command_line = shlex.join(["tcm-hf", *argv])
    try:
        return _VERBS[arguments.verb].run(arguments)
    except KeyboardInterrupt:
        print("tcm-hf: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone. Python flushes stdout once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    except (CommandError, OSError) as error:
        print(f"tcm-hf {arguments.verb}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_USER_MISTAKE
