import copy
from functools import partial

import numpy as np
import pytest
import torch
from alone import assert_sample_losses_are_those_of_images_alone
from lettered import CHARACTERS, SIZE_HW, lettered_record
from quick import quick_arguments
from transformers import PrinterCallback

from planted_spotter import painted_one_model
from planted_words import painted_photo
from tcm_hf.data.augmentation_spotting import default_spotting_augmentation
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.targets_spotting import spotting_targets
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.training.arguments import RECOMPUTE_FIELD
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.spotting_datasets import TextSpottingDataset
from tcm_hf.training.spotting_trainer import TextSpottingTrainer, TextSpottingTrainingArguments
from tiny_spotter import ABCNET_HEAD, HEAD, POINTS_HEAD, tiny_spotter

HEADS = {
    "testr": HEAD,
    "abcnet": ABCNET_HEAD | {"recognizer": "ctc", "level_sizes": [16, 32], "proposal_threshold": 0.3},
    "deepsolo": POINTS_HEAD,
}


def targets_for(head):
    sizes = {name: head[name] for name in ("num_characters", "num_control_points") if name in head}
    return partial(spotting_targets, characters=CHARACTERS, **sizes)


@pytest.fixture
def make_trainer(tmp_path):
    """Makes trainers on lettered photos."""

    def make(head_type="testr", name="run", eval_dataset=None, **arguments) -> TextSpottingTrainer:
        head = HEADS[head_type]
        model = tiny_spotter(head_config=head, characters=CHARACTERS)
        processor = TCMSpottingImageProcessor(
            size={"shortest_edge": 64, "longest_edge": 128}, characters=CHARACTERS, threshold=0.0
        )
        corpus = TextSpottingDataset(
            [lettered_record(seed) for seed in range(4)],
            default_spotting_augmentation(SIZE_HW, scale=(0.5, 0.6)),
            image_mean=processor.image_mean,
            image_std=processor.image_std,
            size_hw=SIZE_HW,
            targets=targets_for(head),
        )
        args = quick_arguments(
            TextSpottingTrainingArguments, tmp_path / name, evaluates=eval_dataset is not None, **arguments
        )
        trainer = TextSpottingTrainer(
            model,
            args,
            image_processor=processor,
            train_dataset=MixedDataset([corpus], length=args.max_steps * 2),
            eval_dataset=eval_dataset,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make


@pytest.mark.parametrize("head_type", HEADS)
def test_every_head_learns_and_its_losses_are_in_the_log(make_trainer, head_type):
    trainer = make_trainer(head_type)
    before = copy.deepcopy(trainer.model.state_dict())
    trainer.train()
    after = trainer.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("head."))
    assert any(not torch.equal(before[name], after[name]) for name in before if "image_tower" in name)
    logged = [row for row in trainer.state.log_history if "loss" in row]
    assert len(logged) == 4
    # Every head names its losses; all read and all have the auxiliary loss of the backbone.
    assert all("loss_score" in row and "loss_matching" in row for row in logged)


def test_a_training_that_goes_on_ends_where_an_uninterrupted_one_does(make_trainer):
    whole, part = make_trainer(name="whole", average_decay=0.5), make_trainer(name="part", average_decay=0.5)
    whole.train()
    part.args.max_steps = 4
    part.train(resume_from_checkpoint=str(whole.args.output_dir) + "/checkpoint-2")
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(part.model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("head_type", HEADS)
def test_whole_photos_are_read_for_the_score(make_trainer, head_type):
    record = lettered_record(0)
    unread = TextRecord(record.image, [*record.instances, TextInstance(record.polygons_xy[0] + 1)])
    trainer = make_trainer(head_type, eval_dataset=[record, unread])
    scores = trainer.evaluate()
    # A word whose text is not known counts neither way.
    assert scores["eval_num_references"] == 4
    assert scores["eval_hmean"] < 1  # nothing has been learned


def test_a_model_that_reads_everything_scores_one(make_trainer):
    placed = [("abc", 20, 20), ("cab", 250, 140)]
    polygons = [np.array([(x, y), (x + 120, y), (x + 120, y + 32), (x, y + 32)]) for _, x, y in placed]
    words = [TextInstance(polygon, text) for polygon, (text, _, _) in zip(polygons, placed, strict=True)]
    image = painted_photo(*((*word, 0) for word in placed))
    wrong = [words[0], TextInstance(words[1].polygon_xy, "bbb")]
    trainer, reader = make_trainer(), painted_one_model()
    trainer.image_processor = reader.image_processor
    scores = trainer.scores_on([TextRecord(image, words)], reader.model)
    for name in ("hmean", "precision", "recall", "detection_hmean", "best_hmean"):
        assert scores[name] == 1
    scores = trainer.scores_on([TextRecord(image, wrong)], reader.model)
    assert (scores["hmean"], scores["detection_hmean"]) == (0.5, 1)


def test_the_best_checkpoint_is_that_of_the_best_hmean():
    arguments = TextSpottingTrainingArguments("out", use_cpu=True)
    assert (arguments.metric_for_best_model, arguments.greater_is_better) == ("eval_hmean", True)
    assert arguments.max_grad_norm == 1.0


@pytest.mark.parametrize("head_type", HEADS)
def test_the_loss_of_a_sample_is_that_of_its_image_alone(make_trainer, head_type):
    trainer = make_trainer(head_type)
    if head_type == "abcnet":
        trainer.model.config.head_config.curve_jitter = 0.0  # else words are read at places drawn anew
    assert_sample_losses_are_those_of_images_alone(trainer)


@pytest.mark.slow  # two trainings; what is special about them the tests of the models have
def test_gradient_checkpointing_changes_neither_the_curve_nor_the_model(make_trainer):
    runs = []
    for recomputes in (False, True):
        trainer = make_trainer(max_steps=2, save_strategy="no", **{RECOMPUTE_FIELD: recomputes})
        trainer.train()
        runs.append(trainer)
    losses = [[row["loss"] for row in run.state.log_history if "loss" in row] for run in runs]
    assert losses[0] == losses[1]
    for name, tensor in runs[0].model.state_dict().items():
        torch.testing.assert_close(runs[1].model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)
