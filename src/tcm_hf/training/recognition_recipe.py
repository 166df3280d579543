"""The whole recipe of a recognizer in one call: words, caption vocabulary, warm-up, training, report."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import set_seed

from tcm_hf.data.augmentation_words import default_word_augmentation, light_word_augmentation
from tcm_hf.data.words import WordRecord
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.processing.character_codes import adapt_to_charset, check_charset
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tcm_hf.training.caption_vocabulary import END, START, train_caption_vocabulary
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.processes import Processes, samples_of_a_step
from tcm_hf.training.progress import LogLines, SaveByTime
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_datasets import WordDataset
from tcm_hf.training.recognition_evaluation import evaluate_recognizer
from tcm_hf.training.recognition_trainer import TextRecognitionTrainer
from tcm_hf.training.recognition_words import SomeWords, WordSpec, text_of, usable_words
from tcm_hf.training.resuming import changed_settings, last_checkpoint
from tcm_hf.training.running import (
    absolute_name,
    common_arguments,
    samples_of_a_run,
    say_what_is_trained,
    silence,
    spread_evenly,
    train_or_go_on,
    trained_model,
    training_settings,
    write_report,
)

Start = tuple[CLIP4STRForTextRecognition, CLIP4STRProcessor]


@dataclass
class RecognizerRecipe:
    """Everything that decides a training run, as `tcm-hf train recognizer` takes it.

    Args:
        words: What to train on; either all or none have a weight.
        output: Folder of checkpoints, final model, `curve.png` and `training_report.json`.
        validation: Words that choose the best checkpoint; None trains without.
        model: Checkpoint to start from; None starts from `config` or `preset` with random weights.
        preset: Name for `CLIP4STRConfig.from_preset`.
        config: A config.json to start from with random weights, instead of a preset.
        charset: What a model with random weights reads; None takes that of its configuration.
        attention: How attention is computed while training, "sdpa" or "eager"; None leaves it to
            transformers. For so few tokens eager can be faster on a CPU.
        eval_words: At most this many validation words in the evaluations while training; 0 means all.
        save_minutes: Also write a checkpoint when this many minutes have passed since the last; 0 does not.
        command: The command line that trains, for the report.
        arguments: Fields of `TextRecognitionTrainingArguments`.
    """

    words: list[WordSpec]
    output: Path
    validation: WordSpec | None = None
    model: str | None = None
    preset: str = "clip4str-tiny"
    config: Path | None = None
    charset: str | None = None
    attention: str | None = None
    eval_words: int = 1000
    save_minutes: float = 0.0
    command: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What tells this training from another, fit for JSON."""
        at_random = self.model is None
        return {
            "model": None if self.model is None else absolute_name(self.model),
            "preset": self.preset if at_random and self.config is None else None,
            "config": absolute_name(str(self.config)) if at_random and self.config else None,
            "charset": self.charset,
            "words": [str(spec.absolute()) for spec in self.words],
            "weights": self.weights(),
            **training_settings(self.arguments),
        }

    def origin(self) -> dict[str, Any]:
        """Where a model comes from, for its report: everything as it was typed."""
        return {
            "command": self.command,
            "start": self.model or (self.preset if self.config is None else str(self.config)),
            "trained_on": [str(spec) for spec in self.words],
            "validated_on": None if self.validation is None else str(self.validation),
        }

    def weights(self) -> list[float] | None:
        """The weight of each collection; None where none has one.

        Raises:
            ValueError: If some have a weight and some have not.
        """
        weights = [spec.weight for spec in self.words if spec.weight is not None]
        if weights and len(weights) != len(self.words):
            raise ValueError("Give every collection of words a weight (PATH=WEIGHT), or none.")
        return weights or None


@dataclass
class PreparedRecognizerTraining:
    """A recipe whose words, model and arguments were found to be right; made by `prepare_recognizer`."""

    recipe: RecognizerRecipe
    trainer: TextRecognitionTrainer
    corpora: list[SomeWords]
    validation: Sequence[WordRecord]


