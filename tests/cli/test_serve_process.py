"""`tcm-hf serve` as a user starts it, with the models that ship."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

import tcm_hf

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "images").glob("*.jpg"))
COMMAND = [sys.executable, "-m", "tcm_hf"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (tcm_hf.default_checkpoint() / "model.safetensors").is_file(), reason="no weights are shipped"
    ),
]


@pytest.fixture
def server():
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--timeout", "600"], stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()


def send(url, path):
    with path.open("rb") as file:
        return httpx.post(f"{url}/v1/read?lines=true", files={"image": file}, timeout=300)


def test_the_shipped_reader_says_the_same_as_the_command_line(server):
    paths = EXAMPLES * 3
    url = next(match[0] for line in server.stderr if (match := re.search(r"http://[\d.:]+", line)))
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(send, [url] * len(paths), paths))
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    server.send_signal(signal.SIGTERM)
    _, log = server.communicate(timeout=60)
    assert log.count("POST /v1/read 200 ") == len(paths)

    command = [*COMMAND, "read", *map(str, EXAMPLES), "--format", "json", "--lines", "--quiet"]
    expected = json.loads(subprocess.check_output(command, text=True))
    for answer, path, of_read in zip(answers, paths, expected * 3, strict=True):
        record = answer.json()
        assert record["source"] == {**of_read["source"], "path": path.name}
        assert (record["model"], record["params"]) == (of_read["model"], of_read["params"])
        assert len(record["instances"]) == len(of_read["instances"]) > 3
        for ours, theirs in zip(record["instances"], of_read["instances"], strict=True):
            assert (ours["text"], ours["line"]) == (theirs["text"], theirs["line"])
            np.testing.assert_allclose(ours["polygon"], theirs["polygon"], atol=1)
        assert [line["text"] for line in record["lines"]] == [line["text"] for line in of_read["lines"]]
