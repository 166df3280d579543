"""`tcm-hf evaluate rotated`: average precision of rotated objects."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import probability
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_arguments import add_kind_parser
from tcm_hf.cli.evaluation_files import report_unpaired
from tcm_hf.cli.rotated_files import ABOUT_RESULTS, RotatedResult, by_photo_name, read_rotated_results

if TYPE_CHECKING:
    from tcm_hf.data.rotated_records import RotatedRecord

DESCRIPTION = f"""\
Average precision of rotated objects, as DOTA and PASCAL VOC count it. Images are paired by name
("my photo" is my_photo), classes too (storage-tank is "storage tank").

PREDICTIONS
{ABOUT_RESULTS}
GROUND_TRUTH  a corpus of rotated objects, [NAME:]FOLDER[@SPLIT][:A-B]: in DOTA's layout or with
              metadata.jsonl (tcm-hf data list), or a folder of DOTA's label files; A-B are image numbers

An image without predictions counts as one where nothing was found. The result is one JSON document on stdout:
map50 (mean AP at overlap 0.5, VOC 2012 style), map50_voc07 (DOTA's own), map50_95, ap50 of every class, and
precision, recall and f1 of all that is in PREDICTIONS, or has --threshold.
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `rotated` to the verb `evaluate`."""
    parser = add_kind_parser(
        kinds, "rotated", "average precision of rotated objects", DESCRIPTION, "GROUND_TRUTH"
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help="these only (default: all that are annotated)"
    )
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="SCORE",
        help="count detections with at least this score only",
    )


def score(args: argparse.Namespace) -> dict[str, Any]:
    """The numbers that the arguments ask for.

    Raises:
        CommandError, ValueError: for files that are missing, cannot be read or do not fit together.
    """
    from tcm_hf.data.dota import class_prompt
    from tcm_hf.evaluation.rotated import RotatedDetectionMetric
    from tcm_hf.training.rotated_datasets import RotatedLabelsSpec

    records = RotatedLabelsSpec.parse(args.ground_truth).annotations()
    references = by_photo_name((record.name, _with_words(record)) for record in records)
    found = read_rotated_results(args.predictions).by_image
    if found:  # Task1 files of nothing found name no image
        report_unpaired(found, references)
    there = sorted({name for record in references.values() for name in record.class_names})
    _report_unknown({name for result in found.values() for name in result.class_names} - {*there})
    class_names = list(map(class_prompt, args.classes or there))
    if missing := [name for name in class_names if name not in there]:
        raise CommandError(f"no object of the classes {missing} is annotated: there are {there}")
    metric = RotatedDetectionMetric(class_names)
    for name, record in references.items():
        wanted = record.with_classes(class_names)
        reference = {
            "boxes": wanted.boxes(),
            "labels": wanted.class_labels(class_names),
            "difficult": wanted.difficult,
        }
        metric.update([_prediction(found.get(name), class_names, args.threshold)], [reference])
    numbers = metric.compute() | {"num_images": len(references)}
    return {"protocol": "average precision", "threshold": args.threshold, **numbers}


def _with_words(record: "RotatedRecord") -> "RotatedRecord":
    """With class names as results have them."""
    from dataclasses import replace

    from tcm_hf.data.dota import class_prompt

    return replace(record, class_names=list(map(class_prompt, record.class_names)))


def _report_unknown(class_names: set[str]) -> None:
    if class_names:
        print(
            f"Classes that were found but are nowhere annotated, left out: {', '.join(sorted(class_names))}",
            file=sys.stderr,
        )


def _prediction(
    result: RotatedResult | None, class_names: list[str], threshold: float | None
) -> dict[str, Any]:
    import numpy as np

    from tcm_hf.processing.rotated_boxes import polygons_to_boxes

    if result is None:
        return {"boxes": np.zeros((0, 5)), "scores": np.zeros(0), "labels": np.zeros(0, int)}
    kept = np.array([name in class_names for name in result.class_names], dtype=bool)
    if threshold is not None:
        kept &= result.scores >= threshold
    labels = [class_names.index(name) for name, keep in zip(result.class_names, kept, strict=True) if keep]
    return {
        "boxes": polygons_to_boxes(result.polygons_xy[kept]),
        "scores": result.scores[kept],
        "labels": np.array(labels, dtype=int),
    }
