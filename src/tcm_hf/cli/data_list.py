"""`tcm-hf data list`: the corpora and file formats that every verb reads, and how each lies on disk."""

import argparse
import json
import shutil
import textwrap
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, add_verb
from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.data.corpora.corpus import Corpus

DESCRIPTION = f"""\
List the corpora and file formats that can be read, with the layout of their official download.

A corpus is named as {CORPUS_METAVAR} wherever a verb takes one. NAME may be left out where the
files tell it, SPLIT where there is one part only; A-B are file numbers. What is not "read only" can
be written, too (tcm-hf data convert --to NAME).
"""
EPILOG = """\
examples:
  tcm-hf data list
  tcm-hf data list totaltext ctw1500
  tcm-hf data list --json
"""
_HEADINGS = {
    "photos": "photos with outlines of texts",
    "words": "crops of words",
    "objects": "photos with rotated objects",
}
_INDENT = " " * 18


def add_parser(kinds: Any) -> None:
    """Add the kind `list` to the verb `data`."""
    parser = add_verb(kinds, "list", "corpora and formats that can be read", DESCRIPTION, EPILOG)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--json", action="store_true", help="as a JSON array")


def run(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0; the list is on stdout.

    Raises:
        CommandError: for a name that is none.
    """
    from tcm_hf.data.corpora.table import CORPORA, corpus_named
    from tcm_hf.data.writing.formats import FORMATS

    try:
        corpora = [corpus_named(name) for name in args.names] or list(CORPORA)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if args.json:
        print(json.dumps([_as_dict(corpus, FORMATS) for corpus in corpora], indent=2, ensure_ascii=False))
        return 0
    for kind, heading in _HEADINGS.items():
        of_kind = [corpus for corpus in corpora if corpus.kind == kind]
        if of_kind:
            print(f"{heading}\n")
            print("\n".join(_as_text(corpus, FORMATS) for corpus in of_kind))
    return 0


def _as_dict(corpus: "Corpus", written: Container[str]) -> dict[str, Any]:
    fields = ("name", "title", "kind", "level", "layout", "homepage")
    return {name: getattr(corpus, name) for name in fields} | {"written": corpus.name in written}


def _as_text(corpus: "Corpus", written: Container[str]) -> str:
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    level = ", a text is a line" if corpus.level == "line" else ""
    read_only = "" if corpus.name in written else " (read only)"
    lines = [f"  {corpus.name:15} {corpus.title}{level}{read_only}"]
    for line in [*corpus.layout.splitlines(), corpus.homepage]:
        lines += textwrap.wrap(
            line,
            width,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
            break_on_hyphens=False,
            break_long_words=False,  # addresses
        )
    return "\n".join(lines) + "\n"
