"""Holds renamed tensors against a model: every name is taken, left out for a reason, or an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from tcm_hf.conversion.key_rules import RenamedTensors
from tcm_hf.conversion.original_names import original_shapes


@dataclass
class KeyReport:
    """What happened to every name of a checkpoint and of the model.

    Args:
        taken: names of the model -> name of the checkpoint's tensor that is there (of a fused one several).
        ignored: names of the checkpoint that are left out on purpose -> reason.
        fresh: names of the model that the checkpoint is not expected to hold -> reason.
        unknown: names of the checkpoint that have no place in the model -> shape.
        missing: names that the checkpoint lacks, by the table that renames its tensors (ours where that does
            not tell) -> shape.
        misshaped: names of the checkpoint -> what is wrong with the shape.
        unusable: names of the checkpoint -> what is wrong with the type or the values.
        converted: names of the checkpoint -> types of numbers, where the model has another.
        doubled: names of the checkpoint -> the name of ours that another tensor has already.
    """

    taken: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, tuple[int, ...]] = field(default_factory=dict)
    missing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    misshaped: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)
    doubled: dict[str, str] = field(default_factory=dict)

    @property
    def num_taken(self) -> int:
        """Tensors of the checkpoint that are in the model."""
        return len(set(self.taken.values()))

    def lines(self) -> list[str]:
        """What happened to every name, one line each: taken, left out, fresh."""
        places: dict[str, list[str]] = {}
        for ours, original in self.taken.items():
            places.setdefault(original, []).append(ours)
        return [
            *(f"taken: {original} -> {', '.join(ours)}" for original, ours in places.items()),
            *(f"left out: {name} ({reason})" for name, reason in self.ignored.items()),
            *(f"fresh: {name} ({reason})" for name, reason in self.fresh.items()),
        ]

    def problems(self) -> list[str]:
        """One line for every name that is wrong."""
        return [
            *(f"unknown: {name} {shape}" for name, shape in self.unknown.items()),
            *(f"missing: {name} {shape}" for name, shape in self.missing.items()),
            *(f"mis-shaped: {name}: {reason}" for name, reason in self.misshaped.items()),
            *(f"unusable: {name}: {reason}" for name, reason in self.unusable.items()),
            *(f"doubled: {name}: {ours} is there already" for name, ours in self.doubled.items()),
        ]

    def summary(self) -> str:
        """What was taken and what was not, in one line."""
        parts = [f"{self.num_taken} tensors taken"]
        parts += [f"{len(names)} of them {types}" for types, names in _by_reason(self.converted).items()]
        for reason, names in _by_reason(self.ignored).items():
            what = names[0] if len(names) == 1 else f"{len(names)} tensors from {names[0]} on"
            parts.append(f"{what} left out ({reason})")
        parts += [
            f"{len(names)} tensors fresh ({reason})" for reason, names in _by_reason(self.fresh).items()
        ]
        return "; ".join(parts)


def _by_reason(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Names grouped by the reason that belongs to them."""
    grouped: dict[str, list[str]] = {}
    for name, reason in names.items():
        grouped.setdefault(reason, []).append(name)
    return grouped


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
                ("unusable", report.unusable),
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
        A whole state dict, in the model's types, and the report. Floating-point numbers may be wider or
        narrower than the model's, integers too; one never becomes the other.

    Raises:
        KeyMismatchError: for unknown, missing, mis-shaped, unusable or doubled names.
    """
    report = KeyReport(
        ignored=dict(renamed.ignored),
        unknown=dict(renamed.unknown),
        misshaped=dict(renamed.misshaped),
        doubled=dict(renamed.doubled),
    )
    state: dict[str, torch.Tensor] = {}
    for name, tensor in renamed.tensors.items():
        original = renamed.sources[name]
        if name in wanted:
            if _fits(original, tensor, wanted[name], report):
                state[name] = tensor.to(wanted[name].dtype)
        elif reason := _reason(name, absent):
            report.ignored[original] = reason
        else:
            report.unknown[original] = tuple(tensor.shape)
    report.taken = {name: renamed.sources[name] for name in state}
    wrong = report.misshaped.keys() | report.unusable.keys()
    troubled = {ours for ours, original in renamed.sources.items() if original in wrong}
    missing = {}
    for name, tensor in wanted.items():
        if name in state or name in troubled:
            continue
        if reason := _reason(name, fresh):
            report.fresh[name] = reason
            state[name] = tensor
        else:
            missing[name] = tensor
    report.missing = original_shapes(missing, renamed.rules)
    if report.problems():
        raise KeyMismatchError(source, report)
    return state, report


def _fits(original: str, tensor: torch.Tensor, wanted: torch.Tensor, report: KeyReport) -> bool:
    """Whether a tensor can be taken; notes in the report why not, or what becomes of its type."""
    types = _type(tensor.dtype), _type(wanted.dtype)
    if tensor.shape != wanted.shape:
        report.misshaped[original] = f"{tuple(tensor.shape)}, and {tuple(wanted.shape)} is needed"
    elif _family(tensor.dtype) != _family(wanted.dtype):
        report.unusable[original] = f"{types[0]}, and {types[1]} is needed"
    elif not torch.isfinite(tensor.to(wanted.dtype)).all():
        report.unusable[original] = "non-finite values"
    else:
        if tensor.dtype != wanted.dtype:
            report.converted[original] = f"from {types[0]} to {types[1]}"
        return True
    return False


def _family(dtype: torch.dtype) -> str:
    if dtype.is_complex or dtype == torch.bool:
        return str(dtype)
    return "floating" if dtype.is_floating_point else "integer"


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def first_problems(renamed: RenamedTensors) -> str:
    """What is wrong so far, for an error that comes before all names can be compared with a model's."""
    wrong = [f"unknown: {name}" for name in renamed.unknown]
    wrong += [f"mis-shaped: {name}: {reason}" for name, reason in renamed.misshaped.items()]
    if not wrong:
        return ""
    return f" {len(wrong)} of its names do not fit: {'; '.join(wrong[:10])}{'; …' if wrong[10:] else ''}."


def _reason(name: str, reasons: Mapping[str, str] | None) -> str | None:
    for pattern, reason in (reasons or {}).items():
        if re.fullmatch(pattern, name):
            return reason
    return None


__all__ = ["KeyMismatchError", "KeyReport", "first_problems", "fit_tensors"]
