"""What an experiment leaves: table (markdown), one line a run (CSV), everything (JSON), plot (PNG)."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tcm_hf.experiments.plots import Plot
from tcm_hf.experiments.summary import Row

SCORES = ("recall", "precision", "hmean", "best_hmean")
NOTE = """\
hmean: ICDAR 2015 protocol, at the score threshold and decoding that were chosen on each run's own training
photos; mean over the seeds (least..largest). Difference: to {compare}, of the same seeds; in brackets the
95 % interval over the test photos (paired bootstrap), then each seed. Shown: all seeds of one sign, the
interval without 0, and the mean larger than the range over seeds of either. Best threshold: chosen on the
test photos themselves, as the papers report it; not to be compared with the others.
"""


def write_reports(
    folder: Path, name: str, title: str, rows: Sequence[Row], plot: Plot, notes: dict[str, Any]
) -> Path:
    """Write NAME.md, NAME.csv, NAME.json and, where matplotlib is there, NAME.png.

    Args:
        folder: For the files.
        name: The experiment's.
        title: Of table and plot.
        rows: The table.
        plot: Draws it.
        notes: Goes into the JSON, and into the text: `about`, `budget`, `start`, `missing` (the runs that are
            not done) and `compare` (what the rows are compared with).

    Returns:
        The path of the table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = f"# {title}\n\n{notes['about']}\n{_setup(notes)}\n\n{table(rows)}\n"
    text += NOTE.format(compare=notes["compare"])
    if notes["missing"]:
        text += f"\nNot there yet: {', '.join(notes['missing'])}.\n"
    path = folder / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    _write_csv(folder / f"{name}.csv", rows)
    document = {"title": title, **notes, "rows": [_row_document(row) for row in rows]}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if rows:
        try:
            plot(rows, title, folder / f"{name}.png")
        except ImportError as error:
            print(f"No plot: {error}", file=sys.stderr)
    return path


def table(rows: Sequence[Row]) -> str:
    """The rows in markdown; a column that has one value throughout is left out."""
    if not rows:
        return "No run is done yet.\n"
    columns = [name for name in rows[0].place if len({row.place[name] for row in rows}) > 1]
    columns = columns or list(rows[0].place)
    head = [*columns, "seeds", "recall", "precision", "hmean", "difference", "shown", "at the best threshold"]
    lines = [head, ["--"] * len(head)]
    for row in rows:
        lines.append(
            [
                *(shown(row.place[name]) for name in columns),
                str(len(row.outcomes)),
                f"{row.mean('recall'):.3f}",
                f"{row.mean('precision'):.3f}",
                _spread(row.values("hmean")),
                *_difference(row),
                f"{row.mean('best_hmean'):.3f}",
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _setup(notes: dict[str, Any]) -> str:
    budget = notes["budget"]
    return (
        f"Each run: {budget['preset']}, {budget['steps']} steps of {budget['batch_size']} crops of "
        f"{budget['crop']} px, learning rate {budget['learning_rate']:g}; start: {notes['start']}."
    )


def shown(value: str | float) -> str:
    """A column's value as it stands in the table: 10, not 10.0."""
    return value if isinstance(value, str) else f"{value:g}"


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ({min(values):.3f}..{max(values):.3f})"


def _difference(row: Row) -> tuple[str, str]:
    if row.against is None:
        return "", ""
    one = row.against
    seeds = ", ".join(f"{value:+.3f}" for value in one.by_seed)
    return f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]; {seeds}", "yes" if one.is_shown else "no"


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if rows:
            writer.writerow(
                [*rows[0].place, "seed", *SCORES, "threshold", "calibration_hmean", "seconds_training"]
            )
        for row in rows:
            for one in row.outcomes:
                chosen = one.result["decoding"]
                writer.writerow(
                    [
                        *row.place.values(),
                        one.seed,
                        *(round(one.scores[name], 5) for name in SCORES),
                        chosen["threshold"],
                        round(chosen["hmean"], 5),
                        one.result["seconds_training"],
                    ]
                )


def _row_document(row: Row) -> dict[str, Any]:
    seeds = [
        {"seed": one.seed, **{name: value for name, value in one.scores.items() if name != "photos"}}
        for one in row.outcomes
    ]
    document: dict[str, Any] = {"place": row.place, "seeds": seeds}
    if row.against is not None:
        one = row.against
        document["difference"] = {
            "mean": one.mean,
            "by_seed": list(one.by_seed),
            "interval_95": [one.low, one.high],
            "shown": one.is_shown,
        }
    return document
