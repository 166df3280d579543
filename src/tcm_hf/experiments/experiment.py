"""An experiment: its runs, one after another, and its table, which is written anew after each of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from tcm_hf.experiments.budget import Budget
from tcm_hf.experiments.plots import Plot
from tcm_hf.experiments.reports import shown, write_reports
from tcm_hf.experiments.runs import Tests, Workshop
from tcm_hf.experiments.start_points import StartPoint
from tcm_hf.experiments.summary import Outcome, Place, PlacedRun, summarize
from tcm_hf.training.corpus_spec import CorpusSpec


@dataclass(frozen=True)
class Experiment:
    """A comparison.

    Args:
        name: Of its files.
        title: Of its table and plot.
        about: A line under the title: what is trained and tested on.
        runs: What is trained, in this order; the order of the table is that of the first seed.
        compare: Columns and values that every other row is compared with, in the same place else.
        plot: Draws the table.
        preparations: Called before the first run, for files that are to lie beside the table or to be tested
            on; until then nothing is written.
    """

    name: str
    title: str
    about: str
    runs: tuple[PlacedRun, ...]
    compare: Place
    plot: Plot
    preparations: tuple[Callable[[], object], ...] = ()

    def opens(
        self, output: Path, budget: Budget, start: str | None = None, only: Sequence[str] = ("",)
    ) -> Workshop:
        """The place where the runs are made.

        Args:
            output: Folder of the tables; the runs lie in its folder `runs`.
            budget: What all runs have in common.
            start: Checkpoint of which every run begins with what fits all; None for random weights.
            only: How the names begin of what is taken of it.

        Raises:
            ValueError: For a preset or checkpoint that does not fit.
            OSError: If there is no checkpoint at `start`.
        """
        configs = {placed.run.method.name: placed.run.method.config(budget.preset) for placed in self.runs}
        disable_progress_bar()
        point = StartPoint() if start is None else StartPoint.shared_by(start, configs.values(), only)
        return Workshop(output / "runs", budget, point)

    def states(self, workshop: Workshop) -> list[tuple[Path, bool]]:
        """(folder, whether it is done) of each run, in order."""
        return [
            (workshop.folder_of(placed.run), workshop.result_of(placed.run, placed.tests) is not None)
            for placed in self.runs
        ]

    def carry_out(self, output: Path, workshop: Workshop) -> Path | None:
        """Make every run that is not done; go on with the one that was stopped.

        Args:
            output: Folder of the tables.
            workshop: As `opens` gives it.

        Returns:
            The path of the table; None when a signal stopped a training.

        Raises:
            ValueError: For corpora that cannot be read.
        """
        for prepare in self.preparations:
            prepare()
        for number, placed in enumerate(self.runs, start=1):
            if workshop.result_of(placed.run, placed.tests) is not None:
                continue
            place = ", ".join(f"{name} {shown(value)}" for name, value in placed.place.items())
            print(
                f"{self.name}: run {number} of {len(self.runs)}: {place}, seed {placed.run.seed}",
                file=sys.stderr,
                flush=True,
            )
            if workshop.make(placed.run, placed.tests) is None:
                return None
            self.report(output, workshop)
        return self.report(output, workshop)

    def report(self, output: Path, workshop: Workshop) -> Path:
        """Write the table of the runs that are done; returns its path."""
        outcomes: list[Outcome] = []
        missing: list[str] = []
        for placed in self.runs:
            result = workshop.result_of(placed.run, placed.tests)
            if result is None:
                missing.append(workshop.folder_of(placed.run).name)
                continue
            for name, scores in workshop.scores_of(result, placed.tests).items():
                outcomes.append(Outcome({**placed.place, "test": name}, placed.run.seed, scores, result))
        notes: dict[str, Any] = {
            "about": self.about,
            "compare": " ".join(map(str, next(iter(self.compare.items())))),
            "missing": missing,
            "budget": workshop.budget.settings(),
            "start": workshop.start.digest,
        }
        rows = summarize(outcomes, self.compare)
        return write_reports(output, self.name, self.title, rows, self.plot, notes)


def trained_and_tested(train: Sequence[CorpusSpec], tests: Tests) -> str:
    """The line of `about`: which corpora."""
    names = [", ".join(map(str, corpora)) for corpora in (train, tests.values())]
    return f"Trained on {names[0]}; tested on {names[1]}."
