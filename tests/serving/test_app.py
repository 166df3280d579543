"""What is told at each address, by a real server whose reader has no models."""

import json
import re
from xml.etree import ElementTree

import httpx
import pytest

from json_schema import assert_follows, shipped_schema
from stub_server import WORDS, image_file, live_server, stub_reader
from tcm_hf._version import __version__
from tcm_hf.serving.app import PAGE_FILES, create_app
from tcm_hf.serving.settings import ServerSettings

SETTINGS = ServerSettings(max_file_bytes=100_000, max_pixels=500_000)
XHTML = "{http://www.w3.org/1999/xhtml}"
PHOTO = image_file()


@pytest.fixture(scope="module")
def client():
    with live_server(create_app(stub_reader, SETTINGS)) as url, httpx.Client(base_url=url) as client:
        yield client


def assert_problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert len(problem["detail"]) > 10
    return problem["detail"]


def test_a_photo_in_a_form_gives_the_record_of_the_command_line(client):
    answer = client.post("/v1/read", files={"image": ("street.jpg", PHOTO)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    record = answer.json()
    assert_follows(record, shipped_schema("reading-1.json"))
    assert record["source"] == {"path": "street.jpg", "width": 320, "height": 200}
    assert [word["text"] for word in record["instances"]] == [*WORDS]
    assert "lines" not in record


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream", "text/plain", None])
def test_a_body_is_a_photo_whatever_type_it_says(client, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    record = client.post("/v1/read", content=PHOTO, headers=headers).json()
    assert record["source"] == {"path": "image", "width": 320, "height": 200}


def test_lines_come_on_demand(client):
    record = client.post("/v1/read", params={"lines": True}, content=PHOTO).json()
    assert_follows(record, shipped_schema("reading-1.json"))
    assert [line["text"] for line in record["lines"]] == [" ".join(WORDS)]


def test_the_text_alone_comes_on_demand(client):
    answer = client.post("/v1/read", params={"format": "text"}, content=PHOTO)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "GRAND CAFÉ\n"


def test_hocr_comes_on_demand(client):
    answer = client.post("/v1/read", params={"format": "hocr"}, files={"image": ('a"b.jpg', PHOTO)})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    document = ElementTree.fromstring(answer.text)
    words = [span for span in document.iter(f"{XHTML}span") if span.get("class") == "ocrx_word"]
    assert [word.text for word in words] == [*WORDS]


def test_texts_are_found_without_reading_them(client):
    record = client.post("/v1/detect", files={"image": ("street.jpg", PHOTO)}).json()
    assert_follows(record, shipped_schema("detection-1.json"))
    assert len(record["instances"]) == 2
    assert "text" not in record["instances"][0]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/read", {"format": "pdf"}),
        ("/v1/read", {"formats": "text"}),
        ("/v1/read", {"lines": "perhaps"}),
        ("/v1/detect", {"format": "text"}),
    ],
)
def test_a_parameter_that_is_not_known_is_a_mistake(client, path, params):
    (name,) = params
    assert name in assert_problem(client.post(path, params=params, content=PHOTO), 422, "bad_parameter")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("trip/day 1/street.jpg", "street.jpg"),
        ("C:\\photos\\street.jpg", "street.jpg"),
        ("../../etc/passwd", "passwd"),
        ("/", "image"),
        ("\x1b[31mred\x07.jpg", "[31mred.jpg"),
        ("Straße 日本.jpg", "Straße 日本.jpg"),
        ("x" * 400 + ".jpg", "x" * 251 + ".jpg"),
    ],
    ids=["folder", "backslash", "upwards", "nothing", "terminal", "unicode", "long"],
)
def test_a_photo_is_told_by_its_name_alone(client, name, told):
    # As browsers write it: httpx would escape more.
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n\r\n%b\r\n--x--\r\n'
    answer = client.post(
        "/v1/read",
        content=form % (name.replace("\\", "\\\\").encode(), PHOTO),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.json()["source"]["path"] == told


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"files": {"file": ("a.jpg", PHOTO)}}, 422, "no_picture"),
        ({"files": [("image", ("a.jpg", PHOTO)), ("image", ("b.jpg", PHOTO))]}, 400, "bad_form"),
        ({"files": {"image": ("a.jpg", PHOTO)}, "data": {"format": "text"}}, 400, "bad_form"),
        ({"files": {"image": (None, b"no file")}}, 400, "bad_form"),
        ({"files": {"image": ("a.jpg", b"")}}, 422, "empty"),
        ({"files": {"image": ("a.jpg", b"PK\3\4")}}, 415, "unsupported_format"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "no_picture"),
        ({"content": b"??", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, "bad_form"),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad_form"),
        ({"data": {"image": "text"}}, 415, "not_an_image"),
        ({}, 422, "empty"),
    ],
    ids=[
        *("another field", "two files", "another value", "a value", "an empty file", "a zip archive"),
        *("an empty form", "no form", "no boundary", "a form of values", "nothing"),
    ],
)
def test_a_form_without_a_photo_is_told_so(client, form, status, code):
    assert_problem(client.post("/v1/read", **form), status, code)


