"""Throughput, latency and memory of `tcm-hf serve` under load, over loopback; ends with 1 at any error.

    python benchmarks/serving_load.py
    python benchmarks/serving_load.py --clients 1 8 64 --seconds 60 --bad 0.2

Every client sends the example photos one after the other; where it is refused (429) it waits a moment. Some
of what is sent is no photo, and must be told so. The last row is the pipeline alone, in a process of its own.
"""

import argparse
import asyncio
import contextlib
import itertools
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from harness import REPOSITORY, machine, print_table

READY_WITHIN_S = 180
WAIT_AFTER_REFUSAL_S = 0.1
SERVED, REFUSED = 200, 429
BATCH = 4
COLUMNS = (
    *("clients", "photos/s", "told bad", "refused", "errors", "p50 ms", "p95 ms"),
    *("photos a batch", "CPU ms a photo", "memory MB"),
)


@dataclass
class Level:
    """What so many clients were answered.

    Attributes:
        seconds: that it went on.
        took_s: seconds of every photo that was read.
        told_bad: files that are no photos and were told so.
        refused: answers 429.
        errors: what should not be: another status, or a connection that broke.
        memory_mb: of the server, from time to time.
    """

    seconds: float = 0.0
    took_s: list[float] = field(default_factory=list)
    told_bad: int = 0
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


@contextlib.contextmanager
def served(options: list[str]) -> Iterator[str]:
    """The server in a process of its own; gives its address. It must end by itself when it is told to."""
    command = [sys.executable, "-m", "tcm_hf", "serve", "--port", "0", "--quiet", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        url = None
        for line in process.stderr or ():
            if found := re.search(r"http://\S+", line):
                url = found[0]
                break
        if url is None:
            raise SystemExit("the server did not start")
        yield url
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=READY_WITHIN_S)
    finally:
        process.kill()


def files_to_send(bad: float) -> Iterator[tuple[bytes, int]]:
    """Files without end, with the status that each must get; the share `bad` of them are no photos."""
    photos = [path.read_bytes() for path in sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))]
    no_photos = [(photos[0][: len(photos[0]) // 2], 422), (b"PK\3\4" + photos[0], 415), (b"", 422)]
    others = itertools.cycle(no_photos)
    owed = 0.0
    for photo in itertools.cycle(photos):
        owed += bad
        if owed >= 1:
            owed -= 1
            yield next(others)
        yield photo, SERVED


async def load(url: str, clients: int, seconds: float, bad: float) -> Level:
    """Send from so many clients at once."""
    level, files = Level(), files_to_send(bad)
    limits = httpx.Limits(max_connections=clients + 1)
    async with httpx.AsyncClient(base_url=url, timeout=READY_WITHIN_S, limits=limits) as connections:
        began = time.perf_counter()

        async def client() -> None:
            while time.perf_counter() < began + seconds:
                await send(connections, *next(files), level)

        async def watch() -> None:
            while True:
                counts = await metrics(connections)
                level.memory_mb.append(counts["process_resident_memory_bytes"] / 1e6)
                await asyncio.sleep(seconds / 20)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(client() for _ in range(clients)))
        level.seconds = time.perf_counter() - began
        watching.cancel()
    return level


async def send(connections: httpx.AsyncClient, content: bytes, expected: int, level: Level) -> None:
    began = time.perf_counter()
    try:
        answer = await connections.post("/v1/read", content=content)
    except httpx.HTTPError as error:
        level.errors.append(repr(error))
        return
    if answer.status_code == REFUSED:
        level.refused += 1
        await asyncio.sleep(WAIT_AFTER_REFUSAL_S)
    elif answer.status_code != expected:
        level.errors.append(f"{answer.status_code} in place of {expected}: {answer.text}")
    elif expected == SERVED:
        level.took_s.append(time.perf_counter() - began)
    else:
        level.told_bad += 1


async def metrics(connections: httpx.AsyncClient) -> dict[str, float]:
    """The server's counts by name and labels."""
    text = (await connections.get("/metrics")).text
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


async def counted(url: str) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=url, timeout=READY_WITHIN_S) as connections:
        return await metrics(connections)


def row_of(clients: int, level: Level, before: dict[str, float], after: dict[str, float]) -> list[object]:
    def grown(name: str) -> float:
        return after[name] - before[name]

    took_ms = sorted(1000 * seconds for seconds in level.took_s)
    batches = max(grown("tcm_hf_batch_pictures_count"), 1)
    return [
        clients,
        len(took_ms) / level.seconds,
        level.told_bad,
        level.refused,
        len(level.errors),
        statistics.median(took_ms),
        took_ms[int(0.95 * len(took_ms))],
        grown("tcm_hf_batch_pictures_sum") / batches,
        1000 * grown("process_cpu_seconds_total") / len(took_ms),
        statistics.mean(level.memory_mb[-5:]),
    ]


def pipeline_row(seconds: float) -> list[object]:
    """The pipeline alone, in batches of the same size."""
    program = f"""
import itertools, resource, sys, time
import tcm_hf
from transformers import pipeline
reader = pipeline("text-spotting", device="cpu")
photos = itertools.cycle({[str(path) for path in sorted((REPOSITORY / "examples/images").glob("*.jpg"))]})
reader(list(itertools.islice(photos, {BATCH})), batch_size={BATCH})
count, began, cpu = 0, time.perf_counter(), time.process_time()
while time.perf_counter() < began + {seconds}:
    reader(list(itertools.islice(photos, {BATCH})), batch_size={BATCH})
    count += {BATCH}
print(count / (time.perf_counter() - began), 1000 * (time.process_time() - cpu) / count,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    photos_s, cpu_ms, memory_mb = map(float, output.split())
    return ["pipeline", photos_s, "", "", "", "", "", BATCH, cpu_ms, memory_mb]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=12, help="of every row")
    parser.add_argument("--bad", type=float, default=0.1, help="share of files that are no photos")
    parser.add_argument("--save-metrics", type=Path, help="where the server's last counts go")
    arguments, options = parser.parse_known_args()

    rows, errors, levels = [], [], []
    with served(options) as url:
        asyncio.run(load(url, 2, 3, arguments.bad))  # a warm-up
        for clients in arguments.clients:
            before = asyncio.run(counted(url))
            level = asyncio.run(load(url, clients, arguments.seconds, arguments.bad))
            rows.append(row_of(clients, level, before, asyncio.run(counted(url))))
            errors += level.errors
            levels.append(level)
        if arguments.save_metrics:
            arguments.save_metrics.write_text(httpx.get(f"{url}/metrics").text, encoding="utf-8")
    rows.append(pipeline_row(arguments.seconds))

    print(f"`tcm-hf serve` under load, {machine()}, {arguments.seconds:g} s a row\n")
    print_table(COLUMNS, rows)
    last = levels[-1].memory_mb
    thirds = [statistics.mean(part) for part in (last[: len(last) // 3], last[-len(last) // 3 :])]
    print(f"\nMemory in the first and the last third of the last row: {thirds[0]:.0f} and {thirds[1]:.0f} MB")
    for error in errors[:5]:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
