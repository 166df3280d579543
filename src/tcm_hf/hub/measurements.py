"""What was measured of a model, from the files that training and `tcm-hf evaluate` write."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCORES = {
    "hmean": "hmean",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "detection_hmean": "detection hmean",
    "accuracy_36": "accuracy, 36 characters",
    "accuracy_62": "accuracy, 62 characters",
    "accuracy_94": "accuracy, 94 characters",
    "accuracy_any": "accuracy, any characters",
    "recognition_score": "recognition score",
    "map50": "mAP50",
    "map50_voc07": "mAP50 (VOC 2007)",
    "map50_95": "mAP50-95",
}
"""The scores that a card tells, in its order, with what they are called there."""

PROTOCOLS = {
    "icdar2015": "ICDAR 2015: IoU > 0.5, one to one",
    "deteval": "DetEval: with splits and merges",
    "tiou": "TIoU: tightness-aware IoU",
    "cleval": "CLEval: by characters",
    "end-to-end": "end to end: IoU > 0.5 and the word",
    "word-spotting": "word spotting: IoU > 0.5 and the word",
}
"""Names of protocols in the files of results, in full."""

_ORIGIN = ("command", "trained_on", "validated_on", "start", "words")
"""What a report says of a whole training, whatever the checkpoint."""

_BY_TASK = {
    "text-detection": PROTOCOLS["icdar2015"],
    "text-recognition": "words without a mistake",
    "text-spotting": PROTOCOLS["end-to-end"],
    "rotated-object-detection": "rotated IoU, mean over the classes",
}
"""What a file means that names no protocol."""


@dataclass(frozen=True)
class Measurement:
    """Scores of a model on one corpus.

    Args:
        corpus: What was measured on: a corpus as the command line names it, without folders of this computer.
        protocol: How, in words.
        scores: By the names of `SCORES`, 0 to 1.
        size: How much that was ("100 images"), if it is known.
        command: What printed the numbers, if it is known.
        note: What a reader must know besides.
    """

    corpus: str
    protocol: str
    scores: Mapping[str, float]
    size: str = ""
    command: str = ""
    note: str = ""


def of_evaluation(path: Path, task: str) -> Measurement:
    """The numbers of a file that `tcm-hf evaluate` printed.

    Args:
        path: A JSON file.
        task: Of the model; tells the protocol where the file does not.

    Raises:
        ValueError: If it is no such file.
    """
    result = _read_json(path)
    scores = _scores(result)  # at the fixed threshold: of a sweep beside it nothing goes into a card
    if not scores:
        raise ValueError(f"{path}: expected what tcm-hf evaluate prints; found none of {', '.join(SCORES)}.")
    notes = [f"score at least {result['threshold']}"] if result.get("threshold") is not None else []
    notes += [f"lexicon {shown(str(result['lexicon']))}"] if result.get("lexicon") else []
    return Measurement(
        corpus=shown(str(result.get("ground_truth") or path.stem)),
        protocol=protocol_of(result, task),
        scores=scores,
        size=_size(result),
        command=_shown_command(result),
        note="; ".join(notes),
    )


def of_training(folder: Path, task: str) -> list[Measurement]:
    """The validation scores of `training_report.json` in a folder; none where there is no such file.

    Args:
        folder: Where `tcm-hf train` has written its model.
        task: Of the model.

    Raises:
        ValueError: If the file is broken.
    """
    report = training_report(folder)
    validation = report.get("validation")
    if not isinstance(validation, Mapping) or not (scores := _scores(validation)):
        return []
    corpus = report.get("validated_on") or validation.get("words_of") or "validation part"
    chosen = "they also chose the checkpoint" if report.get("best_checkpoint") else ""
    return [
        Measurement(
            corpus=shown(str(corpus)),
            protocol=protocol_of(validation, task),
            scores=scores,
            size=_size(validation),
            command=_shown_command(report),
            note=chosen,
        )
    ]


def training_report(folder: Path) -> dict[str, Any]:
    """What `tcm-hf train` wrote to `training_report.json` in a folder; empty where no training left anything.

    Of a checkpoint-N folder: its own step and scores, and where the whole training came from.

    Raises:
        ValueError: If a file is broken.
    """
    path, state = folder / "training_report.json", folder / "trainer_state.json"
    if path.is_file():
        return _read_json(path)
    return _report_of_checkpoint(folder.resolve().parent, _read_json(state)) if state.is_file() else {}


def _report_of_checkpoint(run: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """As the report of a finished training, from the state of the Trainer and what lies one folder up."""
    report: dict[str, Any] = {}
    if (run / "training_settings.json").is_file():
        settings = _read_json(run / "training_settings.json")
        report = {"trained_on": settings.get("train"), "start": settings.get("model")}
    if (run / "training_report.json").is_file():
        report |= _read_json(run / "training_report.json")
    origin = {name: report[name] for name in _ORIGIN if report.get(name)}
    step = state.get("global_step")
    rows = [row for row in state.get("log_history") or () if row.get("step") == step]
    scores = {name: value for row in rows for name, value in row.items() if name.startswith("eval_")}
    validation = {name.removeprefix("eval_"): value for name, value in scores.items()}
    return origin | {"steps": step, "validation": validation, "best_checkpoint": bool(validation)}


def training_rows(report: Mapping[str, Any]) -> dict[str, str]:
    """What a report tells of the training, for a table."""
    rows = {}
    trained_on = report.get("trained_on") or list(report.get("words") or ())
    if trained_on:
        rows["trained on"] = ", ".join(shown(str(corpus)) for corpus in trained_on)
    if start := str(report.get("start") or ""):
        source = hub_source(start)
        rows["start"] = f"{source[0]} at {source[1]}" if source else shown(start)
    if report.get("steps"):
        rows["steps"] = str(report["steps"])
    chosen = report.get("decoding") or report.get("threshold")
    if isinstance(chosen, Mapping) and chosen.get("chosen_on"):
        rows["thresholds"] = f"chosen on {chosen['chosen_on']}"
    if command := _shown_command(report):
        rows["command"] = f"`{command}`"
    return rows


def protocol_of(result: Mapping[str, Any], task: str) -> str:
    """How a result was measured, in words.

    Args:
        result: Scores, with the name of their "protocol" where there is more than one.
        task: Of the model.
    """
    name = result.get("protocol")
    return PROTOCOLS.get(str(name), str(name)) if name else _BY_TASK[task]


def hub_source(folder: str) -> tuple[str, str] | None:
    """Repository and commit of which a folder is the copy in a cache; `None` for other folders and names."""
    found = re.search(r"models--([\w.-]+?)--([\w.-]+)/snapshots/(\w+)", folder)
    return (f"{found[1]}/{found[2]}", found[3]) if found else None


def shown(name: str) -> str:
    """A corpus, folder or word of a command as strangers may see it: without the folders above it.

    >>> shown("/home/jane/ic15:1-900")
    'ic15:1-900'
    >>> shown("totaltext:/data/Total-Text@test")
    'totaltext:Total-Text@test'
    """
    return re.sub(r"(^|[:=])[/~][^:=@]*/", r"\1", name.rstrip("/"))


def _shown_command(report: Mapping[str, Any]) -> str:
    """The command of a report as strangers may see it; empty where it names none."""
    return shlex.join(map(shown, shlex.split(str(report.get("command") or ""))))


def split_of(corpus: str) -> tuple[str, str | None]:
    """Name and part of a corpus that the command line names as `[NAME:]FOLDER[@SPLIT][:A-B]`.

    >>> split_of("totaltext:Total-Text@test")
    ('totaltext', 'test')
    >>> split_of("ic15-train:901-1000")
    ('ic15-train', '901-1000')
    """
    rest, _, numbers = corpus.rpartition(":") if re.search(r":\d+-\d+$", corpus) else (corpus, "", "")
    rest, _, split = rest.partition("@")
    name = rest.partition(":")[0]
    return name.rstrip("/").rpartition("/")[2] or corpus, " ".join(filter(None, (split, numbers))) or None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _scores(result: Mapping[str, Any]) -> dict[str, float]:
    """The scores that a card tells; not those over characters that none of the words has."""
    of_nothing = {
        f"accuracy_{name}" for name in ("36", "62", "94", "any") if not result.get(f"num_words_{name}", 1)
    }
    return {
        name: float(result[name])
        for name in SCORES
        if isinstance(result.get(name), int | float) and name not in of_nothing
    }


def _size(result: Mapping[str, Any]) -> str:
    for noun in ("images", "words"):
        number = result.get(f"num_{noun}", result.get(f"num_{noun}_any", result.get(f"num_{noun}_36")))
        if isinstance(number, int | float) and number > 0:
            return f"{number:.0f} {noun}"
    return ""


__all__ = [
    "SCORES",
    "Measurement",
    "hub_source",
    "of_evaluation",
    "of_training",
    "protocol_of",
    "shown",
    "split_of",
    "training_report",
    "training_rows",
]
