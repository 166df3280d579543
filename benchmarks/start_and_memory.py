"""Seconds from the start of a process to the first words, and the most memory it takes: ours and others.

    python benchmarks/start_and_memory.py
    python benchmarks/start_and_memory.py --photo ../shared/data/ic15-train/img_905.webp --threads 2

Every reader gets a fresh process, which imports, loads, reads a photo and then the same one again; files are
in the disk cache. Memory is the resident set at its peak, which holds the libraries as well.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
from harness import REPOSITORY, machine, print_table

Read = Callable[[str], Any]


def ours(task: str, dtype: str, threads: int) -> Read:
    """One of our pipelines."""
    import torch
    from transformers import pipeline

    import tcm_hf  # noqa: F401 (registers the task)

    torch.set_num_threads(threads)
    return pipeline(task, device="cpu", dtype=dtype)


def peer(name: str, threads: int) -> Read:
    """A reader of `peers.py`."""
    import cv2

    cv2.setNumThreads(threads)
    reader = getattr(peers, name)(threads)
    return lambda path: reader.read_photos([cv2.imread(path)[..., ::-1]])


READERS: dict[str, Callable[[int], Read]] = {
    "tcm_hf detects, float32": lambda threads: ours("text-detection", "float32", threads),
    "tcm_hf detects, auto": lambda threads: ours("text-detection", "auto", threads),
    "tcm_hf reads, float32": lambda threads: ours("text-spotting", "float32", threads),
    "tcm_hf reads, auto": lambda threads: ours("text-spotting", "auto", threads),
    "rapidocr": lambda threads: peer("RapidOCRLines", threads),
    "tesseract": lambda threads: peer("Tesseract", threads),
}


def run_alone(name: str, photo: str, threads: int) -> None:
    """What a fresh process does: print when it was ready and when it had read, and its peak in MiB."""
    read = READERS[name](threads)
    times = [time.time()]
    for _ in range(2):
        read(photo)
        times.append(time.time())
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # Tesseract is a process of its own
    print(json.dumps([*times, max(resource.getrusage(who).ru_maxrss for who in processes) / 1024]))


def measured(name: str, photo: str, threads: int) -> list[float]:
    """Seconds until it is ready, until the first words, and for the second time; MiB at the peak."""
    command = [sys.executable, __file__, "--photo", photo, "--threads", str(threads), "--alone", name]
    began = time.time()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    if process.returncode:
        raise RuntimeError(f"{name} failed: {process.stderr.strip()}")
    ready, first, second, peak = json.loads(process.stdout.splitlines()[-1])
    return [ready - began, first - began, second - first, peak]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photo",
        type=Path,
        default=REPOSITORY / "examples" / "images" / "street.jpg",
        help="what they read (%(default)s)",
    )
    parser.add_argument("--threads", type=int, default=1, help="that each may use (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each (%(default)s)")
    there = [name for name in READERS if name.startswith("tcm_hf") or name in peers.installed_peers()]
    parser.add_argument(
        "--readers", nargs="+", choices=tuple(READERS), default=there, help="(all that are installed)"
    )
    parser.add_argument("--alone", choices=tuple(READERS), help="run this one here and print its figures")
    arguments = parser.parse_args()
    photo = str(arguments.photo)
    if arguments.alone:
        run_alone(arguments.alone, photo, arguments.threads)
        return
    rounds = [
        [measured(name, photo, arguments.threads) for name in arguments.readers]
        for _ in range(arguments.repeats)
    ]
    rows = [
        (name, *(statistics.median(values) for values in zip(*runs, strict=True)))
        for name, runs in zip(arguments.readers, zip(*rounds, strict=True), strict=True)
    ]
    print(f"{arguments.photo.name}, {arguments.threads} thread(s), fresh processes; {machine()}\n")
    print_table(
        ("reader", "ready after, s", "first words after, s", "once more, s", "peak memory, MiB"), rows
    )


if __name__ == "__main__":
    main()
