"""`tcm-hf evaluate spotting`: precision, recall and hmean of words that are found and read."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_arguments import ABOUT_GROUND_TRUTH, add_kind_parser
from tcm_hf.cli.evaluation_files import (
    ImageResult,
    image_name,
    read_annotations,
    read_image_results,
    read_text,
    report_unpaired,
    require_scores,
)

if TYPE_CHECKING:
    from tcm_hf.data.records import TextInstance

DESCRIPTION = """\
Precision, recall and hmean of words found and read (ICDAR 2015 task 4.4: IoU > 0.5 and the right text, upper
and lower case alike). Images are paired by name: img_1, res_img_1, gt_img_1 and voc_img_1 are one.

PREDICTIONS   one .jsonl or .json file of tcm-hf read, or a folder (searched to the bottom) of its .json files
              or of ICDAR result files (res_img_1.txt, a line is x1,y1,...,x4,y4,text)
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `spotting` to the verb `evaluate`."""
    parser = add_kind_parser(
        kinds,
        "spotting",
        "precision, recall and hmean of words that are found and read",
        DESCRIPTION + ABOUT_GROUND_TRUTH,
        "GROUND_TRUTH",
    )
    parser.add_argument(
        "--protocol",
        choices=("end-to-end", "word-spotting"),
        default="end-to-end",
        help="all legible words, or words of three letters and more without marks around them (%(default)s)",
    )
    parser.add_argument(
        "--lexicon",
        type=Path,
        metavar="PATH",
        help="readings become the nearest of these words: a file with a word a line (weak, generic), or a "
        "folder with a file an image, voc_img_1.txt (strong)",
    )
    parser.add_argument(
        "--max-lexicon-distance",
        type=float,
        default=0.4,
        metavar="SHARE",
        help="leave out readings with this edit distance to their word or more, over the length of the "
        "longer; 2 leaves out none (%(default)s)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="count readings with at least this score only"
    )


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    references = read_annotations(args.ground_truth)
    readings = read_image_results(args.predictions, _parse_line, _of_record)
    report_unpaired(readings, references)
    if args.threshold is not None:
        require_scores(readings, "--threshold")
        readings = {name: result.at_least(args.threshold) for name, result in readings.items()}

    from tcm_hf.evaluation.spotting import TextSpottingMetric

    strong = _strong_lexicons(args.lexicon, references) if args.lexicon and args.lexicon.is_dir() else {}
    metric = TextSpottingMetric(
        args.protocol,
        lexicon=_words(args.lexicon) if args.lexicon and not strong else None,
        max_lexicon_distance=args.max_lexicon_distance,
    )
    found = [readings.get(name, ImageResult()) for name in references]
    metric.update(
        [{"polygons_xy": result.polygons, "texts": result.texts} for result in found],
        [_reference(instances, strong.get(name)) for name, instances in references.items()],
    )
    return {
        "protocol": args.protocol,
        "lexicon": args.lexicon and str(args.lexicon),
        "threshold": args.threshold,
        **metric.compute(),
    }


def _reference(instances: list["TextInstance"], lexicon: list[str] | None) -> dict[str, Any]:
    return {
        "polygons_xy": [instance.polygon_xy for instance in instances],
        "texts": [instance.text for instance in instances],
        "ignore": [instance.ignore for instance in instances],
        "lexicon": lexicon,
    }


def _strong_lexicons(folder: Path, names: Mapping[str, Any]) -> dict[str, list[str]]:
    files = {image_name(path): path for path in sorted(folder.glob("*.txt"))}
    missing = [name for name in names if name not in files]
    if missing:
        raise CommandError(
            f"expected a lexicon for each image in {folder}: {len(missing)} are missing, the first is "
            f"voc_{missing[0]}.txt"
        )
    return {name: _words(files[name]) for name in names}


def _words(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _of_record(record: Mapping[str, Any]) -> ImageResult:
    instances = record["instances"]
    return ImageResult(
        [instance["polygon"] for instance in instances],
        [instance.get("score") for instance in instances],
        [instance["text"] for instance in instances],
    )


def _parse_line(line: str) -> tuple[list[float], None, str]:
    """A line of four corners and the text, which may hold commas."""
    parts = line.split(",", 8)
    if len(parts) < 9:
        raise ValueError(f"expected x1,y1,x2,y2,x3,y3,x4,y4,text: got {len(parts)} values")
    return [float(value) for value in parts[:8]], None, parts[8].strip()
