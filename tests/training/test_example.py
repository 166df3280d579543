import json
import runpy
from pathlib import Path

from bars import bar_record
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_text_detection.py"


def write_corpus(folder: Path, seeds) -> None:
    folder.mkdir()
    rows = []
    for seed in seeds:
        record = bar_record(seed)
        Image.fromarray(record.image).save(folder / f"img_{seed}.png")
        polygons = [polygon.tolist() for polygon in record.polygons_xy]
        rows.append({"file_name": f"img_{seed}.png", "polygons": polygons, "ignore": [False] * len(polygons)})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_example_trains_a_detector_from_two_folders(tmp_path, monkeypatch, tiny_detector):
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

    monkeypatch.chdir(tmp_path)
    write_corpus(Path("photos"), range(3))
    write_corpus(Path("others"), range(3, 5))
    tiny_detector().save_pretrained("start")
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}).save_pretrained("start")
    words = "--train photos --validation others --output out --model start --steps 2 --batch-size 1"
    runpy.run_path(str(EXAMPLE))["main"](words.split())
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "checkpoint-2"} <= {
        path.name for path in Path("out").iterdir()
    }
