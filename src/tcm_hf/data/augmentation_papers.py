"""The training augmentation of the TCM papers, its pixels changed by `torchvision.transforms.v2`.

Colour jitter, mirroring, rotation and resizing are torchvision's. The crop of EAST (arXiv 1704.03155), which
no library has, is drawn here. Polygons follow through one matrix, into which every step is multiplied with
the whole numbers of pixels that it was done with. torchvision's `KeyPoints` are not used: they mirror x to
W - 1 - x, which is right for numbers of pixels but a pixel off for the edges that polygons are measured in
(rotating and resizing, they count from edges); and older versions have none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from tcm_hf.data.augmentation import (
    Compose,
    Flags,
    IgnoreSmallText,
    Photometric,
    Polygons,
    Sample,
    as_sample,
    keep_polygons_in_window,
    renumbered,
    transformed,
)
from tcm_hf.processing.polygons import clamp_to_image

__all__ = ["EastCrop", "TorchvisionPixels", "paper_augmentation"]

MEAN_RGB = (123.0, 117.0, 104.0)
"""Fills what no photo covers: 0 after the papers' normalisation, which comes before their crop."""

Region = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def paper_augmentation(size_hw: tuple[int, int], min_text_height_px: float = 7.0) -> Compose:
    """The augmentation of TCM (arXiv 2302.14338) and FastTCM for detectors, after their released recipes.

    It mirrors photos: not for models that read.

    Args:
        size_hw: height and width of the samples in pixels; 640 x 640 in the papers.
        min_text_height_px: lower texts are marked ignore.
    """
    colors = TorchvisionPixels(v2.ColorJitter(brightness=32 / 255, saturation=0.5))
    return Compose((EastCrop(size_hw), Photometric(colors), IgnoreSmallText(min_text_height_px)))


@dataclass(frozen=True)
class TorchvisionPixels:
    """A transform of `torchvision.transforms.v2` that changes pixel values only, as a `PixelPart`.

    Its chance comes from torch; here torch's generator is seeded from ours for the call, and left as it was.

    Attributes:
        transform: called with a uint8 tensor (3, H, W), gives one of the same shape and type.
    """

    transform: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, image: np.ndarray, generator: Generator) -> np.ndarray:
        """See `tcm_hf.data.augmentation_photometric`."""
        with torch.random.fork_rng(devices=[]):
            # Not `torch.manual_seed`, which would seed the GPU's generators too.
            torch.default_generator.manual_seed(int(generator.integers(2**63)))
            return _array(self.transform(_tensor(image)))


