"""Decoded images on disk, so that an epoch over compressed photos costs no decoding."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tcm_hf.data.records import TextRecord


class ImageCache:
    """Decodes a photo once and hands out memory maps of it afterwards.

    Each image is one `.npy` file (H, W, 3 bytes: 2.8 MB for 1280x720), named after path, size and time of the
    original, so that a changed photo is decoded anew. Worker processes share the pages through the operating
    system; a crop reads only the rows that it touches. Files appear whole or not at all, so several
    processes may fill one folder.

    Args:
        folder: Where the files lie; made when missing. Delete it at will.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def load(self, record: TextRecord) -> np.ndarray:
        """Give the RGB image of `record`, (H, W, 3) uint8 and read-only; decodes it when it is new.

        Records that hold the image itself instead of a path are passed through.
        """
        if not isinstance(record.image, str | Path):
            return record.load_image()
        target = self._file_of(Path(record.image))
        if not target.exists():
            self._write(target, record.load_image())
        # cv2 and numpy work on the plain array; the map stays open as its base.
        return np.load(target, mmap_mode="r").view(np.ndarray)

    def build(self, records: Sequence[TextRecord]) -> None:
        """Decode all `records` now, e.g. before timing an epoch; what is there already is kept."""
        for record in records:
            self.load(record)

    def _file_of(self, path: Path) -> Path:
        status = path.stat()
        key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
        return self.folder / f"{path.stem}-{hashlib.sha1(key.encode()).hexdigest()[:16]}.npy"

    def _write(self, target: Path, image: np.ndarray) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, np.ascontiguousarray(image))
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
