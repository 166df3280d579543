import asyncio
import threading
import time
import weakref
from functools import partial

import pytest

from tcm_hf.serving.batching import Batcher
from tcm_hf.serving.metrics import Metrics

BAD = 666


class Doubler:
    """Doubles numbers; a batch goes on until `go` is set."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.batches = []

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        assert self.go.wait(timeout=60)
        if BAD in numbers:
            raise ArithmeticError(BAD)
        return [2 * number for number in numbers]


def with_batcher(work, process, **options):
    """What `work(batcher)` gives, a coroutine, within a running batcher."""

    async def run():
        defaults = {"max_batch": 4, "max_wait_s": 20.0, "preparers": 2, "metrics": Metrics()}
        batcher = Batcher(process, **(defaults | options))
        batcher.start()
        try:
            async with asyncio.timeout(60):
                return await work(batcher)
        finally:
            await batcher.stop()

    return asyncio.run(run())


def number(value):
    """A piece that needs no preparation."""
    return partial(int, value)


async def until(is_so):
    while not is_so():
        await asyncio.sleep(0.002)


async def waiting_behind(batcher, process, *pieces):
    """Tasks of pieces that stand in line behind a first one, 100, which is being processed."""
    process.go.clear()
    tasks = [asyncio.create_task(batcher(number(100)))]
    await until(lambda: process.batches)
    for piece in pieces:
        tasks.append(asyncio.create_task(batcher(piece)))
        await until(lambda: len(batcher._line) == len(tasks) - 1)
    return tasks


def test_every_piece_gets_its_own_result():
    async def work(batcher):
        return await asyncio.gather(*(batcher(number(value)) for value in range(20)))

    process = Doubler()
    assert with_batcher(work, process) == [2 * value for value in range(20)]
    assert sorted(value for batch in process.batches for value in batch) == list(range(20))
    assert max(map(len, process.batches)) <= 4


def test_what_comes_during_a_batch_is_the_next_batch():
    async def work(batcher):
        tasks = await waiting_behind(batcher, process, *map(number, range(5)))
        process.go.set()
        return await asyncio.gather(*tasks)

    process = Doubler()
    assert with_batcher(work, process) == [200, 0, 2, 4, 6, 8]
    assert process.batches == [[100], [0, 1, 2, 3], [4]]


def test_a_piece_alone_does_not_wait_for_company():
    async def work(batcher):
        began = time.monotonic()
        await batcher(number(1))
        return time.monotonic() - began

    assert with_batcher(work, Doubler(), max_wait_s=20.0) < 10


def test_a_batch_waits_for_a_piece_that_is_being_prepared():
    async def work(batcher):
        prepared = threading.Event()

        def slow():
            assert prepared.wait(timeout=60)
            return 2

        second = asyncio.create_task(batcher(slow))
        await until(lambda: batcher._coming)
        first = asyncio.create_task(batcher(number(1)))
        await until(lambda: batcher._line)
        await asyncio.sleep(0.02)
        early = list(process.batches)
        prepared.set()
        return early, await asyncio.gather(first, second)

    process = Doubler()
    assert with_batcher(work, process) == ([], [2, 4])
    assert process.batches == [[1, 2]]


def test_a_batch_does_not_wait_longer_than_it_may():
    async def work(batcher):
        prepared = threading.Event()
        second = asyncio.create_task(batcher(lambda: prepared.wait(timeout=60) and 2))
        await until(lambda: batcher._coming)
        first = await batcher(number(1))
        prepared.set()
        return first, await second

    process = Doubler()
    assert with_batcher(work, process, max_wait_s=0.01) == (2, 4)
    assert process.batches == [[1], [2]]


def test_a_piece_that_cannot_be_processed_spoils_no_other():
    async def work(batcher):
        tasks = await waiting_behind(batcher, process, number(1), number(BAD), number(2))
        process.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    process = Doubler()
    first, one, bad, two = with_batcher(work, process)
    assert (first, one, two) == (200, 2, 4)
    assert isinstance(bad, ArithmeticError)
    assert process.batches == [[100], [1, BAD, 2], [1], [BAD], [2]]


def test_a_reader_that_loses_results_is_told():
    with pytest.raises(RuntimeError, match="expected 1 results of a batch, got 0"):
        with_batcher(lambda batcher: batcher(number(1)), lambda items: [])


def test_what_cannot_be_prepared_is_not_processed():
    process = Doubler()
    with pytest.raises(ValueError, match="invalid literal"):
        with_batcher(lambda batcher: batcher(number("one")), process)
    assert process.batches == []


def test_whoever_gives_up_leaves_the_line():
    async def work(batcher):
        tasks = await waiting_behind(batcher, process, number(1), number(2), number(3))
        tasks[2].cancel()
        await asyncio.gather(tasks[2], return_exceptions=True)
        line = len(batcher._line)
        process.go.set()
        return line, await asyncio.gather(*tasks, return_exceptions=True)

    process = Doubler()
    line, (_, one, two, three) = with_batcher(work, process)
    assert line == 2
    assert (one, three) == (2, 6)
    assert isinstance(two, asyncio.CancelledError)
    assert process.batches == [[100], [1, 3]]


def test_whoever_gives_up_during_a_batch_holds_up_nobody():
    async def work(batcher):
        first, second = await waiting_behind(batcher, process, number(1))
        first.cancel()
        process.go.set()
        return await second

    process = Doubler()
    assert with_batcher(work, process) == 2
    assert process.batches == [[100], [1]]


def test_a_line_that_empties_while_a_batch_waits_is_no_batch():
    async def work(batcher):
        prepared = threading.Event()
        second = asyncio.create_task(batcher(lambda: prepared.wait(timeout=60) and 2))
        await until(lambda: batcher._coming)
        first = asyncio.create_task(batcher(number(1)))
        await until(lambda: batcher._line)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        prepared.set()
        return await second

    process = Doubler()
    assert with_batcher(work, process) == 4
    assert process.batches == [[2]]


def test_no_more_than_two_batches_are_prepared_or_processed_at_once():
    async def work(batcher):
        process.go.clear()
        tasks = [asyncio.create_task(batcher(partial(prepare, value))) for value in range(30)]
        await until(lambda: len(prepared) >= 4)
        await asyncio.sleep(0.05)
        ahead = len(prepared)
        process.go.set()
        await asyncio.gather(*tasks)
        return ahead

    def prepare(value):
        prepared.append(value)
        return value

    prepared, process = [], Doubler()
    assert with_batcher(work, process, max_batch=2) == 4
    assert len(prepared) == 30


def test_nothing_is_kept_of_a_batch_that_is_answered():
    class Piece:
        pass

    def prepare():
        piece = Piece()
        pieces.append(weakref.ref(piece))
        return piece

    async def work(batcher):
        await asyncio.gather(batcher(prepare), batcher(prepare))
        await until(lambda: not any(piece() for piece in pieces))

    pieces = []
    with_batcher(work, len_of_each)
    assert len(pieces) == 2


def len_of_each(batch):
    return [len(batch)] * len(batch)


def test_the_event_loop_goes_on_during_a_batch():
    async def work(batcher):
        prepared = threading.Event()
        preparing = asyncio.create_task(batcher(lambda: prepared.wait(timeout=60) and 2))
        await asyncio.sleep(0.01)
        prepared.set()
        tasks = await waiting_behind(batcher, process)
        await asyncio.sleep(0.01)
        process.go.set()
        return await asyncio.gather(preparing, *tasks)

    process = Doubler()
    assert with_batcher(work, process) == [4, 200]


def test_how_long_a_batch_has_been_going_on_is_known():
    async def work(batcher):
        idle = batcher.busy_s
        tasks = await waiting_behind(batcher, process)
        await asyncio.sleep(0.01)
        busy = batcher.busy_s
        process.go.set()
        await asyncio.gather(*tasks)
        return idle, busy, batcher.busy_s

    process = Doubler()
    idle, busy, after = with_batcher(work, process)
    assert (idle, after) == (0, 0)
    assert busy >= 0.01
