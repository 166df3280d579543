"""What /openapi.json tells besides what FastAPI finds by itself: pictures, records and problems."""

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tcm_hf._version import __version__
from tcm_hf.serving.pictures import FORMATS
from tcm_hf.serving.refusals import MEDIA_TYPE, Problem

_REFUSALS = {
    400: "The form is broken.",
    408: "The picture has not come in time.",
    413: "The file or the picture is too large.",
    415: "The file is no picture, or of a format that is not read.",
    422: "The picture is missing, empty, broken or animated, or a parameter is wrong.",
    429: "Too many pictures are being read. Try again after Retry-After seconds.",
    500: "A fault of the server.",
    503: "The server is stopping. Try again after Retry-After seconds.",
    504: "The picture was not read in time.",
}
_BINARY = {"type": "string", "format": "binary"}
PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "description": f"One still picture ({', '.join(FORMATS)}): in a form, or by itself.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": _BINARY},
                    "additionalProperties": False,
                }
            },
            "image/*": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
        },
    }
}


# The models that no route names in its signature, by the names under which they are referred to.
_RECORDS = {"Reading": "reading-1.json", "Detection": "detection-1.json"}
TEXT = {"type": "string"}


def reference(name: str) -> dict[str, str]:
    """The schema of a model."""
    return {"$ref": f"#/components/schemas/{name}"}


def answers(
    result: str, content: dict[str, dict[str, str]], *statuses: int
) -> dict[int | str, dict[str, Any]]:
    """What a route answers, for its `responses`.

    Args:
        result: What its result is.
        content: The schema of its result by media type.
        statuses: Refusals that it gives; none means all that a picture can get.
    """
    problem = {MEDIA_TYPE: {"schema": reference("Problem")}}
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"description": _REFUSALS[status], "content": problem} for status in statuses or _REFUSALS
    }
    shown = {media: {"schema": schema} for media, schema in content.items()}
    return {200: {"description": result, "content": shown}, **refusals}


def describe(app: FastAPI) -> None:
    """Let an application tell of our models, too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=__version__, description=app.description, routes=app.routes
            )
            models = document.setdefault("components", {}).setdefault("schemas", {})
            models |= {name: _record_schema(file) for name, file in _RECORDS.items()}
            models["Problem"] = Problem.model_json_schema()
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _record_schema(file: str) -> dict[str, Any]:
    text = files("tcm_hf.results").joinpath("schema", file).read_text(encoding="utf-8")
    # Inside another document they would change what references mean.
    return {name: value for name, value in json.loads(text).items() if name not in ("$schema", "$id")}
