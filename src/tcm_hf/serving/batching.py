"""Work that comes piece by piece and is done in batches: prepared in some threads, done in one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

from tcm_hf.serving.metrics import Metrics

In = TypeVar("In")
Out = TypeVar("Out")
Value = TypeVar("Value")


class _Job(Generic[In, Out]):
    """A prepared piece, and where its result goes."""

    def __init__(self, item: In, answer: "asyncio.Future[Out]"):
        self.item = item
        self.answer = answer
        self.came = time.perf_counter()


class Batcher(Generic[In, Out]):
    """Pieces of work in batches.

    ```
    prepare (some threads, at most two batches ahead) ──▶ line ──▶ process (one thread, a batch at a time)
    ```

    While a batch is being processed the next one is prepared. A batch does not wait for company unless some
    is on its way. Whoever is cancelled while waiting leaves the line; nothing else is kept of it.

    Args:
        process: Gives the results of a batch, in order. Where it raises, the pieces of the batch are tried
            one by one, so that a piece spoils its own result only.
        max_batch: Largest batch.
        max_wait_s: How long a batch waits for pieces that are being prepared.
        preparers: Number of threads that prepare.
        metrics: Is told sizes and durations.
    """

    def __init__(
        self,
        process: Callable[[Sequence[In]], Sequence[Out]],
        *,
        max_batch: int,
        max_wait_s: float,
        preparers: int,
        metrics: Metrics,
    ):
        self._process = process
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._ahead = asyncio.Semaphore(2 * max_batch)
        self._coming = 0
        self._line: deque[_Job[In, Out]] = deque()
        self._changed = asyncio.Event()
        self._preparers = ThreadPoolExecutor(preparers, thread_name_prefix="prepare")
        self._processor = ThreadPoolExecutor(1, thread_name_prefix="process")
        self._runner: asyncio.Task | None = None
        self._busy_since: float | None = None

    @property
    def busy_s(self) -> float:
        """How long the present batch has been going on; 0 where there is none."""
        return 0.0 if self._busy_since is None else time.perf_counter() - self._busy_since

    def start(self) -> None:
        """Begin; from within the event loop."""
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End: what is waiting is dropped, what is being processed comes to its end."""
        if self._runner:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        self._preparers.shutdown(wait=False, cancel_futures=True)
        self._processor.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, function: Callable[..., Value], *args: Any) -> Value:
        """Call a function in a thread that prepares; for work that would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._preparers, function, *args)

    async def __call__(self, prepare: Callable[[], In]) -> Out:
        """The result of one piece of work.

        Args:
            prepare: Makes the piece, in a thread.

        Raises:
            Exception: What `prepare` raised, or `process` for this piece alone.
        """
        async with self._ahead:
            job = await self._prepared(prepare)
            self._line.append(job)
            self._changed.set()
            try:
                return await job.answer
            finally:
                # Given up, or answered: then it has left the line already.
                if job in self._line:
                    self._line.remove(job)

    async def _prepared(self, prepare: Callable[[], In]) -> _Job[In, Out]:
        self._coming += 1
        try:
            with self._metrics.stage("prepare"):
                item = await self.in_thread(prepare)
        finally:
            self._coming -= 1
            self._changed.set()
        return _Job(item, asyncio.get_running_loop().create_future())

    async def _run(self) -> None:
        while True:
            # Of no name here, which would keep its pictures until the next one comes.
            await self._answer(await self._next_batch())

    async def _answer(self, batch: list[_Job[In, Out]]) -> None:
        self._busy_since = time.perf_counter()
        for job in batch:
            self._metrics.observe_stage("wait", self._busy_since - job.came)
        self._metrics.observe_batch(len(batch))
        with self._metrics.stage("process"):
            results = await asyncio.get_running_loop().run_in_executor(
                self._processor, self._results, [job.item for job in batch]
            )
        self._busy_since = None
        for job, result in zip(batch, results, strict=True):
            if job.answer.done():  # whoever asked has gone
                continue
            if isinstance(result, Exception):
                job.answer.set_exception(result)
            else:
                job.answer.set_result(result)

    async def _next_batch(self) -> list[_Job[In, Out]]:
        """At least one job; more, if they have come or are on their way."""
        while True:
            while not self._line:
                await self._change()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._max_wait_s):
                    while self._coming and len(self._line) < self._max_batch:
                        await self._change()
            # Unless all have given up meanwhile.
            if self._line:
                return [self._line.popleft() for _ in range(min(self._max_batch, len(self._line)))]

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _results(self, items: Sequence[In]) -> list[Out | Exception]:
        try:
            results = list(self._process(items))
            if len(results) != len(items):
                raise RuntimeError(f"expected {len(items)} results of a batch, got {len(results)}")
            return list(results)
        except Exception as error:
            if len(items) == 1:
                return [error]
        return [result for item in items for result in self._results([item])]
