"""How results are written down: one record an image, and its JSON.

A record is a plain dict that follows a file of `schema/`; coordinates are pixel edges of the upright
original, x right, y down. What it is rendered to for other programs is in files of their own:
`formats_annotation.py`, `formats_hocr.py`, ...
"""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

Record = dict[str, Any]
READ_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading back a file of records can end with where it holds something else."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class RecordKind:
    """What a verb finds.

    Attributes:
        schema: The `schema` of its records, the `$id` of a file in `schema/`.
        verb: The verb of the command line.
        plural: How a file of many records is called.
    """

    schema: str
    verb: str
    plural: str


DETECTIONS = RecordKind("tcm_hf.detection/1", "detect", "detections")
OBJECTS = RecordKind("tcm_hf.rotated/1", "detect", "objects")
READINGS = RecordKind("tcm_hf.reading/1", "read", "readings")
RECOGNITIONS = RecordKind("tcm_hf.recognition/1", "recognize", "recognitions")


def image_source(
    path: PurePath, size_hw: tuple[int, int], *, page: int | None = None, dpi: int | None = None
) -> dict[str, Any]:
    """Where a picture came from, and the frame of its coordinates.

    Args:
        path: Of the photo or the PDF, as the user gave it.
        size_hw: Height and width in pixels, upright.
        page: Of the PDF, from 1; `None` for a photo.
        dpi: At which the page was drawn; not of interest for a photo.
    """
    height, width = size_hw
    source: dict[str, Any] = {"path": path.as_posix(), "width": width, "height": height}
    return source if page is None else {**source, "page": page, "dpi": dpi}


def image_record(
    kind: RecordKind,
    source: dict[str, Any],
    model: dict[str, Any],
    params: dict[str, Any],
    instances: Iterable[dict[str, Any]],
) -> Record:
    """Put together all that is known of one image; coordinates are rounded to hundredths of a pixel.

    Args:
        kind: What was looked for.
        source: See `image_source`.
        model: "id", "dtype", "device" and, where words were read, "recognizer".
        params: The pipeline's parameters with their effective values.
        instances: What the pipeline returned.
    """
    found = [{"label": "text", **rounded(instance)} for instance in instances]
    return {**record_header(kind, source, model, params), "instances": found}


def record_header(
    kind: RecordKind, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any]
) -> Record:
    """What every record begins with: which image was read, and how; see `image_record`."""
    return {"schema": kind.schema, "source": source, "model": model, "params": params}


def rounded(result: dict[str, Any]) -> dict[str, Any]:
    """A result of a pipeline with scores of six digits, and coordinates in hundredths of a pixel."""
    result = dict(result)
    for name in ("score", "detection_score"):
        if name in result:
            result[name] = round(result[name], 6)
    if "angle_deg" in result:
        result["angle_deg"] = round(result["angle_deg"], 2)
    if "polygon" in result:
        result["polygon"] = [[round(value, 2) for value in point] for point in result["polygon"]]
    if "characters" in result:
        result["characters"] = [rounded(character) for character in result["characters"]]
    return result


def is_record(value: Any, kind: RecordKind) -> bool:
    """Whether something that was read from a file is a record of a kind, and tells of which image.

    What lies in a file may have been changed, or be of another program.
    """
    source = value.get("source") if isinstance(value, dict) else None
    return (
        isinstance(source, dict)
        and value.get("schema") == kind.schema
        and isinstance(source.get("path"), str)
        and "\0" not in source["path"]
        and isinstance(source.get("page"), int | None)
        and all(isinstance(value.get(name), dict) for name in ("model", "params"))
    )


def source_key(record: Record) -> tuple[str, int | None]:
    """Which image a record is of: the path as it was given, and the page."""
    return record["source"]["path"], record["source"].get("page")


def json_text(value: Any, **options: Any) -> str:
    """`value` as JSON that can be written in UTF-8: all letters as they are, halves of them escaped.

    File names of Linux are bytes. Those that are no UTF-8 come to Python, and go back, as lone surrogates,
    which UTF-8 has no bytes for.

    Args:
        value: what `json.dumps` takes.
        **options: of `json.dumps`.
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def utf8_text(text: str) -> str:
    """`text` with a question mark for each lone surrogate, see `json_text`."""
    return _SURROGATE.sub("?", text)


def render_json(record: Record) -> str:
    """One record as an indented JSON document."""
    return json_text(record, indent=2) + "\n"


def render_json_line(record: Record) -> str:
    """One record as one line."""
    return json_text(record, separators=(",", ":")) + "\n"


def render_json_array(records: Iterable[Record]) -> str:
    """All records as one JSON array."""
    return json_text(list(records), indent=2) + "\n"


def render_json_lines(records: Iterable[Record]) -> str:
    """All records, one a line."""
    return "".join(map(render_json_line, records))


def parse_json_array(text: str) -> list[Record]:
    """Read back what `render_json_array` wrote."""
    return json.loads(text)


def parse_json_lines(text: str) -> list[Record]:
    """Read back what `render_json_lines` wrote; half a last line (of a killed run) does not count."""
    # Not `splitlines`: a file name may hold one of Unicode's other line ends.
    *lines, last = text.split("\n")
    records = [json.loads(line) for line in lines if line.strip()]
    with contextlib.suppress(json.JSONDecodeError):
        records.append(json.loads(last))
    return records
