"""Milliseconds a photo, from the file to words, of the shipped reader and of others on the same photos.

    python benchmarks/reading_speed.py
    python benchmarks/reading_speed.py --photos ../shared/data/ic15-train:901-912 --threads 1 2

The readers take turns photo by photo, each from the path on and with the same number of threads.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import torch
from harness import machine, print_table
from peers import RapidOCRLines, Tesseract, installed_peers
from photo_arguments import photo_paths, timing_parser
from transformers import pipeline

import tcm_hf  # noqa: F401 (registers the tasks)

BATCH = 4


class Shipped:
    """`pipeline("text-spotting")`.

    Args:
        dtype: as of the pipeline.
        threads: of torch and OpenCV.
    """

    def __init__(self, dtype: str, threads: int) -> None:
        self.threads = threads
        self.pipeline = pipeline("text-spotting", device="cpu", dtype=dtype)

    def __call__(self, path: str) -> int:
        """Number of texts read."""
        self._take_threads()
        return len(self.pipeline(path))

    def read_all(self, paths: Sequence[str]) -> None:
        """Photos in batches."""
        self._take_threads()
        self.pipeline(list(paths), batch_size=BATCH)

    def _take_threads(self) -> None:
        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.threads)


class Peer:
    """A reader of `peers.py`; it loads the photo as we do.

    Args:
        reader: the class.
        threads: that it may use.
    """

    def __init__(self, reader: Callable[[int], Any], threads: int) -> None:
        self.reader, self.threads = reader(threads), threads

    def __call__(self, path: str) -> int:
        """Number of texts read."""
        cv2.setNumThreads(self.threads)
        photo = cv2.imread(path)[..., ::-1]
        return len(self.reader.read_photos([photo])[0])


PEERS = {"rapidocr": RapidOCRLines, "tesseract": Tesseract}


def times_by_reader(
    readers: dict[Any, Callable[[str], int]], paths: Sequence[str], repeats: int
) -> tuple[dict[Any, list[float]], dict[Any, int]]:
    """Seconds of every photo (the median of the repeats) and texts in all, of each reader."""
    seconds: dict[Any, list[float]] = {key: [] for key in readers}
    texts = dict.fromkeys(readers, 0)
    for path in paths:
        taken: dict[Any, list[float]] = {key: [] for key in readers}
        for repeat in range(repeats):
            for key, read in readers.items():
                began = time.perf_counter()
                count = read(path)
                taken[key].append(time.perf_counter() - began)
                texts[key] += count if repeat == 0 else 0
        for key, values in taken.items():
            seconds[key].append(statistics.median(values))
    return seconds, texts


def photos_per_second(reader: Any, paths: Sequence[str]) -> float | None:
    """Photos in batches; None of a reader that takes them one by one."""
    if not isinstance(reader, Shipped):
        return None
    began = time.perf_counter()
    reader.read_all(paths)
    return len(paths) / (time.perf_counter() - began)


@torch.inference_mode()
def main() -> None:
    parser = timing_parser(__doc__, repeats=2)
    parser.add_argument(
        "--peers", nargs="*", choices=tuple(PEERS), default=installed_peers(), help="(all that are installed)"
    )
    arguments = parser.parse_args()
    paths = photo_paths(arguments.photos)
    rows = []
    for threads in arguments.threads:
        readers: dict[str, Any] = {f"tcm_hf, {dtype}": Shipped(dtype, threads) for dtype in arguments.dtypes}
        readers |= {name: Peer(PEERS[name], threads) for name in arguments.peers}
        for read in readers.values():
            read(paths[0])  # the first photo of a size is slower
        seconds, texts = times_by_reader(readers, paths, arguments.repeats)
        whole = {name: sum(values) for name, values in seconds.items()}
        reference = whole.get("rapidocr", whole[f"tcm_hf, {arguments.dtypes[0]}"])
        for name, values in seconds.items():
            batched = photos_per_second(readers[name], paths)
            rows.append(
                (
                    threads,
                    name,
                    texts[name],
                    1000 * statistics.median(values),
                    1000 * whole[name] / len(paths),
                    f"{len(paths) / whole[name]:.2f}",
                    "" if batched is None else f"{batched:.2f}",
                    f"{reference / whole[name]:.2f}",
                )
            )
    against = "rapidocr" if "rapidocr" in arguments.peers else "the first"
    print(f"{len(paths)} photos of {arguments.photos}; {machine()}\n")
    print_table(
        (
            "threads",
            "reader",
            "texts",
            "median, ms",
            "mean, ms",
            "photos/s",
            f"photos/s, batches of {BATCH}",
            f"times as fast as {against}",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
