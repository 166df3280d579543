"""Ray, started quietly for one run, or the cluster that is there."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tcm_hf.bulk.plan import MAX_SLICE_BYTES
from tcm_hf.bulk.rows import one_line

# Slices that wait or are worked on, for each worker, and as many more.
_SLICES_AT_ONCE = 3
_MIN_STORE_BYTES = 200_000_000
# After so many the cause is not in the slices: a full disk, no memory.
MAX_FAILED_SLICES = 10


@contextmanager
def ray_session(workers: int, cpus_per_worker: int) -> Iterator[None]:
    """Ray for a run.

    A session that is open is used and left open; a cluster that `RAY_ADDRESS` names is joined; otherwise Ray
    is started on this machine, with a core more than the workers have: who loads images works little.

    Args:
        workers: How many there will be.
        cpus_per_worker: Cores of each.

    Raises:
        ConnectionError: If Ray cannot be started, or there is no cluster at `RAY_ADDRESS`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What Ray's own processes have to say stays in the files of its logs.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    was_open = ray.is_initialized()
    if not was_open:
        own: dict[str, Any] = {
            "address": "local",
            "num_cpus": workers * cpus_per_worker + 1,
            "object_store_memory": max(_MIN_STORE_BYTES, _SLICES_AT_ONCE * MAX_SLICE_BYTES * (workers + 1)),
            "include_dashboard": False,
        }
        is_joined = bool(os.environ.get("RAY_ADDRESS"))
        try:
            with _silent_stderr():
                ray.init(**({} if is_joined else own), log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray has no class of its own for it
            raise ConnectionError(f"Ray did not start: {one_line(error)}") from error
    try:
        with _quiet_data():
            yield
    finally:
        if not was_open:
            ray.shutdown()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """No text on stderr, not even from outside of Python: there Ray says which level it logs."""
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


@contextmanager
def _quiet_data() -> Iterator[None]:
    """Ray Data without its bars and logs, and with a block for each row: a slice fails alone."""
    from ray.data import DataContext

    own = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "target_max_block_size": 1,
        # A slice whose loading failed against all retries: the final count names it.
        "max_errored_blocks": MAX_FAILED_SLICES,
    }
    context = DataContext.get_current()
    before = {name: getattr(context, name) for name in own}
    logger = logging.getLogger("ray.data")
    level = logger.level
    try:
        for name, value in own.items():
            setattr(context, name, value)
        logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        logger.setLevel(level)
