"""Rotated detectors learn generated photos from above in minutes, from nothing, on a CPU."""

import pytest
import torch

from tcm_hf.data.augmentation import RandomWarpCrop
from tcm_hf.data.augmentation_rotated import RotatedAugmentation
from tcm_hf.data.synthetic.aerial import AERIAL_CLASSES, SyntheticAerialDataset
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES, TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.training.arguments import RotatedDetectionTrainingArguments
from tcm_hf.training.rotated_datasets import RotatedDetectionDataset
from tcm_hf.training.rotated_trainer import RotatedDetectionTrainer

CLASSES = list(AERIAL_CLASSES)
SIZE_HW = (128, 160)
BATCH = 8


def learner(head: str) -> TCMForRotatedObjectDetection:
    torch.manual_seed(0)
    config = TCMRotatedDetectionConfig.from_preset(
        f"fasttcm-rotated-{head}-tiny",
        prompt_token_ids=[DOTA_CLASSES[name] for name in CLASSES],
        id2label=dict(enumerate(CLASSES)),
        freeze_text_tower=False,
    )
    return TCMForRotatedObjectDetection(config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "steps", "map50"), [("fcos", 700, 0.8), ("atss", 700, 0.8), ("retinanet", 900, 0.7)]
)
def test_photos_from_above_are_learned_from_nothing(tmp_path, head, steps, map50):
    processor = TCMRotatedImageProcessor(size={"longest_edge": SIZE_HW[1]})
    samples = RotatedDetectionDataset(
        SyntheticAerialDataset(steps * BATCH, seed=1, size_hw=SIZE_HW, max_objects=10),
        # Every photo is a new one: there is no need to change them.
        RotatedAugmentation(RandomWarpCrop(SIZE_HW, (1, 1), 1.0, 0.0, 0.0, 0.0)),
        class_names=CLASSES,
        shown_size_hw=processor.get_processed_size_hw,
        image_mean=processor.image_mean,
        image_std=processor.image_std,
        size_hw=SIZE_HW,
    )
    arguments = RotatedDetectionTrainingArguments(
        str(tmp_path),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=16,
        learning_rate=3e-3,
        warmup_steps=0.1,
        max_grad_norm=10.0,
        image_tower_lr_factor=1.0,
        text_tower_lr_factor=1.0,
        average_decay=0.98,
        channels_last=True,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        logging_steps=100,
        use_cpu=True,
        report_to=[],
    )
    trainer = RotatedDetectionTrainer(
        learner(head), arguments, image_processor=processor, train_dataset=samples
    )
    trainer.train()
    others = list(SyntheticAerialDataset(64, seed=2, size_hw=SIZE_HW, max_objects=10))
    scores = trainer.evaluate(others)
    print(head, scores)
    assert scores["eval_map50"] >= map50
