"""The whole recipe of a text detector in one call: generated pictures, photos, training, threshold, curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import set_seed

from tcm_hf.data.augmentation import default_training_augmentation
from tcm_hf.data.records import TextRecord
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.datasets import MixedDataset, TextDetectionDataset
from tcm_hf.training.detectors import detector_of
from tcm_hf.training.evaluation_loop import choose_decoding, evaluate_detector, set_decoding
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.optimizer import TEXT_TOWER_PREFIX
from tcm_hf.training.progress import LogLines
from tcm_hf.training.resuming import changed_settings
from tcm_hf.training.running import (
    absolute_name,
    common_arguments,
    say_what_is_trained,
    silence,
    spread_evenly,
    train_or_go_on,
    write_report,
)
from tcm_hf.training.trainer import TextDetectionTrainer


@dataclass
class DetectorRecipe:
    """Everything that decides a training run, as `tcm-hf train detector` takes it.

    Args:
        train: The corpora to train on.
        output: Folder of checkpoints, final model, `curve.png` and `training_report.json`.
        weights: Share of each corpus of `train` in the samples; by size when None.
        validation: Photos that choose the best checkpoint; None trains without.
        model: Checkpoint to start from; None starts from `preset` with random weights.
        preset: Name for `TCMConfig.from_preset`.
        crop: Side of the training crops in pixels, a multiple of 32.
        size: (short, long) bounds in pixels of whole photos at evaluation; None keeps the image processor's.
        min_text_px: Text with a shorter side in the crop is not trained on.
        eval_images: At most this many validation photos in the evaluations while training; 0 means all.
        calibration_images: Training photos on which the decoding is chosen, out of those in `DETECTORS`; 0
            keeps that of the image processor.
        cache: Folder of decoded photos; None decodes anew each time. Generated pictures are never kept
            there: they are small and many.
        arguments: Fields of `TextDetectionTrainingArguments`.
    """

    train: list[CorpusSpec]
    output: Path
    weights: list[float] | None = None
    validation: CorpusSpec | None = None
    model: str | None = None
    preset: str = "fasttcm-dbnet-tiny"
    crop: int = 320
    size: tuple[int, int] | None = None
    min_text_px: float = 6.0
    eval_images: int = 0
    calibration_images: int = 100
    cache: Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        return {
            "model": None if self.model is None else absolute_name(self.model),
            "preset": self.preset if self.model is None else None,
            "crop": self.crop,
            "train": [str(CorpusSpec(spec.folder.absolute(), spec.numbers)) for spec in self.train],
            "weights": self.weights,
            "steps": self.arguments.get("max_steps", 0),
        }


@dataclass
class PreparedTraining:
    """A recipe whose folders, model and arguments were found to be right; made by `prepare`."""

    recipe: DetectorRecipe
    trainer: TextDetectionTrainer
    corpora: list[list[TextRecord]]
    validation: list[TextRecord]


def check_recipe(recipe: DetectorRecipe) -> None:
    """Find mistakes in all but the corpora, before hours go into rendering pictures.

    Raises:
        ValueError: For a preset or argument that cannot be, or an output folder of another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    _training_arguments(recipe)
    load_start(recipe)


def prepare(recipe: DetectorRecipe) -> PreparedTraining:
    """Read the annotations, build model, data sets and Trainer.

    Raises:
        ValueError: For a preset, folder, range, weight or argument that cannot be, or an output folder of
            another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    arguments = _training_arguments(recipe)
    corpora = [spec.records() for spec in recipe.train]
    validation = recipe.validation.records() if recipe.validation else []
    model, image_processor = load_start(recipe)
    cache = ImageCache(recipe.cache) if recipe.cache else None
    trainer = TextDetectionTrainer(
        model,
        arguments,
        image_processor=image_processor,
        train_dataset=_training_samples(recipe, corpora, model, image_processor, arguments, cache),
        eval_dataset=spread_evenly(validation, recipe.eval_images or len(validation)) or None,
        image_cache=cache,
        callbacks=[LogLines()],
    )
    silence(trainer)
    return PreparedTraining(recipe, trainer, corpora, validation)


def train_detector(prepared: PreparedTraining) -> dict[str, Any] | None:
    """Train, choose the decoding, save; goes on from the last checkpoint in the output folder.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    recipe, trainer = prepared.recipe, prepared.trainer
    if trainer.is_world_process_zero():
        say_what_is_trained(trainer, prepared.corpora, len(prepared.validation), "images")
    if not train_or_go_on(trainer, recipe.output, recipe.settings()):
        return None
    return _finish(prepared)


