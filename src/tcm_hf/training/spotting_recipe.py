"""The whole recipe of a spotter in one call: photos, pages of words, training, thresholds, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel, set_seed

from tcm_hf.data.augmentation_spotting import default_spotting_augmentation
from tcm_hf.data.augmentation_words import default_word_augmentation
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.targets_spotting import spotting_targets
from tcm_hf.data.word_pages import default_word_page
from tcm_hf.modeling.configuration_tcm_spotting import UNKNOWN_CHARACTER, TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.processing.character_codes import check_charset
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.polygons import polygon_area
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.recognition_words import SomeWords, WordSpec, usable_words
from tcm_hf.training.resuming import changed_settings
from tcm_hf.training.running import spread_evenly, tcm_arguments, unfreeze_text_tower
from tcm_hf.training.spotting_datasets import SpottingTargets, TextSpottingDataset, WordPageDataset
from tcm_hf.training.spotting_evaluation import choose_thresholds, evaluate_spotter
from tcm_hf.training.spotting_trainer import TextSpottingTrainer, TextSpottingTrainingArguments
from tcm_hf.training.tcm_recipe import PhotoRecipe, PreparedTraining, prepare_training, train_prepared

Start = tuple[FastTCMForTextSpotting, TCMSpottingImageProcessor]

DEFAULT_PRESET = "fasttcm-abcnet-tiny"

_OF_THE_DETECTOR = ("image_mean", "image_std", "size", "size_divisor", "resample")
"""Settings of an image processor that a backbone was trained with."""


@dataclass
class SpotterRecipe(PhotoRecipe):
    """Everything that decides the training of a spotter, as `tcm-hf train spotter` takes it.

    Args:
        words: Collections of word pictures, pasted on pages: the cheap way to learn to read. Their weights
            come after those of `train`.
        model: A spotter to fine-tune, or a text detector whose backbone the spotter of `preset` begins with.
        preset: Name for `TCMSpottingConfig.from_preset`; empty takes `DEFAULT_PRESET`, or a spotter's own.
        charset: What a spotter with a head of its own reads, beside the character for all others; None takes
            the preset's.
        head_config: Fields of the head that are to be other than in the preset or checkpoint.
        size: (short, long) bounds in pixels of whole photos at evaluation; None keeps the image processor's.
        min_text_px: Text that is lower in a crop is not trained on.
        scale: Smallest and largest zoom of a crop against the photo.

    The others are those of `PhotoRecipe`.
    """

    charset: str | None = None
    words: list[WordSpec] = field(default_factory=list)
    head_config: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    min_text_px: float = 7.0
    scale: tuple[float, float] = (0.6, 2.0)

    @property
    def sources(self) -> list[Any]:
        """Photos and generated pictures, then words."""
        return [*self.train, *self.words]

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        words = [str(spec.absolute()) for spec in self.words]
        return super().settings() | {
            # A detector gives its backbone only: the preset counts, too.
            "preset": self.preset or DEFAULT_PRESET,
            "charset": self.charset,
            "words": words,
            "head_config": self.head_config,
        }


def check_spotter_recipe(recipe: SpotterRecipe) -> None:
    """Find mistakes before hours go into rendering pictures.

    Raises:
        ValueError: For a preset, charset or argument that cannot be, photos without words to learn, or an
            output folder of another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    _training_arguments(recipe)
    model, _ = load_spotter_start(recipe)
    for spec in recipe.train:
        records_with_words(spec, model.config)


