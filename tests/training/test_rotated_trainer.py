"""The Trainer, the evaluation and the recipe of rotated detectors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from alone import assert_sample_losses_are_those_of_images_alone
from quick import quick_arguments
from safetensors.torch import load_file
from transformers import PrinterCallback

from tcm_hf.conversion.class_prompts import class_prompts
from tcm_hf.data.augmentation_rotated import aerial_augmentation
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.synthetic.aerial import SyntheticAerialDataset
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.training.arguments import RotatedDetectionTrainingArguments
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.rotated_datasets import RotatedDetectionDataset
from tcm_hf.training.rotated_evaluation import choose_threshold, evaluate_rotated, predict_rotated
from tcm_hf.training.rotated_recipe import RotatedRecipe, load_rotated_start
from tcm_hf.training.rotated_trainer import RotatedDetectionTrainer
from tiny_rotated import ROTATED_HEADS, tiny_rotated_model

CLASSES = ["plane", "ship", "harbour"]
PHOTOS = list(SyntheticAerialDataset(4, 0, (64, 96), max_objects=4))


@pytest.fixture
def make_trainer(tmp_path):
    """Makes trainers of the tiny detectors on generated photos."""

    def make(name="run", head_type="rotated_fcos", records=PHOTOS, eval_dataset=None, **arguments):
        model = tiny_rotated_model(head_type).train()
        processor = TCMRotatedImageProcessor(size={"longest_edge": 96})
        samples = RotatedDetectionDataset(
            records,
            aerial_augmentation((96, 96)),
            class_names=CLASSES,
            shown_size_hw=processor.get_processed_size_hw,
            image_mean=processor.image_mean,
            image_std=processor.image_std,
            size_hw=(96, 96),
        )
        args = quick_arguments(
            RotatedDetectionTrainingArguments,
            tmp_path / name,
            evaluates=eval_dataset is not None,
            **arguments,
        )
        trainer = RotatedDetectionTrainer(
            model,
            args,
            image_processor=processor,
            train_dataset=MixedDataset([samples], length=args.max_steps * 2),
            eval_dataset=eval_dataset,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_the_loss_falls_and_its_parts_are_logged(make_trainer, head_type):
    trainer = make_trainer(head_type=head_type, max_steps=16, learning_rate=5e-3, save_strategy="no")
    trainer.train()
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    losses = [entry["loss"] for entry in log]
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    for entry in log:
        parts = [value for name, value in entry.items() if name.startswith("loss_")]
        assert sum(parts) == pytest.approx(entry["loss"], rel=1e-3)


def test_a_run_that_resumes_equals_one_that_was_never_stopped(make_trainer):
    straight = make_trainer("straight", average_decay=0.9)
    straight.train()
    resumed = make_trainer("resumed", average_decay=0.9)
    resumed.train(resume_from_checkpoint=str(Path(straight.args.output_dir) / "checkpoint-2"))
    ends = [
        load_file(Path(t.args.output_dir) / "checkpoint-4" / "model.safetensors") for t in (straight, resumed)
    ]
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def test_photos_without_objects_do_not_break_training(make_trainer):
    empty = RotatedRecord(PHOTOS[0].image, np.zeros((0, 4, 2)), [])
    trainer = make_trainer(records=[empty], max_steps=2, save_strategy="no")
    trainer.train()
    assert all(torch.isfinite(parameter).all() for parameter in trainer.model.parameters())


def test_evaluate_gives_means_and_chooses_the_best_checkpoint(make_trainer):
    trainer = make_trainer(eval_dataset=PHOTOS[:2])
    metrics = trainer.evaluate()
    assert {"eval_map50", "eval_map50_voc07", "eval_map50_95", "eval_f1"} <= set(metrics)
    assert metrics["eval_num_images"] == 2
    assert trainer.args.metric_for_best_model == "eval_map50"


def test_without_records_there_is_nothing_to_evaluate():
    with pytest.raises(ValueError, match="at least one record"):
        evaluate_rotated(tiny_rotated_model(), TCMRotatedImageProcessor(), [])


def test_the_batch_size_changes_no_result_and_tiles_cover_a_large_photo():
    model, processor = tiny_rotated_model(), TCMRotatedImageProcessor(size={"longest_edge": 96}, tile_px=96)
    processor.tile_overlap_px, processor.candidate_threshold = 20, 0.01
    large = next(iter(SyntheticAerialDataset(1, 5, (96, 200))))
    records = [PHOTOS[0], large, PHOTOS[1]]
    one, other = (predict_rotated(model, processor, records, batch_size=size) for size in (1, 3))
    for alone, batched in zip(one, other, strict=True):
        torch.testing.assert_close(alone["boxes"], batched["boxes"], rtol=1e-4, atol=1e-3)
    assert one[1]["boxes"][:, 0].max() > 110  # beyond the first tile
    (whole,) = predict_rotated(model, processor, [large], tile=None)
    assert len(whole["boxes"]) != len(one[1]["boxes"])


def test_the_threshold_of_the_best_f_measure_is_chosen(monkeypatch):
    model, processor = tiny_rotated_model(), TCMRotatedImageProcessor()
    record = RotatedRecord(PHOTOS[0].image, PHOTOS[0].polygons_xy[:1], ["ship"])
    boxes = np.concatenate([record.boxes(), record.boxes() + 1, [[9, 9, 4, 4, 0]]])
    found = {"boxes": boxes, "scores": [0.5, 0.29, 0.1], "labels": [1, 1, 0]}
    found = {name: torch.as_tensor(values) for name, values in found.items()}
    monkeypatch.setattr("tcm_hf.training.rotated_evaluation.predict_rotated", lambda *_, **__: [found])
    chosen = choose_threshold(model, processor, [record])
    assert chosen == {"threshold": 0.3, "precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_a_checkpoint_gets_other_classes_and_keeps_what_it_knows(tmp_path):
    tiny_rotated_model().save_pretrained(tmp_path)
    TCMRotatedImageProcessor(threshold=0.3).save_pretrained(tmp_path)
    classes = {"prompt_token_ids": [[62, 7, 8, 63], [62, 11, 63]], "id2label": {0: "ship", 1: "oil rig"}}
    recipe = RotatedRecipe([], tmp_path / "out", model=str(tmp_path), classes=classes, tile_px=512)
    model, processor = load_rotated_start(recipe, [PHOTOS])
    assert model.config.id2label == {0: "ship", 1: "oil rig"}
    assert (processor.threshold, processor.tile_px, processor.size["longest_edge"]) == (0.3, 512, 1024)
    assert all(not parameter.requires_grad for parameter in model.model.text_tower.parameters())


def test_a_class_that_keeps_its_name_gets_its_new_prompt(tmp_path):
    tiny_rotated_model().save_pretrained(tmp_path)
    TCMRotatedImageProcessor().save_pretrained(tmp_path)
    prompts = [[62, 5, 63], [62, 11, 12, 63], [62, 9, 63]]
    classes = {"prompt_token_ids": prompts, "id2label": dict(enumerate(CLASSES))}
    recipe = RotatedRecipe([], tmp_path / "out", model=str(tmp_path), classes=classes)
    model, _ = load_rotated_start(recipe, [PHOTOS])
    assert model.config.prompt_token_ids == prompts
    images = torch.zeros(1, 3, 64, 96)
    anew = model.eval()(images, output_embeddings=True).text_embedding
    before = tiny_rotated_model()(images, output_embeddings=True).text_embedding
    assert not torch.allclose(anew[:, 1], before[:, 1])
    assert recipe.settings() != RotatedRecipe([], tmp_path / "out", model=str(tmp_path)).settings()


@pytest.mark.parametrize("head", ["fcos", "atss", "retinanet"])
def test_a_small_preset_starts_at_the_size_of_the_photos_with_a_text_tower_that_learns(tmp_path, head):
    pytest.importorskip("open_clip", reason="CLIP's vocabulary is not installed")
    recipe = RotatedRecipe(
        [], tmp_path, preset=f"fasttcm-rotated-{head}-tiny", classes=class_prompts(["ship", "number plate"])
    )
    model, processor = load_rotated_start(recipe, [PHOTOS])
    assert isinstance(model, TCMForRotatedObjectDetection)
    assert processor.size["longest_edge"] == 96
    assert all(parameter.requires_grad for parameter in model.model.text_tower.parameters())
    assert json.dumps(recipe.settings())


@pytest.mark.parametrize("head_type", ROTATED_HEADS)
def test_the_loss_of_a_sample_is_that_of_its_image_alone(make_trainer, head_type):
    assert_sample_losses_are_those_of_images_alone(make_trainer(head_type=head_type))
