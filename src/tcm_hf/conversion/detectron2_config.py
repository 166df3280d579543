"""detectron2's configurations, which lie beside its checkpoints as YAML: read as data, never run."""

import ast
import json
from pathlib import Path
from typing import Any

import yaml

from tcm_hf.conversion.mmcv_config import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, merged

BASE = "_BASE_"
MAX_NESTING = 20
_MOST_DIGITS = 100


class _PlainLoader(yaml.SafeLoader):
    """Mappings, lists, texts and numbers; whatever wants to be run is read as nothing."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuses entries of other mappings (`<<`): a few lines could spell 2^30 of them."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(problem="mappings inside mappings (<<) are not read")

    def construct_yaml_int(self, node: yaml.Node) -> int:
        """Refuses numbers that take long to read: to the base 60 (`1:30:00`) they grow with every part."""
        text = self.construct_scalar(node)  # type: ignore[arg-type]
        if len(text) > _MOST_DIGITS:
            raise yaml.constructor.ConstructorError(problem=f"a number has {len(text)} characters")
        return super().construct_yaml_int(node)

    def nothing(self, suffix: str, node: yaml.Node) -> None:
        """Stands for an object of Python."""


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_yaml_int)
_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", _PlainLoader.nothing)
_PlainLoader.add_multi_constructor("!", _PlainLoader.nothing)


def read_detectron2_config(path: str | Path, depth: int = 0) -> dict[str, Any]:
    """The settings of a configuration file with those of the files that it stands on (`_BASE_`).

    Args:
        path: `.yaml` as it lies in a repository or as detectron2 writes it beside its checkpoints; or `.json`
            with the same sections.
        depth: how many files stand on this one.

    Returns:
        Sections (`MODEL`, `INPUT`, …) as dicts; what is written as a literal of Python, as tuples are, is
        that value.

    Raises:
        OSError: if it, or a file that it stands on, is missing.
        ValueError: if it is no such configuration, or stands on itself.
    """
    path = Path(path)
    if depth > MAX_DEPTH:
        raise ValueError(f"{path} stands on more than {MAX_DEPTH} other configurations, or on itself.")
    try:
        own = _Reader().plain(_parsed(path))
    # What a tag does not fit to is told by PyYAML with errors of all kinds: `!!bool x` with KeyError.
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no configuration: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise ValueError(f"{path} is no configuration: it is nested too deeply.") from error
    if not isinstance(own, dict):
        raise ValueError(f"{path} must hold sections of settings: it holds a {type(own).__name__}.")
    if (base := own.pop(BASE, None)) is None:
        return own
    if not isinstance(base, str):
        raise ValueError(f"{path}: `{BASE}` must name a file: it is a {type(base).__name__}.")
    return merged(read_detectron2_config(path.parent / base, depth + 1), own)


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CHARACTERS} characters")
    # The loader makes nothing but plain values.
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)


class _Reader:
    """Copies plain values and counts them: a name for a list can stand for it a thousand times."""

    def __init__(self) -> None:
        self._count = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or depth > MAX_NESTING:
            raise ValueError(f"it is nested too deeply, or has more than {MAX_VALUES} values")
        if isinstance(value, dict):
            return {str(name): self.plain(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item, depth + 1) for item in value]
        return self._literal(value, depth) if isinstance(value, str) else value

    def _literal(self, text: str, depth: int) -> Any:
        """The value that a text spells, `(8, 32)` for example; else the text."""
        if not text.startswith(("(", "[")):
            return text
        try:
            return self.plain(ast.literal_eval(text), depth + 1)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text


__all__ = ["read_detectron2_config"]
