"""Requests that cannot be answered: what is told to whom, as RFC 9457 has it."""

from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """The body of every answer that is no result (RFC 9457)."""

    type: str = Field(default="about:blank", description="Nothing more is told elsewhere.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What was expected, what came and what to do, for people.")
    code: str = Field(description="One word for programs.", examples=["animated"])
    request_id: str = Field(description="As in X-Request-ID, and in the server's log.")


class Refusal(Exception):
    """A request that is not answered with a result.

    Args:
        status: The HTTP status.
        code: One word for programs; it stays the same when `detail` is worded anew.
        detail: What was expected, what came, what to do: to be shown to people as it is.
        retry_after_s: When it is worth another try; `None` where the same request never succeeds.
    """

    def __init__(self, status: int, code: str, detail: str, *, retry_after_s: int | None = None):
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}

    def problem(self, request_id: str) -> Problem:
        """The body of the answer."""
        return Problem(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            code=self.code,
            request_id=request_id,
        )


def internal_error() -> Refusal:
    """What is told of a fault of ours: that it is one; the log tells more."""
    return Refusal(500, "internal", "The server failed at this picture; its log tells more.")


def problem_response(refusal: Refusal, request_id: str) -> JSONResponse:
    """A refusal as an answer."""
    body = refusal.problem(request_id).model_dump()
    return JSONResponse(body, refusal.status, headers=refusal.headers, media_type=MEDIA_TYPE)
