"""A server whose reader has no models, in a thread of the test's process."""

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import uvicorn
from PIL import Image

from readings import MODEL, PARAMS, bar, reading
from tcm_hf.results.records import DETECTIONS, Record, image_record
from tcm_hf.serving.pictures import Photo

WORDS = ("GRAND", "CAFÉ")


def stub_record(photo: Photo) -> Record:
    """Two words in a line, wherever the photo has them."""
    first, second = bar(WORDS[0], 20, 10), bar(WORDS[1], 140, 10, score=0.5)
    record = reading([first, second], path=photo.name, size_hw=photo.pixels.shape[:2])
    if photo.kind == DETECTIONS:
        told = ("score", "label", "box", "polygon")
        found = [{name: word[name] for name in told} for word in record["instances"]]
        model = {name: value for name, value in MODEL.items() if name != "recognizer"}
        return image_record(DETECTIONS, record["source"], model, PARAMS, found)
    around = bar(" ".join(WORDS), 20, 10, width=220)
    line = {name: around[name] for name in ("text", "score", "box", "polygon", "paragraph")}
    return {**record, "lines": [{**line, "words": [0, 1]}]}


def stub_reader(photos: Sequence[Photo]) -> list[Record]:
    """The same words in every photo."""
    return [stub_record(photo) for photo in photos]


class HeldReader:
    """A `stub_reader` that does not come back before `go` is set; `batches` are the names of what it got."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, photos: Sequence[Photo]) -> list[Record]:
        self.batches.append([photo.name for photo in photos])
        if not self.go.wait(timeout=60):
            raise TimeoutError("the test did not let go")
        return stub_reader(photos)


def image_file(format: str = "JPEG", size=(320, 200), mode: str = "RGB", **options) -> bytes:
    """A picture with a gradient, as a file."""
    width, height = size
    grey = np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, axis=0)
    file = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(file, format, **options)
    return file.getvalue()


@contextmanager
def live_server(app, **options) -> Iterator[str]:
    """Serve an application on a free port; gives its address.

    Args:
        app: From `create_app`.
        options: For `uvicorn.Config`.
    """
    config = uvicorn.Config(app, port=0, log_level="error", access_log=False, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def wait_until(is_so, seconds: float = 60) -> None:
    """Wait for something to happen in another thread."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
