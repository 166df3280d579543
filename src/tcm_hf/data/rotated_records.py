"""One annotated photo from above: polygons with class names; its tiles; boxes as the models learn them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tcm_hf.data.image_files import upright_size_hw
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.rotated_boxes import polygons_to_boxes, rotated_overlaps
from tcm_hf.processing.tiling import Tile

PADDING_RGB = (124, 116, 104)
"""What fills a tile that is larger than its image: about the mean colour of photos."""


@dataclass
class RotatedRecord:
    """An image with its annotated objects.

    Args:
        image: a file path (read lazily) or an RGB array (H, W, 3) uint8.
        polygons_xy: (N, 4, 2) corners, pixels of the upright image, in order around the object.
        class_names: one name an object.
        difficult: (N,) bool: neither a hit nor a miss in evaluation; none given: none is.
        name: short name for result files; the path's stem when not given.
        tile: the part of the image that this record is about, whole pixels; the polygons are in its frame.
            None for the whole image.
    """

    image: Path | np.ndarray
    polygons_xy: np.ndarray
    class_names: list[str]
    difficult: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    name: str = ""
    tile: Tile | None = None

    def __post_init__(self) -> None:
        if isinstance(self.image, str | os.PathLike):
            self.image = Path(self.image)
            self.name = self.name or self.image.stem
        self.polygons_xy = np.asarray(self.polygons_xy, dtype=np.float32).reshape(-1, 4, 2)
        if not len(self.difficult):
            self.difficult = np.zeros(len(self.polygons_xy), dtype=bool)
        self.difficult = np.asarray(self.difficult, dtype=bool)
        if not len(self.polygons_xy) == len(self.class_names) == len(self.difficult):
            raise ValueError(
                f"Each object needs a polygon, a class name and a flag: got {len(self.polygons_xy)}, "
                f"{len(self.class_names)} and {len(self.difficult)}."
            )

    def load_image(self) -> np.ndarray:
        """The pixels, (H, W, 3) uint8 RGB; of a tile that leaves its image the rest is `PADDING_RGB`.

        Raises:
            ValueError: if the file is missing or cannot be read as an image.
        """
        image = self.image
        return self.cut(
            image if isinstance(image, np.ndarray) else np.asarray(load_rgb_image(image), dtype=np.uint8)
        )

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """This record's part of its whole image (H, W, 3), as of `load_image`."""
        if self.tile is None:
            return pixels
        x0, y0, x1, y1 = self.tile
        tile = np.empty((y1 - y0, x1 - x0, 3), dtype=np.uint8)
        tile[:] = PADDING_RGB
        part = pixels[y0:y1, x0:x1]
        tile[: part.shape[0], : part.shape[1]] = part
        return tile

    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels; of a file only the header is read.

        Raises:
            ValueError: the file is missing or no image.
        """
        if self.tile is not None:
            x0, y0, x1, y1 = self.tile
            return y1 - y0, x1 - x0
        return upright_size_hw(self.image)

    def boxes(self) -> np.ndarray:
        """(N, 5) float32 smallest boxes around the polygons: cx, cy, w, h, angle in radians (le90)."""
        return polygons_to_boxes(self.polygons_xy).astype(np.float32)

    def class_labels(self, class_names: Sequence[str]) -> np.ndarray:
        """(N,) int64: places of the objects' classes in `class_names`.

        Raises:
            ValueError: for a class that is not among them.
        """
        places = {name: place for place, name in enumerate(class_names)}
        if unknown := sorted(set(self.class_names) - set(places)):
            raise ValueError(f"{self.name}: the classes {unknown} are not among {list(class_names)}.")
        return np.array([places[name] for name in self.class_names], dtype=np.int64)

    def with_classes(self, class_names: Sequence[str]) -> RotatedRecord:
        """The same image with the objects of these classes only."""
        kept = np.array([name in class_names for name in self.class_names], dtype=bool)
        return replace(
            self,
            polygons_xy=self.polygons_xy[kept],
            class_names=[name for name, keep in zip(self.class_names, kept, strict=True) if keep],
            difficult=self.difficult[kept],
        )


def plan_square_tiles(size_hw: tuple[int, int], tile_px: int = 1024, overlap_px: int = 200) -> list[Tile]:
    """Square tiles as DOTA is split: at steps of `tile_px - overlap_px`, the last moved back to the border.

    Args:
        size_hw: height and width of the image.
        tile_px: side of a tile; a smaller image gives one tile that leaves it.
        overlap_px: overlap of neighbours; that of the last two is larger.

    Returns:
        The tiles, row by row.

    Raises:
        ValueError: for an overlap that leaves no way forward.
    """
    if not 0 <= overlap_px < tile_px:
        raise ValueError(f"`overlap_px` must be from 0 to less than `tile_px` {tile_px}: got {overlap_px}.")
    step = tile_px - overlap_px
    rows, columns = (
        [min(i * step, length - tile_px) for i in range(math.ceil((length - overlap_px) / step))]
        if length > tile_px
        else [0]
        for length in size_hw
    )
    return [(x, y, x + tile_px, y + tile_px) for y in rows for x in columns]


def split_record(
    record: RotatedRecord,
    size_hw: tuple[int, int],
    *,
    tile_px: int = 1024,
    overlap_px: int = 200,
    min_visible: float = 0.7,
) -> list[RotatedRecord]:
    """The tiles of a record, with the objects that are to be seen in each.

    Args:
        record: of a whole image.
        size_hw: size of its image.
        tile_px: see `plan_square_tiles`.
        overlap_px: see `plan_square_tiles`.
        min_visible: part of an object's smallest box that must be inside a tile; its polygon is not cut.

    Returns:
        One record a tile, also where there are no objects, named `name__1024__x___y` as DOTA's tools do.
    """
    records = []
    boxes = record.boxes()
    for x0, y0, x1, y1 in plan_square_tiles(size_hw, tile_px, overlap_px):
        tile = np.array([[(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 0]])
        seen = rotated_overlaps(boxes, tile, "iof")[:, 0] >= min_visible
        records.append(
            replace(
                record,
                polygons_xy=record.polygons_xy[seen] - np.array([x0, y0], dtype=np.float32),
                class_names=[name for name, see in zip(record.class_names, seen, strict=True) if see],
                difficult=record.difficult[seen],
                name=f"{record.name}__{tile_px}__{x0}___{y0}",
                tile=(x0, y0, x1, y1),
            )
        )
    return records
