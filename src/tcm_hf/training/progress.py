"""Callbacks of a long training: one line a log on stderr, and a stop that loses nothing."""

from __future__ import annotations

import signal
import sys
import time
from datetime import timedelta
from typing import Any

from transformers import TrainerCallback

from tcm_hf.training.processes import ALONE, Processes


class LogLines(TrainerCallback):
    """Writes losses, learning rate, speed, time left and share of waiting as one line on stderr.

    Args:
        unit: What a sample is called.
    """

    def __init__(self, unit: str = "images") -> None:
        self.unit = unit
        self._start: tuple[float, int] | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock at the first step of this process."""
        if self._start is None:
            self._start = (time.perf_counter(), state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Write the line."""
        if not state.is_world_process_zero or not logs:
            return
        parts = [f"step {state.global_step}/{state.max_steps}"]
        if "loss" in logs:
            parts += [_pair(name, value) for name, value in logs.items() if name.startswith("loss")]
            parts.append(f"lr {logs.get('learning_rate', 0.0):.2e}")
            parts += self._speed(args, state)
            if "data_time_share" in logs:
                parts.append(f"waited for data {logs['data_time_share']:.0%}")
        else:
            parts += [
                _pair(name, value) for name, value in logs.items() if name not in ("epoch", "total_flos")
            ]
        print("  ".join(parts), file=sys.stderr, flush=True)

    def _speed(self, args: Any, state: Any) -> list[str]:
        if self._start is None or state.global_step <= self._start[1]:
            return []
        seconds = (time.perf_counter() - self._start[0]) / (state.global_step - self._start[1])
        samples = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        left = timedelta(seconds=round(seconds * (state.max_steps - state.global_step)))
        return [f"{samples / seconds:.1f} {self.unit}/s", f"left {left}"]


class SaveByTime(TrainerCallback):
    """Writes a checkpoint when that many minutes have passed since the last, whatever the steps.

    Args:
        minutes: Time between two checkpoints.
    """

    def __init__(self, minutes: float):
        self.minutes = minutes
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is time."""
        # Processes have clocks of their own, and must save together.
        due = time.monotonic() - self._last > 60 * self.minutes
        if Processes.of(args).agree(due, state.global_step):
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count from here."""
        self._last = time.monotonic()


class StopOnSignal(TrainerCallback):
    """On Ctrl-C or SIGTERM: finish the step, write a checkpoint, stop. A second signal stops at once.

    `stopped` tells whether that happened. Use it as a context manager around `trainer.train()`.

    Args:
        processes: Those that train together: a signal to one stops all, after the same step (on GPUs, within
            the next ten).
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self.processes = processes
        self.asked = self.stopped = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        """Take the two signals over."""
        self._previous = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *error: object) -> None:
        """Give them back."""
        self._give_back()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop when asked to."""
        if self.processes.agree(self.asked, state.global_step):
            self.stopped = True
            control.should_evaluate = False
            control.should_save = True
            control.should_training_stop = True

    def _ask(self, *_: object) -> None:
        print("Stopping after this step; a checkpoint is written first.", file=sys.stderr, flush=True)
        self.asked = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def _pair(name: str, value: Any) -> str:
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
