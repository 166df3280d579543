"""What an image costs in a bulk run, beside a plain loop, and what that comes to for very many.

    python benchmarks/bulk_cost.py                                    # the generated scenes, two workers
    python benchmarks/bulk_cost.py --photos ../shared/data/ic15-train/images --images 60

The plain loop and the workers take the same photos, models and settings, one thread each. Of the run the
middle counts, when all workers have their models and none has run out of slices; what is before and after it
is told by itself, as it happens once.
"""

import argparse
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import REPOSITORY, machine, print_table

SUFFIXES = (".jpg", ".jpeg", ".png")
# The machines of the plan.
CORES, MACHINES = 32, (1, 10, 50, 100)


def copied_photos(source: Path, count: int, folder: Path) -> Path:
    """So many photos in a folder; those of the source again and again."""
    photos = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    folder.mkdir()
    for number in range(count):
        photo = photos[number % len(photos)]
        shutil.copy(photo, folder / f"{number:05d}{photo.suffix.lower()}")
    return folder


def bulk_job(photos: Path, output: Path, dtype: str):
    from tcm_hf.cli.bulk_job import BulkPhotoJob
    from tcm_hf.cli.main import build_parser
    from tcm_hf.cli.read import ReadJob

    words = ["read", str(photos), "--engine", "ray", "--output", str(output), "--dtype", dtype]
    return BulkPhotoJob(ReadJob(build_parser().parse_args(words)))


def plain_loop(job, photos: Path) -> tuple[float, float]:
    """Seconds to load, and for each image, of a loop over files in this process."""
    import numpy as np
    import torch

    from tcm_hf.processing.image_loading import load_rgb_image
    from tcm_hf.results.records import render_json_line

    torch.set_num_threads(1)
    began = time.perf_counter()
    job.load()
    paths = sorted(photos.iterdir())
    # The first of each size is slower: kernels are made.
    read_all(job, paths[:1], load_rgb_image, np.array, render_json_line)
    loaded = time.perf_counter()
    read_all(job, paths, load_rgb_image, np.array, render_json_line)
    return loaded - began, (time.perf_counter() - loaded) / len(paths)


def read_all(job, paths: list[Path], load: Callable, to_array: Callable, render: Callable) -> None:
    pictures = [to_array(load(path)) for path in paths]
    for path, picture, found in zip(paths, pictures, job.read(iter(pictures)), strict=True):
        render(job.record(str(path), picture.shape[:2], found))


def bulk_run(job, photos: Path, output: Path, workers: int, rows: int) -> dict[str, float]:
    """Seconds of one run: all of it, until the first part was there, of the workers an image."""
    from tcm_hf.bulk.ray_steps import Workers
    from tcm_hf.bulk.run import run_bulk

    told: list[tuple[float, int]] = []
    began = time.perf_counter()
    result = run_bulk(
        job,
        str(photos),
        str(output),
        settings={},
        workers=Workers(workers),
        rows_per_part=rows,
        tell=lambda done, _: told.append((time.perf_counter(), done)),
    )
    ended = time.perf_counter()
    if result.missing:
        raise SystemExit(f"parts are missing: {result.problems}")
    (warm, warm_rows), (last, last_rows) = told[len(told) // 3], told[-workers]
    return {
        "whole run, s": ended - began,
        "worker s an image": result.worker_seconds / result.records,
        "wall s an image": (last - warm) / (last_rows - warm_rows),
        "bytes a record": sum(path.stat().st_size for path in (output / "parts").iterdir()) / result.records,
    }


def census_rate(photos: Path) -> float:
    """Megabytes of a tar file that are counted in a second."""
    from tcm_hf.bulk.locations import Location
    from tcm_hf.bulk.rows import TarMembers

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        content = max(photos.iterdir(), key=lambda photo: photo.stat().st_size).read_bytes()
        with tarfile.open(path, "w") as archive:
            for number in range(200_000_000 // len(content)):
                info = tarfile.TarInfo(f"{number:06d}.jpg")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        began = time.perf_counter()
        TarMembers().count(Location(folder), "a.tar")
        return path.stat().st_size / 1e6 / (time.perf_counter() - began)


def print_plan(images: int, seconds: float, kilobytes: float, record_bytes: float, counted: float) -> None:
    """What it comes to: core-hours are the same for any number of machines, days are not."""
    core_hours = images * seconds / 3600
    census_hours = images * kilobytes / 1000 / counted / 3600
    print(
        f"\n{images:,} images at {seconds:.3f} s: {core_hours:,.0f} core-hours, that is {images:,} x "
        f"{seconds:.3f} / 3600. With one core a worker: days = core-hours / (24 x machines x {CORES}). "
        f"Results: {images * record_bytes / 1e9:,.0f} GB of JSON lines. Counting the rows first, in tar "
        f"files with {kilobytes:.0f} KB an image, at {counted:,.0f} MB/s: {census_hours:,.0f} core-hours.\n"
    )
    rows = []
    for machines in MACHINES:
        hours = core_hours / machines / CORES
        rows.append((machines, machines * CORES, hours / 24, core_hours / CORES, images / hours / 3600))
    print_table(("machines", "workers", "days", "machine-hours", "images/s"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=REPOSITORY / "examples" / "images")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows-per-part", type=int, default=4)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--plan-for", type=int, default=100_000_000, metavar="IMAGES")
    arguments = parser.parse_args()
    # Ray's workers step back for other programs by 15; the plain loop does not.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = copied_photos(arguments.photos, arguments.images, folder / "photos")
        job = bulk_job(photos, folder / "out", arguments.dtype)
        bulk = bulk_run(job, photos, folder / "out", arguments.workers, arguments.rows_per_part)
        start, loop = plain_loop(job, photos)
        counted = census_rate(photos)
        kilobytes = sum(path.stat().st_size for path in photos.iterdir()) / arguments.images / 1000
    print(
        f"{machine()}; {arguments.images} images of {kilobytes:.0f} KB, shipped models, {arguments.dtype}\n"
    )
    columns = ("", "processes", "s an image, a process", "s an image, all", "speed", "start and end, s")
    run = bulk["whole run, s"] - bulk["wall s an image"] * arguments.images
    rows = [
        ("plain loop", 1, loop, loop, 1.0, start),
        (
            "Ray, each worker one thread",
            arguments.workers,
            bulk["worker s an image"],
            bulk["wall s an image"],
            loop / bulk["wall s an image"],
            run,
        ),
    ]
    print_table(columns, rows)
    print_plan(
        arguments.plan_for,
        bulk["wall s an image"] * arguments.workers,
        kilobytes,
        bulk["bytes a record"],
        counted,
    )


if __name__ == "__main__":
    main()
