"""The part of JSON Schema that our schema files use, so that the tests need no package for it."""

import json
from importlib.resources import files

_KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def shipped_schema(name):
    return json.loads(files("tcm_hf.results").joinpath(f"schema/{name}").read_text(encoding="utf-8"))


def assert_follows(value, schema, where="record"):
    unknown = set(schema) - {
        *("$schema", "$id", "title", "description", "type", "required", "properties", "const", "enum"),
        *("items", "minItems", "maxItems", "minimum", "maximum"),
    }
    assert not unknown, unknown
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        assert any(isinstance(value, _KINDS[name]) for name in names), f"{where}: {value!r} is no {names}"
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    if isinstance(value, int | float):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), where
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), where
        for index, item in enumerate(value):
            assert_follows(item, schema.get("items", {}), f"{where}[{index}]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), f"{where}: {set(value)}"
        for name, item in value.items():
            assert_follows(item, schema.get("properties", {}).get(name, {}), f"{where}.{name}")
