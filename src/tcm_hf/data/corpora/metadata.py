"""Folders of images with a `metadata.jsonl` ("imagefolder"), or with a table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import (
    box_points,
    check_outline,
    check_text,
    clockwise,
    first_bytes,
    json_of,
    lines_of,
    number_of,
    part_folders,
    table_rows,
)
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.records import TextRecord, record_from_row

__all__ = ["IMAGEFOLDER", "load_metadata_csv", "load_metadata_jsonl", "photo_record"]

_FILES = ("metadata.jsonl", "metadata.csv")
_LISTS = ("polygons", "texts", "ignore", "languages", "objects")


def load_metadata_jsonl(
    folder: Path | str, level: Literal["word", "line"] = "word", problems: Problems | None = None
) -> list[TextRecord]:
    """Read a folder of images with a `metadata.jsonl`, as `tcm-hf synth` writes it ("imagefolder").

    A line is `{"file_name": …, "polygons": [[[x, y], …], …], "texts": [str | null, …], "ignore": [bool, …]}`;
    without `ignore`, the texts "###" are do-not-care. `"level": "line"` is said where a polygon is a line.

    Args:
        folder: holds `metadata.jsonl`; file names are relative to it.
        level: what one polygon is, where a row does not say it.
        problems: broken rows are added to this list and left out; None: they are an error.

    Returns:
        One record a line, in file order.

    Raises:
        ValueError: there is no such file, or a row is broken (and `problems` is None): it is no such object,
            or a polygon has fewer than 3 points or one that is not finite; the message has file, line and
            reason.
    """
    path = Path(folder) / "metadata.jsonl"
    if not path.is_file():
        raise ValueError(f"Expected the annotations in {path}: no such file. Give the folder that holds it.")
    with collected(problems) as noted:
        return _records(path, lines_of(path), level, noted)


def load_metadata_csv(
    folder: Path | str, level: Literal["word", "line"] = "word", problems: Problems | None = None
) -> list[TextRecord]:
    """Read a folder of images with a `metadata.csv`: the columns of `load_metadata_jsonl`, lists as JSON.

    Args:
        folder: holds `metadata.csv`; file names are relative to it.
        level: what one polygon is, where a row does not say it.
        problems: broken rows are added to this list and left out; None: they are an error.

    Raises:
        ValueError: see `load_metadata_jsonl`.
    """
    path = Path(folder) / "metadata.csv"
    with collected(problems) as noted:
        return _records(path, table_rows(path, problems=noted), level, noted)


def photo_record(row: dict[str, Any], folder: Path, level: Literal["word", "line"] = "word") -> TextRecord:
    """A record of a row as of `record_from_row`, with its outlines checked and turned clockwise.

    Args:
        row: In place of `polygons` it may have `objects` as in Hugging Face's data sets for object detection:
            `bbox` with (x, y, width, height) an object, and perhaps `text` (or `texts`); or a list of such
            objects, one by one.
        folder: Where the image is looked up.
        level: What one polygon is, where the row does not say it.

    Raises:
        KeyError: It has neither.
        ValueError: An outline or another list is broken.
    """
    record = record_from_row(_with_polygons(row), folder, row.get("level") or level)
    for index, instance in enumerate(record.instances):
        polygon = instance.polygon_xy
        if len(polygon) < 3:
            raise ValueError(f"polygon {index} needs 3 points or more, got {len(polygon)}")
        check_outline(polygon)
        check_text(instance.text, "a transcription")
        check_text(instance.language, "a language")
        instance.polygon_xy = clockwise(polygon)
    return record


def _with_polygons(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("polygons") is not None or row.get("objects") is None:
        return row
    objects = row["objects"]
    if isinstance(objects, list):
        texts = [as_object(one).get("text") for one in objects]
        objects = {"bbox": [one["bbox"] for one in objects], "text": texts}
    boxes = [[number_of(value) for value in box] for box in objects["bbox"]]
    corners = [box_points(x, y, x + width, y + height).tolist() for x, y, width, height in boxes]
    return {"texts": objects.get("texts") or objects.get("text"), **row, "polygons": corners}


def _records(
    path: Path, rows: Iterable[tuple[int, Any]], level: Literal["word", "line"], problems: Problems
) -> list[TextRecord]:
    records = []
    for number, row in rows:
        with problems.row(path, number, "not an annotation"):
            records.append(photo_record(_object(row), path.parent, level))
    return records


def _object(row: str | dict[str, Any]) -> dict[str, Any]:
    """A row as an object: from a line of JSON, or with the JSON in the cells of a table decoded."""
    if isinstance(row, str):
        value = json_of(row)
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {row.strip()[:40]!r}")
        return value
    lists = {name: json_of(row[name]) for name in _LISTS if row.get(name)}
    return {**{name: cell for name, cell in row.items() if name not in _LISTS}, **lists}


def _has_photos(source: Path) -> bool:
    """Whether a folder, or a file of these names itself, has outlines in photos."""
    return any(map(_tells_of_photos, _tables(source)))


def _tables(source: Path) -> list[Path]:
    tables = [source.parent / name if source.is_file() else source / name for name in _FILES]
    return [path for path in tables if path.is_file() and (source.is_dir() or path == source)]


def _tells_of_photos(path: Path) -> bool:
    start = first_bytes(path, 1 << 16)
    if path.suffix == ".csv":
        start = start.split(b"\n", 1)[0]
        return b"polygons" in start or b"objects" in start
    return (b'"polygons"' in start or b'"objects"' in start) and b'"classes"' not in start


def _parts(folder: Path) -> list[str]:
    if _has_photos(folder):
        return []
    return [path.name for path in part_folders(folder) if _has_photos(path)]


def _load(source: Path, split: str | None, problems: Problems) -> list[TextRecord]:
    source = source / (split or "")
    tables = _tables(source) or [source / _FILES[0]]
    table = next(filter(_tells_of_photos, tables), tables[0])
    load = load_metadata_csv if table.suffix == ".csv" else load_metadata_jsonl
    return load(table.parent, problems=problems)


IMAGEFOLDER = Corpus(
    name="imagefolder",
    title="Photos with a metadata.jsonl or metadata.csv",
    kind="photos",
    layout='metadata.jsonl ({"file_name", "polygons", "texts", "ignore"} a line) beside the images; or one '
    "in each of train/, validation/, test/",
    homepage="https://huggingface.co/docs/datasets/image_dataset",
    recognises=lambda folder: _has_photos(folder) or bool(_parts(folder)),
    load=_load,
    splits=_parts,
)
