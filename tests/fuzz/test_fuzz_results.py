"""Results are written where they belong and read back, whatever an image is called or is read in it."""

import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np
import pytest
from fuzz_shapes import FILE_NAMES, TEXTS, outlines
from hypothesis import given
from hypothesis import strategies as st

from json_schema import assert_follows, shipped_schema
from tcm_hf.cli.folder_writers import FolderWriter, JournaledFolderWriter
from tcm_hf.cli.inputs import ImageInput, expand_inputs
from tcm_hf.data.dota import read_task1, task1_names, write_task1
from tcm_hf.evaluation.submissions import SUBMISSIONS, FoundImage
from tcm_hf.processing.polygons import bounding_box
from tcm_hf.results.formats_alto import render_alto
from tcm_hf.results.formats_annotation import parse_coco, render_coco, render_icdar, render_labelme
from tcm_hf.results.formats_hocr import render_hocr
from tcm_hf.results.formats_text import render_all_text
from tcm_hf.results.records import (
    DETECTIONS,
    READINGS,
    image_record,
    image_source,
    parse_json_lines,
    render_json,
    render_json_line,
    render_json_lines,
)

MODEL = {"id": "m", "dtype": "float32", "device": "cpu", "recognizer": "r"}
POLYGONS = outlines(least_points=3, farthest=1e5)
ANY_NAME = st.one_of(FILE_NAMES, st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20))
# File names of Linux are bytes: what is no UTF-8 in them comes as lone surrogates.
PATHS = st.one_of(ANY_NAME, ANY_NAME.map(lambda name: f"a/{name}"), st.just("caf\udce9.jpg")).map(
    PurePosixPath
)


@st.composite
def readings(draw):
    words = []
    for _ in range(draw(st.integers(0, 4))):
        polygon = draw(POLYGONS).clip(0, 640)  # inside the photo, as the pipelines give them
        xmin, ymin, xmax, ymax = bounding_box(polygon).tolist()
        words.append(
            {
                "score": draw(st.floats(0, 1)),
                "text": draw(TEXTS),
                "detection_score": draw(st.floats(0, 1)),
                "characters": [],
                "line": draw(st.integers(0, 2)),
                "paragraph": draw(st.integers(0, 1)),
                "box": {"xmin": int(xmin), "ymin": int(ymin), "xmax": int(xmax) + 1, "ymax": int(ymax) + 1},
                "polygon": polygon.tolist(),
            }
        )
    source = image_source(draw(PATHS), (480, 640))
    return image_record(READINGS, source, MODEL, {"threshold": 0.3}, words)