@dataclass(frozen=True)
class EastCrop:
    """Mirror, rotate, resize, and crop between the texts.

    The edges of the crop lie in rows and columns that no text covers, so texts come whole; texts that are
    ignored may be cut. The crop holds a text, and is brought to the size of the sample, its proportions kept
    and filled up below or on the right. A photo without texts, or where no crop is found, comes whole.

    Because the crop is drawn in parts of the photo, resizing before it changes no size in the sample; what is
    left of it is a loss of sharpness, where it shrinks more than the crop does.

    Attributes:
        size_hw: height and width of the result in pixels.
        mirror_probability: how often left and right change places.
        max_angle_deg: rotation about the middle of the photo is uniform in ± this; the frame stays.
        scale: smallest and largest factor of the resizing, uniform between.
        min_side: least width and height of the crop, as a part of the photo's.
        max_tries: crops that are drawn before the photo is taken whole.
        min_kept_area: see `keep_polygons_in_window`.
        fill_rgb: colour outside of the photo.
    """

    size_hw: tuple[int, int]
    mirror_probability: float = 0.5
    max_angle_deg: float = 10.0
    scale: tuple[float, float] = (0.5, 3.0)
    min_side: float = 0.1
    max_tries: int = 50
    min_kept_area: float = 0.7
    fill_rgb: tuple[float, float, float] = MEAN_RGB

    def __call__(
        self, image: np.ndarray, polygons_xy: Polygons, ignore: Flags, generator: Generator
    ) -> Sample:
        """See `Augmentation`."""
        image, polygons, flags = as_sample(image, polygons_xy, ignore)
        mirrored = bool(generator.random() < self.mirror_probability)
        angle_deg = float(generator.uniform(-self.max_angle_deg, self.max_angle_deg))
        sharpness = float(generator.uniform(*self.scale))
        turn = _turn(image.shape[:2], mirrored, angle_deg)
        wanted = [
            transformed(polygon, turn)
            for polygon, ignored in zip(polygons, flags, strict=True)
            if not ignored
        ]
        region = self._draw_region(image.shape[:2], wanted, generator)
        view = self._render(image, turn, region, (mirrored, angle_deg, sharpness))
        moved = [transformed(polygon, view.matrix) for polygon in polygons]
        if mirrored:
            moved = [renumbered(polygon) for polygon in moved]
        shown_hw = view.size_hw  # less than the sample: beside the crop nothing is seen, of texts neither
        moved = [_on_the_edge(polygon, shown_hw) for polygon in moved]
        view.window((0, 0), self.size_hw, self.fill_rgb)
        return _array(view.pixels), *keep_polygons_in_window(moved, flags, shown_hw, self.min_kept_area)

    def _draw_region(self, image_hw: tuple[int, int], texts: Polygons, generator: Generator) -> Region:
        """The crop in the turned photo; the whole of it where there is no text or no crop around one."""
        height, width = image_hw
        bounds = np.array([[*text.min(axis=0), *text.max(axis=0)] for text in texts]).reshape(-1, 4)
        inside = bounds[(bounds >= 0).all(1) & (bounds[:, 2] <= width) & (bounds[:, 3] <= height)]
        if not len(inside):
            return 0.0, 0.0, float(width), float(height)
        columns = _free_places(bounds[:, [0, 2]], width)
        rows = _free_places(bounds[:, [1, 3]], height)
        for _ in range(self.max_tries):
            left, right = _draw_span(columns, generator)
            top, bottom = _draw_span(rows, generator)
            if right - left < self.min_side * width or bottom - top < self.min_side * height:
                continue
            low = (inside[:, :2] >= (left, top)).all(1)
            if (low & (inside[:, 2:] <= (right, bottom)).all(1)).any():
                return left, top, right, bottom
        return 0.0, 0.0, float(width), float(height)

    def _render(
        self, image: np.ndarray, turn: np.ndarray, region: Region, drawn: tuple[bool, float, float]
    ) -> "_View":
        """The crop at its size in the sample; only what is seen of the photo is touched."""
        mirrored, angle_deg, sharpness = drawn
        left, top, right, bottom = region
        height, width = self.size_hw
        zoom = min(width / (right - left), height / (bottom - top))
        shown_hw = (min(height, round((bottom - top) * zoom)), min(width, round((right - left) * zoom)))
        first_zoom = min(zoom, sharpness)
        view = _View.cut(image, *_seen_source(turn, region, margin_px=2 + 2 / first_zoom))
        if mirrored:
            view.mirror()
        view.resize([max(round(side * first_zoom), 1) for side in view.size_hw])
        view.rotate(angle_deg, self.fill_rgb)
        corner = transformed(np.array([[left, top]]), _inverse(turn))
        x, y = np.round(transformed(corner, view.matrix)[0]).astype(int).tolist()
        window_hw = shown_hw
        if first_zoom < zoom:
            window_hw = (
                max(round((bottom - top) * first_zoom), 1),
                max(round((right - left) * first_zoom), 1),
            )
        view.window((x, y), window_hw, self.fill_rgb)
        view.resize(list(shown_hw))
        return view


