"""`push_to_hub` and `from_pretrained(repo_id)` of every model and processor against a loopback Hub."""

import json

import pytest
import torch
from transformers import AutoBackbone, AutoImageProcessor, AutoModel, AutoProcessor, pipeline

import tcm_hf
from tcm_hf.hub.pushing import push_folder
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tiny import tiny_images, tiny_model
from tiny_recognizer import tiny_crops, tiny_processor, tiny_recognizer
from tiny_rotated import tiny_rotated_model
from tiny_spotter import tiny_spotter

SIZE = {"shortest_edge": 64, "longest_edge": 96}
PICTURE = torch.zeros(3, 60, 90, dtype=torch.uint8)


def detector():
    return tiny_model(), tcm_hf.TCMImageProcessor(size=SIZE), tiny_images()


def spotter():
    model = tiny_spotter()
    processor = tcm_hf.TCMSpottingImageProcessor(size=SIZE, characters=model.config.characters)
    return model, processor, tiny_images()


def rotated():
    return tiny_rotated_model(), TCMRotatedImageProcessor(size={"longest_edge": 96}), tiny_images()


def recognizer():
    return tiny_recognizer(), tiny_processor(), tiny_crops()


TASKS = {
    detector: "text-detection",
    spotter: "text-spotting",
    rotated: "rotated-object-detection",
    recognizer: "text-recognition",
}


def numbers(model, pixels):
    with torch.no_grad():
        output = model(pixels)
    tensors = [value for value in output.to_tuple() if isinstance(value, torch.Tensor)]
    assert tensors
    return tensors


@pytest.mark.parametrize("make", TASKS, ids=lambda make: make.__name__)
def test_what_was_pushed_comes_back_by_its_name(hub, make):
    model, processor, pixels = make()
    model.push_to_hub("thing")
    processor.push_to_hub("thing")
    loaded = AutoModel.from_pretrained("me/thing")
    assert type(loaded) is type(model)
    torch.testing.assert_close(numbers(loaded, pixels), numbers(model, pixels), rtol=0, atol=0)
    auto = AutoProcessor if make is recognizer else AutoImageProcessor
    assert type(auto.from_pretrained("me/thing")) is type(processor)
    assert isinstance(pipeline(TASKS[make], model="me/thing")(PICTURE), list | dict)
    files = hub.repositories["me/thing"].files
    assert not [name for name in files if name.endswith(".py")]
    assert "auto_map" not in json.loads(files["config.json"])


@pytest.mark.parametrize("make", TASKS, ids=lambda make: make.__name__)
def test_a_model_is_pushed_with_its_code_and_card(hub, tmp_path, make):
    model, processor, _ = make()
    tcm_hf.save_with_code(model, tmp_path, processor, repo_id="me/with-code")
    files = hub.repositories["me/with-code"].files
    assert b'model="me/with-code"' in files["README.md"]
    assert any(name.startswith("modeling_") for name in files)
    assert "AutoModel" in json.loads(files["config.json"])["auto_map"]
    loaded = pipeline(TASKS[make], model="me/with-code")  # nobody asks to trust the code: it is installed
    assert type(loaded).__module__.startswith("tcm_hf.")


def test_a_backbone_is_loaded_by_the_name_of_a_detector(hub):
    model = tiny_model()
    model.push_to_hub("me/detector")
    backbone = AutoBackbone.from_pretrained("me/detector", out_features=["stage2", "stage4"])
    assert type(backbone) is tcm_hf.TCMModel and backbone.channels == [8, 17]
    with torch.no_grad():
        found, expected = backbone(tiny_images()), model.model(tiny_images())
    torch.testing.assert_close(found.feature_maps[1], expected.feature_maps[3], rtol=0, atol=0)


def test_a_reader_goes_with_its_detector_and_comes_back_with_it(hub, tmp_path):
    reader = tcm_hf.TextSpottingPipeline(
        model=tiny_model(),
        image_processor=tcm_hf.TCMImageProcessor(size=SIZE),
        recognizer=tcm_hf.TextRecognitionPipeline(model=tiny_recognizer(), processor=tiny_processor()),
    )
    tcm_hf.save_with_code(reader, tmp_path, repo_id="me/reader")
    assert "recognizer/caption_tokenizer/tokenizer.json" in hub.repositories["me/reader"].files
    loaded = pipeline("text-spotting", model="me/reader")
    assert loaded.recognizer.model.config.charset == tiny_recognizer().config.charset


def test_a_revision_pins_the_weights(hub, tmp_path):
    first, second = tiny_model(seed=0), tiny_model(seed=1)
    for model, revision in ((first, None), (second, "v2")):
        model.save_pretrained(tmp_path)
        commit = push_folder(tmp_path, "me/detector", revision=revision)
    for revision, model in (("main", first), ("v2", second), (commit.oid, second)):
        loaded = AutoModel.from_pretrained("me/detector", revision=revision)
        torch.testing.assert_close(numbers(loaded, tiny_images()), numbers(model, tiny_images()))


def test_other_weights_of_an_earlier_push_go_and_what_people_added_stays(hub, tmp_path):
    tiny_model().save_pretrained(tmp_path / "one")
    push_folder(tmp_path / "one", "me/detector", private=True)
    repository = hub.repositories["me/detector"]
    assert repository.private
    repository.files["handler.py"] = b"# of the owner"
    tiny_model().save_pretrained(tmp_path / "shards", max_shard_size="50KB")
    push_folder(tmp_path / "shards", "me/detector", commit_message="Smaller files")
    names = set(repository.files)
    assert "handler.py" in names and "model.safetensors" not in names
    assert {path.name for path in (tmp_path / "shards").iterdir()} <= names
    assert len([name for name in names if name.endswith(".safetensors")]) > 1


def test_what_a_training_left_beside_the_model_stays_at_home(hub, tmp_path):
    tiny_model().save_pretrained(tmp_path)
    left = ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "trainer_state.json"]
    left += ["training_settings.json", "training_report.json", "live_weights.safetensors", "notes.txt"]
    left += ["code.py", ".env"]  # code is sent where the configuration names it
    for name in left:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / "config.json").write_text("{}")
    push_folder(tmp_path, "me/detector")
    assert set(hub.repositories["me/detector"].files) == {"config.json", "model.safetensors"}


def test_a_missing_repository_is_an_error(hub):
    with pytest.raises(OSError, match="me/nothing"):
        tcm_hf.TCMForTextDetection.from_pretrained("me/nothing")
