"""The whole recipe of a text detector in one call: generated pictures, photos, training, threshold, curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, set_seed

from tcm_hf.data.augmentation import Compose, default_training_augmentation
from tcm_hf.data.augmentation_papers import paper_augmentation
from tcm_hf.data.records import TextRecord
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.datasets import TextDetectionDataset
from tcm_hf.training.detectors import detector_of
from tcm_hf.training.evaluation_loop import choose_decoding, evaluate_detector, set_decoding
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.resuming import changed_settings
from tcm_hf.training.running import spread_evenly, tcm_arguments, unfreeze_text_tower
from tcm_hf.training.tcm_recipe import PhotoRecipe, PreparedTraining, prepare_training, train_prepared
from tcm_hf.training.trainer import TextDetectionTrainer

AUGMENTATIONS: dict[str, Callable[[tuple[int, int], float], Compose]] = {
    "default": default_training_augmentation,
    "papers": paper_augmentation,
}
"""Makes the augmentation of samples of a size, in which text lower than so many pixels is ignored."""


@dataclass
class DetectorRecipe(PhotoRecipe):
    """Everything that decides the training of a text detector, as `tcm-hf train detector` takes it.

    Args:
        size: (short, long) bounds in pixels of whole photos at evaluation; None keeps the image processor's.
        min_text_px: Text with a shorter side in the crop is not trained on.
        augmentation: One of `AUGMENTATIONS`: ours, or that of TCM's and FastTCM's papers.

    The others are those of `PhotoRecipe`; the preset is one of `TCMConfig`, and the thresholds are those in
    `DETECTORS`.
    """

    preset: str = "fasttcm-dbnet-tiny"
    size: tuple[int, int] | None = None
    min_text_px: float = 6.0
    augmentation: str = "default"

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        return super().settings() | {"augmentation": self.augmentation}


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
    size_hw = (recipe.crop, recipe.crop)
    targets = detector_of(model.config).targets(model.config.head_config, recipe.min_text_px)

    def make_dataset(
        spec: CorpusSpec, records: Sequence[TextRecord], seed: int, cache: ImageCache | None
    ) -> TextDetectionDataset:
        return TextDetectionDataset(
            records,
            AUGMENTATIONS[recipe.augmentation](size_hw, recipe.min_text_px),
            image_mean=image_processor.image_mean,
            image_std=image_processor.image_std,
            size_hw=size_hw,
            seed=seed,
            targets=targets,
            image_cache=cache,
        )

    return prepare_training(
        recipe,
        TextDetectionTrainer,
        (model, image_processor),
        arguments,
        corpora,
        validation,
        make_dataset,
    )


def train_detector(prepared: PreparedTraining) -> dict[str, Any] | None:
    """Train, choose the decoding, save; goes on from the last checkpoint in the output folder.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    return train_prepared(prepared, partial(_measure, prepared))


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
        unfreeze_text_tower(model)
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


def _training_arguments(recipe: DetectorRecipe) -> TextDetectionTrainingArguments:
    if recipe.augmentation not in AUGMENTATIONS:
        raise ValueError(
            f"`augmentation` must be one of {', '.join(AUGMENTATIONS)}: got {recipe.augmentation!r}."
        )
    # The threshold is chosen after the training, so the checkpoint is chosen without it.
    asked = {"metric_for_best_model": "eval_best_hmean"} | recipe.arguments
    values = tcm_arguments(
        asked, starts_at_random=recipe.model is None, has_validation=recipe.validation is not None
    )
    return TextDetectionTrainingArguments(output_dir=str(recipe.output), **values)


def _measure(prepared: PreparedTraining, model: PreTrainedModel) -> dict[str, Any]:
    """Choose the decoding on training photos, then score on the validation photos."""
    trainer, image_processor = prepared.trainer, prepared.trainer.image_processor
    options = trainer.evaluation_options
    report: dict[str, Any] = {}
    if prepared.recipe.calibration_images:
        # The first corpus: photos. Generated pictures would fit the decoding to generated pictures.
        records = spread_evenly(prepared.corpora[0], prepared.recipe.calibration_images)
        best, rows = choose_decoding(model, image_processor, records, **options)
        set_decoding(image_processor, best)
        report["decoding"] = {"chosen_on": f"{len(records)} training photos", **rows[0]}
    if prepared.validation:
        report["validation"] = evaluate_detector(model, image_processor, prepared.validation, **options)
    return report
