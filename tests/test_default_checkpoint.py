"""The detector that ships: small, offline, and it finds the words of example scenes and real photos."""

import json
import os
import tomllib
from pathlib import Path, PurePath

import pytest
from transformers import pipeline

import tcm_hf
from tcm_hf.data.corpora.metadata import load_metadata_jsonl
from tcm_hf.evaluation.detection import TextDetectionMetric

ROOT = Path(__file__).parents[1]
PHOTOS = Path(os.environ.get("TCM_HF_DATA", ROOT.parent / "shared" / "data")) / "ic15-train"


@pytest.fixture(scope="module")
def detector():
    return pipeline("text-detection")


def hmean(detector, records):
    metric = TextDetectionMetric()
    for record, found in zip(records, detector([record.load_image() for record in records]), strict=True):
        predictions = {
            "polygons_xy": [text["polygon"] for text in found],
            "scores": [text["score"] for text in found],
        }
        metric.update([predictions], [{"polygons_xy": record.polygons_xy, "ignore": record.ignore}])
    return metric.compute()["hmean"]


def test_default_pipeline_loads_the_shipped_checkpoint_without_a_text_tower(detector):
    names = list(detector.model.state_dict())
    assert type(detector.model) is tcm_hf.TCMForTextDetection
    assert detector.model.config.method == "fasttcm"
    assert detector.model.config.text_embedding_cached
    assert not [name for name in names if "text_tower" in name or ".prompt." in name]


def test_shipped_checkpoint_is_small_and_has_a_card():
    folder = tcm_hf.default_checkpoint()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12_000_000
    model = tcm_hf.TCMForTextDetection.from_pretrained(folder)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 5e6
    card = (folder / "README.md").read_text()
    assert "hmean" in card and "ICDAR 2015" in card


def test_every_file_of_the_shipped_checkpoints_is_packed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["tcm_hf"]
    package = ROOT / "src" / "tcm_hf"
    files = [path.relative_to(package) for path in (package / "checkpoints").rglob("*") if path.is_file()]
    # A recogniser's processor has a folder inside, whether or not one lies there now.
    files.append(PurePath("checkpoints/clip4str-tiny/caption_tokenizer/tokenizer.json"))
    left_out = [str(file) for file in files if not any(file.match(pattern) for pattern in patterns)]
    assert left_out == []


def test_finds_the_words_of_the_example_scenes(detector):
    assert hmean(detector, load_metadata_jsonl(ROOT / "examples" / "images")) > 0.6


def test_finds_the_words_of_real_photos_that_it_was_not_trained_on(detector):
    if not PHOTOS.is_dir():
        pytest.skip(f"needs the photos of {PHOTOS}")
    records = [
        record for record in load_metadata_jsonl(PHOTOS) if 901 <= int(Path(record.name).stem[4:]) <= 920
    ]
    assert len(records) == 20
    assert hmean(detector, records) > 0.4


def test_boxes_lie_in_the_picture_and_around_their_polygons(detector):
    (record, *_) = load_metadata_jsonl(ROOT / "examples" / "images")
    height, width = record.load_image().shape[:2]
    for text in detector(record.load_image()):
        box, xs, ys = text["box"], [x for x, _ in text["polygon"]], [y for _, y in text["polygon"]]
        assert 0 <= box["xmin"] <= min(xs) and max(xs) <= box["xmax"] <= width
        assert 0 <= box["ymin"] <= min(ys) and max(ys) <= box["ymax"] <= height


def test_stock_object_detection_pipeline_takes_the_checkpoint():
    found = pipeline("object-detection", model=str(tcm_hf.default_checkpoint()))(
        str(ROOT / "examples" / "images" / "street.jpg")
    )
    assert found and set(found[0]) == {"score", "label", "box"}
    assert found[0]["label"] == "text"
    json.dumps(found)
