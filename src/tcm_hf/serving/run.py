"""An application as a process: it listens, and when it is told to stop it first answers what has come."""

import logging
import math
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tcm_hf.serving.settings import ServerSettings

_LOGGER = logging.getLogger("tcm_hf.serving")
_TO_SAY_GOODBYE_S = 5


class _Server(uvicorn.Server):
    """Lets nobody in any more from the moment when it is told to stop."""

    def __init__(self, app: FastAPI, config: uvicorn.Config):
        super().__init__(config)
        self._places = app.state.service.places

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take notice of SIGTERM or SIGINT."""
        self._places.closed = True
        super().handle_exit(sig, frame)


def take_address(host: str, port: int) -> socket.socket:
    """A socket that has an address; `run_server` lets connections come.

    Args:
        host: Name or address, of IPv4 or IPv6.
        port: 0 takes any that is free.

    Raises:
        OSError: If there is no such host here, or the port is taken or not allowed.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    taken = socket.socket(family, kind, protocol)
    try:
        # A server that has just ended does not block its address.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError:
        taken.close()
        raise
    return taken


def run_server(app: FastAPI, taken: socket.socket, settings: ServerSettings, *, quiet: bool = False) -> None:
    """Serve an application until SIGTERM or Ctrl-C, then answer what is inside, and end.

    Args:
        app: From `create_app`.
        taken: From `take_address`.
        settings: Those of the application.
        quiet: Whether the log on stderr tells of faults only, and not of every request.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        # Bounds the headers of a request; httptools, which uvicorn prefers where it is there, does not.
        http="h11",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.timeout_s) + _TO_SAY_GOODBYE_S,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)
    # It tells of every broken form; so does the answer.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    _Server(app, config).run(sockets=[taken])
