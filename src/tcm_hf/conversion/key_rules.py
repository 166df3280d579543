"""Tensors under their original names become tensors under ours, by a table of rules; nothing is skipped."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

Tensors = Mapping[str, torch.Tensor]


def keep(tensor: torch.Tensor) -> Sequence[torch.Tensor]:
    """The tensor as it is."""
    return (tensor,)


def transpose(tensor: torch.Tensor) -> Sequence[torch.Tensor]:
    """A matrix that the original multiplies from the right, as the weight of a linear layer."""
    if tensor.ndim != 2:
        raise ValueError(f"a matrix was expected, a tensor of shape {tuple(tensor.shape)} came")
    return (tensor.T.contiguous(),)


def split_in_three(tensor: torch.Tensor) -> Sequence[torch.Tensor]:
    """A fused projection of queries, keys and values, in this order, as three."""
    if tensor.ndim == 0 or tensor.shape[0] % 3:
        raise ValueError(f"three equal parts were expected, a tensor of shape {tuple(tensor.shape)} came")
    return tuple(part.contiguous() for part in tensor.chunk(3))


def without_batch(tensor: torch.Tensor) -> Sequence[torch.Tensor]:
    """A tensor that the original keeps with a leading axis of one."""
    if tensor.ndim == 0 or tensor.shape[0] != 1:
        raise ValueError(f"a leading axis of one was expected, a tensor of shape {tuple(tensor.shape)} came")
    return (tensor[0],)


class KeyRule(NamedTuple):
    r"""One row of a key table.

    Args:
        pattern: regular expression that a whole original name matches.
        targets: our names, with `\1` … for the pattern's groups; one for each tensor that `change` makes.
        change: what happens to the tensor on the way.
    """

    pattern: str
    targets: tuple[str, ...]
    change: Callable[[torch.Tensor], Sequence[torch.Tensor]] = keep


def rename(pattern: str, target: str) -> KeyRule:
    """A tensor that only gets another name."""
    return KeyRule(pattern, (target,))


def transposed(pattern: str, target: str) -> KeyRule:
    """A matrix that gets another name and is transposed."""
    return KeyRule(pattern, (target,), transpose)


def split_qkv(pattern: str, target: str) -> KeyRule:
    """A fused projection that becomes three; `{part}` in `target` is q, k and v."""
    return KeyRule(pattern, tuple(target.replace("{part}", part) for part in "qkv"), split_in_three)


def moved(rules: Iterable[KeyRule], source: str, target: str) -> list[KeyRule]:
    """Rules for names that all begin with `source`, to names that all begin with `target`."""
    return [
        KeyRule(
            f"{re.escape(source)}(?:{rule.pattern})",
            tuple(target + name for name in rule.targets),
            rule.change,
        )
        for rule in rules
    ]


@dataclass
class RenamedTensors:
    """What a table made of a checkpoint.

    Args:
        tensors: tensors under our names.
        sources: the original name behind each of our names.
        ignored: original names that a checkpoint may hold and our models do not need, with the reason.
        unknown: original names that no rule matches, with their shapes.
        misshaped: original names whose tensor the rule cannot change, with the reason.
        doubled: original names of tensors for a name of ours that another tensor took before.
        rules: the table.
    """

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, tuple[int, ...]] = field(default_factory=dict)
    misshaped: dict[str, str] = field(default_factory=dict)
    doubled: dict[str, str] = field(default_factory=dict)
    rules: Sequence[KeyRule] = ()


def apply_rules(
    tensors: Tensors, rules: Sequence[KeyRule], ignorable: Mapping[str, str] | None = None
) -> RenamedTensors:
    """Renames every tensor by the first rule that matches its whole name.

    Args:
        tensors: a checkpoint's tensors by their original names.
        rules: the key table.
        ignorable: names (regular expressions) that are left out on purpose, with the reason.

    Returns:
        The renamed tensors, and every name that was left out or not understood.
    """
    compiled = [(re.compile(rule.pattern), rule) for rule in rules]
    skipped = [(re.compile(pattern), reason) for pattern, reason in (ignorable or {}).items()]
    result = RenamedTensors(rules=rules)
    for name, tensor in tensors.items():
        if reason := next((reason for pattern, reason in skipped if pattern.fullmatch(name)), None):
            result.ignored[name] = reason
            continue
        found = next(
            ((match, rule) for pattern, rule in compiled if (match := pattern.fullmatch(name))), None
        )
        if found is None:
            result.unknown[name] = tuple(tensor.shape)
            continue
        match, rule = found
        try:
            parts = rule.change(tensor)
        except ValueError as error:
            result.misshaped[name] = str(error)
            continue
        for target, part in zip(rule.targets, parts, strict=True):
            ours = match.expand(target)
            if ours in result.tensors:
                result.doubled[name] = ours
                continue
            result.tensors[ours] = part
            result.sources[ours] = name
    return result


__all__ = [
    "KeyRule",
    "RenamedTensors",
    "apply_rules",
    "keep",
    "moved",
    "rename",
    "split_in_three",
    "split_qkv",
    "transpose",
    "transposed",
    "without_batch",
]
