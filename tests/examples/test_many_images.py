"""The examples that spread a folder of photos over processes: `datasets.map` and accelerate."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
WORDS = [{"text": "cab", "score": 0.9, "polygon": [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0]], "box": {}}]


@pytest.fixture
def photos(tmp_path):
    """Three photos; the stub reads a word in those that are wider than 30 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, width in enumerate((24, 36, 48)):
        Image.new("RGB", (width, 16)).save(folder / f"{number}.png")
    return folder


def stub(task, **options):
    assert task == "text-spotting"

    def read(images):
        found = []
        for image in images:
            picture = image if isinstance(image, Image.Image) else Image.open(image)
            found.append(WORDS if picture.width > 30 else [])
        return found

    return read


def example(name, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = __import__(name)
    monkeypatch.setattr(module, "pipeline", stub)
    return module


def test_a_dataset_gets_a_column_of_words(photos, tmp_path, monkeypatch, capsys):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    module = example("datasets_map", monkeypatch)
    module.main(["imagefolder", str(photos), str(tmp_path / "out")])
    read = datasets.load_from_disk(str(tmp_path / "out"))
    assert [[word["text"] for word in words] for words in read["words"]] == [[], ["cab"], ["cab"]]
    assert read[1]["words"][0]["polygon"] == WORDS[0]["polygon"]
    assert "2 words in 3 photos" in capsys.readouterr().out


def test_each_process_writes_its_share(photos, tmp_path, monkeypatch, capsys):
    module = example("accelerate_split", monkeypatch)
    module.main([str(photos), str(tmp_path / "out")])
    text = (tmp_path / "out" / "words-0.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [Path(row["photo"]).name for row in rows] == ["0.png", "1.png", "2.png"]
    assert [[word["text"] for word in row["words"]] for row in rows] == [[], ["cab"], ["cab"]]
    assert "3 photos by 1 processes" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["datasets_map", "accelerate_split"])
def test_the_shipped_models_read_the_example_scenes(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("datasets")
    monkeypatch.syspath_prepend(EXAMPLES)
    module = __import__(name)
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in (EXAMPLES / "images").glob("*.jpg"):
        (photos / path.name).write_bytes(path.read_bytes())
    first = ["imagefolder"] if name == "datasets_map" else []
    module.main([*first, str(photos), str(tmp_path / "out")])
    assert "3 photos" in capsys.readouterr().out
