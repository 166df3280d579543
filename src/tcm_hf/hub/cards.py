"""README.md of models: what they are, how they are loaded, what was measured; nothing that was not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.repocard import ModelCard

from tcm_hf.hub.kinds import ModelKind
from tcm_hf.hub.measurements import SCORES, Measurement, split_of

EXAMPLE = """\
```python
# with the package tcm_hf installed
import tcm_hf
from transformers import pipeline

{kind.name} = pipeline("{kind.task}", model="{model}")
print({kind.name}("{kind.picture}"))
```
"""
EXAMPLE_WITH_CODE = """
The code lies beside the weights, so it also runs without tcm_hf:

```python
# pip install transformers torch torchvision timm opencv-python-headless pyclipper shapely
from transformers import pipeline

{kind.name} = pipeline("{kind.task}", model="{model}", trust_remote_code=True)
```
"""
NOT_MEASURED = "No accuracy was measured.\n"
# What lies between them belongs to `with_numbers`, which also finds it in a card that people went on with.
FIRST, LAST = "<!-- tcm-hf: numbers -->", "<!-- tcm-hf: end of numbers -->"


@dataclass(frozen=True)
class Card:
    """What a card is made of.

    Args:
        kind: What the model is for.
        title: Headline; the name of the repository.
        model: What the example loads: a Hub id or a path.
        about: What it is and where it comes from.
        rows: A table of facts, if any; the values may come from foreign files.
        measurements: What was measured.
        notes: What else is to be said of the numbers.
        has_code: Whether the code lies beside the weights.
        licence: The Hub's name of the licence of the weights, if it is known.
        licence_text: What is to be said of it.
        base_model: Hub id of the model that training started from, if that was one.
        tags: Besides those of the kind.
        metadata: More fields of `ModelCardData`: language, datasets, …
    """

    kind: ModelKind
    title: str
    model: str
    about: str
    rows: Mapping[str, str] = field(default_factory=dict)
    measurements: Sequence[Measurement] = ()
    notes: str = ""
    has_code: bool = False
    licence: str | None = None
    licence_text: str = ""
    base_model: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The card, metadata first."""
        data = ModelCardData(
            library_name="transformers",
            pipeline_tag=self.kind.hub_task,
            license=self.licence,
            base_model=self.base_model,
            tags=[*dict.fromkeys((*self.kind.tags, *self.tags))],
            **self.metadata,
        )
        example = EXAMPLE + (EXAMPLE_WITH_CODE if self.has_code else "")
        parts = [f"# {self.title}\n", f"{self.about}\n"]
        if self.rows:
            parts.append(table(("", ""), self.rows.items()))
        parts.append(example.format(kind=self.kind, model=self.model))
        parts.append(self.notes and f"{self.notes}\n")
        parts.append("" if self.measurements else NOT_MEASURED)
        parts.append(self.licence_text and f"## Licence\n\n{self.licence_text}\n")
        text = f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(filter(None, parts))
        return with_numbers(text, self.measurements, self.kind, self.title)


def with_numbers(text: str, measurements: Sequence[Measurement], kind: ModelKind, name: str) -> str:
    """A card with numbers, in its metadata (`model-index`) and as a section.

    Args:
        text: A card, of ours or of somebody's own: only a section that this function wrote is replaced.
            Results for the same corpus, metric and protocol are replaced in the metadata, others stay.
        measurements: What was measured; without any the card stays as it is.
        kind: What the model is for.
        name: Of the model, where the card has none.

    Raises:
        ValueError: If the metadata of the card is broken.
    """
    if not measurements:
        return text
    card = ModelCard(text)
    data: Any = card.data  # typed as the base class of all cards
    data.model_name = data.model_name or name
    new = [result for one in measurements for result in _eval_results(one, kind)]
    known = {result.unique_identifier for result in new}
    old = [result for result in data.eval_results or [] if result.unique_identifier not in known]
    data.eval_results = old + new
    section = f"{FIRST}\n## Numbers\n\n{_tables(measurements)}{LAST}\n"
    body = card.text
    if FIRST in body and LAST in body:
        before, _, rest = body.partition(FIRST)
        body = before + section.rstrip("\n") + rest.partition(LAST)[2]
    else:
        before, heading, licence = body.partition("## Licence\n")
        body = f"{before.rstrip()}\n\n{section}" + (f"\n{heading}{licence}" if heading else "")
    card.text = body
    return str(card)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; what is in a cell stays there, whatever it is."""
    lines = [f"| {' | '.join(head)} |" if any(head) else "|" + " |" * len(head), "|" + "--|" * len(head)]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _eval_results(measurement: Measurement, kind: ModelKind) -> list[EvalResult]:
    """One a score, as the Hub's `model-index` has them."""
    name, split = split_of(measurement.corpus)
    return [
        EvalResult(
            task_type=kind.hub_task,
            task_name=kind.task,
            dataset_type=name,
            dataset_name=name,
            dataset_split=split,
            metric_type=score,
            metric_name=f"{SCORES[score]} ({measurement.protocol})",
            metric_config=measurement.protocol,
            metric_value=round(value, 4),
        )
        for score, value in measurement.scores.items()
    ]


def _tables(measurements: Sequence[Measurement]) -> str:
    """A table for each set of scores, and the commands that printed them."""
    parts = []
    for scores in dict.fromkeys(tuple(one.scores) for one in measurements):
        rows = []
        for one in measurements:
            if tuple(one.scores) == scores:
                about = "; ".join(filter(None, (one.size, one.note)))
                measured_on = one.corpus + (f" ({about})" if about else "")
                rows.append([measured_on, one.protocol, *(f"{value:.3f}" for value in one.scores.values())])
        parts.append(table(["measured on", "protocol", *(SCORES[name] for name in scores)], rows))
    if commands := [*dict.fromkeys(one.command for one in measurements if one.command)]:
        parts.append("```bash\n" + "\n".join(commands) + "\n```\n")
    return "\n".join(parts)


def _cell(value: str) -> str:
    """A value as it must be spelled in a cell of a table."""
    line = " ".join(value.split())
    return re.sub(r"[\\|\[]", r"\\\g<0>", line).replace("<", "&lt;")


__all__ = ["Card", "table", "with_numbers"]
