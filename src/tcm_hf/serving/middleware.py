"""What every request meets first and last: an id, safe headers, a line in the log, a count."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tcm_hf.serving.metrics import Metrics
from tcm_hf.serving.refusals import internal_error, problem_response

# How a request is counted whose client did not wait for the answer, as nginx does.
GONE = 499

_LOGGER = logging.getLogger(__name__)
_REQUEST_ID = "X-Request-ID"
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What the page needs; all other answers need less.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestMiddleware:
    """The outermost layer of the application (ASGI).

    Nothing that was sent or read is logged: a request is told by its address, status, time and id.

    Args:
        app: What is inside.
        metrics: Is told of every answer.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(_REQUEST_ID, "")
        request_id = asked if _GOOD_ID.fullmatch(asked) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = GONE

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[_REQUEST_ID] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            _LOGGER.exception("request %s failed", request_id)
            if status == GONE:
                await problem_response(internal_error(), request_id)(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - began
            # Addresses that are none of ours share a name: nobody can fill the memory with them.
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.observe_request(path, status, seconds)
            _LOGGER.info("%s %s %d %.3fs %s", scope["method"], path, status, seconds, request_id)
