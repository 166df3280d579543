"""A server as a process of its own, told to stop by a signal."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from stub_server import image_file, stub_reader, wait_until
from tcm_hf.serving.app import create_app
from tcm_hf.serving.run import run_server, take_address
from tcm_hf.serving.settings import ServerSettings

# A reader that waits for a line on stdin; the port is told on stdout.
PROGRAM = """
import sys
from stub_server import stub_reader
from tcm_hf.serving.app import create_app
from tcm_hf.serving.run import run_server, take_address
from tcm_hf.serving.settings import ServerSettings

def reader(photos):
    sys.stdin.readline()
    return stub_reader(photos)

taken = take_address("127.0.0.1", 0)
settings = ServerSettings()
print(taken.getsockname()[1], flush=True)
run_server(create_app(reader, settings), taken, settings)
"""


def is_up(url):
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_lets_requests_end_and_then_the_process(sign):
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(server.stdout.readline())
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_up(url))
        photo = image_file()
        head = f"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head.encode() + photo)
            wait_until(lambda: "\ntcm_hf_batch_pictures_count 1.0" in httpx.get(f"{url}/metrics").text)
            server.send_signal(sign)
            wait_until(lambda: not is_up(url))
            server.stdin.write("\n")
            server.stdin.flush()
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        _, log = server.communicate(timeout=60)
    finally:
        server.kill()
    # As a process that the signal ends, but only afterwards. Of SIGINT Python tells by an exception or, where
    # it comes to the loop of asyncio that has done its work, not at all.
    assert server.returncode in (-sign, *((0, 1) if sign == signal.SIGINT else ())), log
    assert "POST /v1/read 200 " in log
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_headers_without_end_are_refused_whatever_uvicorn_would_take(monkeypatch):
    configs = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: configs.append(server.config))
    with take_address("127.0.0.1", 0) as taken:
        run_server(create_app(stub_reader), taken, ServerSettings(), quiet=True)
    configs[0].load()
    assert configs[0].http_protocol_class is H11Protocol
    assert configs[0].h11_max_incomplete_event_size is None  # h11's own limit, 16 KiB


def test_an_address_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        take_address("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_here_is_an_error(host):
    with pytest.raises(OSError):
        take_address(host, 0)
