"""`tcm-hf push` against a loopback Hub: what is checked, what is sent, what the card says."""

import json

import pytest
import yaml

from tcm_hf import TCMImageProcessor, TextDetectionPipeline, TextRecognitionPipeline, TextSpottingPipeline
from tcm_hf.cli.main import main
from tcm_hf.hub import save_with_code
from tcm_hf.hub.measurements import of_evaluation
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer

SIZE = {"shortest_edge": 64, "longest_edge": 96}
REPORT = {
    "steps": 600,
    "command": "tcm-hf train detector --train /home/jane/ic15:1-900 --output /home/jane/runs/x",
    "trained_on": ["/home/jane/ic15:1-900"],
    "validated_on": "/home/jane/ic15:901-950",
    "start": "/home/jane/.cache/huggingface/hub/models--you--start/snapshots/0a1b2c",
    "best_checkpoint": "/home/jane/runs/x/checkpoint-600",
    "decoding": {"chosen_on": "100 training photos", "threshold": 0.5},
    "validation": {"precision": 0.75, "recall": 0.5, "hmean": 0.6, "best_hmean": 0.61, "num_images": 50},
}
EVALUATION = {
    "kind": "detection",
    "protocol": "icdar2015",
    "precision": 0.7,
    "recall": 0.4,
    "hmean": 0.509090909,
    "num_images": 100,
    "threshold": None,
    "ground_truth": "totaltext:/data/Total-Text@test",
    "command": "tcm-hf evaluate detection found.jsonl totaltext:/data/Total-Text@test",
}


@pytest.fixture
def folder(tmp_path):
    """A trained detector with what a training leaves beside it."""
    folder = tmp_path / "runs" / "detector"
    tiny_model().save_pretrained(folder)
    TCMImageProcessor(size=SIZE).save_pretrained(folder)
    (folder / "training_report.json").write_text(json.dumps(REPORT))
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "optimizer.pt").write_bytes(b"pickle")
    (folder / "curve.png").write_bytes(b"png")  # which the card shows
    (folder / "customer.jpg").write_bytes(b"jpg")
    return folder


def metadata(card):
    return yaml.safe_load(card.split("---\n")[1])


def error_of(capsys):
    """The one line of a mistake."""
    captured = capsys.readouterr()
    assert captured.out == "" and "Traceback" not in captured.err
    return captured.err.splitlines()[-1].removeprefix("tcm-hf push: error: ")


def test_a_trained_detector_is_pushed_with_its_numbers(hub, folder, tmp_path, capsys):
    (tmp_path / "totaltext.json").write_text(json.dumps(EVALUATION))
    options = ["--evaluation", str(tmp_path / "totaltext.json"), "--license", "cc-by-4.0", "--private"]
    assert main(["push", str(folder), "me/detector", "--revision", "v1", *options]) == 0
    captured = capsys.readouterr()
    repository = hub.repositories["me/detector"]
    assert repository.private and "Bearer hf_fake" in hub.tokens
    commit = repository.branches["v1"]
    assert captured.out.strip().endswith(f"/me/detector/commit/{commit}")
    assert f'revision="{commit}"' in captured.err
    assert "not sent: customer.jpg, optimizer.pt, training_args.bin, training_report.json" in captured.err
    files = repository.commits[commit]
    assert set(files) == {
        "README.md",
        "config.json",
        "curve.png",
        "model.safetensors",
        "preprocessor_config.json",
    }
    card = files["README.md"].decode()
    assert "jane" not in card and "| start | you/start at 0a1b2c |" in card
    assert "| trained on | ic15:1-900 |" in card
    assert "| ic15:901-950 (50 images; they also chose the checkpoint) |" in card
    assert "| totaltext:Total-Text@test (100 images) | ICDAR 2015: IoU > 0.5, one to one | 0.509 |" in card
    assert "\ntcm-hf evaluate detection found.jsonl totaltext:Total-Text@test\n" in card
    about = metadata(card)
    assert about["license"] == "cc-by-4.0" and about["base_model"] == "you/start"
    ic15, totaltext = about["model-index"][0]["results"]
    assert ic15["dataset"] == {"name": "ic15", "type": "ic15", "split": "901-950"}
    assert totaltext["dataset"]["split"] == "test"
    assert [metric["value"] for metric in totaltext["metrics"]] == [0.5091, 0.7, 0.4]
    assert not (folder / "README.md").exists()