def prepare_spotter(recipe: SpotterRecipe) -> PreparedTraining:
    """Read the annotations, build model, data sets and Trainer.

    Raises:
        ValueError: For a preset, charset, path, range, weight or argument that cannot be, photos without
            words to learn, words of which none can be spelled, or an output folder of another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    arguments = _training_arguments(recipe)
    model, image_processor = load_spotter_start(recipe)
    targets = targets_of(model.config)
    size_hw = (recipe.crop, recipe.crop)
    options: dict[str, Any] = {
        "image_mean": image_processor.image_mean,
        "image_std": image_processor.image_std,
        "size_hw": size_hw,
        "targets": targets,
    }

    def make_dataset(
        spec: CorpusSpec | WordSpec, records: Sequence[Any], seed: int, cache: ImageCache | None
    ) -> TextSpottingDataset | WordPageDataset:
        if isinstance(spec, WordSpec):
            # Generated words come in all their variety; those of photos are few.
            words = None if spec.is_generated else default_word_augmentation()
            return WordPageDataset(
                records, default_word_page(size_hw), augmentation=words, seed=seed, **options
            )
        augmentation = default_spotting_augmentation(size_hw, recipe.min_text_px, recipe.scale)
        return TextSpottingDataset(records, augmentation, seed=seed, image_cache=cache, **options)

    corpora: list[Any] = [records_with_words(spec, model.config) for spec in recipe.train]
    cut_out: list[Any] = [_usable(spec, model.config) for spec in recipe.words]
    validation = records_with_words(recipe.validation, model.config) if recipe.validation else []
    return prepare_training(
        recipe,
        TextSpottingTrainer,
        (model, image_processor),
        arguments,
        [*corpora, *cut_out],
        validation,
        make_dataset,
    )


def train_spotter(prepared: PreparedTraining) -> dict[str, Any] | None:
    """Train, choose the thresholds, save; goes on from the last checkpoint in the output folder.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    return train_prepared(prepared, partial(_measure, prepared))


