"""Jobs for bulk runs without a model, and sources of small pictures. Ray's workers import this file."""

import io
import os
import tarfile
import time
from pathlib import Path

import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from tcm_hf.results.records import READINGS, image_record

SIZE_WH = (12, 8)
KILLER_RED, FAILING_RED = 66, 77


class MeanJob:
    """Finds the mean of a picture's red: quick, and different for every picture.

    Args:
        seconds: How long it takes over each.
        complaint: What it says instead of loading.
    """

    def __init__(self, seconds=0.0, complaint=None):
        self.seconds = seconds
        self.complaint = complaint

    def load(self):
        if self.complaint:
            raise ValueError(self.complaint)

    def read(self, pictures):
        for pixels in pictures:
            time.sleep(self.seconds)
            red = int(pixels[0, 0, 0])
            if red == KILLER_RED:
                os._exit(1)
            if red == FAILING_RED:
                raise RuntimeError("nothing but 77")
            yield red

    def record(self, address, size_hw, found):
        height, width = size_hw
        source = {"path": address, "width": width, "height": height}
        return image_record(READINGS, source, {"id": "mean"}, {}, [{"red": found}])


def picture(red):
    """A PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", SIZE_WH, (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_pictures(folder, count, damaged=()):
    """`count` pictures, "000.png" and so on in two sub-folders; those in `damaged` are none."""
    for number in range(count):
        path = Path(folder) / f"half{number * 2 // count}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture" if number in damaged else picture(number % 60))


def write_tar(path, names, suffix=".png"):
    """A WebDataset: a picture and a text for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            for member, content in ((f"{name}{suffix}", picture(number % 60)), (f"{name}.txt", b"label")):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def write_parquet(path, images, rows_per_group=4, column="image"):
    """A table as Hugging Face datasets write it, of the bytes or `None` of each row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": image, "path": f"{number}.png"} for number, image in enumerate(images)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"label": list(range(len(cells))), column: pa.array(cells, type=kind)})
    parquet.write_table(table, path, row_group_size=rows_per_group)
