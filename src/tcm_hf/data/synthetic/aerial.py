"""Generated photos from above: oriented planes, ships, vehicles, tanks and courts on textured ground."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.data.synthetic.textures import cloud
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, rotated_overlaps

_SHIFT = 4  # fractional bits of OpenCV's drawing
_GROUNDS = {
    "grass": (92, 112, 66),
    "asphalt": (112, 110, 108),
    "water": (52, 84, 104),
    "sand": (170, 150, 112),
}
Color = tuple[float, float, float]


class _Pen:
    """Paints in the frame of an object: x along its width, y along its height, both -1 … 1."""

    def __init__(self, canvas: np.ndarray, box: np.ndarray):
        self.canvas = canvas
        self.center, self.half, self.angle = box[:2], box[2:4] / 2, box[4]

    def _on_canvas(self, points: list[tuple[float, float]]) -> np.ndarray:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = (np.array(points) * self.half) @ np.array([[cos, sin], [-sin, cos]]) + self.center
        # OpenCV's integers are centres of pixels, ours are edges.
        return np.round((turned - 0.5) * 2**_SHIFT).astype(np.int32)

    def shape(self, points: list[tuple[float, float]], color: Color) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.canvas, [self._on_canvas(points)], color, cv2.LINE_AA, _SHIFT)

    def outline(self, points: list[tuple[float, float]], color: Color) -> None:
        """A closed line."""
        cv2.polylines(self.canvas, [self._on_canvas(points)], True, color, 1, cv2.LINE_AA, _SHIFT)

    def ellipse(self, color: Color, scale: float = 1.0) -> None:
        """An ellipse that fills the object's box, or a part of it."""
        steps = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        self.shape([(scale * np.cos(t), scale * np.sin(t)) for t in steps], color)


def _rectangle(x: float, y: float, half_x: float, half_y: float) -> list[tuple[float, float]]:
    return [
        (x - half_x, y - half_y),
        (x + half_x, y - half_y),
        (x + half_x, y + half_y),
        (x - half_x, y + half_y),
    ]


def _plane(pen: _Pen, color: Color, rng: np.random.Generator) -> None:
    pen.shape([(-1, -0.1), (0.85, -0.1), (1, 0), (0.85, 0.1), (-1, 0.1)], color)
    pen.shape([(0.3, 0), (-0.15, -1), (-0.4, -1), (-0.15, 0), (-0.4, 1), (-0.15, 1)], color)
    pen.shape([(-0.7, 0), (-0.9, -0.4), (-1, -0.4), (-0.95, 0), (-1, 0.4), (-0.9, 0.4)], color)


def _ship(pen: _Pen, color: Color, rng: np.random.Generator) -> None:
    pen.shape([(-1, -0.8), (-0.9, -1), (0.4, -1), (1, 0), (0.4, 1), (-0.9, 1), (-1, 0.8)], color)
    pen.shape(_rectangle(-0.45, 0, 0.2, 0.6), _shaded(color, 0.6))


def _vehicle(pen: _Pen, color: Color, rng: np.random.Generator) -> None:
    pen.shape(_rectangle(0, 0, 1, 1), color)
    pen.shape(_rectangle(0.35, 0, 0.15, 0.75), _shaded(color, 0.35))


def _storage_tank(pen: _Pen, color: Color, rng: np.random.Generator) -> None:
    pen.ellipse(color)
    pen.ellipse(_shaded(color, 0.8), 0.75)


def _tennis_court(pen: _Pen, color: Color, rng: np.random.Generator) -> None:
    pen.shape(_rectangle(0, 0, 1, 1), (60 + 30 * rng.random(), 100 + 40 * rng.random(), 70))
    for part in (_rectangle(0, 0, 0.8, 0.75), _rectangle(0, 0, 0.4, 0.75), _rectangle(0, 0, 0.02, 0.75)):
        pen.outline(part, (235, 235, 235))


def _shaded(color: Color, factor: float) -> Color:
    return (color[0] * factor, color[1] * factor, color[2] * factor)


class AerialClass(NamedTuple):
    """How objects of a class look, and how large they are."""

    paint: Callable[[_Pen, Color, np.random.Generator], None]
    length_px: tuple[float, float]
    """Least and greatest length for an image with a longer side of 256 pixels; larger images have larger."""
    ratio: tuple[float, float]
    """Least and greatest height over width."""
    turns: bool = True
    """Whether the object has a direction; what is round is annotated upright."""


