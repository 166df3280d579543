"""The rows of an experiment's table: results of equal place put together over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcm_hf.experiments.comparison import Difference, difference
from tcm_hf.experiments.runs import Run, Tests

Place = Mapping[str, str | float]
"""Where a run belongs in a table: value by column."""


@dataclass(frozen=True)
class PlacedRun:
    """A run of an experiment.

    Args:
        run: The run.
        place: Its columns; runs that differ in the seed alone share a place.
        tests: What it is tested on; the names are one more column, "test".
    """

    run: Run
    place: Place
    tests: Tests


@dataclass(frozen=True)
class Outcome:
    """A run's scores in one test.

    Args:
        place: The columns, "test" among them.
        seed: The run's.
        scores: What `Scorer.test` gives.
        result: Of the whole run.
    """

    place: dict[str, str | float]
    seed: int
    scores: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One place of the table.

    Args:
        place: The columns.
        outcomes: One a seed.
        against: The difference to the row it is compared with; None for that row itself.
    """

    place: dict[str, str | float]
    outcomes: tuple[Outcome, ...]
    against: Difference | None

    def values(self, name: str) -> list[float]:
        """A score of each seed."""
        return [one.scores[name] for one in self.outcomes]

    def mean(self, name: str) -> float:
        """Over the seeds."""
        values = self.values(name)
        return sum(values) / len(values)


def summarize(outcomes: Sequence[Outcome], compare: Place) -> list[Row]:
    """Put results together over the seeds.

    Args:
        outcomes: The results, in the order of the table.
        compare: Columns and their values: each row is compared with the one that has these values and is
            else in the same place.

    Returns:
        One row a place, in order of first appearance.
    """
    groups: dict[tuple, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(tuple(one.place.items()), []).append(one)
    rows = []
    for key, group in groups.items():
        place = dict(key)
        other = place | dict(compare)
        others = _by_seed(groups.get(tuple(other.items()), []))
        against = None if place == other else difference(_by_seed(group), others)
        rows.append(Row(place, tuple(group), against))
    return rows


def _by_seed(outcomes: Sequence[Outcome]) -> dict[int, dict[str, Any]]:
    return {one.seed: one.scores for one in outcomes}
