import json
import runpy
from pathlib import Path

from PIL import Image

from written_words import tiny_recognizer_config, written_word

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_text_recognition.py"


def write_crops(folder: Path, seeds) -> None:
    folder.mkdir()
    rows = []
    for seed in seeds:
        record = written_word(seed)
        Image.fromarray(record.image).save(folder / f"word_{seed}.png")
        rows.append(json.dumps({"file_name": f"word_{seed}.png", "text": record.text}))
    (folder / "metadata.jsonl").write_text("\n".join(rows))


def test_the_example_fine_tunes_the_default_recognizer_with_two_folders(tmp_path, monkeypatch, capsys):
    from tcm_hf.training.recognition_recipe import RecognizerRecipe, load_recognizer_start

    monkeypatch.chdir(tmp_path)
    write_crops(Path("words"), range(5))
    write_crops(Path("others"), range(5, 7))
    tiny_recognizer_config().to_json_file("config.json")
    recipe = RecognizerRecipe([], Path("none"), config=Path("config.json"))
    for part in load_recognizer_start(recipe, [[written_word(0)]]):
        part.save_pretrained("start")
    words = "--train words --validation others --output out --steps 2 --batch-size 2"
    main = runpy.run_path(str(EXAMPLE))["main"]
    main.__globals__["default_checkpoint"] = {"text-recognition": "start"}.get
    main(words.split())
    assert "eval_accuracy_36" in capsys.readouterr().out
    assert {"config.json", "model.safetensors", "charset.json", "checkpoint-2"} <= {
        path.name for path in Path("out").iterdir()
    }