AERIAL_CLASSES = {
    "plane": AerialClass(_plane, (28, 60), (0.75, 0.95)),
    "ship": AerialClass(_ship, (30, 70), (0.25, 0.4)),
    "large vehicle": AerialClass(_vehicle, (22, 44), (0.3, 0.45)),
    "storage tank": AerialClass(_storage_tank, (18, 44), (1.0, 1.0), turns=False),
    "tennis court": AerialClass(_tennis_court, (36, 64), (0.45, 0.6)),
}
"""By name, which is the class prompt too; DOTA has all of them."""


@dataclass
class SyntheticAerialDataset:
    """A number of generated photos from above, made when they are asked for.

    Args:
        count: how many.
        seed: the data set's seed; an image depends on it and its index alone.
        size_hw: height and width of the images, pixels.
        max_objects: objects of an image, at most; how many find room depends on its size.
    """

    count: int
    seed: int
    size_hw: tuple[int, int] = (256, 256)
    max_objects: int = 12

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> RotatedRecord:
        if not -self.count <= index < self.count:
            raise IndexError(f"Image {index} of a data set of {self.count}.")
        index %= self.count
        return aerial_photo(
            np.random.default_rng([self.seed, index]), self.size_hw, self.max_objects, f"aerial_{index}"
        )

    def __iter__(self) -> Iterator[RotatedRecord]:
        return (self[index] for index in range(self.count))


def aerial_photo(
    rng: np.random.Generator, size_hw: tuple[int, int], max_objects: int = 12, name: str = "aerial"
) -> RotatedRecord:
    """One photo with its objects, which neither overlap nor leave it.

    Args:
        rng: source of randomness.
        size_hw: height and width, pixels.
        max_objects: so many at most, at least one if any finds room.
        name: of the record.

    Returns:
        A record with an array image and class names of `AERIAL_CLASSES`.
    """
    canvas = _ground(rng, size_hw)
    names = list(AERIAL_CLASSES)
    boxes = np.zeros((0, 5))
    classes: list[str] = []
    scale = max(size_hw) / 256
    for _ in range(3 * int(rng.integers(1, max_objects + 1))):
        if len(classes) == max_objects:
            break
        kind = names[rng.integers(len(names))]
        about = AERIAL_CLASSES[kind]
        length = rng.uniform(*about.length_px) * scale
        width_height = length, length * rng.uniform(*about.ratio)
        center = rng.uniform((0, 0), (size_hw[1], size_hw[0]))
        box = np.array([[*center, *width_height, about.turns * rng.uniform(0, 2 * np.pi)]])
        corners = boxes_to_polygons(box)[0]
        grown = box + np.array([0, 0, 4, 4, 0])
        inside = (corners >= 0).all() and (corners <= (size_hw[1], size_hw[0])).all()
        if inside and not (rotated_overlaps(grown, boxes) > 0).any():
            boxes, classes = np.concatenate([boxes, box]), [*classes, kind]
    for box, kind in zip(boxes, classes, strict=True):
        grey = rng.uniform(150, 245)
        red, green, blue = np.clip(grey + rng.normal(scale=18, size=3), 90, 255).tolist()
        pen = _Pen(canvas, box)
        AERIAL_CLASSES[kind].paint(pen, (red, green, blue), rng)
    noisy = canvas + rng.normal(scale=rng.uniform(2, 8), size=canvas.shape)
    return RotatedRecord(
        np.clip(noisy, 0, 255).astype(np.uint8), boxes_to_polygons(boxes), classes, name=name
    )


def _ground(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Two kinds of ground in patches, with a road or two."""
    first, second = (
        np.array(list(_GROUNDS.values())[i]) for i in rng.choice(len(_GROUNDS), 2, replace=False)
    )
    patches = (cloud(rng, size_hw, coarsest=2, octaves=3) > rng.uniform(0.3, 0.7))[..., None]
    grain = cloud(rng, size_hw, coarsest=24, octaves=3)[..., None]
    canvas = np.where(patches, first, second) * (0.75 + 0.5 * grain)
    canvas = np.ascontiguousarray(np.clip(canvas, 0, 255).astype(np.uint8))
    for _ in range(rng.integers(0, 3)):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * (size_hw[1], size_hw[0])
        thickness = int(rng.integers(4, 10) * max(size_hw) / 256) + 1
        grey = int(rng.integers(80, 150))
        start, end = (tuple(int(value) for value in point) for point in ends)
        cv2.line(canvas, start, end, (grey, grey, grey), thickness, cv2.LINE_AA)
    return canvas


__all__ = ["AERIAL_CLASSES", "SyntheticAerialDataset", "aerial_photo"]