# The first is a codec of Python's that always fails.
@pytest.mark.parametrize(("charset", "status"), [("undefined", 400), ("no-such-one", 200)])
def test_a_charset_that_is_none_is_no_fault_of_the_server(client, charset, status):
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n%b\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    answer = client.post("/v1/read", content=form % PHOTO, headers={"Content-Type": kind})
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/v1/read", "/v1/detect"])
def test_a_file_too_large_is_refused_however_it_comes(client, path):
    large = b"x" * (SETTINGS.max_file_bytes + 1)
    pieces = [large[:50_000]] * 4
    ways = [{"content": large}, {"content": iter(pieces)}, {"files": {"image": ("a.jpg", large)}}]
    for way in ways:
        assert "at most 0.0954 MiB" in assert_problem(client.post(path, **way), 413, "file_too_large")
    # The connection is still good.
    assert client.post(path, content=PHOTO).status_code == 200


def test_a_file_of_exactly_the_limit_is_looked_at(client):
    exact = b"x" * SETTINGS.max_file_bytes
    for way in ({"content": exact}, {"files": {"image": ("a.jpg", exact)}}):
        assert_problem(client.post("/v1/read", **way), 415, "not_an_image")


def test_a_picture_too_large_is_refused(client):
    content = image_file("PNG", size=(1000, 501), mode="1")
    assert "1000 x 501" in assert_problem(client.post("/v1/read", content=content), 413, "too_many_pixels")


def test_what_may_be_sent_is_told(client):
    limits = client.get("/v1/limits").json()
    assert limits["max_file_bytes"] == 100_000
    assert limits["max_pixels"] == 500_000
    assert limits["timeout_s"] == 60
    assert "JPEG" in limits["formats"]


def test_health_and_readiness_are_told(client):
    assert client.get("/health").json() == {"status": "ok", "version": __version__}
    assert client.get("/ready").json() == {"status": "ready"}


def test_unknown_addresses_and_methods_are_problems(client):
    assert_problem(client.get("/v1/nothing"), 404, "not_found")
    assert_problem(client.get("/../settings.py"), 404, "not_found")
    answer = client.get("/v1/read")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("sent", ["abc-1.2_Z", "x" * 64])
def test_a_request_keeps_its_id(client, sent):
    assert client.get("/health", headers={"X-Request-ID": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["x" * 65, "a b", "a<script>", ""])
def test_a_request_gets_an_id_where_it_has_none_that_is_safe(client, sent):
    told = client.get("/health", headers={"X-Request-ID": sent}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", told)


def test_every_answer_has_safe_headers(client):
    for answer in (client.get("/health"), client.get("/nothing"), client.post("/v1/read", content=PHOTO)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_is_served(client):
    for path in PAGE_FILES:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"
        assert client.head(path).status_code == 200
    assert client.get("/").headers["content-type"].startswith("text/html")


def test_metrics_count_answers_stages_and_batches():
    with live_server(create_app(stub_reader)) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            client.post("/v1/read", content=PHOTO)
        client.post("/v1/read", content=b"text")
        for path in ("/a", "/b", "/c"):
            client.get(path)
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counts = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert counts['tcm_hf_requests_total{path="/v1/read",status="200"}'] == "3.0"
    assert counts['tcm_hf_requests_total{path="/v1/read",status="415"}'] == "1.0"
    assert counts['tcm_hf_requests_total{path="other",status="404"}'] == "3.0"
    assert counts['tcm_hf_request_seconds_count{path="/v1/read"}'] == "4.0"
    assert counts["tcm_hf_batch_pictures_sum"] == "3.0"
    for stage in ("prepare", "wait", "process"):
        assert counts[f'tcm_hf_stage_seconds_count{{stage="{stage}"}}'] == "3.0"
    assert counts["tcm_hf_requests_inside"] == "0.0"
    assert counts[f'tcm_hf_build_info{{version="{__version__}"}}'] == "1.0"
    assert float(counts["process_resident_memory_bytes"]) > 1e6


def test_openapi_tells_bodies_records_and_problems(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {"/v1/read", "/v1/detect", "/v1/limits", "/health", "/ready", "/metrics"}
    read = document["paths"]["/v1/read"]["post"]
    ways = {"multipart/form-data", "image/*", "application/octet-stream"}
    assert set(read["requestBody"]["content"]) == ways
    assert read["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Reading"
    }
    assert set(read["responses"]) == {*map(str, (200, 400, 408, 413, 415, 422, 429, 500, 503, 504))}
    models = document["components"]["schemas"]
    assert models["Reading"]["properties"] == shipped_schema("reading-1.json")["properties"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(models)


def test_problems_follow_the_model_that_openapi_tells(client):
    schema = client.get("/openapi.json").json()["components"]["schemas"]["Problem"]
    problem = client.post("/v1/read").json()
    assert set(problem) == set(schema["properties"])
