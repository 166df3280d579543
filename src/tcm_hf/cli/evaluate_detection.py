"""`tcm-hf evaluate detection`: precision, recall and hmean of text polygons."""

import argparse
from collections.abc import Mapping
from typing import Any

from tcm_hf.cli.evaluation_arguments import ABOUT_GROUND_TRUTH, add_kind_parser
from tcm_hf.cli.evaluation_files import (
    ImageResult,
    read_annotations,
    read_image_results,
    report_unpaired,
    require_scores,
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
        choices=("icdar2015", "deteval"),
        default="icdar2015",
        help="IoU > 0.5 one to one, or the ICDAR 2013 rule with splits and merges (%(default)s)",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--threshold", type=float, metavar="SCORE", help="count detections with at least this score only"
    )
    chosen.add_argument(
        "--sweep",
        action="store_true",
        help="results at thresholds 0.1 ... 0.9; choose one on training images, not on those you report",
    )


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    references = read_annotations(args.ground_truth)
    detections = read_image_results(args.predictions, _parse_line, _of_record)
    report_unpaired(detections, references)
    if args.sweep or args.threshold is not None:
        require_scores(detections, "--threshold and --sweep")

    from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, sweep_thresholds

    metric_class = TextDetectionMetric if args.protocol == "icdar2015" else DetEvalMetric
    found = [detections.get(name, ImageResult()) for name in references]
    predictions = [
        {
            "polygons_xy": result.polygons,
            "scores": [1.0 if score is None else score for score in result.scores],
        }
        for result in found
    ]
    truths = [
        {
            "polygons_xy": [instance.polygon_xy for instance in instances],
            "ignore": [instance.ignore for instance in instances],
        }
        for instances in references.values()
    ]
    thresholds = [tenth / 10 for tenth in range(1, 10)] if args.sweep else [args.threshold or float("-inf")]
    rows = sweep_thresholds(predictions, truths, thresholds, metric_class)
    if args.sweep:
        return {"protocol": args.protocol, "sweep": rows}
    rows[0]["threshold"] = args.threshold
    return {"protocol": args.protocol, **rows[0]}


def _of_record(record: Mapping[str, Any]) -> ImageResult:
    instances = record["instances"]
    return ImageResult(
        [instance["polygon"] for instance in instances],
        [instance.get("detection_score", instance.get("score")) for instance in instances],
        [None] * len(instances),
    )


def _parse_line(line: str) -> tuple[list[float], float | None, None]:
    """A line of x1,y1,x2,y2,...: an odd number of values ends with the score."""
    values = [float(value) for value in line.strip().rstrip(",").split(",")]
    if len(values) < 6:
        raise ValueError(f"expected x1,y1,x2,y2,x3,y3,...: got {len(values)} values")
    found_score = values.pop() if len(values) % 2 else None
    return values, found_score, None
