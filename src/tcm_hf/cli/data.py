"""`tcm-hf data KIND`: the corpora that can be read, what lies in one, and from one format to another."""

import argparse
from typing import Any

from tcm_hf.cli import data_convert, data_inspect, data_list

# Each has `add_parser(kinds)` and `run(arguments)`; the help lists them in this order.
_KINDS = {"list": data_list, "inspect": data_inspect, "convert": data_convert}


def add_parser(subparsers: Any) -> None:
    """Add the verb `data` with its kinds to the command line."""
    data = subparsers.add_parser("data", help="look at corpora and convert them")
    kinds = data.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind in _KINDS.values():
        kind.add_parser(kinds)


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        The exit code of the kind.

    Raises:
        CommandError: for a mistake of the user.
    """
    return _KINDS[args.kind].run(args)
