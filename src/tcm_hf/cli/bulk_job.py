"""`--engine ray`: a verb over very many images, on many processes or machines, in parts."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import positive_int, ratio
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.photo_jobs import EXIT_SOME_FAILED, PhotoJob, check_call
from tcm_hf.results.pipeline_facts import model_facts
from tcm_hf.results.records import Record

if TYPE_CHECKING:
    import numpy as np

    from tcm_hf.bulk.run import BulkResult

# Those that mean something with `--engine ray` only; `None` unless they are given.
_BULK_OPTIONS = ("workers", "worker_cpus", "worker_gpus", "rows_per_part", "image_column")
# Those that mean nothing with it, by their values that are no wish.
_OTHER_OPTIONS: dict[str, tuple[Any, ...]] = {
    "draw": (None,),
    "pages": (None,),
    "print": (False,),
    "format": (None, "jsonl"),
}
# So many parts are named, where some are missing.
_NAMED_PARTS = 5


def add_bulk_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the engine and what it goes by; `run_bulk_job` does."""
    group = parser.add_argument_group(
        "very many images",
        "With --engine ray PATH is one folder of images, parquet or tar files (WebDataset), or one of these "
        "files, here or at an address (s3://...), and --output a folder for parts of JSON lines; see "
        "docs/bulk.md.",
    )
    group.add_argument(
        "--engine", choices=("ray",), help="many processes, or a cluster that RAY_ADDRESS names"
    )
    group.add_argument("--workers", type=positive_int, metavar="N", help="each with its models (default: 1)")
    group.add_argument("--worker-cpus", type=positive_int, metavar="N", help="cores of each (default: 1)")
    group.add_argument(
        "--worker-gpus",
        type=ratio,
        metavar="N",
        help="GPUs of each; 0.5 is half of one (default: 1 with --device cuda, else 0)",
    )
    group.add_argument(
        "--rows-per-part",
        type=positive_int,
        metavar="N",
        help="images of a part, at most (default: 256; fewer where images are large)",
    )
    group.add_argument("--image-column", metavar="NAME", help="of parquet files, where several hold images")


def is_bulk(arguments: argparse.Namespace) -> bool:
    """Whether an engine was asked for.

    Raises:
        CommandError: If only its options were given.
    """
    given = [name for name in _BULK_OPTIONS if getattr(arguments, name) is not None]
    if given and arguments.engine is None:
        raise CommandError(f"{_option(given[0])} needs --engine ray")
    return arguments.engine is not None


def run_bulk_job(job: PhotoJob) -> int:
    """Do a job on all images of a source; returns the exit code.

    Raises:
        CommandError: For a mistake in the arguments, without Ray, or if the run cannot go on.
    """
    arguments = job.arguments
    source, output = _places(arguments)
    work = BulkPhotoJob(job)
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise CommandError(f'--engine ray needs Ray Data ({error}): pip install "tcm_hf[bulk]"') from error
    from tcm_hf.bulk.ray_steps import Workers
    from tcm_hf.bulk.run import BulkError, run_bulk

    gpus = arguments.worker_gpus
    if gpus is None:
        gpus = 1 if arguments.device.startswith("cuda") else 0
    try:
        with _progress(hidden=arguments.quiet or not sys.stderr.isatty()) as tell:
            result = run_bulk(
                work,
                source,
                output,
                settings=_settings(job),
                workers=Workers(arguments.workers or 1, arguments.worker_cpus or 1, gpus),
                rows_per_part=arguments.rows_per_part or 256,
                image_column=arguments.image_column,
                resume=arguments.resume,
                tell=tell,
            )
    except BulkError as error:
        raise CommandError(str(error)) from error
    if not arguments.quiet or result.missing:
        print(f"tcm-hf {job.kind.verb}: {_summary(result, output)}", file=sys.stderr)
    return EXIT_SOME_FAILED if result.bad or result.missing else 0


class BulkPhotoJob:
    """A `PhotoJob` as workers do it: a `BulkJob`.

    Args:
        job: Its call parameters are made here already: they may name files of this machine.
    """

    def __init__(self, job: PhotoJob):
        self._job = job
        self._call_params = job.call_params()
        self._pipeline: Any = None
        self._facts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    def load(self) -> None:
        """Load the models, and see that they can go by the parameters.

        Raises:
            CommandError: If they cannot.
        """
        self._pipeline = self._job.load()
        check_call(self._pipeline, self._call_params)
        model = model_facts(self._job.pinned_ids(self._pipeline), self._pipeline)
        self._facts = model, self._job.effective_params(self._pipeline)

    def read(self, pictures: "Iterator[np.ndarray]") -> Iterator[Any]:
        """What is found in pictures, in their order."""
        return self._pipeline(pictures, batch_size=self._job.arguments.batch_size, **self._call_params)

    def record(self, address: str, size_hw: tuple[int, int], found: Any) -> Record:
        """As a run in one process writes it."""
        height, width = size_hw
        # No `Path`: it makes one slash of the two of an address.
        source = {"path": address, "width": width, "height": height}
        return self._job.record(source, *self._facts, found)


def _places(arguments: argparse.Namespace) -> tuple[str, str]:
    """Source and output."""
    if len(arguments.paths) != 1 or arguments.paths == ["-"]:
        raise CommandError(
            f"--engine ray takes one folder, file or address as PATH, got {len(arguments.paths)}: name the "
            "folder that they are in"
        )
    if arguments.output is None:
        raise CommandError("--engine ray needs --output FOLDER")
    for name, idle in _OTHER_OPTIONS.items():
        if getattr(arguments, name) not in idle:
            raise CommandError(f"{_option(name)} is not for --engine ray, which writes parts of JSON lines")
    return arguments.paths[0], _address(arguments.output)


def _address(output: Path) -> str:
    """What the user wrote, which came as a `Path`: that makes one slash of the two or three of an address."""
    text = re.sub(r"^file:/(?!/)", "file:///", output.as_posix())
    return re.sub(r"^(\w\w+):/(?!/)", r"\1://", text)


def _settings(job: PhotoJob) -> dict[str, Any]:
    """What records have to have in common."""
    names = ("lines", "characters", "dtype", "backend")
    options = {name: getattr(job.arguments, name, None) for name in names}
    wanted = {**job.asked_params(), **job.pinned_ids(), **options}
    return {"schema": job.kind.schema, **{name: value for name, value in wanted.items() if value is not None}}


@contextmanager
def _progress(hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar; what it gives is told the images that are done, and all."""
    from tqdm import tqdm

    with tqdm(unit="image", file=sys.stderr, disable=hidden) as bar:

        def tell(done: int, rows: int) -> None:
            bar.total = rows
            bar.update(done - bar.n)

        yield tell


def _summary(result: "BulkResult", output: str) -> str:
    done = f"{result.records} records of {result.rows} images"
    if result.missing:
        first = ", ".join(map(str, result.missing[:_NAMED_PARTS]))
        more = ", ..." if len(result.missing) > _NAMED_PARTS else ""
        reason = f" ({result.problems[0]})" if result.problems else ""
        return f"{done}; {len(result.missing)} parts are missing: {first}{more}{reason}; go on with --resume"
    before = f", {result.done_before} done before" if result.done_before else ""
    aside = f" ({output}/bad.jsonl)" if result.bad else ""
    return f"{done}, {result.bad} bad{aside}{before}; results in {output}/parts/"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