@given(st.lists(readings(), max_size=3))
def test_json_comes_back_as_it_was_and_follows_its_schema(records):
    schema = shipped_schema("reading-1.json")
    text = render_json_lines(records)
    assert parse_json_lines(text.encode().decode()) == json.loads(json.dumps(records))
    assert parse_json_lines(text[: len(text) // 2]) == records[: text[: len(text) // 2].count("\n")]
    for record in records:
        assert json.loads(render_json(record).encode()) == json.loads(json.dumps(record))
        assert render_json_line(record).count("\n") == 1
        assert_follows(json.loads(render_json(record)), schema)


@given(st.lists(readings(), max_size=3))
def test_documents_are_sound_whatever_is_read(records):
    html = ElementTree.fromstring(render_hocr(records).encode())
    words = [word for record in records for word in record["instances"] if word["text"].strip()]
    spans = [one for one in html.iter() if one.get("class") == "ocrx_word"]
    assert len(spans) == len(words)
    assert all(
        re.fullmatch(r"bbox (-?\d+ ){3}-?\d+; x_wconf \d+(; poly( \d+)+)?", s.get("title")) for s in spans
    )
    for record in records:
        ElementTree.fromstring(render_alto(record).encode())
        assert render_icdar(record).count("\n") == len(record["instances"])
        document = json.loads(render_labelme(record).encode())
        assert len(document["shapes"]) == len(record["instances"])
    assert parse_coco(render_coco(records).encode().decode()) is not None
    render_all_text(records).encode()


@given(st.lists(PATHS, min_size=1, max_size=4), st.booleans())
def test_results_stay_in_their_folder(paths, journaled):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "deep", "output")
        writer_type = JournaledFolderWriter if journaled else FolderWriter
        with writer_type(folder, DETECTIONS, render=render_json, suffix=".json") as writer:
            for path in paths:
                record = image_record(DETECTIONS, image_source(path, (4, 6)), MODEL, {}, [])
                image = ImageInput(Path(path), PurePosixPath(path.name))
                if len(path.name.encode(errors="surrogateescape")) < 200 and ".." not in path.parts:
                    writer.write(image, record)
        outside = [path for path in Path(name).rglob("*") if path.is_file() and folder not in path.parents]
        assert not outside


@pytest.mark.parametrize(
    "pattern", ["photos/*/../../secret/*.jpg", "photos/*.jpg", "photos/**/*.jpg", "../*/*/*.jpg"]
)
def test_a_pattern_that_climbs_gives_no_result_a_way_out(tmp_path, monkeypatch, pattern):
    for name in ("work/photos/a.jpg", "work/photos/in/b.jpg", "secret/c.jpg", "work/secret/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "work")
    images = expand_inputs([pattern], [])
    assert images and all(".." not in image.name.parts and not image.name.is_absolute() for image in images)
    assert len({image.name for image in images}) == len(images)


@given(st.lists(FILE_NAMES.filter(lambda name: "/" not in name and "\0" not in name), min_size=1, max_size=6))
def test_every_image_of_a_folder_has_a_result_of_its_own(names):
    with tempfile.TemporaryDirectory() as folder:
        files = set()
        for name in names:
            path = Path(folder, f"{name}.png")
            if len(path.name.encode(errors="surrogateescape")) < 255 and not path.name.startswith("."):
                path.touch()
                files.add(path)
        if not files:
            return
        images = expand_inputs([folder], [])
        assert len({image.name for image in images}) == len(images) == len(files)
        assert all(".." not in image.name.parts and not image.name.is_absolute() for image in images)


SCORES = st.one_of(st.none(), st.floats(0, 1))


FOUND_TEXTS = st.lists(st.tuples(POLYGONS, SCORES, st.one_of(st.none(), TEXTS)), max_size=3)


@given(
    st.sampled_from(sorted(SUBMISSIONS)),
    st.lists(st.tuples(FILE_NAMES, FOUND_TEXTS), max_size=3),
    st.booleans(),
)
def test_submissions_have_sound_files_of_sound_names(task, images, crops):
    found = [
        FoundImage(
            name if index else "img_1.jpg",
            None if crops else (480, 640),
            [] if crops else [polygon for polygon, _, _ in texts],
            [] if crops else [score for _, score, _ in texts],
            ["a"] if crops else [text for _, _, text in texts],
        )
        for index, (name, texts) in enumerate(images)
    ]
    try:
        made = SUBMISSIONS[task].files(found)
    except ValueError:
        return
    for name, text in made.contents.items():
        assert re.fullmatch(r"(res_)?(img_?|word_)?\d+\.txt|", name)
        text.encode()
        assert "nan" not in re.sub('"[^"]*"', "", text.split(",")[0])
    for name, text in made.contents.items():
        for line in text.splitlines() if name and "text" not in SUBMISSIONS[task].wants else []:
            numbers = [float(value) for value in line.split(",")]
            assert np.isfinite(numbers).all() and min(numbers) >= 0 and max(numbers) <= 640


@given(st.lists(FILE_NAMES, min_size=1, max_size=4, unique=True), st.integers(0, 3))
def test_task1_files_stay_in_their_folder_and_come_back(class_names, count):
    random = np.random.default_rng(count)
    found = {
        "photo": (random.uniform(0, 99, (count, 4, 2)), random.uniform(0, 1, count), np.zeros(count, int))
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "deep", "output")
        try:
            files = task1_names(class_names)
        except ValueError:
            return
        paths = write_task1(folder, found, class_names)
        assert {path.resolve().parent for path in paths} == {folder.resolve()} and len(set(paths)) == len(
            files
        )
        assert sorted(path.name for path in folder.iterdir()) == sorted(files.values())
        back = read_task1(folder, class_names)
        assert sum(len(of_class.scores) for of_class in back.get("photo", {}).values()) == count
