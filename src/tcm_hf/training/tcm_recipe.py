"""What the recipes on TCM's backbone share: settings, and a training from its data sets to its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from tcm_hf.training.arguments import TCMTrainingArguments
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.progress import LogLines, SaveByTime
from tcm_hf.training.running import (
    absolute_name,
    samples_of_a_run,
    say_what_is_trained,
    silence,
    spread_evenly,
    train_or_go_on,
    trained_model,
    training_settings,
    write_report,
)
from tcm_hf.training.tcm_trainer import TCMTrainer

MakeDataset = Callable[[CorpusSpec, Sequence[Any], int, ImageCache | None], Any]
"""Samples of a corpus: from its name, its records, a seed, and the decoded photos on disk."""
Measure = Callable[[PreTrainedModel], dict[str, Any]]
"""What a trained model is worth; may change the image processor's settings, which are saved after it."""


@dataclass
class PhotoRecipe:
    """What decides a training run on photos, whatever the model is to find in them.

    Args:
        train: The corpora to train on.
        output: Folder of checkpoints, final model, `curve.png` and `training_report.json`.
        weights: Share of each corpus of `train` in the samples; by size when None.
        validation: Photos that choose the best checkpoint; None trains without.
        model: Checkpoint to start from; None starts from `preset` with random weights.
        preset: Name for `from_preset` of the model's configuration.
        crop: Side of the training crops in pixels, a multiple of 32.
        eval_images: At most this many validation photos in the evaluations while training; 0 means all.
        calibration_images: Training photos on which the thresholds of the image processor are chosen; 0 keeps
            them.
        save_minutes: Also write a checkpoint when this many minutes have passed since the last; 0 does not.
        command: The command line that trains, for the report.
        cache: Folder of decoded photos; None decodes anew each time. Generated pictures are never kept
            there: they are small and many.
        arguments: Fields of the training arguments.
    """

    train: list[CorpusSpec]
    output: Path
    weights: list[float] | None = None
    validation: CorpusSpec | None = None
    model: str | None = None
    preset: str = ""
    crop: int = 320
    eval_images: int = 0
    calibration_images: int = 100
    save_minutes: float = 0.0
    command: str = ""
    cache: Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> list[Any]:
        """All that is trained on, in the order of `weights`."""
        return list(self.train)

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        return {
            "model": None if self.model is None else absolute_name(self.model),
            "preset": self.preset if self.model is None else None,
            "crop": self.crop,
            "train": [str(spec.absolute()) for spec in self.train],
            "weights": self.weights,
            **training_settings(self.arguments),
        }

    def origin(self) -> dict[str, Any]:
        """Where a model comes from, for its report: everything as it was typed."""
        return {
            "command": self.command,
            "start": self.model or self.settings()["preset"],
            "trained_on": [str(spec) for spec in self.sources],
            "validated_on": None if self.validation is None else str(self.validation),
        }

    def open_cache(self) -> ImageCache | None:
        """The decoded photos on disk."""
        return ImageCache(self.cache) if self.cache else None

    def finish(self, model: Any) -> None:
        """Bring a trained model into the form in which it is measured and saved."""
        if model.config.method == "fasttcm":
            model.cache_text_embeddings()


@dataclass
class PreparedTraining:
    """A recipe whose folders, model and arguments were found to be right."""

    recipe: Any
    trainer: TCMTrainer
    corpora: Sequence[Sequence[Any]]
    validation: Sequence[Any]


def prepare_training(
    recipe: PhotoRecipe,
    trainer_class: type[TCMTrainer],
    start: tuple[PreTrainedModel, Any],
    arguments: TCMTrainingArguments,
    corpora: Sequence[Sequence[Any]],
    validation: Sequence[Any],
    make_dataset: MakeDataset,
) -> PreparedTraining:
    """Build data sets and Trainer.

    Args:
        recipe: The recipe.
        trainer_class: The model's.
        start: The model and its image processor.
        arguments: The training arguments.
        corpora: The records of each of `recipe.sources`.
        validation: Records of the validation photos.
        make_dataset: Makes the samples of a corpus; generated pictures get no cache.

    Raises:
        ValueError: For weights that cannot be.
    """
    model, image_processor = start
    cache = recipe.open_cache()
    datasets = [
        make_dataset(spec, records, arguments.seed + index, None if spec.is_generated else cache)
        for index, (spec, records) in enumerate(zip(recipe.sources, corpora, strict=True))
    ]
    trainer = trainer_class(
        model,
        arguments,
        image_processor=image_processor,
        train_dataset=samples_of_a_run(datasets, recipe.weights, arguments),
        eval_dataset=spread_evenly(validation, recipe.eval_images or len(validation)) or None,
        image_cache=cache,
        callbacks=[LogLines(), *([SaveByTime(recipe.save_minutes)] if recipe.save_minutes else [])],
    )
    silence(trainer)
    return PreparedTraining(recipe, trainer, corpora, validation)


def train_prepared(prepared: PreparedTraining, measure: Measure) -> dict[str, Any] | None:
    """Train, measure, save; goes on from the last checkpoint in the output folder.

    Args:
        prepared: The training.
        measure: Chooses thresholds and scores the trained model.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    recipe, trainer = prepared.recipe, prepared.trainer
    if trainer.is_world_process_zero():
        say_what_is_trained(trainer, prepared.corpora, len(prepared.validation), "images")
    if not train_or_go_on(trainer, recipe.output, recipe.settings()):
        return None
    model = trained_model(trainer, recipe.output)
    report: dict[str, Any] = {
        **recipe.origin(),
        "steps": trainer.state.global_step,
        "best_checkpoint": trainer.state.best_model_checkpoint,
    }
    recipe.finish(model)
    report |= measure(model)
    if trainer.is_world_process_zero():
        model.save_pretrained(recipe.output)
        trainer.image_processor.save_pretrained(recipe.output)
        write_report(trainer, recipe.output, report)
    return report
