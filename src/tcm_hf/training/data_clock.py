"""How long a training waits for its samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback


class DataClock(TrainerCallback):
    """Measures the share of the time of training that is spent waiting for data.

    Waiting is what the training process spends in the loader, computing a step is the rest; logging,
    evaluating and saving are neither. The first wait of a run is left out: loader processes are started in
    it.

    Attributes:
        waited_s: Seconds waited, of the whole run.
        computed_s: Seconds computed.
    """

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.computed_s = 0.0
        self._told = (0.0, 0.0)
        self._started = False
        self._step_began = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what asks the loader for the batches of a step."""
        start = time.perf_counter()
        yield
        if self._started:
            self.waited_s += time.perf_counter() - start
        self._started = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called when the batches of a step are there."""
        self._step_began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called after the step of the optimizer."""
        self.computed_s += time.perf_counter() - self._step_began

    @property
    def share(self) -> float:
        """Share of the waiting in the time of the whole run, 0 to 1."""
        return _share(self.waited_s, self.computed_s)

    def share_since_last(self) -> float:
        """The same of the time since this was asked for the last time."""
        waited, computed = self.waited_s - self._told[0], self.computed_s - self._told[1]
        self._told = (self.waited_s, self.computed_s)
        return _share(waited, computed)


def _share(waited: float, computed: float) -> float:
    return waited / max(waited + computed, 1e-9)