def load_spotter_start(recipe: SpotterRecipe) -> Start:
    """The model and the image processor that training starts from.

    Raises:
        ValueError: For an unknown preset, a broken head or charset, a preset or charset beside a spotter, or
            a text tower that should be trained and is not there.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    overrides: dict[str, Any] = {}
    if recipe.size is not None:
        overrides["size"] = {"shortest_edge": min(recipe.size), "longest_edge": max(recipe.size)}
    if recipe.model is not None and _model_type(recipe.model) == TCMSpottingConfig.model_type:
        _check_nothing_else_is_chosen(recipe)
        config = with_head(TCMSpottingConfig.from_pretrained(recipe.model), recipe.head_config)
        model = FastTCMForTextSpotting.from_pretrained(recipe.model, config=config)
        image_processor = TCMSpottingImageProcessor.from_pretrained(recipe.model, **overrides)
    else:
        set_seed(recipe.arguments.get("seed", 0))
        preset = recipe.preset or DEFAULT_PRESET
        changes = {} if recipe.charset is None else {"characters": characters_of(recipe.charset)}
        config = with_head(TCMSpottingConfig.from_preset(preset, **changes), recipe.head_config)
        if recipe.model is None:
            model = FastTCMForTextSpotting(config)
        else:
            model = spotter_on_detector(TCMForTextDetection.from_pretrained(recipe.model), config)
            detector = TCMImageProcessor.from_pretrained(recipe.model)
            overrides = {name: getattr(detector, name) for name in _OF_THE_DETECTOR} | overrides
        image_processor = TCMSpottingImageProcessor.from_preset(
            preset, characters=model.config.characters, **overrides
        )
    if recipe.arguments.get("text_tower_lr_factor", 0) > 0:
        unfreeze_text_tower(model)
    return model, image_processor


def with_head(config: TCMSpottingConfig, head_config: dict[str, Any]) -> TCMSpottingConfig:
    """A configuration, some fields of its head changed; a whole other head where its `head_type` is another.

    Raises:
        ValueError: For fields that cannot be.
    """
    if not head_config:
        return config
    changed = config.to_dict()
    of_same_kind = head_config.get("head_type") in (None, config.head_config.head_type)
    changed["head_config"] = (changed["head_config"] if of_same_kind else {}) | head_config
    return TCMSpottingConfig.from_dict(changed)


def spotter_on_detector(detector: TCMForTextDetection, config: TCMSpottingConfig) -> FastTCMForTextSpotting:
    """A spotter with the head of `config`, at random, on the trained backbone of a detector.

    Args:
        detector: The detector; its backbone is copied.
        config: What of it speaks of the backbone is taken from the detector, but the way the matching map
            joins the features.

    Raises:
        ValueError: If the head cannot read the detector's features.
    """
    own = {
        "head_config",
        "matching_fusion",
        "characters",
        "model_type",
        "architectures",
        "matching_loss_weight",
    }
    of_backbone = {name: value for name, value in detector.config.to_dict().items() if name not in own}
    joined = config.to_dict() | of_backbone
    model = FastTCMForTextSpotting(TCMSpottingConfig.from_dict(joined))
    missing, unexpected = model.model.load_state_dict(detector.model.state_dict(), strict=False)
    # The fusion is the spotter's own.
    strangers = [name for name in (*missing, *unexpected) if not name.startswith("matching_fusion.")]
    if strangers:
        raise ValueError(
            "Expected the backbone of a detector with the parts of this spotter: these differ: "
            f"{', '.join(strangers[:5])}."
        )
    return model


def targets_of(config: TCMSpottingConfig) -> SpottingTargets:
    """What makes the labels of a model, with its characters and sizes."""
    head = config.head_config
    # A head that has no such size does not read those labels.
    sizes = {
        name: getattr(head, name) for name in ("num_characters", "num_control_points") if hasattr(head, name)
    }
    return partial(spotting_targets, characters=config.characters, **sizes)


def characters_of(charset: str) -> str:
    """A charset and, last, the character that stands for all others: 口, or U+FFFD where that is one of it.

    Raises:
        ValueError: If a character comes twice, or there is none.
    """
    return check_charset(charset) + (UNKNOWN_CHARACTER if UNKNOWN_CHARACTER not in charset else "\ufffd")


def _check_nothing_else_is_chosen(recipe: SpotterRecipe) -> None:
    for name in ("preset", "charset"):
        if value := getattr(recipe, name):
            raise ValueError(
                f"{recipe.model} is a spotter, which has a head and a charset of its own: got the {name} "
                f"{value!r}. Leave it out, or start from a detector or a preset."
            )


def records_with_words(spec: CorpusSpec, config: TCMSpottingConfig) -> Sequence[TextRecord]:
    """The photos of a corpus.

    Raises:
        ValueError: If there is no word that a model with these characters could learn to read.
    """
    records = spec.records()
    known = set(config.characters[:-1])
    if not any(_is_word(instance, known) for record in records for instance in record.instances):
        count = sum(len(record.instances) for record in records)
        raise ValueError(
            f"{spec} has no word to learn to read: of {count} outlines none has an area and a transcription, "
            "one of `texts` in metadata.jsonl, not ignored, of the characters "
            f"{config.characters[:-1]!r:.120}."
        )
    return records


def _is_word(instance: TextInstance, known: set[str]) -> bool:
    """Whether there is an area and a text in it of which at least one character is known, in either case."""
    text = (instance.text or "").strip()
    has_area = len(instance.polygon_xy) > 2 and polygon_area(instance.polygon_xy) > 0
    return not instance.ignore and has_area and bool(known.intersection(text + text.lower()))


def _model_type(model: str) -> str:
    return PreTrainedConfig.get_config_dict(model)[0].get("model_type", "")


def _usable(spec: WordSpec, config: TCMSpottingConfig) -> SomeWords:
    words = spec.records()
    usable = usable_words(words, config.characters[:-1], config.head_config.num_characters)
    if not usable:
        raise ValueError(
            f"None of the {len(words)} words of {spec} can be spelled in the characters "
            f"{config.characters[:-1]!r} with at most {config.head_config.num_characters} of them."
        )
    return usable


def _training_arguments(recipe: SpotterRecipe) -> TextSpottingTrainingArguments:
    # The threshold is chosen after the training, so the checkpoint is chosen without it.
    asked = {"metric_for_best_model": "eval_best_hmean"} | recipe.arguments
    values = tcm_arguments(
        asked, starts_at_random=recipe.model is None, has_validation=recipe.validation is not None
    )
    return TextSpottingTrainingArguments(output_dir=str(recipe.output), **values)


def _measure(prepared: PreparedTraining, model: PreTrainedModel) -> dict[str, Any]:
    recipe, trainer, image_processor = prepared.recipe, prepared.trainer, prepared.trainer.image_processor
    options = trainer.evaluation_options
    report: dict[str, Any] = {}
    if recipe.calibration_images and recipe.train:
        # The first corpus: photos. Generated pictures would fit the threshold to generated pictures.
        records = spread_evenly(prepared.corpora[0], recipe.calibration_images)
        row = choose_thresholds(model, image_processor, records, **options)
        for name in ("threshold", "recognition_threshold"):
            setattr(image_processor, name, row[name])
        report["decoding"] = {"chosen_on": f"{len(records)} training photos", **row}
    if prepared.validation:
        report["validation"] = evaluate_spotter(model, image_processor, prepared.validation, **options)
    return report
