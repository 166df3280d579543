"""The whole recipe of a rotated detector in one call: photos, classes, training, threshold, curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from transformers import PreTrainedModel, set_seed

from tcm_hf.data.augmentation_rotated import aerial_augmentation, upright_augmentation
from tcm_hf.data.rotated_corpora import tiled_records
from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.training.arguments import RotatedDetectionTrainingArguments
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.resuming import changed_settings
from tcm_hf.training.rotated_datasets import RotatedDetectionDataset, TileCache, class_counts
from tcm_hf.training.rotated_evaluation import choose_threshold, class_names_of, evaluate_rotated
from tcm_hf.training.rotated_trainer import RotatedDetectionTrainer
from tcm_hf.training.running import spread_evenly, tcm_arguments, unfreeze_text_tower
from tcm_hf.training.tcm_recipe import PhotoRecipe, PreparedTraining, prepare_training, train_prepared

AUGMENTATIONS = {"aerial": aerial_augmentation, "upright": upright_augmentation}


@dataclass
class RotatedRecipe(PhotoRecipe):
    """Everything that decides the training of a rotated detector, as `tcm-hf train rotated` takes it.

    Args:
        classes: Fields of the configuration that name the classes, as of `tcm_hf.class_prompts`; None keeps
            those of the checkpoint or the preset. Objects of other classes are background.
        view: "aerial" for photos without an up, which are mirrored and turned, or "upright".
        scale: Smallest and largest zoom of the training crops; None takes that of the view.
        min_side_px: Objects with a shorter side in the crop are not trained on.
        tile_px: Side of the tiles that larger photos are cut into, for training and evaluation.
        tile_overlap_px: Overlap of neighbours.
        size: Longer side in pixels that photos and tiles are brought to; None takes that of the checkpoint,
            or else of the largest photo or tile to train on.

    The others are those of `PhotoRecipe`, with corpora of type `RotatedCorpusSpec`; the preset is one of
    `TCMRotatedDetectionConfig`, and a crop of 0 is as large as the photos are brought to.
    """

    preset: str = "fasttcm-rotated-fcos-tiny"
    crop: int = 0
    classes: dict[str, Any] | None = None
    view: Literal["aerial", "upright"] = "aerial"
    scale: tuple[float, float] | None = None
    min_side_px: float = 2.0
    tile_px: int = 1024
    tile_overlap_px: int = 200
    size: int | None = None

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        classes = self.classes or {}
        names = list(classes["id2label"].values()) if classes else None
        prompts = classes.get("prompt_token_ids")
        return super().settings() | {"classes": names, "prompt_token_ids": prompts, "view": self.view}

    def open_cache(self) -> ImageCache | None:
        """The decoded photos on disk, of which records may be tiles."""
        return TileCache(self.cache) if self.cache else None

    def finish(self, model: PreTrainedModel) -> None:
        """The text tower stays: `set_class_prompts` needs it for other classes."""


def prepare_rotated(recipe: RotatedRecipe) -> PreparedTraining:
    """Read the annotations, build model, data sets and Trainer.

    Raises:
        ValueError: For a preset, folder, range, weight, class or argument that cannot be, photos without any
            object of the classes, or an output folder of another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    arguments = _training_arguments(recipe)
    corpora = [spec.records() for spec in recipe.train]
    validation = recipe.validation.records() if recipe.validation else []
    tiles = [tiled_records(records, recipe.tile_px, recipe.tile_overlap_px) for records in corpora]
    model, image_processor = load_rotated_start(recipe, tiles)
    names = class_names_of(model)
    there = class_counts(record for records in corpora for record in records)
    if not set(names) & set(there):
        raise ValueError(f"The photos have no object of the classes {names}: there are {list(there)}.")
    crop = recipe.crop or max(image_processor.get_processed_size_hw((recipe.tile_px, recipe.tile_px)))
    scale = {} if recipe.scale is None else {"scale": recipe.scale}

    def make_dataset(
        spec: CorpusSpec, records: Sequence[RotatedRecord], seed: int, cache: ImageCache | None
    ) -> RotatedDetectionDataset:
        return RotatedDetectionDataset(
            records,
            AUGMENTATIONS[recipe.view]((crop, crop), **scale),
            class_names=names,
            shown_size_hw=image_processor.get_processed_size_hw,
            min_side_px=recipe.min_side_px,
            image_mean=image_processor.image_mean,
            image_std=image_processor.image_std,
            size_hw=(crop, crop),
            seed=seed,
            image_cache=cache,
        )

    return prepare_training(
        recipe,
        RotatedDetectionTrainer,
        (model, image_processor),
        arguments,
        tiles,
        validation,
        make_dataset,
    )


