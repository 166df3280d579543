"""What the verbs that generate pictures share: arguments, kept settings, work in several processes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, count_int, positive_int
from tcm_hf.results.atomic import write_text_whole

SETTINGS_FILE = "synth.json"


def add_generating_arguments(parser: argparse.ArgumentParser, count: int, noun: str, writing: str) -> None:
    """Add how many pictures are made, from what, and by how many processes.

    Args:
        parser: The verb's.
        count: The default of `--count`.
        noun: What is counted.
        writing: What lies on the backgrounds.
    """
    add_count_arguments(parser, count, noun)
    parser.add_argument(
        "--fonts", type=Path, nargs="+", metavar="DIR", help="folders of fonts (default: the system's fonts)"
    )
    parser.add_argument(
        "--backgrounds",
        nargs="+",
        default=[],
        metavar=CORPUS_METAVAR,
        help="corpora of annotated photos (see tcm-hf data list; A-B takes the photos with these numbers "
        f"only); text-free crops of them lie behind the {writing}",
    )


def add_count_arguments(parser: argparse.ArgumentParser, count: int, noun: str) -> None:
    """Add how many pictures are made, by how many processes; see `add_generating_arguments`."""
    parser.add_argument(
        "--count", type=positive_int, default=count, help=f"how many {noun} (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=count_int, default=0, help="the data set's seed (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=positive_int, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )


def size_hw(text: str) -> tuple[int, int]:
    """The size of a picture, WIDTHxHEIGHT, as height and width."""
    width, _, height = text.lower().partition("x")
    try:
        return int(height), int(width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 640x480, got {text!r}") from None


def keep_settings(folder: Path, settings: dict[str, Any], file_name: str = SETTINGS_FILE) -> None:
    """Write down what a data set is made with, or check that it is the same as before.

    Args:
        folder: The data set's folder, made when it is not there.
        settings: What JSON can hold.
        file_name: Where they are written down in the folder.

    Raises:
        ValueError: If the folder holds pictures made with other settings.
    """
    kept = folder / file_name
    if kept.exists() and json.loads(kept.read_text()) != settings:
        raise ValueError(
            f"{folder} holds images made with other settings ({kept}). "
            "Give another --output, or the same settings."
        )
    write_text_whole(kept, json.dumps(settings, indent=1) + "\n")


def in_processes(work: Callable[[int], Any], todo: Sequence[int], workers: int, unit: str) -> Iterator[Any]:
    """Do a number of pieces of work, with a progress bar on stderr.

    Args:
        work: Makes one piece from its number; it is sent to every process once.
        todo: The numbers.
        workers: Processes; 1 works in this one.
        unit: The word for one piece in the progress bar.

    Yields:
        The results in the order of `todo`.
    """
    import multiprocessing

    from tqdm import tqdm

    with tqdm(total=len(todo), unit=unit, file=sys.stderr, disable=None) as progress:
        if workers == 1 or len(todo) < 2:
            for number in todo:
                yield work(number)
                progress.update()
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(workers, len(todo)), _start_worker, (work,)) as pool:
            for result in pool.imap(_do, todo, chunksize=8):
                yield result
                progress.update()


_work: Callable[[int], Any]


def _start_worker(work: Callable[[int], Any]) -> None:
    import signal

    import cv2

    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    _work = work


def _do(number: int) -> Any:
    return _work(number)
