"""Records of the server beside those of the command line, by a pipeline that reads colours."""

import json

import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted_words import painted_photo, painted_spotter
from tcm_hf.cli import detect, read
from tcm_hf.cli.main import main
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.results.records import DETECTIONS, READINGS
from tcm_hf.serving.pictures import Photo
from tcm_hf.serving.pipeline_reader import PipelineReader

PHOTOS = {
    "a.png": painted_photo(("cab", 150, 22, 0), ("abc", 20, 20, 0), ("bca", 24, 62, 0)),
    "b.png": painted_photo(("acb", 100, 60, 1), size_hw=(300, 420)),
    "c.png": painted_photo(),
}


@pytest.fixture(scope="module")
def spotter():
    return painted_spotter()


def detector_of(spotter):
    return TextDetectionPipeline(model=spotter.model, image_processor=spotter.image_processor, device="cpu")


def photos_of(kind):
    return [Photo(kind, name, pixels) for name, pixels in PHOTOS.items()]


def of_the_command_line(verb, monkeypatch, tmp_path, capsys, *options):
    monkeypatch.chdir(tmp_path)
    for name, pixels in PHOTOS.items():
        Image.fromarray(pixels).save(name)
    assert main([verb, *PHOTOS, "--format", "json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def without_names(records):
    """Nobody named these models; the command line says the shipped ones'."""
    told = ("dtype", "device")
    return [{**record, "model": {name: record["model"][name] for name in told}} for record in records]


def test_words_are_told_as_by_the_command_line(spotter, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(read, "_load_spotter", lambda _: spotter)
    expected = of_the_command_line("read", monkeypatch, tmp_path, capsys, "--lines")
    records = PipelineReader(spotter)(photos_of(READINGS))
    assert without_names(records) == without_names(expected)
    for record in records:
        assert_follows(record, shipped_schema("reading-1.json"))
    assert [len(record["instances"]) for record in records] == [3, 1, 0]


def test_places_are_told_as_by_the_command_line(spotter, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(detect, "_load_detector", lambda _: detector_of(spotter))
    expected = of_the_command_line("detect", monkeypatch, tmp_path, capsys)
    records = PipelineReader(spotter)(photos_of(DETECTIONS))
    assert without_names(records) == without_names(expected)
    for record in records:
        assert_follows(record, shipped_schema("detection-1.json"))
        assert "recognizer" not in record["model"]


def test_photos_of_both_kinds_keep_their_order(spotter):
    reader = PipelineReader(spotter)
    kinds = (READINGS, DETECTIONS, READINGS)
    photos = [Photo(kind, name, pixels) for kind, (name, pixels) in zip(kinds, PHOTOS.items(), strict=True)]
    records = reader(photos)
    assert [record["schema"] for record in records] == [kind.schema for kind in kinds]
    assert [record["source"]["path"] for record in records] == [*PHOTOS]
    assert records == [reader([photo])[0] for photo in photos]


def test_what_the_pipeline_is_called_with_is_told_and_done(spotter):
    reader = PipelineReader(
        spotter,
        names={"id": "mine", "recognizer": "other", "revision": None},
        call_params={"threshold": 0.4, "max_detections": 1, "lexicon": ["bca"], "recognition_batch_size": 2},
    )
    (reading,) = reader(photos_of(READINGS)[:1])
    assert [word["text"] for word in reading["instances"]] == ["bca"]
    assert (reading["params"]["threshold"], reading["params"]["max_detections"]) == (0.4, 1)
    assert reading["params"]["lexicon"] == ["bca"]
    assert reading["model"] == {"id": "mine", "recognizer": "other", "dtype": "float32", "device": "cpu"}
    (detection,) = reader(photos_of(DETECTIONS)[:1])
    assert len(detection["instances"]) == 1
    assert detection["model"] == {"id": "mine", "dtype": "float32", "device": "cpu"}
    assert "lexicon" not in detection["params"]


def test_the_detector_is_in_memory_once(spotter):
    reader = PipelineReader(spotter)
    networks = {id(task.pipeline.network) for task in reader._tasks.values()}
    assert networks == {id(spotter.network)}
