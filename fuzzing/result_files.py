"""Attacks with results that are read back: to be evaluated, sent in, or gone on with after a break."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from fuzzing.target import Fault, Target, folder_for, written
from tcm_hf.cli import evaluate_detection, evaluate_spotting
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_files import found_in, read_image_results
from tcm_hf.cli.folder_writers import FolderWriter, JournaledFolderWriter
from tcm_hf.cli.inputs import ImageInput
from tcm_hf.cli.writers import FileWriter
from tcm_hf.data.dota import read_task1
from tcm_hf.evaluation.submissions import SUBMISSIONS, FoundImage
from tcm_hf.results.formats_annotation import parse_coco, render_coco
from tcm_hf.results.records import (
    READINGS,
    image_record,
    image_source,
    parse_json_array,
    render_json,
    render_json_array,
    render_json_line,
)

__all__ = ["TARGETS"]

_WORD = {
    "score": 0.93, "text": "caf\u00e9", "detection_score": 0.8, "characters": [],
    "line": 0, "paragraph": 0, "box": {"xmin": 1, "ymin": 2, "xmax": 9, "ymax": 8},
    "polygon": [[1.0, 2.0], [9.0, 2.0], [9.0, 7.5], [1.0, 7.5]],
}  # fmt: skip
_RECORD = image_record(
    READINGS,
    image_source(Path("img_1.jpg"), (48, 64)),
    {"id": "m", "dtype": "float32", "device": "cpu", "recognizer": "r"},
    {"threshold": 0.3},
    [_WORD, _WORD],
)


def evaluate(content: bytes) -> None:
    """Finite outlines, or a CommandError; of them a submission is made, or a ValueError."""
    kind = content[0] % 4 if content else 0
    name = ("a.json", "a.jsonl", "res_a.txt", "res_b.txt")[kind]
    path = written(folder_for("results") / name, content[1:])
    parse = evaluate_detection._parse_line if kind == 2 else evaluate_spotting._parse_line
    try:
        results = read_image_results(path, parse, lambda record: found_in(record, ("score",)))
    except CommandError:
        return
    finally:
        path.unlink()
    for found in results.values():
        polygons = [np.array(polygon) for polygon in found.polygons]
        if not all(np.isfinite(polygon).all() for polygon in polygons):
            raise Fault("an outline without end")
        for task in SUBMISSIONS.values():
            image = FoundImage("img_1.jpg", (48, 64), polygons, found.scores, found.texts)
            try:
                made = task.files([image])
            except ValueError:
                continue
            for text in made.contents.values():
                text.encode(errors="surrogatepass")


def resume(content: bytes) -> None:
    """What an interrupted run left is gone on with, or told with a CommandError."""
    folder = folder_for("resumed")
    image = ImageInput(Path("img_1.jpg"), Path("img_1"))  # type: ignore[arg-type]
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for name in ("img_1.json", "readings.run.jsonl", "all.json", "all.json.partial", "coco.json"):
        written(folder / name, content)
    writers = (
        FolderWriter(folder, READINGS, render=render_json, suffix=".json"),
        JournaledFolderWriter(folder, READINGS, render=render_json, suffix=".json"),
        FileWriter(folder / "all.json", READINGS, render=render_json_array, parse=parse_json_array),
        FileWriter(folder / "coco.json", READINGS, render=render_coco, parse=parse_coco),
    )
    for writer in writers:
        try:
            writer.resume([image])
        except CommandError:
            continue


def read_task_files(content: bytes) -> None:
    """DOTA's lines are finite numbers, or a ValueError."""
    written(folder_for("task1") / "Task1_ship.txt", content)
    try:
        found = read_task1(folder_for("task1"), ["ship"])
    except ValueError:
        return
    for classes in found.values():
        if not all(np.isfinite(one.polygons_xy).all() for one in classes.values()):
            raise Fault("an outline without end")


@cache
def _result_seeds() -> list[bytes]:
    line = b"1,2,9,2,9,8,1,8"
    return [
        b"\0" + render_json_array([_RECORD, _RECORD]).encode(),
        b"\0" + render_json(_RECORD).encode(),
        b"\1" + render_json_line(_RECORD).encode() * 2,
        b"\2" + line + b"\n" + line + b",0.93\n1,2,9,2,9,8,1,8,4,9\n",
        b"\3" + line + b",caf\xc3\xa9\n" + line + b',"1,000"\n',
    ]


@cache
def _journal_seeds() -> list[bytes]:
    headers = {name: value for name, value in _RECORD.items() if name != "instances"}
    journal = render_json_line({"result": "img_1.json", "records": [headers]})
    texts = (
        render_json(_RECORD),
        journal,
        render_json_array([_RECORD]),
        render_json_line(_RECORD),
        render_coco([_RECORD]),
    )
    return [text.encode() for text in texts]


_WORDS = tuple(
    json.dumps(name).encode() for name in (*_RECORD, *_WORD, "path", "width", "page", "tcm_hf.reading/1")
)
TARGETS = (
    Target("result-files", evaluate, _result_seeds, words=(*_WORDS, b"NaN", b"1e999", b"[[", b"null")),
    Target("interrupted-runs", resume, _journal_seeds, words=(*_WORDS, b"null", b"[]", b"{}")),
    Target("dota-task1", read_task_files, lambda: [b"P0001 0.93 1 2 9 2 9 7 1 7\nP2 1 0 0 1 0 1 1 0 1\n"]),
)
