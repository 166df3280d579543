"""What `tcm-hf evaluate` says of the single images: a table of all of them, and drawings of the worst."""

import argparse
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import count_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_files import ImageResult, require_scores
from tcm_hf.results.atomic import write_text_whole

if TYPE_CHECKING:
    from tcm_hf.data.records import TextRecord
    from tcm_hf.evaluation.counting import ImageMetric
    from tcm_hf.evaluation.image_scores import ImageScore

_SWEEP = [tenth / 10 for tenth in range(1, 10)]


@dataclass
class ImageRow:
    """One image of an evaluation: what is annotated, what was found, and what the protocol makes of it."""

    name: str
    record: "TextRecord"
    found: ImageResult
    score: "ImageScore"


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the kinds that compare whole images, for `evaluate_images`."""
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="count what has at least this score only"
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="add the results at thresholds 0.1 ... 0.9, and the best of them under that name; choose a "
        "threshold on training images, not on those you report",
    )
    parser.add_argument(
        "--per-image", type=Path, metavar="FILE", help="write the numbers of each image to a .jsonl or .csv"
    )
    parser.add_argument(
        "--draw-worst",
        type=count_int,
        default=0,
        metavar="N",
        help="draw the N images with most mistakes into --output: misses red, false alarms orange, wrong "
        "readings purple, do-not-care grey",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where drawings go")
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="the photos, if not where the annotations name them"
    )


def check_report_arguments(args: argparse.Namespace) -> None:
    """See that the options fit together, before anything is read.

    Raises:
        CommandError: they do not.
    """
    check_report_name(args.per_image)
    if args.draw_worst and args.output is None:
        raise CommandError("--draw-worst draws into a folder: --output DIR is needed")
    if args.output and not args.draw_worst:
        raise CommandError("--output is for drawings: --draw-worst N is needed")
    if args.photos and not args.photos.is_dir():
        raise CommandError(f"--photos {args.photos}: no such folder")


def check_report_name(path: Path | None) -> None:
    """See that a report has a name that says its format.

    Raises:
        CommandError: it does not.
    """
    if path and path.suffix not in (".jsonl", ".csv"):
        raise CommandError(f"--per-image writes .jsonl or .csv: got {path}")


def evaluate_images(
    args: argparse.Namespace,
    make_metric: "Callable[[], ImageMetric]",
    records: "Mapping[str, TextRecord]",
    results: Mapping[str, ImageResult],
    references: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Score the images, and write what was asked for of each.

    Args:
        args: With the options of `add_report_arguments`.
        make_metric: The protocol.
        records: The annotated images by name.
        results: What was found, by name; images may be missing.
        references: What the metric wants of `records`, in their order.

    Returns:
        The numbers at `--threshold`, and with `--sweep` those at all thresholds and the best of them apart.

    Raises:
        CommandError, ValueError: Scores are missing, or a photo.
    """
    from tcm_hf.evaluation.detection import best_over_thresholds, sweep_thresholds
    from tcm_hf.evaluation.image_scores import score_images

    if args.sweep or args.threshold is not None:
        require_scores(results, "--sweep" if args.sweep else "--threshold")
    photos: dict[str, Path] = {}
    if args.draw_worst:
        from tcm_hf.cli.worst_images import find_photos

        photos = find_photos(records, args.photos)
    found = [results.get(name, ImageResult()) for name in records]
    kept = found if args.threshold is None else [result.at_least(args.threshold) for result in found]
    metric, images = score_images(make_metric, list(map(_prediction, kept)), references)
    numbers: dict[str, Any] = {"threshold": args.threshold, **metric.compute()}
    if args.sweep:
        rows = sweep_thresholds(list(map(_prediction, found)), references, _SWEEP, make_metric)
        numbers |= {"sweep": rows, "best_over_thresholds": best_over_thresholds(rows)}
    rows_of_images = [
        ImageRow(name, record, result, score)
        for (name, record), result, score in zip(records.items(), kept, images, strict=True)
    ]
    if args.per_image:
        write_report(args.per_image, [_report_row(image) for image in rows_of_images])
    if args.draw_worst:
        from tcm_hf.cli.worst_images import draw_worst

        draw_worst(rows_of_images, args.draw_worst, args.output, photos)
    return numbers


def require_transcriptions(protocol: str, records: "Mapping[str, TextRecord]") -> None:
    """Check that every text that counts says what it says.

    Raises:
        CommandError: one does not.
    """
    for name, record in records.items():
        if any(each.text is None and not each.ignore for each in record.instances):
            raise CommandError(
                f"--protocol {protocol} needs what every text says: an annotation of {name} has no text"
            )


def write_report(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table, one row a line: JSON lines, or a .csv without the columns that hold lists."""
    if path.suffix == ".jsonl":
        write_text_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return
    plain = [{key: value for key, value in row.items() if not isinstance(value, list)} for row in rows]
    table = io.StringIO()
    writer = csv.DictWriter(table, plain[0].keys() if plain else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain)
    write_text_whole(path, table.getvalue())


def _prediction(result: ImageResult) -> dict[str, Any]:
    return {"polygons_xy": result.polygons, "scores": result.scores, "texts": result.texts}


def _report_row(image: ImageRow) -> dict[str, Any]:
    verdict, texts = image.score.verdict, image.record.texts
    return {
        "image": image.name,
        **{name: value for name, value in image.score.scores.items() if name != "num_images"},
        "misses": image.score.misses,
        "false_alarms": image.score.false_alarms,
        "missed": [{"index": index, "text": texts[index]} for index in verdict.missed.nonzero()[0].tolist()],
        "false": [
            {"index": index, "text": image.found.texts[index], "score": image.found.scores[index]}
            for index in verdict.false_alarms.nonzero()[0].tolist()
        ],
    }
