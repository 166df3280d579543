"""`tcm-hf evaluate spotting`: precision, recall and hmean of words that are found and read."""

import argparse
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_arguments import ABOUT_GROUND_TRUTH, add_kind_parser
from tcm_hf.cli.evaluation_files import (
    found_in,
    image_name,
    read_annotations,
    read_image_results,
    read_text,
    report_unpaired,
)
from tcm_hf.cli.image_reports import (
    add_report_arguments,
    check_report_arguments,
    evaluate_images,
    require_transcriptions,
)

if TYPE_CHECKING:
    from tcm_hf.evaluation.counting import ImageMetric

DESCRIPTION = """\
Precision, recall and hmean of words found and read (ICDAR 2015 task 4.4: IoU > 0.5 and the right text, upper
and lower case alike). Images are paired by name: img_1, res_img_1, gt_img_1 and voc_img_1 are one.

PREDICTIONS   one .jsonl or .json file of tcm-hf read, or a folder (searched to the bottom) of its .json files
              or of ICDAR result files (res_img_1.txt, a line is x1,y1,...,x4,y4,text)
"""
# Behind four corners: another point and something else, which is an outline of more points than a text ...
_MORE_POINTS = re.compile(r"\s*-?\d+(\.\d+)?\s*,\s*-?\d+(\.\d+)?\s*,")
# ... unless it is one large number.
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


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
        choices=("end-to-end", "word-spotting", "cleval"),
        default="end-to-end",
        help="all legible words; words of three letters and more without marks around them; or characters, "
        "case too (%(default)s)",
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
    add_report_arguments(parser)


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    check_report_arguments(args)
    if args.lexicon and args.protocol == "cleval":
        raise CommandError("--lexicon is for the other protocols: cleval scores readings as they are")
    records = read_annotations(args.ground_truth)
    of_record = partial(found_in, score_names=("score",), texts_needed=True)
    readings = read_image_results(args.predictions, _parse_line, of_record)
    report_unpaired(readings, records)
    require_transcriptions(args.protocol, records)
    strong = _strong_lexicons(args.lexicon, records) if args.lexicon and args.lexicon.is_dir() else {}
    truths = [
        {
            "polygons_xy": record.polygons_xy,
            "texts": record.texts,
            "ignore": record.ignore,
            "lexicon": strong.get(name),
        }
        for name, record in records.items()
    ]
    numbers = evaluate_images(args, _metric_maker(args, not strong), records, readings, truths)
    return {"protocol": args.protocol, "lexicon": args.lexicon and str(args.lexicon), **numbers}


def _metric_maker(args: argparse.Namespace, one_lexicon: bool) -> "Callable[[], ImageMetric]":
    from tcm_hf.evaluation.cleval import CLEvalMetric
    from tcm_hf.evaluation.spotting import TextSpottingMetric
    from tcm_hf.processing.lexicon import Lexicon

    if args.protocol == "cleval":
        return partial(CLEvalMetric, with_texts=True)
    return partial(
        TextSpottingMetric,
        args.protocol,
        lexicon=Lexicon(_words(args.lexicon)) if args.lexicon and one_lexicon else None,
        max_lexicon_distance=args.max_lexicon_distance,
    )


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


def _parse_line(line: str) -> tuple[list[float], None, str]:
    """A line of four corners and the text, which may hold commas, or be in double quotes."""
    from tcm_hf.data.corpora.files import unquoted

    parts = line.split(",", 8)
    if len(parts) < 9:
        raise ValueError(f"expected x1,y1,x2,y2,x3,y3,x4,y4,text: got {len(parts)} values")
    if _MORE_POINTS.match(parts[8]) and not _THOUSANDS.fullmatch(parts[8].strip()):
        raise ValueError(
            "expected four corners and a text, got more than eight numbers: give results of other outlines "
            "as .json or .jsonl, and put a text that begins with numbers into double quotes"
        )
    return [float(value) for value in parts[:8]], None, unquoted(parts[8])
