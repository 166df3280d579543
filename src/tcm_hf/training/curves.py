"""Plot how a training went: loss and scores over steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SCORES = {
    "hmean": "tab:blue",
    "best_hmean": "tab:cyan",
    "precision": "tab:orange",
    "recall": "tab:green",
    "map50": "tab:blue",
    "map50_95": "tab:cyan",
    "accuracy_36": "tab:blue",
    "accuracy_94": "tab:cyan",
    "visual_accuracy_36": "tab:orange",
    "visual_accuracy_94": "tab:olive",
}


def plot_curves(log_history: Sequence[dict[str, Any]] | Path, target: Path) -> None:
    """Draw the loss (left axis) and the validation scores (right axis) over the steps into a PNG.

    Args:
        log_history: `trainer.state.log_history`, or the path of a `trainer_state.json`.
        target: The picture to write.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Plotting the curve needs matplotlib: pip install 'tcm_hf[train]'.") from error
    if isinstance(log_history, Path):
        entries = json.loads(log_history.read_text(encoding="utf-8"))["log_history"]
    else:
        entries = log_history
    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    losses = [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
    left.plot(*_columns(losses), color="tab:grey", linewidth=1, label="training loss")
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    right = left.twinx()
    for name, color in _SCORES.items():
        points = [(entry["step"], entry[f"eval_{name}"]) for entry in entries if f"eval_{name}" in entry]
        if points:
            right.plot(*_columns(points), color=color, marker="o", markersize=3, label=name)
    right.set(ylabel="validation", ylim=(0, 1))
    lines = [*left.get_lines(), *right.get_lines()]
    left.legend(lines, [str(line.get_label()) for line in lines], loc="center right")
    figure.savefig(target, dpi=120)


def _columns(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
