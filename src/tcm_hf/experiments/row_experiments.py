"""The experiments whose table is a list of rows, one training each: parts of TCM, learning rates, night."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tcm_hf.experiments.experiment import Experiment, trained_and_tested
from tcm_hf.experiments.methods import Method
from tcm_hf.experiments.plots import plot_rows
from tcm_hf.experiments.runs import Run, Tests
from tcm_hf.experiments.summary import Place, PlacedRun
from tcm_hf.training.corpus_spec import CorpusSpec

PAPER_FACTORS = ((0.1, 0.0), (0.1, 0.1), (0.1, 1.0), (1.0, 1.0))
"""(image tower, text tower) of TCM's table 8, arXiv 2302.14338."""


def ablation(
    train: Sequence[CorpusSpec], tests: Tests, *, rows: Sequence[Method], seeds: Sequence[int]
) -> Experiment:
    """The parts of TCM one after another (table 6 of arXiv 2302.14338): the same training for each row.

    Args:
        train: The corpora.
        tests: What is tested on.
        rows: The models; the first is what the others are compared with.
        seeds: Of the trainings.
    """

    def runs_of(seed: int) -> list[tuple[Place, Run]]:
        return [({"row": row.name, "parts": row.about}, Run(row, seed, tuple(train))) for row in rows]

    return _rows("ablation", "Ablation: parts of TCM", train, tests, seeds, runs_of)


def learning_rates(
    train: Sequence[CorpusSpec],
    tests: Tests,
    *,
    method: Method,
    factors: Sequence[tuple[float, float]],
    seeds: Sequence[int],
) -> Experiment:
    """One model, its towers trained at parts of the learning rate (table 8 of arXiv 2302.14338).

    Args:
        train: The corpora.
        tests: What is tested on.
        method: The model; one with a text tower.
        factors: (image tower, text tower), 0 is frozen; the first is what the others are compared with.
        seeds: Of the trainings.
    """

    def runs_of(seed: int) -> list[tuple[Place, Run]]:
        return [
            (
                {"image / text factor": f"{image:g} / {text:g}"},
                Run(
                    method,
                    seed,
                    tuple(train),
                    arguments={"image_tower_lr_factor": image, "text_tower_lr_factor": text},
                ),
            )
            for image, text in factors
        ]

    title = f"Learning-rate factors of the towers, {method.name}"
    return _rows("learning-rates", title, train, tests, seeds, runs_of)


def joint_night(
    train: Sequence[CorpusSpec], tests: Tests, *, methods: Sequence[Method], seeds: Sequence[int]
) -> Experiment:
    """Trained on all that is there, tested by day and by night (table 9 of arXiv 2302.14338).

    Args:
        train: The corpora, mixed by their sizes.
        tests: What is tested on: "day" and "night".
        methods: The models; the first is what the others are compared with.
        seeds: Of the trainings.
    """

    def runs_of(seed: int) -> list[tuple[Place, Run]]:
        return [({"method": method.name}, Run(method, seed, tuple(train))) for method in methods]

    title = "Trained on the joint corpora, tested by day and by night"
    return _rows("joint-night", title, train, tests, seeds, runs_of)


def _rows(
    name: str,
    title: str,
    train: Sequence[CorpusSpec],
    tests: Tests,
    seeds: Sequence[int],
    runs_of: Callable[[int], list[tuple[Place, Run]]],
) -> Experiment:
    """All rows of the first seed, then of the next: a table of whole rows is there early."""
    placed = [PlacedRun(run, place, tests) for seed in seeds for place, run in runs_of(seed)]
    first = placed[0].place
    plot = plot_rows(next(iter(first)), ("test",))
    return Experiment(name, title, trained_and_tested(train, tests), tuple(placed), first, plot)