def load_start(recipe: DetectorRecipe) -> tuple[TCMForTextDetection, TCMImageProcessor]:
    """The model and the image processor that training starts from.

    Raises:
        ValueError: For an unknown preset, or a text tower that should be trained and is not there.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    overrides: dict[str, Any] = {}
    if recipe.size is not None:
        overrides["size"] = {"shortest_edge": min(recipe.size), "longest_edge": max(recipe.size)}
    if recipe.model is None:
        set_seed(recipe.arguments.get("seed", 0))
        model = TCMForTextDetection(TCMConfig.from_preset(recipe.preset))
        image_processor = TCMImageProcessor.from_preset(recipe.preset, **overrides)
    else:
        model = TCMForTextDetection.from_pretrained(recipe.model)
        image_processor = TCMImageProcessor.from_pretrained(recipe.model, **overrides)
    if recipe.arguments.get("text_tower_lr_factor", 0) > 0:
        _unfreeze_text_tower(model)
    return model, image_processor


def fit_decoding(
    folder: Path, records: list[TextRecord], image_processor: TCMImageProcessor
) -> dict[str, Any]:
    """Choose the decoding of a trained detector; written to its preprocessor_config.json.

    Args:
        folder: The checkpoint.
        records: Annotated photos, not those that are reported on.
        image_processor: The checkpoint's, maybe with another size.

    Returns:
        The settings chosen, with the scores they reach on `records`.
    """
    model = TCMForTextDetection.from_pretrained(folder)
    best, rows = choose_decoding(model, image_processor, records, batch_size=1)
    set_decoding(image_processor, best).save_pretrained(folder)
    return rows[0]


def _unfreeze_text_tower(model: TCMForTextDetection) -> None:
    tower = [parameter for name, parameter in model.named_parameters() if name.startswith(TEXT_TOWER_PREFIX)]
    if not tower:
        raise ValueError(
            "`text_tower_lr_factor` needs a model with a text tower: this one has none, or only its cached "
            "text embedding. Take 0, or a checkpoint with the tower."
        )
    model.config.freeze_text_tower = False
    for parameter in tower:
        parameter.requires_grad_(True)


def _training_arguments(recipe: DetectorRecipe) -> TextDetectionTrainingArguments:
    values: dict[str, Any] = {
        "image_tower_lr_factor": 1.0 if recipe.model is None else 0.1,
        # The threshold is chosen after the training, so the checkpoint is chosen without it.
        "metric_for_best_model": "eval_best_hmean",
    } | recipe.arguments
    if values.get("max_steps") == 1:
        values.setdefault("warmup_steps", 0)  # the schedule divides by the steps that follow the warm-up
    values = common_arguments(values, has_validation=recipe.validation is not None)
    return TextDetectionTrainingArguments(output_dir=str(recipe.output), **values)


def _training_samples(
    recipe: DetectorRecipe,
    corpora: list[list[TextRecord]],
    model: TCMForTextDetection,
    image_processor: TCMImageProcessor,
    arguments: TextDetectionTrainingArguments,
    cache: ImageCache | None,
) -> MixedDataset:
    size_hw = (recipe.crop, recipe.crop)
    targets = detector_of(model.config).targets(model.config.head_config, recipe.min_text_px)
    datasets = [
        TextDetectionDataset(
            records,
            default_training_augmentation(size_hw, recipe.min_text_px),
            image_mean=image_processor.image_mean,
            image_std=image_processor.image_std,
            size_hw=size_hw,
            seed=arguments.seed + index,
            targets=targets,
            image_cache=None if spec.is_generated else cache,
        )
        for index, (spec, records) in enumerate(zip(recipe.train, corpora, strict=True))
    ]
    # One epoch is the whole run: the samples are numbered through, and a run that resumes goes on in the
    # numbers.
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    length = max(arguments.max_steps, 1) * batch
    return MixedDataset(datasets, recipe.weights, length=length, seed=arguments.seed)


def _finish(prepared: PreparedTraining) -> dict[str, Any]:
    recipe, trainer, image_processor = prepared.recipe, prepared.trainer, prepared.trainer.image_processor
    # What ships runs in float32: mixed precision is taken off before anything is chosen or reported.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    options: dict[str, Any] = {
        "batch_size": trainer.args.per_device_eval_batch_size,
        "image_cache": trainer.image_cache,
    }
    report: dict[str, Any] = {
        "steps": trainer.state.global_step,
        "best_checkpoint": trainer.state.best_model_checkpoint,
    }
    trainer.save_model(str(recipe.output))
    if model.config.method == "fasttcm":
        model.cache_text_embeddings()
    if recipe.calibration_images:
        # The first corpus: photos. Generated pictures would fit the decoding to generated pictures.
        records = spread_evenly(prepared.corpora[0], recipe.calibration_images)
        best, rows = choose_decoding(model, image_processor, records, **options)
        set_decoding(image_processor, best)
        report["decoding"] = {"chosen_on": f"{len(records)} training photos", **rows[0]}
    if prepared.validation:
        report["validation"] = evaluate_detector(model, image_processor, prepared.validation, **options)
    if not trainer.is_world_process_zero():
        return report
    model.save_pretrained(recipe.output)
    image_processor.save_pretrained(recipe.output)
    write_report(trainer, recipe.output, report)
    return report
