"""The plots of the experiments: a point a seed, and their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.experiments.summary import Row

Plot = Callable[[Sequence[Row], str, Path], None]
"""Draws rows under a title into a PNG."""
_COLORS = ("tab:grey", "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


def plot_curves(column: str, label: str, lines: Sequence[str], panels: Sequence[str]) -> Plot:
    """Curves of the hmean over a number: a line through the means, a band from the worst to the best seed.

    Args:
        column: Of the number.
        label: What the number is.
        lines: Columns that get a line for each of their values.
        panels: Columns that get a panel for each of their values.

    Returns:
        The plot; raises ImportError if matplotlib is not installed.
    """

    def plot(rows: Sequence[Row], title: str, target: Path) -> None:
        def draw(axes: Any, panel: Sequence[Row]) -> None:
            for color, (name, line) in zip(_COLORS * 9, _grouped(panel, lines).items(), strict=False):
                line = sorted(line, key=lambda row: float(row.place[column]))
                x = [float(row.place[column]) for row in line]
                values = [row.values("hmean") for row in line]
                axes.plot(x, [row.mean("hmean") for row in line], color=color, label=name)
                bounds = [min(points) for points in values], [max(points) for points in values]
                axes.fill_between(x, *bounds, color=color, alpha=0.15)
                for one, points in zip(x, values, strict=True):
                    axes.plot([one] * len(points), points, ".", color=color)
            axes.set(xlabel=label)
            axes.legend()

        _draw_panels(rows, panels, title, target, draw)

    return plot


def plot_rows(column: str, panels: Sequence[str]) -> Plot:
    """Points in rows: one a seed, a bar from the worst to the best, a mark at the mean of the hmean.

    Args:
        column: What the rows are called by.
        panels: Columns that get a panel for each of their values.

    Returns:
        The plot; raises ImportError if matplotlib is not installed.
    """

    def plot(rows: Sequence[Row], title: str, target: Path) -> None:
        def draw(axes: Any, panel: Sequence[Row]) -> None:
            named = _grouped(panel, [column])
            for height, (row,) in enumerate(named.values()):
                values = row.values("hmean")
                axes.plot([min(values), max(values)], [height] * 2, color="tab:blue", alpha=0.3, linewidth=5)
                axes.plot(values, [height] * len(values), ".", color="tab:blue")
                axes.plot(row.mean("hmean"), height, "|", color="black", markersize=14)
            axes.set_yticks(range(len(named)), list(named))
            axes.invert_yaxis()

        _draw_panels(rows, panels, title, target, draw, along="x")

    return plot


def _draw_panels(
    rows: Sequence[Row],
    panels: Sequence[str],
    title: str,
    target: Path,
    draw: Callable[[Any, Sequence[Row]], None],
    along: str = "y",
) -> None:
    """Panels side by side; `along` is the axis of the hmean."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("A plot needs matplotlib: pip install 'tcm_hf[train]'.") from error
    groups = _grouped(rows, panels)
    figure = Figure(figsize=(1.5 + 5.5 * len(groups), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    all_axes = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (name, panel) in zip(all_axes, groups.items(), strict=True):
        draw(axes, panel)
        axes.set(title=name)
        axes.grid(axis=along, alpha=0.3)
        (axes.set_xlabel if along == "x" else axes.set_ylabel)("hmean")
    figure.savefig(target, dpi=120)


def _grouped(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, list[Row]]:
    """Rows by their values in some columns, in order of appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(", ".join(str(row.place[name]) for name in columns), []).append(row)
    return groups
