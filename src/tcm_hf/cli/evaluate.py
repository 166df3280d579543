"""`tcm-hf evaluate detection`: score result files against annotations."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.formats import parse_json_array, parse_json_lines

if TYPE_CHECKING:
    from tcm_hf.data.records import TextInstance

DESCRIPTION = """\
Precision, recall and hmean of detections. Images are paired by name: img_1, res_img_1 and gt_img_1 are one.

PREDICTIONS   a folder (searched to the bottom) of ICDAR result files (res_img_1.txt, a line is
              x1,y1,x2,y2,...[,score]) or of tcm-hf detect's .json files, or one .jsonl or .json file of
              tcm-hf detect
GROUND_TRUTH  a folder with metadata.jsonl (FOLDER:901-1000 takes the images with these numbers only), or a
              folder of ICDAR 2015 label files (gt_img_1.txt, a line is x1,y1,...,x4,y4,text)

An image without predictions counts as one where nothing was found. The result is one JSON document on stdout.
"""

# For one image: polygons as lists of [x, y], and a score or none for each.
Detections = tuple[list[list[list[float]]], list[float | None]]


def add_parser(subparsers: Any) -> None:
    """Add the verb `evaluate` with its kind `detection` to the command line."""
    evaluate = subparsers.add_parser("evaluate", help="score results against annotations")
    kinds = evaluate.add_subparsers(dest="kind", required=True, metavar="KIND")
    parser = kinds.add_parser(
        "detection",
        help="precision, recall and hmean of text polygons",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    parser.add_argument("ground_truth", metavar="GROUND_TRUTH")
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


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        0; the numbers are on stdout.

    Raises:
        CommandError: for files that are missing, cannot be read or do not fit together.
    """
    try:
        references = _read_references(args.ground_truth)
        detections = _read_predictions(args.predictions)
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(str(error)) from error
    _report_unpaired(detections, references)
    if args.sweep or args.threshold is not None:
        _require_scores(detections)
    try:
        result = _score(args, detections, references)
    except ValueError as error:
        raise CommandError(str(error)) from error
    print(json.dumps(result, indent=2))
    return 0


def _score(
    args: argparse.Namespace, detections: dict[str, Detections], references: dict[str, list["TextInstance"]]
) -> dict[str, Any]:
    from tcm_hf.evaluation.detection import DetEvalMetric, TextDetectionMetric, sweep_thresholds

    metric_class = TextDetectionMetric if args.protocol == "icdar2015" else DetEvalMetric
    predictions = []
    for name in references:
        polygons, scores = detections.get(name, ([], []))
        predictions.append(
            {"polygons_xy": polygons, "scores": [1.0 if score is None else score for score in scores]}
        )
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


def _read_references(words: str) -> dict[str, list["TextInstance"]]:
    """Texts by image name, from `FOLDER` or `FOLDER:FIRST-LAST`."""
    from tcm_hf.data.corpora import load_metadata_jsonl, read_icdar2015_labels
    from tcm_hf.training.corpus_spec import CorpusSpec, file_number

    folder = Path(words)
    if folder.is_dir() and not (folder / "metadata.jsonl").is_file():
        labels = sorted(folder.glob("gt_*.txt"))
        if not labels:
            raise CommandError(f"expected metadata.jsonl or gt_*.txt in {folder}: found neither")
        return _by_image_name((path, read_icdar2015_labels(path)) for path in labels)
    spec = CorpusSpec.parse(words)
    first, last = spec.numbers or (-1, float("inf"))
    # Not `spec.records()`, which wants the photos too: annotations are enough here.
    records = [
        record for record in load_metadata_jsonl(spec.folder) if first <= file_number(record.name) <= last
    ]
    if not records:
        raise CommandError(f"no annotated image of {spec.folder} is in {words}: look at the numbers")
    return _by_image_name((Path(str(record.image)), record.instances) for record in records)


def _by_image_name(
    references: Iterable[tuple[Path, list["TextInstance"]]],
) -> dict[str, list["TextInstance"]]:
    paths: dict[str, Path] = {}
    by_name = {}
    for path, instances in references:
        name = _image_name(path)
        if name in paths:
            raise CommandError(
                f"results are paired with annotations by name, and {paths[name]} and {path} are both {name}: "
                "rename one, or evaluate them apart"
            )
        paths[name] = path
        by_name[name] = instances
    return by_name


def _read_predictions(path: Path) -> dict[str, Detections]:
    """Detections by image name."""
    if path.is_dir():
        files = sorted([*path.rglob("*.txt"), *path.rglob("*.json")])
        if not files:
            raise CommandError(f"expected result files (.txt or .json) in {path}: found none")
    elif path.is_file():
        files = [path]
    else:
        raise CommandError(f"no such file or folder: {path}")
    detections: dict[str, Detections] = {}
    file_of: dict[str, Path] = {}
    for file in files:
        for name, found in _read_result_file(file):
            if name in detections:
                raise CommandError(
                    f"two results for the image {name}: in {file_of[name]} and in {file}; keep one"
                )
            detections[name] = found
            file_of[name] = file
    return detections


def _read_result_file(path: Path) -> list[tuple[str, Detections]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".txt":
            return [(_image_name(path), _parse_icdar_results(text, path))]
        if path.suffix == ".jsonl":
            records = parse_json_lines(text)
        else:
            document = parse_json_array(text)
            records = document if isinstance(document, list) else [document]
        return [_from_record(record) for record in records]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CommandError(
            f"{path}: not a result of tcm-hf detect ({type(error).__name__}: {error})"
        ) from error


def _from_record(record: dict[str, Any]) -> tuple[str, Detections]:
    instances = record["instances"]
    polygons = [instance["polygon"] for instance in instances]
    return _image_name(Path(record["source"]["path"])), (
        polygons,
        [instance.get("score") for instance in instances],
    )


def _parse_icdar_results(text: str, path: Path) -> Detections:
    """Lines of x1,y1,x2,y2,...: an odd number of values ends with the score."""
    polygons, scores = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.strip().rstrip(",").split(",")]
        except ValueError as error:
            raise CommandError(f"{path}, line {number}: {error}") from error
        if len(values) < 6:
            raise CommandError(
                f"{path}, line {number}: expected x1,y1,x2,y2,x3,y3,...: got {len(values)} values"
            )
        scores.append(values.pop() if len(values) % 2 else None)
        polygons.append([list(point) for point in zip(values[::2], values[1::2], strict=True)])
    return polygons, scores


def _image_name(path: Path) -> str:
    """The name that an image, its labels and its results share."""
    return path.stem.removeprefix("gt_").removeprefix("res_")


def _report_unpaired(detections: dict[str, Detections], references: dict[str, Any]) -> None:
    unknown = [name for name in detections if name not in references]
    missing = [name for name in references if name not in detections]
    if len(unknown) == len(detections):
        raise CommandError(
            f"no prediction fits an annotated image: results are for {', '.join(unknown[:3]) or 'nothing'}, "
            f"annotations for {', '.join(missing[:3])}"
        )
    for names, note in ((unknown, "have no annotation and are left out"), (missing, "have no result file")):
        if names:
            print(
                f"{len(names)} images {note}: {', '.join(names[:3])}{' …' * (len(names) > 3)}",
                file=sys.stderr,
            )


def _require_scores(detections: dict[str, Detections]) -> None:
    for name, (_, scores) in detections.items():
        if None in scores:
            raise CommandError(f"--threshold and --sweep need a score for each polygon: {name} has none")
