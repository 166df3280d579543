"""Whether a difference between two methods is larger than chance: by seed, and over the test photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_RESAMPLES = 2000

Scores = Mapping[int, dict[str, Any]]
"""By seed what `Scorer.test` gives."""


@dataclass(frozen=True)
class Difference:
    """hmean of a method minus hmean of what it is compared with, the same seeds and photos for both.

    Args:
        by_seed: One a seed, in their order.
        low: Lower end of the 95 % interval of the mean over seeds, other test photos being drawn.
        high: Its upper end.
        spread: The larger of the two methods' ranges over seeds (max - min).
    """

    by_seed: tuple[float, ...]
    low: float
    high: float
    spread: float

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return sum(self.by_seed) / len(self.by_seed)

    @property
    def is_shown(self) -> bool:
        """Whether the test shows a difference.

        Two seeds and more, all of one sign; an interval over photos without 0; and a mean larger than either
        method's range over seeds. Meant to be hard to please: with a few seeds and 100 photos most small
        differences are chance.
        """
        same_sign = len({one > 0 for one in self.by_seed}) == 1 and 0.0 not in self.by_seed
        return (
            len(self.by_seed) > 1
            and same_sign
            and not self.low <= 0 <= self.high
            and abs(self.mean) > self.spread
        )


def difference(results: Scores, others: Scores) -> Difference | None:
    """Compare two methods over the seeds that both have.

    The interval is a paired bootstrap over photos: 2000 draws of as many photos as there are, with
    repetition, the same for all models; hmean is computed of each draw's summed counts.

    Args:
        results: Of a method.
        others: Of what it is compared with.

    Returns:
        The difference; None if there is no common seed.

    Raises:
        ValueError: If the photos are not the same.
    """
    seeds = [seed for seed in results if seed in others]
    if not seeds:
        return None
    names = {tuple(row[0] for row in one[seed]["photos"]) for one in (results, others) for seed in seeds}
    if len(names) > 1:
        raise ValueError("Methods can be compared on the same photos only: these were tested on others.")
    ours, theirs = (_counts([one[seed] for seed in seeds]) for one in (results, others))
    photos = ours.shape[1]
    draws = np.random.default_rng(0).multinomial(photos, np.full(photos, 1 / photos), _RESAMPLES)
    means = (hmean(ours, draws) - hmean(theirs, draws)).mean(axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    values = [[one[seed]["hmean"] for seed in seeds] for one in (results, others)]
    by_seed = tuple(a - b for a, b in zip(*values, strict=True))
    return Difference(by_seed, float(low), float(high), max(max(one) - min(one) for one in values))


def hmean(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall of summed counts.

    Args:
        counts: (S, P, 3) references, predictions and hits of P photos, for S models.
        draws: (D, P) how often each photo is in a draw.

    Returns:
        (S, D); 0 where nothing was hit, 1 where there was nothing to find and nothing was found.
    """
    # 2 p r / (p + r) = 2 hits / (references + predictions)
    references, predictions, hits = np.moveaxis(counts, -1, 0)
    whole = (references + predictions) @ draws.T
    return np.divide(2 * hits @ draws.T, whole, out=np.ones_like(whole, dtype=float), where=whole > 0)


def _counts(tests: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.array([[row[1:] for row in test["photos"]] for test in tests], dtype=float)
