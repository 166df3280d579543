"""A request's picture: its bytes and its name, never more of it than the limits allow, and never on disk."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePosixPath

# For Starlette, which would miss it only when the first form comes.
import python_multipart  # noqa: F401
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tcm_hf.serving.refusals import Refusal
from tcm_hf.serving.settings import ServerSettings

FIELD = "image"
_NAMELESS = "image"
_LONGEST_NAME = 255
# What a form has besides the file: boundaries and the headers of its parts.
_FORM_BYTES = 64 * 1024
_FORM = "multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """A file that came.

    Attributes:
        name: Its name, without folders.
        content: Its bytes.
    """

    name: str
    content: bytes


class _FormInMemory(MultiPartParser):
    """A form that touches no disk: `upload_of` bounds what comes."""

    spool_max_size = 0  # never


async def receive_upload(request: Request, settings: ServerSettings) -> Upload:
    """Receive the picture of a request: the field "image" of a form, or the body itself.

    Raises:
        Refusal: If it is larger, or takes longer, than the settings allow, or the form is broken or has no
            picture.
        ClientDisconnect: If the client goes away before it has come.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(settings.upload_timeout_s):
            if content_type == _FORM:
                return await _form_upload(request, settings.max_file_bytes)
            return Upload(_NAMELESS, await _body(request, settings.max_file_bytes))
    except TimeoutError as error:
        raise Refusal(
            408,
            "upload_timeout",
            f"The picture has not come within {settings.upload_timeout_s:g} seconds. Send a smaller one.",
        ) from error


async def _body(request: Request, max_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in _limited(request, max_bytes, max_bytes):
        content += chunk
    return bytes(content)


async def _form_upload(request: Request, max_bytes: int) -> Upload:
    stream = _limited(request, max_bytes + _FORM_BYTES, max_bytes)
    try:
        form = await _FormInMemory(request.headers, stream, max_files=1, max_fields=0).parse()
    # The charset that a form names is looked up as it is: what comes of that is a `ValueError`, if anything.
    except (MultiPartException, HTTPException, KeyError, ValueError) as error:
        reason = str(getattr(error, "message", "") or "it is broken").rstrip(".")
        raise Refusal(
            400, "bad_form", f"The form cannot be read: {reason}. Expected one file in the field {FIELD!r}."
        ) from error
    file = form.get(FIELD)
    if not isinstance(file, UploadFile):
        raise Refusal(422, "no_picture", f"The form has no file in the field {FIELD!r}: send it there.")
    content = await file.read()
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return Upload(_plain_name(file.filename or ""), content)


async def _limited(request: Request, most: int, told: int) -> AsyncGenerator[bytes, None]:
    """The body, to its end or to one byte too many.

    Args:
        request: Whose body.
        most: Number of bytes that may come.
        told: The limit as it is told.
    """
    # A body that says that it is too large is not even begun.
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(told)
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > most:
            raise _too_large(told)
        yield chunk


def _too_large(max_bytes: int) -> Refusal:
    limit = f"{max_bytes / 2**20:.3g} MiB"
    detail = f"The file is too large: at most {limit} are read. Send a smaller one."
    return Refusal(413, "file_too_large", detail)


def _plain_name(name: str) -> str:
    """A name to tell in results: without folders of either kind, and without what steers terminals."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "", last)[-_LONGEST_NAME:] or _NAMELESS