def prepare_recognizer(recipe: RecognizerRecipe) -> PreparedRecognizerTraining:
    """Read the words, build vocabulary, model, data sets and Trainer.

    Raises:
        ValueError: For a preset, path, range, weight or argument that cannot be, words of which none can be
            spelled in the charset, or an output folder of another training.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    changed_settings(recipe.output, recipe.settings())
    arguments = _training_arguments(recipe)
    corpora = [spec.records() for spec in recipe.words]
    validation = recipe.validation.records() if recipe.validation else []
    start = load_recognizer_start(recipe, corpora)
    model, processor = start
    usable = [_usable(spec, words, processor) for spec, words in zip(recipe.words, corpora, strict=True)]
    trainer = TextRecognitionTrainer(
        model,
        arguments,
        processor=processor,
        train_dataset=_training_samples(recipe, usable, processor, arguments),
        eval_dataset=spread_evenly(validation, recipe.eval_words or len(validation)) or None,
        callbacks=[LogLines("words"), *([SaveByTime(recipe.save_minutes)] if recipe.save_minutes else [])],
    )
    if recipe.model is not None:
        trainer.load_ctc_head(Path(recipe.model))
    silence(trainer)
    return PreparedRecognizerTraining(recipe, trainer, usable, validation)


def train_recognizer(prepared: PreparedRecognizerTraining) -> dict[str, Any] | None:
    """Train and save; goes on from the last checkpoint in the output folder.

    Returns:
        The report that is also written to `training_report.json`; None when a signal stopped the training.
    """
    recipe, trainer = prepared.recipe, prepared.trainer
    if trainer.is_world_process_zero():
        say_what_is_trained(trainer, prepared.corpora, len(prepared.validation), "words")
    if not train_or_go_on(trainer, recipe.output, recipe.settings()):
        return None
    return _finish(prepared)


def load_recognizer_start(recipe: RecognizerRecipe, corpora: Sequence[Sequence[WordRecord]]) -> Start:
    """The model and the processor that training starts from, or goes on with.

    A model with random weights gets a caption vocabulary that is learnt from the words.

    Args:
        recipe: The recipe.
        corpora: The words of each of its collections.

    Raises:
        ValueError: For an unknown preset, a broken configuration or charset, or a charset beside a
            checkpoint, which has its own.
        OSError: If there is no checkpoint at `recipe.model`.
    """
    checkpoint = last_checkpoint(recipe.output)
    source = recipe.model if checkpoint is None else str(checkpoint)
    attention: dict[str, Any] = {} if recipe.attention is None else {"attn_implementation": recipe.attention}
    if source is not None:
        model = CLIP4STRForTextRecognition.from_pretrained(source, **attention)
        processor = CLIP4STRProcessor.from_pretrained(source)
        if recipe.charset is not None and recipe.charset != model.config.charset:
            raise ValueError(
                f"{source} reads a charset of its own, {model.config.charset!r}: got {recipe.charset!r}. "
                "Leave it out, or start a preset at random."
            )
        return model, processor
    config = _start_config(recipe)
    captions = _learn_captions(config, corpora) if config.use_cross_branch else None
    set_seed(recipe.arguments.get("seed", 0))
    model = CLIP4STRForTextRecognition._from_config(config, **attention)
    if captions is not None:
        model.set_caption_vocabulary(*captions)
    return model, CLIP4STRProcessor.for_config(config, captions)


def _learn_captions(
    config: CLIP4STRConfig, corpora: Sequence[Sequence[WordRecord]]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary of at most the text tower's size; the configuration gets its size and special ids."""
    text_config = config.clip_config.text_config
    captions = (
        adapt_to_charset(text_of(corpus, index), config.caption_charset)
        for corpus in corpora
        for index in range(len(corpus))
    )
    vocab, merges = train_caption_vocabulary(captions, text_config.vocab_size, config.caption_charset)
    text_config.vocab_size = len(vocab)
    text_config.bos_token_id, text_config.eos_token_id = vocab[START], vocab[END]
    return vocab, merges


