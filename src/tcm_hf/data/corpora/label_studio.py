"""Label Studio's exports JSON and JSON-MIN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import IMAGE_SUFFIXES, few_files, first_bytes, only_file, read_json
from tcm_hf.data.corpora.image_lookup import ImageIndex
from tcm_hf.data.corpora.label_studio_regions import Region, regions_of, regions_of_min
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_list, as_object
from tcm_hf.data.records import TextRecord

__all__ = ["LABEL_STUDIO", "load_label_studio"]

_HEAD_BYTES = 1 << 16
_MARKS = re.compile(rb'"(original_width|completions|from_name|annotation_id|annotations)"\s*:')


def load_label_studio(source: Path | str, split: str | None, problems: Problems) -> list[TextRecord]:
    """Read an export of Label Studio, JSON or JSON-MIN.

    Regions are rectangles, which may be turned, and polygons; their texts are text areas "per region". A
    region with the label or the choice "ignore" ("illegible", "difficult", …) is do-not-care. Of several
    annotations of a task the ground truth is taken, else the one that was changed last. Tasks that nobody
    has annotated, or that were skipped, are left out.

    Args:
        source: The file, or the folder that holds one.
        split: Unused, an export is one part.
        problems: Takes regions that are no outlines, and texts that belong to no region.

    Returns:
        One record a task.
    """
    path = only_file(Path(source), "*.json", _is_export, "export.json")
    tasks: Any = []
    with problems.row(path):
        tasks = read_json(path)
        if not isinstance(tasks, list):
            tasks = [tasks]
    index = ImageIndex(path.parent)
    records = []
    for number, task in _newest(tasks):
        with problems.row(path, what=f"task {number}"):
            regions = _regions(task)
            if regions is None:
                problems.notes["tasks without an annotation are left out"] += 1
                continue
            record = TextRecord(index.find(_image_name(task)))
            for region in regions:
                with problems.row(path, what=f"task {number}, region {region.name}"):
                    record.size_hw = region.size_hw or record.size_hw
                    record.instances.append(region.instance())
            records.append(record)
    return records


def _regions(task: dict[str, Any]) -> list[Region] | None:
    """What is drawn on a task; None where nobody has worked on it."""
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:
        return regions_of_min(task)
    done = [one for one in as_list(annotations) if not as_object(one).get("was_cancelled")]
    if not done:
        return None
    best = max(done, key=lambda one: (bool(one.get("ground_truth")), _changed(one)))
    return regions_of(as_list(best["result"]))


def _changed(annotation: dict[str, Any]) -> str:
    """When an annotation was changed: times in ISO's form are in order as text."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _newest(tasks: Iterable[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Id and task; of JSON-MIN, which has a row an annotation, the row of each that was changed last."""
    best: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
    for number, entry in enumerate(tasks, start=1):
        task = entry if isinstance(entry, dict) else {}
        is_min = "annotations" not in task and "id" in task
        key = ("id", str(task["id"])) if is_min else ("place", str(number))
        if key not in best or _changed(task) >= _changed(best[key][1]):
            best[key] = (task.get("id", number), task)
    yield from best.values()


def _image_name(task: dict[str, Any]) -> str:
    """The picture of a task: the value of its data that looks like one."""
    data = as_object(task.get("data", task), "the data of the task")
    names = [value for value in data.values() if isinstance(value, str)]
    for name in names:
        if re.split(r"[?#]", name)[0].lower().endswith(IMAGE_SUFFIXES) or "/local-files/?d=" in name:
            return name
    upload = task.get("file_upload")
    if isinstance(upload, str) and upload.lower().endswith(IMAGE_SUFFIXES):
        return f"/data/upload/{upload}"
    raise ValueError(f"expected the name of a picture in its data, got {json.dumps(names)[:100]}")


def _is_export(path: Path) -> bool:
    head = first_bytes(path, _HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    marks = set(_MARKS.findall(head))
    return bool(re.match(rb"\[\s*\{", head)) and (len(marks) > 1 or b"original_width" in marks)


def _recognises(source: Path) -> bool:
    return _is_export(source) if source.is_file() else any(map(_is_export, few_files(source, "*.json")))


LABEL_STUDIO = Corpus(
    name="label-studio",
    title="Label Studio, export as JSON or JSON-MIN",
    kind="photos",
    layout="the export (project-1-at-….json) beside the photos or above their folders",
    homepage="https://labelstud.io/guide/export.html",
    recognises=_recognises,
    load=load_label_studio,
)
