"""Photos and the smallest real detector for the tests of this folder."""

import pytest
from bars import SIZE_HW, bar_record
from quick import quick_arguments

from small_parts import SMALL_PARTS
from tcm_hf.data.records import TextRecord


@pytest.fixture(scope="session")
def bar_records() -> list[TextRecord]:
    return [bar_record(seed) for seed in range(6)]


@pytest.fixture
def tiny_detector():
    """Makes FastTCM with a text tower and any head, small enough for steps of milliseconds."""
    import torch

    from tcm_hf.modeling.configuration_tcm import TCMConfig
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
    from tiny import HEADS

    def make(head_type="dbnet"):
        torch.manual_seed(0)
        config = TCMConfig.from_preset(
            "fasttcm-dbnet-tiny",
            **SMALL_PARTS,
            head_config={"head_type": head_type, **HEADS[head_type]},
        )
        return TCMForTextDetection(config)

    return make


@pytest.fixture
def make_trainer(tiny_detector, bar_records, tmp_path):
    """Makes trainers of detectors on the bars.

    `records` replaces the photos, `dataset` the samples, `tuned` changes the model.
    """
    from transformers import PrinterCallback

    from tcm_hf.data.augmentation import default_training_augmentation
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
    from tcm_hf.training.arguments import TextDetectionTrainingArguments
    from tcm_hf.training.datasets import MixedDataset, TextDetectionDataset
    from tcm_hf.training.detectors import DETECTORS
    from tcm_hf.training.trainer import TextDetectionTrainer

    def make(
        name="run",
        records=bar_records,
        eval_dataset=None,
        head_type="dbnet",
        dataset=None,
        tuned=lambda model: model,
        compute_metrics=None,
        **arguments,
    ):
        model = tiny_detector(head_type)
        processor = TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})
        corpus = TextDetectionDataset(
            records,
            default_training_augmentation(SIZE_HW),
            image_mean=processor.image_mean,
            image_std=processor.image_std,
            size_hw=SIZE_HW,
            targets=DETECTORS[head_type].targets(model.config.head_config, 7.0),
        )
        args = quick_arguments(
            TextDetectionTrainingArguments, tmp_path / name, evaluates=eval_dataset is not None, **arguments
        )
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps
        trainer = TextDetectionTrainer(
            tuned(model),
            args,
            image_processor=processor,
            train_dataset=dataset or MixedDataset([corpus], length=args.max_steps * batch),
            compute_metrics=compute_metrics,
            eval_dataset=eval_dataset,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make
