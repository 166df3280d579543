"""`tcm-hf evaluate submission`: results made into the file that a competition takes."""

import argparse
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_files import found_in, read_records, require_scores, word_in
from tcm_hf.results.atomic import whole_file, write_text_whole

if TYPE_CHECKING:
    from tcm_hf.evaluation.submissions import FoundImage, SubmissionFiles

DESCRIPTION = """\
Results as the Robust Reading Competition (rrc.cvc.uab.es) takes them: whole pixels inside the picture,
clockwise, four corners where the task wants four; what had to be changed is counted. For DOTA there is
tcm-hf detect --format dota.

PREDICTIONS  what tcm-hf detect, read or recognize wrote: a .jsonl or .json file, or a folder of .json files
OUTPUT       the file to send in: .zip, .json or .txt as the task wants it; a name without suffix is a folder
             with the files of the archive

icdar2015-4.1  text localization             art-1      text detection (LSVT task 1 too), .json
icdar2015-4.3  word recognition, .txt        art-2      word recognition, .json
icdar2015-4.4  end to end, .zip              art-3      end to end (LSVT task 2 too), .json
mlt-1          text detection (2017, 2019)   totaltext  text detection (y before x, as its scripts want it)
mlt-4          end to end (2019)

The result is one JSON document on stdout. Nothing is sent anywhere.
"""
TASKS = (
    *("icdar2015-4.1", "icdar2015-4.3", "icdar2015-4.4", "mlt-1", "mlt-4", "art-1", "art-2", "art-3"),
    "totaltext",
)


def add_parser(kinds: Any) -> None:
    """Add the kind `submission` to the verb `evaluate`."""
    parser = kinds.add_parser(
        "submission",
        help="make the result files of a competition",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--task", choices=TASKS, required=True, help="whose format")
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="send in what has at least this score only"
    )


def score(args: argparse.Namespace) -> dict[str, Any]:
    """Write the submission and say what is in it.

    Raises:
        CommandError, ValueError: for results that are missing, cannot be read or do not fit the task.
    """
    from tcm_hf.evaluation.submissions import SUBMISSIONS

    task = SUBMISSIONS[args.task]
    # A folder may be named as its task, which ends with a number.
    is_folder = task.suffix == ".zip" and not args.output.suffix.strip(".0123456789")
    if not is_folder and args.output.suffix != task.suffix:
        raise CommandError(f"{args.task} is sent in as {task.suffix}: got {args.output}")
    # Of words that were read the score is that of the reading, the other one that of the outline.
    score_names = ("score",) if "text" in task.wants else ("detection_score", "score")
    images = list(_found_images(args.predictions, args.threshold, score_names))
    made = task.files(images)
    _write(args.output, made, is_folder, task.suffix)
    if task.full_size and len(images) != task.full_size:
        print(
            f"{args.task} has {task.full_size} test images: {len(images)} are sent in, the others count as "
            "empty",
            file=sys.stderr,
        )
    return {
        "protocol": args.task,
        "output": str(args.output),
        "num_images": len(images),
        "num_texts": made.texts,
        "changes": dict(made.changes),
    }


def _write(output: Path, made: "SubmissionFiles", is_folder: bool, suffix: str) -> None:
    if is_folder:
        others = {path.name for path in output.iterdir()} - set(made.contents) if output.is_dir() else set()
        if others:
            raise CommandError(
                f"{output} holds {min(others)}, which is not of this submission: name a new folder"
            )
        for name, text in made.contents.items():
            write_text_whole(output / name, text)
    elif suffix == ".zip":
        with whole_file(output) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in made.contents.items():
                archive.writestr(name, text)
    else:
        (text,) = made.contents.values()
        write_text_whole(output, text)


def _found_images(path: Path, threshold: float | None, score_names: Sequence[str]) -> "Iterator[FoundImage]":
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files:
        raise CommandError(f"expected results of tcm-hf (.json) in {path}: found none")
    for file in files:
        yield from read_records(file, lambda record: _found_image(record, threshold, score_names))


def _found_image(
    record: Mapping[str, Any], threshold: float | None, score_names: Sequence[str]
) -> "FoundImage":
    import numpy as np

    from tcm_hf.evaluation.submissions import FoundImage

    source = record["source"]
    name = Path(source["path"]).name
    if "instances" not in record:
        if threshold is not None:
            raise CommandError("--threshold is for outlines: a crop that is left out counts as wrong")
        return FoundImage(name, None, [], [], [word_in(record)])
    height, width = source["height"], source["width"]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ValueError(f"{name}: expected a height and a width in pixels, got {height!r} and {width!r}")
    found = found_in(record, score_names)
    if threshold is not None:
        require_scores({name: found}, "--threshold")
        found = found.at_least(threshold)
    polygons = [np.array(polygon) for polygon in found.polygons]
    return FoundImage(name, (height, width), polygons, found.scores, found.texts)
