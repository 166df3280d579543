"""`push_to_hub` of the Trainers against a loopback Hub, and checkpoints that load as pipelines."""

import pytest
import yaml
from bars import SIZE_HW, bar_record
from quick import quick_arguments
from transformers import PrinterCallback, pipeline

from tcm_hf.data.augmentation import default_training_augmentation
from tcm_hf.data.augmentation_words import light_word_augmentation
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.datasets import MixedDataset, TextDetectionDataset
from tcm_hf.training.detectors import DETECTORS
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_datasets import WordDataset
from tcm_hf.training.recognition_recipe import RecognizerRecipe, load_recognizer_start
from tcm_hf.training.recognition_trainer import TextRecognitionTrainer
from tcm_hf.training.trainer import TextDetectionTrainer
from written_words import tiny_recognizer_config, written_word


@pytest.fixture
def trainer(tiny_detector, bar_records, tmp_path):
    """Of a detector, for four steps with two checkpoints."""
    model = tiny_detector()
    processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})
    corpus = TextDetectionDataset(
        bar_records,
        default_training_augmentation(SIZE_HW),
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=SIZE_HW,
        targets=DETECTORS["dbnet"].targets(model.config.head_config, 7.0),
    )
    arguments = quick_arguments(
        TextDetectionTrainingArguments, tmp_path / "out", evaluates=True, hub_model_id="me/bars"
    )
    trainer = TextDetectionTrainer(
        model,
        arguments,
        image_processor=processor,
        train_dataset=MixedDataset([corpus], length=8),
        eval_dataset=bar_records[:2],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def test_a_trainer_pushes_its_model_with_its_scores_and_its_checkpoints_are_pipelines(hub, trainer, tmp_path):
    trainer.train()
    photo = bar_record(0).image
    for folder in ("checkpoint-2", "checkpoint-4"):
        assert isinstance(pipeline("text-detection", model=str(tmp_path / "out" / folder))(photo), list)
    trainer.push_to_hub(dataset="bars", license="mit", tags="mine", language="el", finetuned_from="you/start")
    repository = hub.repositories["me/bars"]
    assert isinstance(pipeline("text-detection", model="me/bars")(photo), list)
    assert not [name for name in repository.files if name.startswith("checkpoint-") or name == "optimizer.pt"]
    card = repository.files["README.md"].decode()
    best = trainer.state.best_global_step
    (row,) = (row for row in trainer.state.log_history if row["step"] == best and "eval_hmean" in row)
    metadata = yaml.safe_load(card.split("---\n")[1])
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"]["name"] == "bars" and metadata["license"] == "mit"
    assert "mine" in metadata["tags"] and metadata["language"] == ["el"]
    assert metadata["base_model"] == "you/start"
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["hmean"] == pytest.approx(row["eval_hmean"], abs=1e-4)
    assert "they also chose the checkpoint" in card and 'model="me/bars"' in card
    written = (tmp_path / "out" / "README.md").read_text(encoding="utf-8") + "\nMy words.\n"
    (tmp_path / "out" / "README.md").write_text(written, encoding="utf-8")
    trainer.push_to_hub(dataset="bars")
    card = repository.files["README.md"].decode()
    assert card.count("## Numbers") == 1 and "My words." in card


def test_a_reader_is_pushed_with_its_processor(hub, tmp_path):
    words = [written_word(seed) for seed in range(8)]
    tiny_recognizer_config().to_json_file(tmp_path / "config.json")
    recipe = RecognizerRecipe([], tmp_path / "none", config=tmp_path / "config.json")
    model, processor = load_recognizer_start(recipe, [words])
    arguments = TextRecognitionTrainingArguments(
        str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=2,
        save_steps=2,
        eval_steps=2,
        contrastive_steps=0,
        use_cpu=True,
        disable_tqdm=True,
        hub_model_id="me/words",
        push_to_hub=True,
        hub_strategy="every_save",
    )
    corpus = WordDataset(words, light_word_augmentation(), size_hw=(16, 64))
    trainer = TextRecognitionTrainer(
        model,
        arguments,
        processor=processor,
        train_dataset=MixedDataset([corpus], length=4),
        eval_dataset=words[:2],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    checkpoint = str(tmp_path / "out" / "checkpoint-2")
    assert "text" in pipeline("text-recognition", model=checkpoint)(words[0].load_image())
    while_training = hub.repositories["me/words"].files  # of the pushes at every checkpoint
    assert {"processor_config.json", "charset.json"} <= set(while_training)
    trainer.push_to_hub()
    assert "text" in pipeline("text-recognition", model="me/words")(words[0].load_image())
    card = hub.repositories["me/words"].files["README.md"].decode()
    assert "| words without a mistake |" in card and "accuracy, 36 characters" in card
