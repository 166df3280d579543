"""One training of an experiment: what it is, and how it comes to its `result.json`; finished ones stay."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tcm_hf.experiments.budget import Budget
from tcm_hf.experiments.methods import Method
from tcm_hf.experiments.photo_lists import ChosenPhotos
from tcm_hf.experiments.scoring import Scorer
from tcm_hf.experiments.start_points import StartPoint
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.optimizer import IMAGE_TOWER_PREFIX
from tcm_hf.training.recipe import DetectorRecipe, prepare, train_detector

RESULT_NAME = "result.json"
Tests = Mapping[str, CorpusSpec]
"""What a run is tested on, by the name in the table."""


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        method: The model.
        seed: Of random weights, samples and dropout.
        train: The corpora, mixed by their sizes.
        after: The run whose trained model this one goes on with; None begins at the start point.
        arguments: Fields of the training arguments that differ between the rows of a table.
    """

    method: Method
    seed: int
    train: tuple[CorpusSpec, ...]
    after: Run | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, budget: Budget, start: StartPoint) -> dict[str, Any]:
        """All that decides the trained model and its decoding, fit for JSON."""
        return {
            "model": self.method.fields(budget.preset),
            "seed": self.seed,
            "train": [_corpus_settings(spec) for spec in self.train],
            "start": start.digest if self.after is None else self.after.digest(budget, start),
            "arguments": dict(self.arguments),
            **budget.settings(),
            "preset": self.method.preset or budget.preset,
        }

    def digest(self, budget: Budget, start: StartPoint) -> str:
        """Equal for equal settings."""
        text = json.dumps(self.settings(budget, start), sort_keys=True)
        return hashlib.sha1(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Workshop:
    """Where runs are made, and with what.

    Args:
        folder: Each run gets a folder in it, METHOD-seedN-DIGEST. Runs of equal settings share one, so that
            several experiments in one place train it once.
        budget: What all runs have in common.
        start: What all begin with.
    """

    folder: Path
    budget: Budget
    start: StartPoint

    def folder_of(self, run: Run) -> Path:
        """Where a run lies, or will lie."""
        digest = run.digest(self.budget, self.start)
        # Another experiment may have given it another name.
        known = sorted(self.folder.glob(f"*-{digest}"))
        return known[0] if known else self.folder / f"{run.method.name}-seed{run.seed}-{digest}"

    def result_of(self, run: Run, tests: Tests) -> dict[str, Any] | None:
        """The result of a run that is done and was tested on all of `tests`; else None."""
        path = self.folder_of(run) / RESULT_NAME
        if not path.is_file():
            return None
        result = json.loads(path.read_text(encoding="utf-8"))
        return result if {_name_of(spec) for spec in tests.values()} <= set(result["tests"]) else None

    @staticmethod
    def scores_of(result: dict[str, Any], tests: Tests) -> dict[str, dict[str, Any]]:
        """What `Scorer.test` gave for each of `tests`, by the name in the table."""
        return {name: result["tests"][_name_of(spec)] for name, spec in tests.items()}

    def make(self, run: Run, tests: Tests) -> dict[str, Any] | None:
        """Bring a run from wherever it is to its result.

        Args:
            run: The run; what it goes on with is made first.
            tests: What it is tested on; scores that are there are kept.

        Returns:
            What `result.json` holds: `settings`, `seconds_training`, `decoding`, and `tests` by corpus; None
            when a signal stopped the training.

        Raises:
            ValueError: For corpora that cannot be read, or settings that do not fit one another.
        """
        done = self.result_of(run, tests)
        if done is not None:
            return done
        result = self.result_of(run, {}) or self._train(run)
        if result is None:
            return None
        folder = self.folder_of(run)
        scorer = Scorer(folder, self.budget)
        if "decoding" not in result:
            result["decoding"] = scorer.choose(run.train)
            _write_json(folder / RESULT_NAME, result)
        for spec in tests.values():
            if _name_of(spec) not in result["tests"]:
                result["tests"][_name_of(spec)] = scorer.test(spec)
                _write_json(folder / RESULT_NAME, result)
        return result

    def _train(self, run: Run) -> dict[str, Any] | None:
        """Train a run to its end, what it goes on with first; None when a signal stopped it."""
        if run.after is not None and self.result_of(run.after, {}) is None and self._train(run.after) is None:
            return None
        folder = self.folder_of(run)
        print(f"Training {folder.name}", file=sys.stderr, flush=True)
        began = time.perf_counter()
        if train_detector(prepare(self._recipe(run, folder))) is None:
            return None
        result = {
            "settings": run.settings(self.budget, self.start),
            "seconds_training": round(time.perf_counter() - began, 1),  # since it went on, if it was stopped
            "torch": torch.__version__,
            "tests": {},
        }
        _write_json(folder / RESULT_NAME, result)
        for leftover in (folder / "start", *folder.glob("checkpoint-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        return result

    def _recipe(self, run: Run, folder: Path) -> DetectorRecipe:
        budget = self.budget
        factor = budget.image_tower_lr_factor
        if factor is None:
            trained = run.after is not None or any(
                name.startswith(IMAGE_TOWER_PREFIX) for name in self.start.weights
            )
            factor = 0.1 if trained else 1.0
        return DetectorRecipe(
            train=list(run.train),
            output=folder,
            model=str(self._start_folder(run, folder)),
            crop=budget.crop,
            size=budget.size,
            min_text_px=budget.min_text_px,
            calibration_images=0,
            cache=budget.cache,
            arguments={
                "max_steps": budget.steps,
                "per_device_train_batch_size": budget.batch_size,
                "learning_rate": budget.learning_rate,
                "image_tower_lr_factor": factor,
                "average_decay": budget.average_decay,
                "bf16": budget.bf16,
                "channels_last": budget.channels_last,
                "seed": run.seed,
                "save_steps": budget.save_steps,
                "save_total_limit": 1,
                "dataloader_num_workers": budget.workers,
                **({"use_cpu": True, "dataloader_pin_memory": False} if budget.cpu else {}),
                **run.arguments,
            },
        )

    def _start_folder(self, run: Run, folder: Path) -> Path:
        if run.after is not None:
            return self.folder_of(run.after)
        start = folder / "start"
        if not (start / "model.safetensors").is_file():
            preset = run.method.preset or self.budget.preset
            image_processor = TCMImageProcessor.from_preset(preset)
            self.start.write(run.method.config(preset), image_processor, run.seed, start)
        return start


def _name_of(spec: CorpusSpec) -> str:
    """One name for a corpus, from wherever it is called."""
    return str(replace(spec, folder=spec.folder.absolute()))


def _corpus_settings(spec: CorpusSpec) -> dict[str, Any]:
    if not isinstance(spec, ChosenPhotos):
        return {"corpus": _name_of(spec)}
    names = "\n".join(sorted(spec.names))
    digest = hashlib.sha1(names.encode()).hexdigest()[:12]
    return {"corpus": _name_of(spec), "photos": len(spec.names), "digest": digest}


def _write_json(path: Path, value: Any) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
