"""What the kinds of `tcm-hf evaluate` ask for alike."""

import argparse
from pathlib import Path
from typing import Any

# How a description goes on where whole images are scored.
ABOUT_GROUND_TRUTH = """\
GROUND_TRUTH  a corpus as tcm-hf data list shows them, [NAME:]FOLDER[@SPLIT][:FIRST-LAST]: a folder with
              metadata.jsonl, with ICDAR label files (gt_img_1.txt), totaltext:FOLDER@test, …;
              FOLDER:901-1000 takes the images with these numbers only

An image without predictions counts as one where nothing was found. The result is one JSON document on stdout.
"""


def add_kind_parser(
    kinds: Any, kind: str, help_text: str, description: str, truth: str
) -> argparse.ArgumentParser:
    """Add a kind with the two things that it compares.

    Args:
        kinds: What `add_subparsers` of the verb `evaluate` returned.
        kind: Its name.
        help_text: What it scores.
        description: Of both files, as it stands in the help.
        truth: How the second is called there; in lower case it is the argument's name.
    """
    parser = kinds.add_parser(
        kind,
        help=help_text,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    parser.add_argument(truth.lower(), metavar=truth)
    return parser
