"""`tcm-hf evaluate detection`: precision, recall and hmean of text polygons."""

import argparse
from functools import partial
from typing import Any

from tcm_hf.cli.evaluation_arguments import ABOUT_GROUND_TRUTH, add_kind_parser
from tcm_hf.cli.evaluation_files import found_in, read_annotations, read_image_results, report_unpaired
from tcm_hf.cli.image_reports import (
    add_report_arguments,
    check_report_arguments,
    evaluate_images,
    require_transcriptions,
)

DESCRIPTION = """\
Precision, recall and hmean of detections. Images are paired by name: img_1, res_img_1 and gt_img_1 are one.

PREDICTIONS   a folder (searched to the bottom) of ICDAR result files (res_img_1.txt, a line is
              x1,y1,x2,y2,...[,score]) or of .json files of tcm-hf detect or read, or one .jsonl or .json
              file of these
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `detection` to the verb `evaluate`."""
    parser = add_kind_parser(
        kinds,
        "detection",
        "precision, recall and hmean of text polygons",
        DESCRIPTION + ABOUT_GROUND_TRUTH,
        "GROUND_TRUTH",
    )
    parser.add_argument(
        "--protocol",
        choices=("icdar2015", "deteval", "tiou", "cleval"),
        default="icdar2015",
        help="IoU > 0.5 one to one; the ICDAR 2013 rule with splits and merges; matches weighed by their "
        "tightness; or characters, for which GROUND_TRUTH needs texts (%(default)s)",
    )
    add_report_arguments(parser)


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    check_report_arguments(args)
    records = read_annotations(args.ground_truth)
    of_record = partial(found_in, score_names=("detection_score", "score"))
    detections = read_image_results(args.predictions, _parse_line, of_record)
    report_unpaired(detections, records)
    if args.protocol == "cleval":
        require_transcriptions(args.protocol, records)

    from tcm_hf.evaluation.cleval import CLEvalMetric
    from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, TIoUMetric

    metrics = {
        "icdar2015": TextDetectionMetric,
        "deteval": DetEvalMetric,
        "tiou": TIoUMetric,
        "cleval": CLEvalMetric,
    }
    truths = [
        {"polygons_xy": record.polygons_xy, "ignore": record.ignore, "texts": record.texts}
        for record in records.values()
    ]
    numbers = evaluate_images(args, metrics[args.protocol], records, detections, truths)
    return {"protocol": args.protocol, **numbers}


def _parse_line(line: str) -> tuple[list[float], float | None, None]:
    """A line of x1,y1,x2,y2,...: an odd number of values ends with the score."""
    values = [float(value) for value in line.strip().rstrip(",").split(",")]
    if len(values) < 6:
        raise ValueError(f"expected x1,y1,x2,y2,x3,y3,...: got {len(values)} values")
    found_score = values.pop() if len(values) % 2 else None
    return values, found_score, None
