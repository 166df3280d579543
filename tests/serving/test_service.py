"""Full, slow, failing and stopping servers, and clients that go away: over real connections."""

import asyncio
import gc
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from test_app import assert_problem

from stub_server import HeldReader, image_file, live_server, stub_reader, wait_until
from tcm_hf.serving.app import create_app
from tcm_hf.serving.settings import ServerSettings

PHOTO = image_file()


@contextmanager
def served(reader, **limits):
    """The application, and a client of its server."""
    app = create_app(reader, ServerSettings(**limits))
    with live_server(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield app, client


def send(client, name="a.jpg"):
    return client.post("/v1/read", files={"image": (name, PHOTO)})


def count(client, name):
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)), 0)


def raw_request(client, body=PHOTO, length=None):
    """A connection over which a request has been sent, by hand."""
    head = f"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(body)}\r\n\r\n"
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)
    connection.sendall(head.encode() + body)
    return connection


@contextmanager
def in_threads():
    """A pool whose work has ended when the block has."""
    with ThreadPoolExecutor(16) as pool:
        yield pool


def test_a_full_server_refuses_and_stays_sound():
    reader = HeldReader()
    with served(reader, max_requests=3) as (_, client), in_threads() as pool:
        inside = [pool.submit(send, client, f"{number}.jpg") for number in range(3)]
        wait_until(lambda: count(client, "tcm_hf_requests_inside") == 3)
        refused = [pool.submit(send, client).result() for _ in range(5)]
        reader.go.set()
        assert [future.result().status_code for future in inside] == [200] * 3
        assert send(client).status_code == 200
    for answer in refused:
        assert_problem(answer, 429, "busy")
        assert int(answer.headers["retry-after"]) >= 1


def test_a_refused_photo_need_not_have_come():
    reader = HeldReader()
    with served(reader, max_requests=1) as (_, client), in_threads() as pool:
        inside = pool.submit(send, client)
        wait_until(lambda: reader.batches)
        with raw_request(client, PHOTO[:100], length=10**7) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 429 ")
        reader.go.set()
        assert inside.result().status_code == 200


def test_photos_that_wait_are_read_together_and_get_their_own_records():
    reader = HeldReader()
    with served(reader, max_batch=4) as (_, client), in_threads() as pool:
        first = pool.submit(send, client, "first.jpg")
        wait_until(lambda: reader.batches)
        names = [f"{number}.jpg" for number in range(4)]
        others = [pool.submit(send, client, name) for name in names]
        wait_until(lambda: count(client, 'tcm_hf_stage_seconds_count{stage="prepare"}') == 5)
        reader.go.set()
        assert [future.result().json()["source"]["path"] for future in others] == names
        assert first.result().json()["source"]["path"] == "first.jpg"
    assert [sorted(batch) for batch in reader.batches] == [["first.jpg"], names]


def test_a_photo_that_is_not_read_in_time_is_told_so():
    reader = HeldReader()
    with served(reader, timeout_s=0.2) as (_, client):
        assert_problem(send(client), 504, "timeout")
        assert count(client, "tcm_hf_requests_inside") == 0
        wait_until(lambda: client.get("/ready").status_code == 503)
        assert_problem(client.get("/ready"), 503, "stuck")
        assert client.get("/health").status_code == 200
        reader.go.set()
        wait_until(lambda: client.get("/ready").status_code == 200)
        wait_until(lambda: send(client).status_code == 200)


def test_a_photo_that_does_not_come_is_not_waited_for():
    with served(stub_reader, upload_timeout_s=0.2) as (_, client):
        with raw_request(client, PHOTO[:100], length=10**6) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert count(client, "tcm_hf_requests_inside") == 0


def test_a_client_that_goes_away_leaves_the_queue():
    reader = HeldReader()
    with served(reader) as (_, client), in_threads() as pool:
        first = pool.submit(send, client, "first.jpg")
        wait_until(lambda: reader.batches)
        connection = raw_request(client)
        wait_until(lambda: count(client, 'tcm_hf_stage_seconds_count{stage="prepare"}') == 2)
        connection.close()
        wait_until(lambda: count(client, 'tcm_hf_requests_total{path="/v1/read",status="499"}') == 1)
        assert count(client, "tcm_hf_requests_inside") == 1
        reader.go.set()
        assert first.result().status_code == 200
        assert send(client, "last.jpg").status_code == 200
    assert reader.batches == [["first.jpg"], ["last.jpg"]]


