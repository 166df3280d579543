"""`tcm-hf serve`: read the photos that are sent over HTTP, and serve a page to send them from."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from tcm_hf.cli.arguments import positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.photo_jobs import check_call
from tcm_hf.cli.read import ReadJob, add_reader_arguments
from tcm_hf.serving.settings import ServerSettings

_DESCRIPTION = """\
Read the photos that are sent over HTTP; http://HOST:PORT/ is a page to send them from. How photos are read is
decided here, not by requests. Ctrl-C or SIGTERM ends it when what has come is read."""
_DEFAULTS = ServerSettings()
_MIB, _MILLION = 2**20, 10**6


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = subparsers.add_parser(
        "serve", help="read photos that are sent over HTTP", description=_DESCRIPTION
    )
    address = parser.add_argument_group("address")
    address.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 takes requests of other machines (default: %(default)s)"
    )
    address.add_argument("--port", type=_port, default=8000, help="0 takes a free one (default: %(default)s)")
    address.add_argument("-q", "--quiet", action="store_true", help="no line on stderr for every request")
    limits = parser.add_argument_group("limits")

    def add(name: str, type: Callable[[str], Any], default: float, metavar: str, text: str) -> None:
        shown = f"{text} (default: {default:g})"
        limits.add_argument(name, type=type, default=default, metavar=metavar, help=shown)

    add("--max-file-size", _positive, _DEFAULTS.max_file_bytes / _MIB, "MIB", "of an image")
    add("--max-pixels", _positive, _DEFAULTS.max_pixels / _MILLION, "MILLION", "of an image")
    add("--max-requests", positive_int, _DEFAULTS.max_requests, "N", "at once; one more is refused")
    add(
        "--max-wait",
        _not_negative,
        _DEFAULTS.max_wait_s,
        "S",
        "for images that are coming, to read all together",
    )
    add("--timeout", _positive, _DEFAULTS.timeout_s, "S", "from when an image has come until it is read")
    add("--upload-timeout", _positive, _DEFAULTS.upload_timeout_s, "S", "until an image has come")
    add_reader_arguments(parser, batch_size=_DEFAULTS.max_batch)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop.

    Raises:
        CommandError: For a mistake in the arguments, or if a package is missing.
        OSError: If the address is taken, or none of this machine.
    """
    try:
        from tcm_hf.serving.app import create_app
        from tcm_hf.serving.run import run_server, take_address
    except ModuleNotFoundError as error:
        raise CommandError(f'serving needs {error.name}: pip install "tcm_hf[serve]"') from error

    settings = ServerSettings(
        max_file_bytes=round(arguments.max_file_size * _MIB),
        max_pixels=round(arguments.max_pixels * _MILLION),
        max_requests=arguments.max_requests,
        max_batch=arguments.batch_size,
        max_wait_s=arguments.max_wait,
        timeout_s=arguments.timeout,
        upload_timeout_s=arguments.upload_timeout,
    )
    job = ReadJob(arguments)
    # Both before the models are loaded: mistakes are told at once.
    call_params = job.call_params()
    taken = take_address(arguments.host, arguments.port)
    app = create_app(_load_reader(job, call_params), settings)
    host, port = taken.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"tcm-hf serve: http://{shown}:{port}/ (Ctrl-C ends it)", file=sys.stderr, flush=True)
    run_server(app, taken, settings, quiet=arguments.quiet)
    return 0


def _load_reader(job: ReadJob, call_params: dict[str, Any]) -> Any:
    from tcm_hf.serving.pipeline_reader import PipelineReader

    pipeline = job.load()
    check_call(pipeline, call_params)
    names, params = job.pinned_ids(pipeline), job.effective_params(pipeline)
    return PipelineReader(pipeline, names=names, call_params=call_params, params=params)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: take a whole number from 0 to 65535")
    return int(text)


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value
