"""`tcm-hf data inspect`: what a corpus is, what lies in it, what is broken, and a sheet of its pictures."""

import argparse
import json
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, add_verb, positive_int
from tcm_hf.cli.errors import CommandError

EXIT_BROKEN_ROWS = 3
DESCRIPTION = """\
Say what a corpus is, count what lies in it, name broken rows (file, line, reason), lost pictures and
what is hardly meant so (outlines that cross themselves or leave the picture, sizes that do not fit,
pictures that lie there twice), and draw a contact sheet: solid outlines count, dashed ones are "do not
care", red ones are doubtful, the dot is the first corner. Without a part all parts are looked at.
"""
EPILOG = """\
Ends with 3 where rows are broken or pictures are lost, with 2 where it is no corpus that we know.

examples:
  tcm-hf data inspect ~/data/totaltext
  tcm-hf data inspect icdar2015:~/data/ic15@train:1-100 --sheet ic15.jpg
  tcm-hf data inspect my-photos --all --json --no-sheet
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `inspect` to the verb `data`."""
    parser = add_verb(kinds, "inspect", "what lies in a corpus, and what is broken", DESCRIPTION, EPILOG)
    parser.add_argument("source", metavar=CORPUS_METAVAR, help="a corpus of any kind, see tcm-hf data list")
    parser.add_argument("--all", action="store_true", help="name all broken rows and doubts (the first ones)")
    parser.add_argument("--json", action="store_true", help="one JSON document, with all of them")
    parser.add_argument(
        "--limit", type=positive_int, metavar="N", help="look at N pictures of a part, spread evenly (all)"
    )
    sheet = parser.add_mutually_exclusive_group()
    sheet.add_argument(
        "--sheet", type=Path, default=Path("contact-sheet.jpg"), metavar="FILE", help="(%(default)s)"
    )
    sheet.add_argument("--no-sheet", action="store_true", help="draw none")
    parser.add_argument(
        "--sheet-pictures", type=positive_int, metavar="N", help="pictures on the sheet (12, or 60 words)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0, or 3 where rows are broken or pictures lost; the report is on stdout.

    Raises:
        CommandError: it is no corpus that we know, or it cannot be read at all.
    """
    from tcm_hf.cli.inspection_report import report_lines
    from tcm_hf.data.inspection import inspect_corpus
    from tcm_hf.training.corpus_spec import AnyCorpusSpec

    try:
        spec = AnyCorpusSpec.parse(args.source)
        corpus, splits = spec.parts()
        chosen = spec.is_meant if spec.numbers else None
        inspection = inspect_corpus(corpus, spec.folder, splits, limit=args.limit, chosen=chosen)
        if chosen is not None and not any(len(part.records) for part in inspection.parts):
            raise spec.nothing_in_range()
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from error
    sheet = None if args.no_sheet else _draw_sheet(inspection, args)
    if args.json:
        document = inspection.to_dict() | {"contact_sheet": None if sheet is None else str(sheet)}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print("\n".join(report_lines(inspection.to_dict(), show_all=args.all)))
        if sheet is not None:
            print(f"\ncontact sheet: {sheet}")
    return 0 if inspection.is_sound else EXIT_BROKEN_ROWS


def _draw_sheet(inspection: Any, args: argparse.Namespace) -> Path | None:
    """Where the sheet is; None where no picture could be read."""
    from tcm_hf.cli.contact_sheet import contact_sheet
    from tcm_hf.results.atomic import whole_file

    picture = contact_sheet(inspection, args.sheet_pictures)
    if picture is None:
        return None
    with whole_file(args.sheet) as temporary:
        try:
            picture.save(temporary)
        except ValueError as error:
            raise CommandError(f"--sheet {args.sheet}: {error}; give a .jpg or .png file") from error
    return args.sheet
