"""Upright boxes of whole pixels around polygons. Needs no torch."""

import math
from collections.abc import Sequence
from typing import TypedDict


class Box(TypedDict):
    """Axis-parallel box around a polygon: whole pixels inside the image, `xmax` and `ymax` exclusive."""

    xmin: int
    ymin: int
    xmax: int
    ymax: int


def whole_pixel_box(box_xyxy: Sequence[float]) -> Box:
    """The smallest box of whole pixels around (xmin, ymin, xmax, ymax)."""
    xmin, ymin, xmax, ymax = box_xyxy
    return {
        "xmin": math.floor(xmin),
        "ymin": math.floor(ymin),
        "xmax": math.ceil(xmax),
        "ymax": math.ceil(ymax),
    }
