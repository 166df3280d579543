"""NightTime-ArT: 326 photos of ArT taken at night; read in the likely layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.coco import COCO
from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.icdar import ICDAR_2015
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.rrc_json import ART
from tcm_hf.data.corpora.totaltext import TOTAL_TEXT

__all__ = ["NIGHTTIME_ART"]

# The download (the link is in the README of the TCM authors) could not be looked at. Their settings point to
# mmocr 0.4's `instances_*.json`, which is COCO's form; the photos come from ArT.
_FORMS = (ART, COCO, TOTAL_TEXT, ICDAR_2015)


def _form_of(source: Path) -> Corpus | None:
    return next((form for form in _FORMS if form.recognises(source)), None)


def _load(source: Path, split: str | None, problems: Problems) -> list[Any]:
    form = _form_of(source)
    if form is None:
        raise ValueError(
            f"Expected NightTime-ArT in {source} with annotations in the form of "
            f"{', '.join(form.name for form in _FORMS)}: found none of them."
        )
    records = list(form.load(source, split, problems))
    there = [record for record in records if record.image.is_file()]
    # ArT's own label file names all 5603 photos of ArT.
    return there or records


def _splits(source: Path) -> list[str]:
    form = _form_of(source)
    return [] if form is None else form.splits(source)


NIGHTTIME_ART = Corpus(
    name="nighttime-art",
    title="NightTime-ArT (named only, never recognised)",
    kind="photos",
    layout="the photos with ArT's train_labels.json, COCO's json (mmocr 0.x), or label files of Total-Text "
    "or ICDAR 2015",
    homepage="https://github.com/wenwenyu/TCM",
    recognises=lambda source: False,
    load=_load,
    splits=_splits,
)