class _View:
    """Pixels (3, h, w), and the matrix (2, 3) from the photo to them, both in pixel edges."""

    def __init__(self, pixels: torch.Tensor, matrix: np.ndarray):
        self.pixels = pixels
        self.matrix = matrix

    @classmethod
    def cut(cls, image: np.ndarray, low_xy: np.ndarray, high_xy: np.ndarray) -> "_View":
        """The part of a photo between two corners, which may lie outside; at least a pixel."""
        size_wh = np.array(image.shape[1::-1])
        left, top = np.clip(np.floor(low_xy), 0, size_wh - 1).astype(int)
        right, bottom = np.clip(np.ceil(high_xy), (left + 1, top + 1), size_wh).astype(int)
        return cls(_tensor(image[top:bottom, left:right]), np.array([[1.0, 0, -left], [0, 1.0, -top]]))

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def mirror(self) -> None:
        self.pixels = functional.horizontal_flip(self.pixels)
        self._then(np.diag([-1.0, 1.0]), (self.size_hw[1], 0.0))

    def resize(self, size_hw: list[int]) -> None:
        before = self.size_hw
        if before == tuple(size_hw):
            return
        self.pixels = functional.resize(self.pixels, size_hw, antialias=True)
        self._then(np.diag([size_hw[1] / before[1], size_hw[0] / before[0]]), (0.0, 0.0))

    def rotate(self, angle_deg: float, fill_rgb: tuple[float, float, float]) -> None:
        """Anticlockwise about the middle, which stays the middle of a picture that is as large as needed."""
        middle = np.array(self.size_hw[::-1]) / 2
        self.pixels = functional.rotate(
            self.pixels,
            angle_deg,
            interpolation=InterpolationMode.BILINEAR,
            expand=True,
            fill=list(fill_rgb),
        )
        linear = _anticlockwise(angle_deg)
        self._then(linear, np.array(self.size_hw[::-1]) / 2 - linear @ middle)

    def window(
        self, corner_xy: tuple[int, int], size_hw: tuple[int, int], fill_rgb: tuple[float, float, float]
    ) -> None:
        """Cut to a size from a corner on, filled up where there is nothing."""
        (left, top), (height, width) = corner_xy, size_hw
        beyond = [
            max(-left, 0),
            max(-top, 0),
            max(left + width - self.size_hw[1], 0),
            max(top + height - self.size_hw[0], 0),
        ]
        if any(beyond):
            self.pixels = functional.pad(self.pixels, beyond, fill=list(fill_rgb))
        self.pixels = functional.crop(self.pixels, top + beyond[1], left + beyond[0], height, width)
        self._then(np.eye(2), (-left, -top))

    def _then(self, linear: np.ndarray, shift: tuple[float, float] | np.ndarray) -> None:
        self.matrix = linear @ self.matrix
        self.matrix[:, 2] += shift


def _tensor(image: np.ndarray) -> torch.Tensor:
    # A copy: cached photos are memory maps that must not be written to.
    return torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))


def _array(pixels: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _anticlockwise(angle_deg: float) -> np.ndarray:
    """(2, 2) rotation, anticlockwise on screen (y points down)."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, sine], [-sine, cosine]])


def _turn(image_hw: tuple[int, int], mirrored: bool, angle_deg: float) -> np.ndarray:
    """(2, 3) from a photo to the photo mirrored and rotated about its middle."""
    middle = np.array(image_hw[::-1]) / 2
    linear = _anticlockwise(angle_deg) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    return np.column_stack([linear, middle - linear @ middle])


def _on_the_edge(polygon: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """A text that the crop touches may stick out by a part of a pixel, as pixels are whole: pulled in."""
    clamped = clamp_to_image(polygon, size_hw)
    return clamped if np.abs(clamped - polygon).max() < 1 else polygon


def _inverse(matrix: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def _seen_source(turn: np.ndarray, region: Region, margin_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners (x, y), upper left and lower right, of what a region of the turned photo shows of the photo."""
    left, top, right, bottom = region
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    points = transformed(corners, _inverse(turn))
    return points.min(axis=0) - margin_px, points.max(axis=0) + margin_px


def _free_places(spans: np.ndarray, length: int) -> list[np.ndarray]:
    """The runs of edges 0..length that lie inside of no span (N, 2)."""
    taken = np.zeros(length + 2, int)
    # An edge on the border of a text does not cut it.
    first = np.clip(np.floor(spans[:, 0]).astype(int) + 1, 0, length + 1)
    last = np.clip(np.ceil(spans[:, 1]).astype(int), 0, length + 1)
    np.add.at(taken, first, 1)
    np.add.at(taken, np.maximum(last, first), -1)
    free = np.flatnonzero(np.cumsum(taken)[: length + 1] == 0)
    return np.split(free, np.flatnonzero(np.diff(free) > 1) + 1)


def _draw_span(runs: list[np.ndarray], generator: Generator) -> tuple[float, float]:
    """Two places, each from a run of its own where there are several: long runs count no more than short."""
    if len(runs) > 1:
        chosen = [runs[index] for index in generator.choice(len(runs), 2, replace=False)]
    else:
        chosen = [runs[0], runs[0]]
    places = sorted(float(run[generator.integers(len(run))]) for run in chosen)
    return places[0], places[1]
