"""The application: its addresses, and what is told at each."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from tcm_hf._version import __version__
from tcm_hf.results.formats_hocr import render_hocr_page
from tcm_hf.results.formats_text import render_text
from tcm_hf.results.records import DETECTIONS, READINGS, Record, render_json_line
from tcm_hf.serving.metrics import MEDIA_TYPE as METRICS_MEDIA_TYPE
from tcm_hf.serving.metrics import Metrics
from tcm_hf.serving.middleware import GONE, RequestMiddleware
from tcm_hf.serving.openapi import PICTURE_BODY, TEXT, answers, describe, reference
from tcm_hf.serving.pictures import FORMATS, Reader
from tcm_hf.serving.refusals import Refusal, problem_response
from tcm_hf.serving.service import ReadingService
from tcm_hf.serving.settings import ServerSettings

_PAGE = Path(__file__).with_name("page")
PAGE_FILES = {"/": "index.html", **{f"/{file.name}": file.name for file in sorted(_PAGE.iterdir())}}

_JSON, _TEXT, _HOCR = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
_RENDERINGS: dict[str, tuple[Callable[[Record], str], str]] = {
    "json": (render_json_line, _JSON),
    "text": (render_text, _TEXT),
    "hocr": (render_hocr_page, _HOCR),
}


class ReadQuery(BaseModel):
    """How a result is told."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "text", "hocr"] = Field(
        "json", description="A record with all that is known, the text alone, or a hOCR document."
    )
    lines: bool = Field(False, description="Whether a record has the lines, too.")


class DetectQuery(BaseModel):
    """Nothing can be chosen: a parameter is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Health(BaseModel):
    """That the server runs."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(BaseModel):
    """That the server reads."""

    status: Literal["ready"] = "ready"


class Limits(BaseModel):
    """What the server takes."""

    max_file_bytes: int
    max_pixels: int = Field(description="Width times height.")
    timeout_s: float = Field(description="How long an answer may take.")
    formats: tuple[str, ...] = FORMATS


def create_app(reader: Reader, settings: ServerSettings | None = None) -> FastAPI:
    """An application that reads the pictures that are sent to it.

    Args:
        reader: Gives the records of pictures; a `PipelineReader`, or any callable of that kind. It is called
            from one thread.
        settings: Limits; `None` takes the defaults.

    Returns:
        The application, for uvicorn or any ASGI server. `app.state.service` is its `ReadingService`.
    """
    settings = settings or ServerSettings()
    metrics = Metrics()
    service = ReadingService(reader, settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="tcm_hf",
        description="Finds and reads the text in photos.",
        version=__version__,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(RequestMiddleware, metrics=metrics)
    _add_refusals(app)
    _add_reading(app, service)
    _add_state(app, service, settings, metrics)
    _add_page(app)
    describe(app)
    return app


def _add_reading(app: FastAPI, service: ReadingService) -> None:
    reading = answers("What was read.", {_JSON: reference("Reading"), "text/plain": TEXT, "text/html": TEXT})

    @app.post("/v1/read", openapi_extra=PICTURE_BODY, responses=reading, response_class=Response)
    async def read(request: Request, query: Annotated[ReadQuery, Query()]) -> Response:
        """Find and read the words of a picture."""
        record = await service.record_of(request, READINGS)
        if not query.lines:
            record = {name: value for name, value in record.items() if name != "lines"}
        render, media_type = _RENDERINGS[query.format]
        return Response(await service.batcher.in_thread(render, record), media_type=media_type)

    detection = answers("What was found.", {_JSON: reference("Detection")})

    @app.post("/v1/detect", openapi_extra=PICTURE_BODY, responses=detection, response_class=Response)
    async def detect(request: Request, query: Annotated[DetectQuery, Query()]) -> Response:
        """Find the texts of a picture, without reading them."""
        record = await service.record_of(request, DETECTIONS)
        return Response(await service.batcher.in_thread(render_json_line, record), media_type=_JSON)


def _add_state(app: FastAPI, service: ReadingService, settings: ServerSettings, metrics: Metrics) -> None:
    limits = Limits(
        max_file_bytes=settings.max_file_bytes, max_pixels=settings.max_pixels, timeout_s=settings.timeout_s
    )

    @app.get("/v1/limits")
    async def tell_limits() -> Limits:
        """What may be sent."""
        return limits

    @app.get("/health")
    async def health() -> Health:
        """Whether the server runs."""
        return Health()

    @app.get("/ready", responses=answers("It reads.", {_JSON: reference("Readiness")}, 503))
    async def ready() -> Readiness:
        """Whether a picture that came now would be read."""
        service.check_ready()
        return Readiness()

    @app.get("/metrics", responses=answers("All counts.", {"text/plain": TEXT}), response_class=Response)
    async def tell_metrics() -> Response:
        """Counts for Prometheus."""
        return Response(metrics.render(), media_type=METRICS_MEDIA_TYPE)


def _add_page(app: FastAPI) -> None:
    def add(path: str, file: Path) -> None:
        @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
        async def page_file() -> FileResponse:
            return FileResponse(file, headers={"Cache-Control": "no-cache"})

    for path, name in PAGE_FILES.items():
        add(path, _PAGE / name)


def _add_refusals(app: FastAPI) -> None:
    def refused(request: Request, refusal: Refusal) -> Response:
        return problem_response(refusal, request.state.request_id)

    @app.exception_handler(Refusal)
    async def of_ours(request: Request, error: Refusal) -> Response:
        return refused(request, error)

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_")
        refusal = Refusal(error.status_code, code, f"{request.method} {request.url.path}: {phrase}.")
        refusal.headers.update(error.headers or {})
        return refused(request, refusal)

    @app.exception_handler(RequestValidationError)
    async def of_a_parameter(request: Request, error: RequestValidationError) -> Response:
        reasons = [f"`{mistake['loc'][-1]}`: {mistake['msg']}" for mistake in error.errors()]
        return refused(request, Refusal(422, "bad_parameter", f"{'; '.join(reasons)}."))

    @app.exception_handler(ClientDisconnect)
    async def of_nobody(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=GONE)
