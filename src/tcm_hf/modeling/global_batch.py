"""Losses over the batch of all processes that train together, as if one process had all of it.

A loss that is a plain mean over images needs none of this: processes average their gradients, and all have as
many images. A loss that is divided by a count of the batch (pixels of text, words, places) does: means of
ratios are not the ratio of sums. Nothing is exchanged in one process, without gradients, and inside `alone`.
All processes must compute the same losses in the same order, or they wait for one another for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

_apart = False


@contextmanager
def alone() -> Iterator[None]:
    """Inside this context a process looks at its own part of the batch only."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def processes() -> int:
    """How many processes share the batch of a loss that is computed now."""
    if _apart or not torch.is_grad_enabled():
        return 1
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size()


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum of `value` over the processes, with a gradient.

    Args:
        value: Of any shape, the same in all processes.
    """
    return value if processes() == 1 else exchanged_sum(value)


def exchanged_sum(value: torch.Tensor) -> torch.Tensor:
    """`total` without asking whether: the processes exchange their values, and going back their gradients."""
    return _ExchangedSum.apply(value)


def joined(values: torch.Tensor) -> torch.Tensor:
    """The values of all processes one after the other, with a gradient.

    Args:
        values: (n,), another number in each process. Zeros are added where it is less than elsewhere. What is
            made of them must be the same everywhere, up to the loss: then their gradients are, too.
    """
    if processes() == 1:
        return values
    longest = largest(len(values), values.device)
    return _Joined.apply(torch.nn.functional.pad(values, (0, longest - len(values))))


def shared_count(count: torch.Tensor | float, like: torch.Tensor, least: float = 1.0) -> torch.Tensor:
    """What a process divides its own sum by, so that the mean over the processes is sum / count of all.

    Args:
        count: Of this process's part of the batch.
        like: A tensor on the device of the loss.
        least: The count of all is taken for no less than this.

    Returns:
        A scalar without gradient: the count of all by the number of processes; `count` in one process.
    """
    count = torch.as_tensor(count, device=like.device).detach().float()
    number = processes()
    if number > 1:
        count = count.clone()
        distributed.all_reduce(count)
    return count.clamp(min=least) / number


def largest(number: int, device: torch.device) -> int:
    """The largest of a number that each process has."""
    if processes() == 1:
        return number
    value = torch.tensor(number, device=device)
    distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return int(value)


class _ExchangedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return _ExchangedSum._summed(value)

    @staticmethod
    def backward(ctx, gradient):
        return _ExchangedSum._summed(gradient)

    @staticmethod
    def _summed(value):
        summed = value.detach().contiguous().clone()
        distributed.all_reduce(summed)
        return summed


class _Joined(torch.autograd.Function):
    """Processes average their gradients, where the loss wants the sum of what each contributes: times N."""

    @staticmethod
    def forward(ctx, values):
        ctx.own = slice(len(values) * distributed.get_rank(), len(values) * (distributed.get_rank() + 1))
        parts = [torch.empty_like(values) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, values.detach().contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.own] * distributed.get_world_size()


__all__ = ["alone", "exchanged_sum", "joined", "largest", "processes", "shared_count", "total"]