def train_rotated(prepared: PreparedTraining) -> dict[str, Any] | None:
    """Train, choose the threshold, save; goes on from the last checkpoint in the output folder.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    return train_prepared(prepared, partial(_measure, prepared))


def load_rotated_start(
    recipe: RotatedRecipe, corpora: Sequence[Sequence[RotatedRecord]]
) -> tuple[TCMForRotatedObjectDetection, TCMRotatedImageProcessor]:
    """The model and the image processor that training starts from.

    Args:
        recipe: The recipe.
        corpora: The photos and tiles of each of its corpora.

    Raises:
        ValueError: For an unknown preset, classes that do not fit the model, or a text tower that should be
            trained and is not there.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    classes = recipe.classes or {}
    settings: dict[str, Any] = {"tile_px": recipe.tile_px, "tile_overlap_px": recipe.tile_overlap_px}
    size = recipe.size
    if size is None and recipe.model is None:
        size = max(max(record.size_hw()) for records in corpora for record in records)
    if size is not None:
        settings["size"] = {"longest_edge": size}
    set_seed(recipe.arguments.get("seed", 0))
    if recipe.model is None:
        model = TCMForRotatedObjectDetection(TCMRotatedDetectionConfig.from_preset(recipe.preset, **classes))
        image_processor = TCMRotatedImageProcessor(**settings)
    else:
        model = TCMForRotatedObjectDetection.from_pretrained(recipe.model)
        image_processor = TCMRotatedImageProcessor.from_pretrained(recipe.model, **settings)
        if recipe.classes and not _has_classes(model, recipe.classes):
            model.set_class_prompts(**recipe.classes)
    if _text_tower_lr_factor(recipe) > 0:
        unfreeze_text_tower(model)
    return model, image_processor


def _has_classes(model: TCMForRotatedObjectDetection, classes: dict[str, Any]) -> bool:
    """Whether a model has these names in this order, with these prompts if it has any."""
    if class_names_of(model) != list(classes["id2label"].values()):
        return False
    has_prompts = model.config.method != "baseline"
    return not has_prompts or model.config.prompt_token_ids == classes.get("prompt_token_ids")


def _text_tower_lr_factor(recipe: RotatedRecipe) -> float:
    # A text tower of random weights does not tell classes apart before it has learned to.
    return recipe.arguments.get("text_tower_lr_factor", 1.0 if recipe.model is None else 0.0)


def _training_arguments(recipe: RotatedRecipe) -> RotatedDetectionTrainingArguments:
    values = tcm_arguments(
        recipe.arguments | {"text_tower_lr_factor": _text_tower_lr_factor(recipe)},
        starts_at_random=recipe.model is None,
        has_validation=recipe.validation is not None,
    )
    return RotatedDetectionTrainingArguments(output_dir=str(recipe.output), **values)


def _measure(prepared: PreparedTraining, model: PreTrainedModel) -> dict[str, Any]:
    """Choose the threshold on training photos, then score on the validation photos."""
    trainer, image_processor = prepared.trainer, prepared.trainer.image_processor
    options = trainer.evaluation_options
    report: dict[str, Any] = {}
    if prepared.recipe.calibration_images:
        records = spread_evenly(prepared.corpora[0], prepared.recipe.calibration_images)
        chosen = choose_threshold(model, image_processor, records, **options)
        image_processor.threshold = chosen["threshold"]
        report["threshold"] = {"chosen_on": f"{len(records)} training photos", **chosen}
    if prepared.validation:
        report["validation"] = evaluate_rotated(model, image_processor, prepared.validation, **options)
    return report
