"""The steps of a run that Ray Data spreads over processes and machines: counting, making parts, counting."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import ray.data

from tcm_hf.bulk.loading import load_slices, slice_item
from tcm_hf.bulk.parts import PartCount, PartFolder
from tcm_hf.bulk.plan import Plan, Slice, Source, SourceFile, stretches
from tcm_hf.bulk.rows import PictureFiles, one_line
from tcm_hf.bulk.working import BulkJob, PartReport, PartWorker

# Ray plans all tasks before the first one starts.
_MAX_TASKS = 2000
# Who loads and counts waits for files more than it works. It must be less than a worker has: Ray puts two
# steps into one process where both ask for the same, and then no image is loaded while the model works.
_LIGHT_CPUS = 0.5


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        count: Processes, each with its models.
        cpus: Cores of each.
        gpus: Of each; a share where several use one.
    """

    count: int = 1
    cpus: int = 1
    gpus: float = 0


def count_files(plan: Plan) -> tuple[SourceFile, ...]:
    """The files of a plan with the number of their rows; one that cannot be read is one, with the reason."""
    source = plan.source
    if isinstance(source.kind, PictureFiles):
        return plan.files
    items = [{"name": file.name, "size": file.size} for file in plan.files]
    counted = _spread(items).map(partial(_counted_file, source=source), num_cpus=_LIGHT_CPUS)
    return tuple(sorted((SourceFile(**item) for item in counted.iter_rows()), key=lambda file: file.name))


def _counted_file(item: dict[str, Any], source: Source) -> dict[str, Any]:
    try:
        return {**item, "rows": source.kind.count(source.location, item["name"]), "problem": None}
    except Exception as error:  # broken files fail in many ways
        return {**item, "rows": 1, "problem": f"cannot be read: {one_line(error)}"}


def count_parts(folder: PartFolder, parts: Sequence[int]) -> list[PartCount]:
    """The rows that lie in these parts, in the order of their numbers."""
    if not parts:
        return []
    items = [{"part": part} for part in parts]
    counted = _spread(items).map(partial(_counted_part, folder=folder), num_cpus=_LIGHT_CPUS)
    return sorted((PartCount(**item) for item in counted.iter_rows()), key=lambda count: count.part)


def _counted_part(item: dict[str, Any], folder: PartFolder) -> dict[str, Any]:
    return asdict(folder.count(item["part"]))


def make_parts(
    job: BulkJob, source: Source, folder: PartFolder, todo: Sequence[Slice], workers: Workers
) -> Iterator[PartReport]:
    """Load slices in tasks and make their parts in actors, both at the same time.

    Ray Data holds the loading back when the slices that wait fill their share of the object store.

    Args:
        job: What is done with each image.
        source: What the slices are of.
        folder: Where the parts go.
        todo: The slices, in order.
        workers: Who makes the parts.

    Yields:
        What became of each slice, in no order; a slice that could not be loaded is missing.
    """
    if not todo:
        return
    items = [slice_item(stretch) for stretch in stretches(todo)]
    loaded = _spread(items).map_batches(
        partial(load_slices, source=source),
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=_LIGHT_CPUS,
    )
    reports = loaded.map_batches(
        PartWorker,
        fn_constructor_kwargs={"job": job, "folder": folder},
        batch_size=1,
        batch_format="pyarrow",
        # One slice is worked on, one waits beside it. A worker that dies is started again by Ray, and its
        # slice tried again, for ever; `Attempt` sees to it that this has an end.
        compute=ray.data.ActorPoolStrategy(
            size=min(workers.count, len(todo)), max_tasks_in_flight_per_actor=2
        ),
        num_cpus=workers.cpus,
        num_gpus=workers.gpus or None,
    )
    for report in reports.iter_rows():
        yield PartReport(**report)


def _spread(items: list[dict[str, Any]]) -> ray.data.Dataset:
    return ray.data.from_items(items, override_num_blocks=min(len(items), _MAX_TASKS))
