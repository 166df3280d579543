"""Several processes that train one model: who looks at which records, and what they tell one another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed

Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """The processes that share some work; every method is to be called in all of them.

    Args:
        rank: Number of this one, from 0.
        count: How many there are; one does everything by itself.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def of(cls, args: Any) -> Processes:
        """Those of a training, by its `TrainingArguments`."""
        return cls(args.process_index, args.world_size)

    @classmethod
    def of_evaluation(cls, args: Any) -> Processes:
        """Those that share an evaluation within a training.

        Where the weights are cut over the processes each runs the model on all records: they need one
        another for every forward.
        """
        return ALONE if weights_are_sharded(args) else cls.of(args)

    def share(self, length: int) -> range:
        """The places, of `length`, that this process takes: each is in the share of one process."""
        return range(self.rank, length, self.count)

    def gathered(self, results: Mapping[int, Result]) -> dict[int, Result]:
        """The results of all processes, by place; the same everywhere."""
        if self.count == 1:
            return dict(results)
        parts: list[Any] = [None] * self.count
        distributed.all_gather_object(parts, dict(results))
        return {place: result for part in parts for place, result in part.items()}

    def agree(self, flag: bool, step: int) -> bool:
        """Whether it is so in any process, asked after optimizer step `step`.

        On GPUs only after every tenth step, False in between: the answer waits for all that is queued there.
        """
        if self.count == 1:
            return flag
        on_gpu = distributed.get_backend() == "nccl"
        if on_gpu and step % 10:
            return False
        asked = torch.tensor(int(flag), device="cuda" if on_gpu else "cpu")
        distributed.all_reduce(asked)
        return bool(asked)

    def means(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean over the processes of numbers that each has under the same names."""
        if self.count == 1 or not values:
            return dict(values)
        parts = self.gathered({self.rank: dict(values)}).values()
        return {name: sum(part[name] for part in parts) / self.count for name in values}


ALONE = Processes()


def samples_of_a_step(args: Any) -> int:
    """How many samples an optimizer step takes in all processes together, by the `TrainingArguments`."""
    return args.train_batch_size * args.gradient_accumulation_steps * args.world_size


def weights_are_sharded(args: Any) -> bool:
    """Whether FSDP or DeepSpeed trains, by the `TrainingArguments`: no process need have whole weights."""
    fsdp = bool(args.fsdp) or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return fsdp or getattr(args, "deepspeed_plugin", None) is not None


def launched_in_vain(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `accelerate launch --cpu --num_processes N` started this process, and no other.

    It announces the meeting point of several processes, and then starts one (accelerate 1.15; only mpirun
    makes it more).
    """
    announced = environment.get("ACCELERATE_USE_CPU", "").lower() == "true" and "MASTER_ADDR" in environment
    started = any(name in environment for name in ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"))
    return announced and not started


__all__ = ["ALONE", "Processes", "launched_in_vain", "samples_of_a_step", "weights_are_sharded"]
