"""What the benchmarks share: timing that survives a busy machine, and markdown tables."""

import functools
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]


def medians_ms(
    functions: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median milliseconds of each function, after one warm-up; they take turns, so noise hits all alike.

    Args:
        functions: name -> what to time.
        repeats: timed runs of each.
        clock: CPU time of the process by default, which other programs disturb little; `time.perf_counter`
            for what runs on several threads.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            began = clock()
            function()
            seconds[name].append(clock() - began)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


class Stopwatch:
    """Seconds that the parts of a program take while it runs; an inner part does not count to the outer one.

    Args:
        clock: as of `medians_ms`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = defaultdict(float)
        self._of_inner: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what runs inside, as a part of this name."""
        began = self._clock()
        self._of_inner.append(0.0)
        try:
            yield
        finally:
            took = self._clock() - began
            self._seconds[name] += took - self._of_inner.pop()
            if self._of_inner:
                self._of_inner[-1] += took

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Time every call of a method of an object, as a part of this name."""
        function = getattr(owner, method)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        setattr(owner, method, timed)

    def take(self) -> dict[str, float]:
        """Seconds of each part since the last call."""
        seconds = dict(self._seconds)
        self._seconds.clear()
        return seconds


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The `markdown_table` on stdout."""
    print(markdown_table(columns, rows), end="")


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table whose numbers are aligned right; floats get about three significant digits."""
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    lines = [columns, ["--:" if right else "--" for right in numeric], *(map(_cell, row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """Processor, cores that this process may use, Python version: the head of a report."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model or platform.machine()}, {cores} core(s), Python {platform.python_version()}"


def resident_mib() -> float:
    """Memory of this process that lies in RAM now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def timing_inputs() -> dict[str, np.ndarray] | None:
    """The map and the polygons that the published program was timed on, where ../shared has them."""
    path = REPOSITORY.parent / "shared" / "golden" / "T_timing_inputs.npz"
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        return dict(arrays)
