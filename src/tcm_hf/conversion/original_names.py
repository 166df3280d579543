"""A key table backwards: tensors under our names become tensors under their original names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from tcm_hf.conversion.key_rules import KeyRule, keep, split_in_three, transpose, without_batch

Parts = list[torch.Tensor]

UNDO: dict[Callable, Callable[[Parts], torch.Tensor]] = {
    keep: lambda parts: parts[0],
    transpose: lambda parts: parts[0].T.contiguous(),
    without_batch: lambda parts: parts[0][None],
    split_in_three: lambda parts: torch.cat(parts),
}
"""What a rule does to a tensor -> how the tensor is made again of the rule's parts."""


class _BackwardRule(NamedTuple):
    """One row of a table, read from right to left."""

    ours: tuple[re.Pattern[str], ...]
    original: list[str | int]
    undo: Callable[[Parts], torch.Tensor]

    def original_name(self, match: re.Match[str]) -> str:
        return "".join(piece if isinstance(piece, str) else match[f"g{piece}"] for piece in self.original)


def to_original(tensors: Mapping[str, torch.Tensor], rules: Sequence[KeyRule]) -> dict[str, torch.Tensor]:
    """Our tensors as the original holds them.

    Args:
        tensors: weights (or gradients) under our names.
        rules: the key table that made our names.

    Returns:
        Tensors by their original names: the bits that the table was given.

    Raises:
        ValueError: if no rule makes a name, a part of a tensor that was split is missing, or the table cannot
            be read backwards.
    """
    backward = [_backward(rule) for rule in rules]
    found: dict[str, tuple[_BackwardRule, dict[int, torch.Tensor]]] = {}
    for name, tensor in tensors.items():
        rule, part, original = _rule_of(name, backward)
        found.setdefault(original, (rule, {}))[1][part] = tensor
    result = {}
    for original, (rule, parts) in found.items():
        if len(parts) != len(rule.ours):
            raise ValueError(
                f"{original} is made of {len(rule.ours)} tensors of ours: only {len(parts)} are there."
            )
        result[original] = rule.undo([parts[index] for index in range(len(parts))])
    return result


def original_shapes(
    tensors: Mapping[str, torch.Tensor], rules: Sequence[KeyRule]
) -> dict[str, tuple[int, ...]]:
    """Names and shapes under which a checkpoint of the original would hold tensors of ours.

    Args:
        tensors: tensors under our names, of which only the shapes are read.
        rules: the key table. A name that it does not tell stays ours.
    """
    readable = _readable(rules)
    shapes = {}
    for name, tensor in tensors.items():
        try:
            rule, _, original = _rule_of(name, readable)
        except ValueError:
            shapes[name] = tuple(tensor.shape)
            continue
        shapes[original] = tuple(rule.undo([tensor.to("meta")] * len(rule.ours)).shape)
    return shapes


def in_original_names(text: str, rules: Sequence[KeyRule]) -> str:
    """A message in which every name of ours is replaced by the original's."""
    readable = _readable(rules)

    def original(match: re.Match[str]) -> str:
        try:
            return _rule_of(match[0], readable)[2]
        except ValueError:
            return match[0]

    return re.sub(r"\w+(?:\.\w+)+", original, text)


def _readable(rules: Sequence[KeyRule]) -> list[_BackwardRule]:
    """The rows of a table that can be read from right to left."""
    readable = []
    for rule in rules:
        try:
            readable.append(_backward(rule))
        except (ValueError, KeyError):
            continue
    return readable


def _rule_of(name: str, rules: Sequence[_BackwardRule]) -> tuple[_BackwardRule, int, str]:
    for rule in rules:
        for part, pattern in enumerate(rule.ours):
            if match := pattern.fullmatch(name):
                return rule, part, rule.original_name(match)
    raise ValueError(f"{name} has no name in the original's checkpoints.")


def _backward(rule: KeyRule) -> _BackwardRule:
    pieces, groups = _read_pattern(rule.pattern)
    return _BackwardRule(
        tuple(re.compile(_pattern_of(target, groups)) for target in rule.targets), pieces, UNDO[rule.change]
    )


def _pattern_of(target: str, groups: dict[int, str]) -> str:
    r"""The pattern of all names that a target such as `layers.\1.fc1.\2` can become."""
    pattern, seen = "", set()
    for text, number in re.findall(r"([^\\]+)|\\(\d)", target):
        if text:
            pattern += re.escape(text)
        else:
            group = int(number)
            pattern += f"(?P=g{group})" if group in seen else f"(?P<g{group}>{groups[group]})"
            seen.add(group)
    return pattern


def _read_pattern(pattern: str) -> tuple[list[str | int], dict[int, str]]:
    """A pattern as literal pieces and numbers of groups, and what each group matches.

    Tables need no more than literals, groups side by side and the wrappers that `moved` puts around a rule;
    anything else would not tell which name it came from.
    """
    pieces: list[str | int] = []
    groups: dict[int, str] = {}
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("(?:", position):
            position += 3
        elif character == ")":
            position += 1
        elif character == "(":
            end = _end_of_group(pattern, position)
            groups[len(groups) + 1] = pattern[position + 1 : end]
            pieces.append(len(groups))
            position = end + 1
        elif character == "\\" and not pattern[position + 1].isalnum():
            pieces.append(pattern[position + 1])
            position += 2
        elif character in r"\.^$*+?{}[]|":
            raise ValueError(f"The rule {pattern!r} cannot be read backwards: {character!r} outside a group.")
        else:
            pieces.append(character)
            position += 1
    return pieces, groups


def _end_of_group(pattern: str, start: int) -> int:
    """Position of the bracket that closes the one at `start`."""
    depth = 0
    for position in range(start, len(pattern)):
        if pattern[position] in "()" and pattern[position - 1] != "\\":
            depth += 1 if pattern[position] == "(" else -1
            if depth == 0:
                return position
    raise ValueError(f"The rule {pattern!r} has a bracket that is not closed.")


__all__ = ["in_original_names", "original_shapes", "to_original"]
