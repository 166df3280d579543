"""A bulk run: plan, do what is missing, count, finish."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ray.exceptions import RayError

from tcm_hf.bulk.parts import PartCount, PartFolder
from tcm_hf.bulk.plan import Plan, Slice, SourceFile, list_source
from tcm_hf.bulk.ray_session import MAX_FAILED_SLICES, ray_session
from tcm_hf.bulk.ray_steps import Workers, count_files, count_parts, make_parts
from tcm_hf.bulk.rows import one_line
from tcm_hf.bulk.working import BulkJob


class BulkError(RuntimeError):
    """A run that cannot be begun or go on; the text is for the user."""


@dataclass(frozen=True)
class BulkResult:
    """What a run came to.

    Attributes:
        rows: Of the source.
        records: Of them, how many have one now.
        bad: How many are kept aside with a reason.
        done_before: How many were done by earlier runs.
        missing: Parts that are not there, or not whole, against all retries: resume.
        problems: Why, as far as the workers could tell.
        worker_seconds: Of the workers together, for what was done now: decoding, models, writing.
    """

    rows: int
    records: int
    bad: int
    done_before: int
    missing: tuple[int, ...]
    problems: tuple[str, ...]
    worker_seconds: float


def run_bulk(
    job: BulkJob,
    source: str,
    output: str,
    *,
    settings: dict[str, Any],
    workers: Workers,
    rows_per_part: int = 256,
    image_column: str | None = None,
    resume: bool = False,
    tell: Callable[[int, int], None] = lambda done, rows: None,
) -> BulkResult:
    """Do a job on all images of a source, and write the records as parts.

    Args:
        job: What is done with each image.
        source: A folder of pictures, of parquet or of tar files, or one of them: a path or an address
            (s3://...).
        output: The folder of results, a path or an address; see `parts.py`.
        settings: What makes records comparable; a run goes on with the same only. Anything that JSON holds.
        workers: Who does it.
        rows_per_part: Images of a part, at most.
        image_column: The column of parquet files; `None` takes the only one that can hold pictures.
        resume: Whether to go on with what an earlier run has begun in `output`.
        tell: Is called with the rows that are done and all rows, whenever there are more.

    Raises:
        BulkError: If there is nothing to read, the output is of another run, or more than a few parts fail.
    """
    try:
        folder = PartFolder(output)
        plan, is_new = _plan(folder, source, settings, rows_per_part, image_column, resume)
        with ray_session(workers.count, workers.cpus):
            if is_new:
                plan = replace(plan, files=count_files(plan))
                folder.write_plan(plan)
            todo = _missing(plan, count_parts(folder, folder.parts()))
            done_before = plan.rows - sum(one.rows for one in todo)
            tell(done_before, plan.rows)
            problems, seconds = _make(job, plan, folder, todo, workers, tell, done_before)
            counts = count_parts(folder, folder.parts())
    except (RayError, ValueError, OSError) as error:
        raise BulkError(_cause(error)) from error
    missing = tuple(one.part for one in _missing(plan, counts))
    if not missing:
        folder.finish(plan, counts)
    whole = [count for count in counts if count.part not in missing]
    return BulkResult(
        rows=plan.rows,
        records=sum(count.records for count in whole),
        bad=sum(count.bad for count in whole),
        done_before=done_before,
        missing=missing,
        problems=tuple(problems),
        worker_seconds=seconds,
    )


def _plan(
    folder: PartFolder,
    address: str,
    settings: dict[str, Any],
    rows_per_part: int,
    column: str | None,
    resume: bool,
) -> tuple[Plan, bool]:
    """The plan that was begun with, or a new one without the counts of its files; and whether it is new.

    Raises:
        ValueError: If there is nothing to read, or the folder is of another run.
    """
    kind, sizes = list_source(address)
    files = tuple(SourceFile(name, size, rows=1) for name, size in sizes)
    # As it would be read back.
    settings = json.loads(json.dumps(settings))
    new = Plan(address, kind, column, rows_per_part, settings, files)
    begun = folder.read_plan()
    if begun is None:
        return new, True
    where = folder.location.address
    if not resume:
        raise ValueError(f"{where} holds the parts of an earlier run: --resume goes on with it")
    wanted = new.header()
    differing = {name: value for name, value in begun.header().items() if value != wanted[name]}
    if differing:
        told = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in differing.items())
        raise ValueError(f"{where} was begun with other settings ({told}): use these, or another --output")
    if [(file.name, file.size) for file in begun.files] != sizes:
        raise ValueError(f"{address} is not as it was when {where} was begun: use another --output")
    return begun, False


def _missing(plan: Plan, counts: list[PartCount]) -> list[Slice]:
    """The slices whose parts are not there, or do not hold as many rows as they should."""
    rows = {count.part: count.rows for count in counts}
    return [one for one in plan.slices if rows.get(one.part) != one.rows]


def _make(
    job: BulkJob,
    plan: Plan,
    folder: PartFolder,
    todo: list[Slice],
    workers: Workers,
    tell: Callable[[int, int], None],
    done: int,
) -> tuple[list[str], float]:
    """Make the parts; returns what went wrong with some, and the seconds of the workers together."""
    problems: list[str] = []
    seconds = 0.0
    for report in make_parts(job, plan.source, folder, todo, workers):
        if report.is_hopeless:
            raise ValueError(report.problem)
        if report.problem:
            problems.append(f"part {report.part}: {report.problem}")
        if len(problems) > MAX_FAILED_SLICES:
            raise ValueError(f"{len(problems)} parts failed, the last is {problems[-1]}")
        done += report.rows
        seconds += report.seconds
        tell(done, plan.rows)
    return problems, seconds


def _cause(error: BaseException) -> str:
    """The line for the user: of Ray's long texts the last one, where the error of a worker stands."""
    return str(error).strip().splitlines()[-1] if isinstance(error, RayError) else one_line(error)
