"""The way of a picture through the server: a place, its bytes, its header, a batch, its record."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from PIL import Image
from starlette.requests import ClientDisconnect, Request

from tcm_hf.results.records import Record, RecordKind
from tcm_hf.serving.batching import Batcher
from tcm_hf.serving.metrics import Metrics
from tcm_hf.serving.pictures import Photo, Reader, decode, open_picture
from tcm_hf.serving.places import Places
from tcm_hf.serving.refusals import Refusal, internal_error
from tcm_hf.serving.settings import ServerSettings
from tcm_hf.serving.uploads import Upload, receive_upload

_LOGGER = logging.getLogger(__name__)
Result = TypeVar("Result")


class ReadingService:
    """Reads the pictures of requests.

    Args:
        reader: What finds and reads.
        settings: The limits.
        metrics: Is told what happens.

    Attributes:
        places: Who is let in.
        batcher: What pictures wait in; there while the service is `running`.
    """

    batcher: Batcher[Photo, Record]

    def __init__(self, reader: Reader, settings: ServerSettings, metrics: Metrics):
        self.places = Places(settings.max_requests, metrics)
        self._reader = reader
        self._settings = settings
        self._metrics = metrics

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read while the body runs."""
        self.batcher = Batcher(
            self._reader,
            max_batch=self._settings.max_batch,
            max_wait_s=self._settings.max_wait_s,
            preparers=self._settings.decoders,
            metrics=self._metrics,
        )
        self.batcher.start()
        try:
            yield
        finally:
            self.places.closed = True
            await self.batcher.stop()

    def check_ready(self) -> None:
        """Raise a `Refusal` when pictures that came now would not be read in time."""
        self.places.check_open()
        if self.batcher.busy_s > self._settings.timeout_s:
            raise Refusal(503, "stuck", "The model has not come back in time.", retry_after_s=1)

    async def record_of(self, request: Request, kind: RecordKind) -> Record:
        """The record of the picture of a request.

        Args:
            request: With the picture in its body.
            kind: What is looked for.

        Raises:
            Refusal: If there is no place, no picture or no time, or the model failed.
            ClientDisconnect: If the client goes away; its picture then goes, too.
        """
        with self.places.one():
            upload = await receive_upload(request, self._settings)
            return await _while_connected(request, self._read(upload, kind))

    async def _read(self, upload: Upload, kind: RecordKind) -> Record:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                # Before it queues up: what cannot be read is told at once.
                image = await self.batcher.in_thread(open_picture, upload.content, self._settings.max_pixels)
                return await self._in_batch(partial(_photo, kind, upload.name, image))
        except TimeoutError as error:
            limit = f"{self._settings.timeout_s:g} seconds"
            detail = f"The picture was not read within {limit}. Try again, or send a smaller one."
            raise Refusal(504, "timeout", detail) from error

    async def _in_batch(self, prepare: partial[Photo]) -> Record:
        try:
            return await self.batcher(prepare)
        except Refusal:
            raise
        except Exception as error:  # a fault of the reader, whatever it is
            _LOGGER.exception("the reader failed")
            raise internal_error() from error


def _photo(kind: RecordKind, name: str, image: Image.Image) -> Photo:
    return Photo(kind, name, decode(image))


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the client of a received request goes away."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
