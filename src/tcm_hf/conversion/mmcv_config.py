"""mmcv configurations, which its checkpoints carry as text: read as data, never run."""

import ast
import json
import reprlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Any

MAX_DEPTH = 10
"""How many configurations may stand on one another."""

MAX_CHARACTERS, MAX_VALUES = 1_000_000, 50_000
"""Of a configuration; the longest of mmocr has about 30 thousand characters and 2 thousand values."""


class _TooLargeError(Exception):
    """A configuration is made of too many values."""


def read_mmcv_config(text: str) -> dict[str, Any]:
    """The plain variables of a configuration.

    mmcv stores its configuration with every checkpoint, as Python source made of literals, `dict(…)` and
    names of earlier variables. It is parsed here; whatever is made of anything else is passed over.

    Args:
        text: the source.

    Returns:
        Variables by name; none if the text is no Python, or is larger than any configuration.
    """
    if len(text) > MAX_CHARACTERS:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    reader = _Reader()
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                reader.assign(node.targets[0].id, node.value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                continue
            except _TooLargeError:
                return {}
    return reader.variables


def read_mmcv_file(path: str | Path, depth: int = 0) -> dict[str, Any]:
    """The plain variables of a configuration file with those of the files that it stands on (`_base_`).

    Args:
        path: a `.py` configuration; or `.json` with the same variables, a golden file for one.
        depth: how many files stand on this one.

    Raises:
        OSError: if it, or a file that it stands on, is missing.
        ValueError: if it is no text or no JSON, or stands on itself or on something that is no file.
    """
    path = Path(path)
    if depth > MAX_DEPTH:
        raise ValueError(f"{path} stands on more than {MAX_DEPTH} other configurations, or on itself.")
    try:
        text = path.read_text(encoding="utf-8")
        own = json.loads(text) if path.suffix == ".json" else read_mmcv_config(text)
    except RecursionError as error:
        raise ValueError(f"{path} is no configuration: it is nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"{path} is no configuration: {error}.") from error
    if not isinstance(own, dict):
        raise ValueError(f"{path} must hold an object: it holds a {type(own).__name__}.")
    bases = own.pop("_base_", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list | tuple) or not all(isinstance(base, str) for base in bases):
        raise ValueError(f"{path}: `_base_` must name files: it is {reprlib.repr(bases)}.")
    variables: dict[str, Any] = {}
    for base in bases:
        variables = merged(variables, read_mmcv_file(path.parent / base, depth + 1))
    return merged(variables, own)


def write_mmcv_config(variables: Mapping[str, Any]) -> str:
    """The source of a configuration with these variables, plain values all of them."""
    return "".join(f"{name} = {pformat(value, sort_dicts=False)}\n" for name, value in variables.items())


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """As mmcv merges: dictionaries entry by entry, unless one says `_delete_`."""
    result = dict(base)
    for name, value in own.items():
        if isinstance(value, dict):
            value = dict(value)
            below = {} if value.pop("_delete_", False) else result.get(name)
            value = merged(below if isinstance(below, dict) else {}, value)
        result[name] = value
    return result


class _Reader:
    """Reads assignments one after the other, as far as they are plain.

    A name stands for its value without copying it, so a few lines can spell a list of 2^30 items. Values are
    therefore counted as often as they are named.
    """

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._count = 0

    def assign(self, name: str, node: ast.expr) -> None:
        """Reads `name = …`.

        Raises:
            ValueError: for an expression that is not plain.
            _TooLargeError: for more than `MAX_VALUES` values in all.
        """
        before = self._count
        self.variables[name] = self._value(node)
        self._sizes[name] = self._count - before

    def _spend(self, values: int) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            raise _TooLargeError

    def _value(self, node: ast.expr) -> Any:
        """What an expression of literals, `dict(…)` and known names means.

        Raises:
            ValueError: for any other expression; an entry of a dictionary is passed over instead.
        """
        self._spend(1)
        if isinstance(node, ast.Name) and node.id in self.variables:
            self._spend(self._sizes[node.id])
            return self.variables[node.id]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
            if node.args:
                raise ValueError("dict() with more than keywords")
            return self._entries([(keyword.arg, keyword.value) for keyword in node.keywords])
        if isinstance(node, ast.Dict):
            keys = [None if key is None else ast.literal_eval(key) for key in node.keys]
            return self._entries(list(zip(keys, node.values, strict=True)))
        if isinstance(node, ast.List | ast.Tuple):
            items = [self._value(item) for item in node.elts]
            return items if isinstance(node, ast.List) else tuple(items)
        return ast.literal_eval(node)

    def _entries(self, pairs: list[tuple[Any, ast.expr]]) -> dict[Any, Any]:
        entries: dict[Any, Any] = {}
        for key, node in pairs:
            try:
                value = self._value(node)
            except (ValueError, TypeError):
                continue
            if key is not None:
                entries[key] = value
            elif isinstance(value, dict):  # unpacked
                entries |= value
        return entries


__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_VALUES",
    "merged",
    "read_mmcv_config",
    "read_mmcv_file",
    "write_mmcv_config",
]
