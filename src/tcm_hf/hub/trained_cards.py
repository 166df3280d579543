"""The card of a checkpoint folder, from what training and evaluation have left in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tcm_hf._version import __version__
from tcm_hf.hub.cards import FIRST, Card, with_numbers
from tcm_hf.hub.folders import CARD, kind_of, read_config
from tcm_hf.hub.measurements import hub_source, of_evaluation, of_training, training_report, training_rows


def card_of_folder(
    folder: str | Path,
    repo_id: str,
    evaluations: Sequence[Path] = (),
    *,
    has_code: bool = False,
    licence: str | None = None,
) -> str:
    """README.md for the model in a folder.

    The numbers are those of `training_report.json` and of files that `tcm-hf evaluate` has printed: each with
    what it was measured on, the protocol, and the command where the file tells it; as a table, and as
    `model-index` in the metadata. A card that lies in the folder is kept, with the numbers of `evaluations`
    added; those of the training are added where the card has a section of such numbers already.

    Args:
        folder: The checkpoint.
        repo_id: What the examples load, and the headline.
        evaluations: Files that `tcm-hf evaluate` has printed.
        has_code: Whether the code will lie beside the weights.
        licence: The Hub's name of the licence of the weights.

    Raises:
        ValueError: If there is no model in the folder, or a file is broken.
    """
    folder = Path(folder)
    kind = kind_of(folder)
    measured = [of_evaluation(Path(path), kind.task) for path in evaluations]
    if (folder / CARD).is_file():
        text = (folder / CARD).read_text(encoding="utf-8")
        known = of_training(folder, kind.task) if FIRST in text else []
        return with_numbers(text, [*known, *measured], kind, repo_id)
    report = training_report(folder)
    start = hub_source(str(report.get("start") or ""))
    trained = f"trained with tcm_hf {__version__}" if report else f"written by tcm_hf {__version__}"
    card = Card(
        kind,
        repo_id,
        model=repo_id,
        about=f"{kind.what} in the format of Transformers, {trained}.",
        rows=_model_rows(read_config(folder)) | training_rows(report),
        measurements=[*of_training(folder, kind.task), *measured],
        notes="![Losses and scores of the training](curve.png)" if (folder / "curve.png").is_file() else "",
        has_code=has_code,
        licence=licence,
        base_model=start[0] if start else None,
    )
    return card.text()


def _model_rows(config: dict[str, Any]) -> dict[str, str]:
    """What the configuration tells of the model."""
    rows = {"method": str(config["method"])} if "method" in config else {}
    head, tower = config.get("head_config") or {}, config.get("image_tower_config") or {}
    if "head_type" in head:
        rows["head"] = str(head["head_type"])
    if trunk := tower.get("trunk") or tower.get("tower_type"):
        rows["image tower"] = str(trunk)
    if "charset" in config:
        rows["characters"] = f"{len(config['charset'])}, words of at most {config.get('max_label_length')}"
    return rows


__all__ = ["card_of_folder"]