def test_a_dry_run_prints_the_card_and_needs_no_hub(folder, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert main(["push", str(folder), "me/detector", "--dry-run"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("---\nbase_model: you/start\nlibrary_name: transformers\n")
    assert "names no licence" in captured.err


def test_with_code_it_says_so_and_carries_it(hub, folder):
    assert main(["push", str(folder), "me/detector", "--with-code", "--quiet"]) == 0
    files = hub.repositories["me/detector"].files
    assert "modeling_tcm.py" in files and "trust_remote_code=True" in files["README.md"].decode()
    assert "AutoModelForObjectDetection" in json.loads(files["config.json"])["auto_map"]


def test_a_detector_with_its_reader_is_one_repository(hub, tmp_path):
    reader = TextRecognitionPipeline(model=tiny_recognizer(), processor=tiny_processor())
    detector = TextDetectionPipeline(model=tiny_model(), image_processor=TCMImageProcessor(size=SIZE))
    both = TextSpottingPipeline(
        model=detector.model, image_processor=detector.image_processor, recognizer=reader
    )
    save_with_code(both, tmp_path / "both")
    (tmp_path / "both" / "README.md").unlink()
    assert main(["push", str(tmp_path / "both"), "both", "--quiet"]) == 0
    files = hub.repositories["me/both"].files
    assert {"recognizer/model.safetensors", "recognizer/caption_tokenizer/tokenizer.json"} <= set(files)
    assert 'pipeline("text-spotting", model="both")' in files["README.md"].decode()


def test_a_card_of_ones_own_is_kept_and_gets_the_numbers_that_are_named(hub, folder, tmp_path):
    own = "---\nlicense: mit\ntags:\n- mine\n---\n\n# Mine\n\nMy words.\n\n## Licence\n\nMIT.\n"
    (folder / "README.md").write_text(own)
    assert main(["push", str(folder), "me/detector", "--quiet"]) == 0
    repository = hub.repositories["me/detector"]
    assert repository.files["README.md"].decode() == own
    (tmp_path / "one.json").write_text(json.dumps(EVALUATION))
    for hmean in (0.5, 0.6):  # the second time the section and the entry are replaced
        (tmp_path / "one.json").write_text(json.dumps(EVALUATION | {"hmean": hmean}))
        (folder / "README.md").write_bytes(repository.files["README.md"])
        assert (
            main(["push", str(folder), "me/detector", "-q", "--evaluation", str(tmp_path / "one.json")]) == 0
        )
    card = repository.files["README.md"].decode()
    assert "My words." in card and card.count("## Numbers") == 1 and card.endswith("## Licence\n\nMIT.\n")
    assert metadata(card)["tags"] == ["mine"] and metadata(card)["license"] == "mit"
    values = [
        metric["value"]
        for result in metadata(card)["model-index"][0]["results"]
        for metric in result["metrics"]
        if metric["type"] == "hmean"
    ]
    assert 0.6 in values and 0.5 not in values


def _without(name):
    return lambda folder: (folder / name).unlink()


def _broken(name):
    return lambda folder: (folder / name).write_bytes(b'{"model_type": "tc')


def _of_another_kind(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')


def _stopped(folder):
    (folder / "config.json").unlink()
    (folder / "checkpoint-90").mkdir()
    (folder / "checkpoint-100").mkdir()


def _without_a_shard(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_without("config.json"), "found no config.json"),
        (_broken("config.json"), "expected a JSON object"),
        (_of_another_kind, "found model type 'bert'"),
        (_stopped, "push {folder}/checkpoint-100"),
        (_without("preprocessor_config.json"), "found no preprocessor_config.json"),
        (_without("model.safetensors"), "found no such file"),
        (_broken("model.safetensors"), "expected whole safetensors"),
        (_without_a_shard, "expected weights as model-00001-of-00001.safetensors"),
        (_broken("training_report.json"), "expected JSON"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_one_line(folder, capsys, damage, reason):
    damage(folder)
    assert main(["push", str(folder), "me/detector", "--dry-run"]) == 2
    assert reason.format(folder=folder) in error_of(capsys)


def test_of_a_sweep_the_fixed_threshold_counts_and_other_files_are_refused(folder, tmp_path, capsys):
    sweep = EVALUATION | {"sweep": [{"threshold": 0.9, "hmean": 0.99}], "best_over_thresholds": 0.99}
    (tmp_path / "sweep.json").write_text(json.dumps(sweep))
    command = ["push", str(folder), "me/detector", "--dry-run", "--evaluation"]
    assert main([*command, str(tmp_path / "sweep.json")]) == 0
    card = capsys.readouterr().out
    assert "| 0.509 |" in card and "0.99" not in card
    (tmp_path / "other.json").write_text("{}")
    assert main([*command, str(tmp_path / "other.json")]) == 2
    assert "expected what tcm-hf evaluate prints" in error_of(capsys)
    assert main([*command, str(tmp_path / "gone.json")]) == 2
    assert "No such file" in error_of(capsys)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ((401, ""), "the Hub does not know your token"),
        ((403, ""), "your token has no right to do this with me/detector"),
        ((500, ""), "the Hub answers 500"),
    ],
)
def test_a_hub_that_refuses_is_one_line(hub, folder, capsys, refusal, reason):
    hub.refusals["me/detector"] = refusal
    assert main(["push", str(folder), "me/detector", "--quiet"]) == 2
    assert reason in error_of(capsys)


def test_without_token_network_or_name_nothing_is_loaded(hub, folder, capsys, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
    assert main(["push", str(folder), "me/detector"]) == 2
    assert "no access token: log in with `hf auth login`, or set HF_TOKEN" in error_of(capsys)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["push", str(folder), "me/detector"]) == 2
    assert "HF_HUB_OFFLINE is set" in error_of(capsys)
    assert main(["push", str(folder / "nowhere"), "me/detector"]) == 2
    assert "no such folder" in error_of(capsys)
    with pytest.raises(SystemExit):
        main(["push", str(folder), "https://huggingface.co/me/detector"])
    assert "is no repository" in capsys.readouterr().err


def test_accuracy_over_characters_that_no_word_has_is_not_told(tmp_path):
    result = {"accuracy_36": 0.0, "num_words_36": 0, "accuracy_any": 0.5, "num_words_any": 40}
    (tmp_path / "greek.json").write_text(json.dumps(result))
    measured = of_evaluation(tmp_path / "greek.json", "text-recognition")
    assert measured.scores == {"accuracy_any": 0.5} and measured.size == "40 words"
    (tmp_path / "bad.json").write_text(json.dumps(result | {"accuracy_any": 0.0}))
    assert of_evaluation(tmp_path / "bad.json", "text-recognition").scores == {"accuracy_any": 0.0}


def test_a_checkpoint_of_a_training_has_its_own_scores_and_the_origin_of_the_whole(folder, capsys):
    checkpoint = folder / "checkpoint-300"
    tiny_model().save_pretrained(checkpoint)
    TCMImageProcessor(size=SIZE).save_pretrained(checkpoint)
    log = [{"step": step, "eval_hmean": hmean} for step, hmean in ((200, 0.1), (300, 0.3), (400, 0.4))]
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": 300, "log_history": log}))
    assert main(["push", str(checkpoint), "me/detector", "--dry-run"]) == 0
    card = capsys.readouterr().out
    assert "| steps | 300 |" in card and "| trained on | ic15:1-900 |" in card
    assert [row.rsplit("|", 2)[1] for row in card.splitlines() if "| ic15:901-950" in row] == [" 0.300 "]
    (folder / "training_report.json").unlink()  # the training was stopped
    (folder / "training_settings.json").write_text(json.dumps({"train": ["/home/jane/b:1-9"], "model": None}))
    assert main(["push", str(checkpoint), "me/detector", "--dry-run"]) == 0
    assert "| trained on | b:1-9 |" in capsys.readouterr().out
