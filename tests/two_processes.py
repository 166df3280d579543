"""Run a function in two processes of one group, cheaply: forked, so that nothing is imported again."""

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import torch

PROCESSES = 2
TIMEOUT_SECONDS = 300

# A forked process must not have a started GPU, nor autograd's threads for one.
can_fork = pytest.mark.skipif(
    torch.cuda.is_available() or not hasattr(os, "fork"), reason="needs fork and a machine without GPU"
)


def in_two_processes(function: Callable[[int], Any]) -> list[Any]:
    """What `function(rank)` gives in each process; pickled, so numpy rather than tensors.

    Inside, the environment is that of torchrun: `torch.distributed` and `TrainingArguments` find the group.
    """
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    port = _free_port()
    workers = [context.Process(target=_run, args=(function, rank, port, queue)) for rank in range(PROCESSES)]
    for worker in workers:
        worker.start()
    try:
        results = dict(queue.get(timeout=TIMEOUT_SECONDS) for _ in workers)
    finally:
        for worker in workers:
            worker.join(timeout=10)
            if worker.is_alive():
                worker.kill()
    failures = [result for result in results.values() if isinstance(result, _Failure)]
    assert not failures, failures[0].text
    return [results[rank] for rank in range(PROCESSES)]


class _Failure:
    def __init__(self, text: str):
        self.text = text


def _run(function: Callable[[int], Any], rank: int, port: int, queue: Any) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(PROCESSES),
        "LOCAL_WORLD_SIZE": str(PROCESSES),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    try:
        _forget_the_parents_state()
        torch.distributed.init_process_group("gloo")
        queue.put((rank, function(rank)))
        if torch.distributed.is_initialized():  # accelerate may have ended it
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()
    except BaseException:
        queue.put((rank, _Failure(traceback.format_exc())))


def _forget_the_parents_state() -> None:
    """accelerate keeps in the process that it is alone."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
