"""The card that `Trainer.push_to_hub` sends: what was trained, and the scores of these weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tcm_hf._version import __version__
from tcm_hf.hub.cards import Card, with_numbers
from tcm_hf.hub.folders import CARD
from tcm_hf.hub.kinds import OF_MODEL_TYPE
from tcm_hf.hub.measurements import SCORES, Measurement, protocol_of


def write_trainer_card(
    trainer: Any,
    language: str | list[str] | None = None,
    license: str | None = None,
    tags: str | list[str] | None = None,
    model_name: str | None = None,
    finetuned_from: str | None = None,
    tasks: str | list[str] | None = None,
    dataset_tags: str | list[str] | None = None,
    dataset: str | list[str] | None = None,
    dataset_args: str | list[str] | None = None,
) -> None:
    """Write README.md into the output folder of a Trainer; one that lies there is kept and gets the scores.

    Args:
        trainer: A Trainer of this package; what it evaluated last, or for its best checkpoint, is told.
        language: Of the texts, as the Hub names it.
        license: The Hub's name of the licence of the weights.
        tags: Besides those of the kind of model.
        model_name: Headline; the repository, or else the output folder, when None.
        finetuned_from: Hub id of the model that training started from.
        tasks: Not used: the kind of model tells it.
        dataset_tags: Hub ids of data sets.
        dataset: What the validation records are, for the table.
        dataset_args: Added to that, a split for example.
    """
    path = Path(trainer.args.output_dir) / CARD
    kind = OF_MODEL_TYPE[trainer.model.config.model_type]
    repository = trainer.hub_model_id or path.parent.name
    corpus = " ".join((*_listed(dataset), *_listed(dataset_args)))
    measured = _measured(trainer, kind.task, corpus or "validation part")
    if path.is_file():
        text = with_numbers(path.read_text(encoding="utf-8"), measured, kind, repository)
    else:
        text = Card(
            kind,
            model_name or repository,
            model=repository,
            about=f"{kind.what} in the format of Transformers, trained with tcm_hf {__version__}.",
            rows={"steps": str(trainer.state.global_step)},
            measurements=measured,
            licence=license,
            base_model=finetuned_from,
            tags=tuple(_listed(tags)),
            metadata={"language": _listed(language) or None, "datasets": _listed(dataset_tags) or None},
        ).text()
    path.write_text(text, encoding="utf-8")


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _measured(trainer: Any, task: str, corpus: str) -> list[Measurement]:
    """The evaluation of the weights that the Trainer holds now; none where it never evaluated."""
    rows = [row for row in trainer.state.log_history if any(f"eval_{name}" in row for name in SCORES)]
    note = ""
    if trainer.args.load_best_model_at_end and trainer.state.best_model_checkpoint:
        best = Path(trainer.state.best_model_checkpoint).name.rpartition("-")[2]
        rows = [row for row in rows if str(row.get("step")) == best] or rows
        note = "they also chose the checkpoint"
    if not rows:
        return []
    scores = {name: float(rows[-1][f"eval_{name}"]) for name in SCORES if f"eval_{name}" in rows[-1]}
    return [Measurement(corpus, protocol_of({}, task), scores, note=note)]
