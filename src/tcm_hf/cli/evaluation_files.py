"""The files that `tcm-hf evaluate` compares: results and annotations of whole images, paired by name."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from tcm_hf.cli.errors import CommandError
from tcm_hf.results.records import Record, parse_json_array, parse_json_lines

if TYPE_CHECKING:
    from tcm_hf.data.records import TextRecord

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


def read_annotations(words: str) -> dict[str, "TextRecord"]:
    """Annotated photos by image name, from `[NAME:]FOLDER[@SPLIT][:FIRST-LAST]`; they need not be there.

    Raises:
        CommandError: two images have one name.
        ValueError: there is no such corpus, no image in the range, or an annotation is broken.
    """
    from tcm_hf.training.corpus_spec import CorpusSpec

    by_name: dict[str, TextRecord] = {}
    for record in CorpusSpec.parse(words).annotations():
        name = image_name(Path(record.name))
        if name in by_name:
            raise CommandError(
                f"results are paired with annotations by name, and {_place(by_name[name])} and "
                f"{_place(record)} are both {name}: rename one, or evaluate them apart"
            )
        by_name[name] = record
    return by_name


def _place(record: "TextRecord") -> str:
    return str(record.image) if isinstance(record.image, Path) else record.name


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
            records = parse_json_lines(text)
            if len(records) < sum(bool(line.strip()) for line in text.split("\n")):
                print(f"{path}: the last line is cut off, and left out", file=sys.stderr)
        else:
            document = parse_json_array(text)
            records = document if isinstance(document, list) else [document]
        return [entry_of(record) for record in records]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CommandError(f"{path}: not a result of tcm-hf ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error


def found_in(
    record: Mapping[str, Any], score_names: Sequence[str], texts_needed: bool = False
) -> ImageResult:
    """What a record of `tcm-hf detect` or `read` says was found.

    Args:
        record: Of an image.
        score_names: The field that holds the score: the first of these that there is.
        texts_needed: Whether every outline must say what was read.

    Raises:
        KeyError: A field is missing.
        ValueError: A value is of another kind than its schema says.
    """
    result = ImageResult()
    for number, instance in enumerate(record["instances"], start=1):
        score = next((instance[name] for name in score_names if name in instance), None)
        text = instance["text"] if texts_needed else instance.get("text")
        try:
            result.polygons.append(_outline(instance["polygon"]))
            if score is not None and not _is_number(score):
                raise ValueError(f"expected a score that is a number, got {score!r}")
            if not isinstance(text, str) and (texts_needed or text is not None):
                raise ValueError(f"expected a text that is a string, got {text!r}")
        except ValueError as error:
            raise ValueError(f"{record['source']['path']}, text {number}: {error}") from error
        result.scores.append(score)
        result.texts.append(text)
    return result


def word_in(record: Mapping[str, Any]) -> str:
    """What a record of `tcm-hf recognize` says was read.

    Raises:
        KeyError: It says nothing.
        ValueError: It is no string.
    """
    if not isinstance(record["text"], str):
        raise ValueError(f"{record['source']['path']}: expected a text, got {record['text']!r}")
    return record["text"]


def _outline(points: Any) -> list[list[float]]:
    """Points that are an outline.

    Raises:
        ValueError: They are none.
    """
    if (
        not isinstance(points, list)
        or len(points) < 3
        or not all(isinstance(point, list) and len(point) == 2 for point in points)
        or not all(_is_number(value) for point in points for value in point)
    ):
        raise ValueError(f"expected an outline of 3 points [x, y] or more, got {points!s:.60}")
    return points


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number that a coordinate or a score can be; NaN is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


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


def _parse_icdar_results(
    path: Path, parse_line: Callable[[str], tuple[list[float], float | None, str | None]]
) -> ImageResult:
    result = ImageResult()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values, score, text = parse_line(line.rstrip("\r"))
            points = [list(point) for point in zip(values[::2], values[1::2], strict=True)]
            result.polygons.append(_outline(points))
        except ValueError as error:
            raise CommandError(f"{path}, line {number}: {error}") from error
        result.scores.append(score)
        result.texts.append(text)
    return result