def test_a_client_that_goes_away_while_it_sends_gives_up_its_place():
    with served(stub_reader) as (_, client):
        connection = raw_request(client, PHOTO[:100], length=10**6)
        wait_until(lambda: count(client, "tcm_hf_requests_inside") == 1)
        connection.close()
        wait_until(lambda: count(client, "tcm_hf_requests_inside") == 0)
        assert count(client, 'tcm_hf_requests_total{path="/v1/read",status="499"}') == 1


def test_a_reader_that_fails_is_told_as_a_fault_of_the_server(caplog):
    def reader(photos):
        if any(photo.name == "bad.jpg" for photo in photos):
            raise ArithmeticError("secret path /srv/model")
        return stub_reader(photos)

    with served(reader) as (_, client):
        detail = assert_problem(send(client, "bad.jpg"), 500, "internal")
        assert send(client).status_code == 200
    assert "secret" not in detail
    assert "secret path /srv/model" in caplog.text


def test_a_record_that_cannot_be_written_is_told_as_a_fault_of_the_server(caplog):
    with served(lambda photos: [{"source": {}} for _ in photos]) as (_, client):
        answer = client.post("/v1/read", params={"format": "text"}, content=PHOTO)
        assert_problem(answer, 500, "internal")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert send(client).status_code == 200
        assert count(client, 'tcm_hf_requests_total{path="/v1/read",status="500"}') == 1


def test_the_log_tells_requests_but_nothing_of_their_photos(caplog):
    caplog.set_level("INFO", "tcm_hf.serving")
    with served(stub_reader) as (_, client):
        answer = send(client, "private.jpg")
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("tcm_hf.serving")]
    assert line.startswith("POST /v1/read 200 ")
    assert line.endswith(answer.headers["x-request-id"])
    assert "private" not in caplog.text


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_server_that_stops_answers_what_is_inside_and_refuses_the_rest(http):
    if http == "httptools":
        pytest.importorskip("httptools", reason="uvicorn's other parser")
    reader = HeldReader()
    app = create_app(reader)
    with httpx.Client(timeout=60) as client, in_threads() as pool, live_server(app, http=http) as url:
        client.base_url = url
        inside = [pool.submit(send, client, f"{number}.jpg") for number in range(3)]
        wait_until(lambda: reader.batches and count(client, "tcm_hf_requests_inside") == 3)
        # As the signal does, see test_serving_run.py.
        app.state.service.places.closed = True
        assert_problem(client.get("/ready"), 503, "stopping")
        answer = send(client)
        assert_problem(answer, 503, "stopping")
        assert int(answer.headers["retry-after"]) >= 1
        threading.Timer(0.2, reader.go.set).start()
    assert [future.result().status_code for future in inside] == [200] * 3


@pytest.mark.parametrize(
    "limits",
    [{"max_file_bytes": 0}, {"max_batch": -1}, {"timeout_s": 0}, {"max_wait_s": -1}, {"max_requests": 0}],
    ids=str,
)
def test_limits_that_let_nothing_through_are_refused(limits):
    (name,) = limits
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ServerSettings(**limits)


def test_memory_stays_flat_at_saturation():
    async def rounds(number):
        app = create_app(stub_reader, ServerSettings(max_requests=8))
        transport = httpx.ASGITransport(app=app)
        async with app.state.service.running(), httpx.AsyncClient(transport=transport) as client:
            objects = []
            for _ in range(number):
                sent = (client.post("http://x/v1/read", content=content) for content in [PHOTO, b"text"] * 20)
                answers = await asyncio.gather(*sent)
                assert {answer.status_code for answer in answers} <= {200, 415, 429}
                assert {answer.status_code for answer in answers} >= {200, 429}
                del answers
                gc.collect()
                objects.append(len(gc.get_objects()))
        return objects

    objects = asyncio.run(rounds(8))
    # A request that left something behind would leave it 40 times a round.
    assert max(objects[4:]) - objects[3] < 40
