"""What an interrupted run left is gone on with where it is sound, and told in a line where it is not."""

import json
from pathlib import Path, PurePosixPath

import pytest

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import FolderWriter, JournaledFolderWriter
from tcm_hf.cli.inputs import ImageInput
from tcm_hf.cli.writers import FileWriter
from tcm_hf.results.formats_annotation import parse_coco, render_coco
from tcm_hf.results.records import (
    DETECTIONS,
    image_record,
    image_source,
    parse_json_array,
    render_json,
    render_json_array,
)

IMAGE = ImageInput(Path("a.jpg"), PurePosixPath("a"))
RECORD = image_record(DETECTIONS, image_source(Path("a.jpg"), (4, 6)), {"id": "m"}, {}, [])


def changed(**parts):
    return {**RECORD, **parts}


ODD = {
    "number": 3,
    "nothing": None,
    "list": [[]],
    "no source": {name: value for name, value in RECORD.items() if name != "source"},
    "source of another kind": changed(source=["a.jpg"]),
    "no path": changed(source={"width": 6, "height": 4}),
    "path of another kind": changed(source={**RECORD["source"], "path": 3}),
    "path that is none": changed(source={**RECORD["source"], "path": "a\0.jpg"}),
    "page of another kind": changed(source={**RECORD["source"], "page": [1]}),
    "another schema": changed(schema="other/1"),
    "no model": changed(model=None),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_result_that_was_changed_is_told_and_left_alone(tmp_path, odd):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(odd))
    for writer in (
        FolderWriter(tmp_path, DETECTIONS, render=render_json, suffix=".json"),
        FileWriter(path, DETECTIONS, render=render_json_array, parse=parse_json_array),
        FileWriter(path, DETECTIONS, render=render_coco, parse=parse_coco),
    ):
        with pytest.raises(CommandError, match=r"--resume: .*a\.json (is|holds) no result"):
            writer.resume([IMAGE])
    assert json.loads(path.read_text()) == odd


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_journal_that_was_changed_vouches_for_nothing(tmp_path, odd):
    (tmp_path / "a.txt").write_text("")
    for entry in (
        odd,
        {"result": "a.txt"},
        {"result": ["a.txt"], "records": []},
        {"result": "a.txt", "records": [odd]},
    ):
        (tmp_path / "detections.run.jsonl").write_text(json.dumps(entry) + "\n")
        writer = JournaledFolderWriter(tmp_path, DETECTIONS, render=render_json, suffix=".txt")
        with pytest.raises(CommandError, match=r"a\.txt is no result"):
            writer.resume([IMAGE])


def test_a_document_that_is_nested_without_end_is_no_result(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(CommandError, match="no result"):
        FolderWriter(tmp_path, DETECTIONS, render=render_json, suffix=".json").resume([IMAGE])


def test_a_sound_result_is_taken_over(tmp_path):
    (tmp_path / "a.json").write_text(render_json(RECORD))
    assert FolderWriter(tmp_path, DETECTIONS, render=render_json, suffix=".json").resume([IMAGE]) == (
        [RECORD],
        [],
    )