def _start_config(recipe: RecognizerRecipe) -> CLIP4STRConfig:
    changes = {} if recipe.charset is None else {"charset": check_charset(recipe.charset)}
    if recipe.config is None:
        if recipe.charset is not None:
            changes["caption_charset"] = caption_charset_of(recipe.charset)
        return CLIP4STRConfig.from_preset(recipe.preset, **changes)
    if not recipe.config.is_file():
        raise ValueError(f"Expected a config.json of a recognizer: there is no file {recipe.config}.")
    values = CLIP4STRConfig.from_json_file(str(recipe.config)).to_dict() | changes
    # The vocabulary is learnt anew, from these words.
    return CLIP4STRConfig.from_dict(values | {"num_caption_merges": 0})


def caption_charset_of(charset: str) -> str:
    """The letters, marks and digits of a charset in lower case: what captions of its words are made of.

    Of the 94 printable ASCII characters these are the 36 of the published models.
    """
    kept = (character.lower() for character in charset if unicodedata.category(character)[0] in "LMN")
    return "".join(dict.fromkeys(character for character in kept if len(character) == 1))


def _usable(spec: WordSpec, words: Sequence[WordRecord], processor: CLIP4STRProcessor) -> SomeWords:
    usable = usable_words(words, processor.tokenizer.charset, processor.tokenizer.max_label_length)
    if not usable:
        raise ValueError(
            f"None of the {len(words)} words of {spec} can be spelled in the charset "
            f"{processor.tokenizer.charset!r} with at most {processor.tokenizer.max_label_length} characters."
        )
    return usable


def _training_arguments(recipe: RecognizerRecipe) -> TextRecognitionTrainingArguments:
    values: dict[str, Any] = recipe.arguments
    if recipe.model is None:
        values = {"contrastive_steps": 0.15, "num_permutations": 2} | values
    values = common_arguments(values, has_validation=recipe.validation is not None)
    return TextRecognitionTrainingArguments(output_dir=str(recipe.output), **values)


def _training_samples(
    recipe: RecognizerRecipe,
    corpora: list[SomeWords],
    processor: CLIP4STRProcessor,
    arguments: TextRecognitionTrainingArguments,
) -> MixedDataset:
    size = processor.image_processor.size
    datasets = [
        WordDataset(
            words,
            light_word_augmentation() if spec.is_generated else default_word_augmentation(),
            size_hw=(size["height"], size["width"]),
            seed=arguments.seed + index,
        )
        for index, (spec, words) in enumerate(zip(recipe.words, corpora, strict=True))
    ]
    return samples_of_a_run(datasets, recipe.weights(), arguments)


def _finish(prepared: PreparedRecognizerTraining) -> dict[str, Any]:
    recipe, trainer = prepared.recipe, prepared.trainer
    model = trained_model(trainer, recipe.output)
    report: dict[str, Any] = {
        **recipe.origin(),
        "steps": trainer.state.global_step,
        "words_seen": trainer.state.global_step * samples_of_a_step(trainer.args),
        "words": {str(spec): len(words) for spec, words in zip(recipe.words, prepared.corpora, strict=True)},
        "weights": recipe.weights(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_checkpoint": trainer.state.best_model_checkpoint,
        "arguments": {name: value for name, value in recipe.arguments.items() if value is not None},
    }
    if prepared.validation:
        report["validation"] = {"words_of": str(recipe.validation)} | evaluate_recognizer(
            model,
            trainer.processor,
            prepared.validation,
            batch_size=trainer.args.per_device_eval_batch_size,
            processes=Processes.of_evaluation(trainer.args),
        )
    if trainer.is_world_process_zero():
        model.save_pretrained(recipe.output)
        trainer.processor.save_pretrained(recipe.output)
        write_report(trainer, recipe.output, report)
    return report
