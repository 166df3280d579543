"""Holds renamed tensors against a model: every name is taken, left out for a reason, or an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from tcm_hf.conversion.key_rules import RenamedTensors


@dataclass
class KeyReport:
    """What happened to every name of a checkpoint and of the model.

    Args:
        num_taken: tensors of the checkpoint that are in the model.
        ignored: names of the checkpoint that are left out on purpose -> reason.
        fresh: names of the model that the checkpoint is not expected to hold -> reason.
        unknown: names of the checkpoint that have no place in the model -> shape.
        missing: names of the model that the checkpoint lacks -> shape.
        misshaped: names of the checkpoint -> what is wrong with the shape.
        doubled: names of the checkpoint -> the name of ours that another tensor has already.
    """

    num_taken: int = 0
    ignored: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, tuple[int, ...]] = field(default_factory=dict)
    missing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    misshaped: dict[str, str] = field(default_factory=dict)
    doubled: dict[str, str] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """One line for every name that is wrong."""
        return [
            *(f"unknown: {name} {shape}" for name, shape in self.unknown.items()),
            *(f"missing: {name} {shape}" for name, shape in self.missing.items()),
            *(f"mis-shaped: {name}: {reason}" for name, reason in self.misshaped.items()),
            *(f"doubled: {name}: {ours} is there already" for name, ours in self.doubled.items()),
        ]

    def summary(self) -> str:
        """What was taken and what was not, in one line."""
        reasons: dict[str, int] = {}
        for reason in self.fresh.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        parts = [f"{self.num_taken} tensors taken"]
        parts += [f"{name} left out ({reason})" for name, reason in self.ignored.items()]
        parts += [f"{count} tensors fresh ({reason})" for reason, count in reasons.items()]
        return "; ".join(parts)


class KeyMismatchError(ValueError):
    """A checkpoint does not fit the model.

    Args:
        source: what was read.
        report: the names that are wrong.
    """

    def __init__(self, source: str, report: KeyReport):
        self.report = report
        problems = report.problems()
        counts = ", ".join(
            f"{len(names)} {kind}"
            for kind, names in (
                ("unknown", report.unknown),
                ("missing", report.missing),
                ("mis-shaped", report.misshaped),
                ("doubled", report.doubled),
            )
            if names
        )
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        super().__init__(
            f"{source} does not fit ({counts} names): {'; '.join(problems[:10])}{more}. Nothing was "
            "converted."
        )


def fit_tensors(
    renamed: RenamedTensors,
    wanted: Mapping[str, torch.Tensor],
    source: str,
    fresh: Mapping[str, str] | None = None,
    absent: Mapping[str, str] | None = None,
) -> tuple[dict[str, torch.Tensor], KeyReport]:
    """The tensors for a model's state dict, if every name fits.

    Args:
        renamed: tensors under our names.
        wanted: the model's state dict; only its names, shapes and types are read.
        source: what the tensors come from, for errors.
        fresh: names of the model (regular expressions) that the source is not expected to hold -> reason;
            the model's own values stay.
        absent: names of ours (regular expressions) that this model was built without -> reason.

    Returns:
        A whole state dict, in the model's types, and the report.

    Raises:
        KeyMismatchError: for unknown, missing, mis-shaped or doubled names.
    """
    report = KeyReport(
        ignored=dict(renamed.ignored),
        unknown=dict(renamed.unknown),
        misshaped=dict(renamed.misshaped),
        doubled=dict(renamed.doubled),
    )
    state: dict[str, torch.Tensor] = {}
    taken = set()
    for name, tensor in renamed.tensors.items():
        original = renamed.sources[name]
        if name not in wanted:
            if reason := _reason(name, absent):
                report.ignored[original] = reason
            else:
                report.unknown[original] = tuple(tensor.shape)
            continue
        if tensor.shape != wanted[name].shape:
            report.misshaped[original] = f"{tuple(tensor.shape)}, and {tuple(wanted[name].shape)} is needed"
            continue
        taken.add(original)
        state[name] = tensor.to(wanted[name].dtype)
    troubled = {ours for ours, original in renamed.sources.items() if original in report.misshaped}
    for name, tensor in wanted.items():
        if name in state or name in troubled:
            continue
        if reason := _reason(name, fresh):
            report.fresh[name] = reason
            state[name] = tensor
        else:
            report.missing[name] = tuple(tensor.shape)
    report.num_taken = len(taken)
    if report.problems():
        raise KeyMismatchError(source, report)
    return state, report


def _reason(name: str, reasons: Mapping[str, str] | None) -> str | None:
    for pattern, reason in (reasons or {}).items():
        if re.fullmatch(pattern, name):
            return reason
    return None


__all__ = ["KeyMismatchError", "KeyReport", "fit_tensors"]
