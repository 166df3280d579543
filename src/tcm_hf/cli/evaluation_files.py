"""The files that `tcm-hf evaluate` compares: results and annotations of whole images, paired by name."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.formats import Record, parse_json_array, parse_json_lines

if TYPE_CHECKING:
    from tcm_hf.data.records import TextInstance

# What stands before the name of an image in the names of its files.
_PREFIXES = ("gt_", "res_", "new_voc_", "voc_")


@dataclass
class ImageResult:
    """What was found in an image: for each text an outline [[x, y], …], and a score and a text or None."""

    polygons: list[list[list[float]]] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)

    def at_least(self, threshold: float) -> "ImageResult":
        """Those with at least this score; all must have one."""
        kept = [index for index, score in enumerate(self.scores) if score is not None and score >= threshold]
        return ImageResult(
            [self.polygons[index] for index in kept],
            [self.scores[index] for index in kept],
            [self.texts[index] for index in kept],
        )


def read_annotations(words: str) -> dict[str, list["TextInstance"]]:
    """Texts by image name, from `FOLDER` or `FOLDER:FIRST-LAST`.

    Raises:
        CommandError: there are no annotations, none in the range, or two images of one name.
        ValueError: an annotation is broken.
    """
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


def read_image_results(
    path: Path,
    parse_icdar_line: Callable[[str], tuple[list[float], float | None, str | None]],
    of_record: Callable[[Mapping[str, Any]], ImageResult],
) -> dict[str, ImageResult]:
    """Results by image name: a folder of ICDAR or JSON files, or one file of `tcm-hf`.

    Args:
        path: the folder, searched to the bottom, or the file.
        parse_icdar_line: the coordinates, the score and the text of a line of an ICDAR result file.
        of_record: what is found in a record of `tcm-hf`.

    Raises:
        CommandError: there is no result, a file cannot be read, or an image has two.
    """
    if path.is_dir():
        files = sorted([*path.rglob("*.txt"), *path.rglob("*.json")])
        if not files:
            raise CommandError(f"expected result files (.txt or .json) in {path}: found none")
    else:
        files = [path]
    results: dict[str, ImageResult] = {}
    file_of: dict[str, Path] = {}
    for file in files:
        if file.suffix == ".txt":
            found = [(image_name(file), _parse_icdar_results(file, parse_icdar_line))]
        else:
            found = read_records(
                file, lambda record: (image_name(Path(record["source"]["path"])), of_record(record))
            )
        for name, result in found:
            if name in results:
                raise CommandError(
                    f"two results for the image {name}: in {file_of[name]} and in {file}; keep one"
                )
            results[name] = result
            file_of[name] = file
    return results


def read_records(path: Path, entry_of: Callable[[Record], Any]) -> list[Any]:
    """What `entry_of` makes of each record of a .jsonl or .json file of `tcm-hf`.

    Raises:
        CommandError: the file is not there or is no such file.
    """
    text = read_text(path)
    try:
        if path.suffix == ".jsonl":
            return [entry_of(record) for record in parse_json_lines(text)]
        document = parse_json_array(text)
        return [entry_of(record) for record in (document if isinstance(document, list) else [document])]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path}: not a result of tcm-hf ({type(error).__name__}: {error})") from error


def read_table(path: Path, delimiter: str) -> list[dict[str, str]]:
    """The rows of a .csv or .tsv file by the names in its first line."""
    return list(csv.DictReader(read_text(path).splitlines(keepends=True), delimiter=delimiter))


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Raises:
        CommandError: there is no such file, or it is not UTF-8.
    """
    if not path.is_file():
        raise CommandError(f"no such file or folder: {path}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: expected UTF-8 text ({error})") from error


def image_name(path: Path) -> str:
    """The name that an image, its labels, its results and its lexicon share."""
    name = path.stem
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def report_unpaired(found: Iterable[str], wanted: Iterable[str], noun: str = "image") -> None:
    """Say on stderr what has no counterpart.

    Args:
        found: names with results.
        wanted: names with annotations.
        noun: what has these names.

    Raises:
        CommandError: nothing has a counterpart.
    """
    found, wanted = list(found), list(wanted)
    annotated, predicted = set(wanted), set(found)
    unknown = [name for name in found if name not in annotated]
    missing = [name for name in wanted if name not in predicted]
    if len(unknown) == len(found):
        raise CommandError(
            f"no prediction fits an annotated {noun}: results are for {', '.join(unknown[:3]) or 'nothing'}, "
            f"annotations for {', '.join(missing[:3])}"
        )
    for names, note in ((unknown, "have no annotation and are left out"), (missing, "have no result file")):
        if names:
            print(
                f"{len(names)} {noun}s {note}: {', '.join(names[:3])}{' …' * (len(names) > 3)}",
                file=sys.stderr,
            )


def require_scores(results: Mapping[str, ImageResult], option: str) -> None:
    """Check that every text has a score.

    Raises:
        CommandError: one has none.
    """
    for name, result in results.items():
        if None in result.scores:
            raise CommandError(f"{option} needs a score for each polygon: {name} has none")


def _by_image_name(
    references: Iterable[tuple[Path, list["TextInstance"]]],
) -> dict[str, list["TextInstance"]]:
    paths: dict[str, Path] = {}
    by_name = {}
    for path, instances in references:
        name = image_name(path)
        if name in paths:
            raise CommandError(
                f"results are paired with annotations by name, and {paths[name]} and {path} are both {name}: "
                "rename one, or evaluate them apart"
            )
        paths[name] = path
        by_name[name] = instances
    return by_name


def _parse_icdar_results(
    path: Path, parse_line: Callable[[str], tuple[list[float], float | None, str | None]]
) -> ImageResult:
    result = ImageResult()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values, score, text = parse_line(line.rstrip("\r"))
        except ValueError as error:
            raise CommandError(f"{path}, line {number}: {error}") from error
        result.polygons.append([list(point) for point in zip(values[::2], values[1::2], strict=True)])
        result.scores.append(score)
        result.texts.append(text)
    return result
