"""From which side a word is seen, and how a detector would have cut it out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tcm_hf.data.synthetic.warps import ArcBend, Bend, BlockWarp, WaveBend, translation, view_homography
from tcm_hf.data.synthetic.word_lettering import Setting

MAX_WIDTH_PX = 384
# Letters may take no less than this share of the height of a crop around a slanting word.
_LEAST_LETTER_SHARE = 0.4


@dataclass(frozen=True)
class WordView:
    """Where the canvas of a word goes in its crop.

    Args:
        warp: From the canvas to the crop, pixels of the crop.
        size_hw: Height and width of the crop.
        letter_px: About how high the word is in the crop.
    """

    warp: BlockWarp
    size_hw: tuple[int, int]
    letter_px: float


def draw_view(rng: np.random.Generator, setting: Setting, letter_px: float, max_height_px: int) -> WordView:
    """Choose a view and a cut.

    Args:
        rng: Source of randomness.
        setting: The word on its canvas.
        letter_px: Wanted height of the word in the crop.
        max_height_px: The highest crop; a higher one is scaled down.
    """
    left, top, right, bottom = setting.box_xyxy
    width, height = right - left, bottom - top
    canvas_wh = setting.ink.shape[1], setting.ink.shape[0]
    bend = _draw_bend(rng, width, height)
    if bend is None and rng.random() < 0.5:
        homography, low, high, seen_px = _quad_cut(rng, width, height)
    else:
        homography, seen_px = _tilted(rng, width, height), float(height)
        warp = BlockWarp(canvas_wh, bend, homography)
        outline = warp.box_polygon((left, top, right, bottom), 2 if bend is None else 12)
        low, high = outline.min(0), outline.max(0)
        edges = _margins(rng) * min(height, high[1] - low[1])
        low, high = low - edges[:2], high + edges[2:]
    scale = letter_px / seen_px
    size = high - low
    scale = min(scale, max_height_px / size[1], MAX_WIDTH_PX / size[0])
    homography = np.diag([scale, scale, 1.0]) @ translation(-low[0], -low[1]) @ homography
    size_hw = max(4, round(float(size[1] * scale))), max(4, round(float(size[0] * scale)))
    return WordView(BlockWarp(canvas_wh, bend, homography), size_hw, seen_px * scale)


def _margins(rng: np.random.Generator) -> np.ndarray:
    """Left, top, right, bottom, in letter heights: tight to loose, now and then cut into the word."""
    if rng.random() < 0.12:
        return rng.uniform(-0.03, 0.35, 4)
    return rng.uniform(-0.03, 0.16, 4)


def _draw_bend(rng: np.random.Generator, width: int, height: int) -> Bend | None:
    draw = rng.random()
    if draw > 0.13 or width < 1.5 * height:
        return None
    if draw < 0.10:
        angle = float(rng.uniform(0.25, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 2.0))
        radius = max(width / angle, 1.2 * height)
        return ArcBend(radius if rng.random() < 0.65 else -radius)
    amplitude = height * float(rng.uniform(0.08, 0.3))
    return WaveBend(amplitude, width * float(rng.uniform(0.6, 1.6)), float(rng.uniform(0, 2 * np.pi)))


def _tilted(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """The word's plane seen from the side: homography (3, 3) of points about its centre."""
    draw = rng.random()
    if draw < 0.55:
        roll, yaw, pitch = rng.normal(0, 1.6), rng.normal(0, 6), rng.normal(0, 6)
    elif draw < 0.87:
        roll, yaw, pitch = rng.uniform(-12, 12), rng.uniform(-28, 28), rng.uniform(-20, 20)
    else:
        roll, yaw, pitch = rng.uniform(-30, 30), rng.uniform(-45, 45), rng.uniform(-30, 30)
    steepest = np.degrees(np.arcsin(min(1.0, (1 / _LEAST_LETTER_SHARE - 1) * height / width)))
    roll = float(np.clip(roll, -steepest, steepest))
    focal = max(width, 2 * height) * float(rng.uniform(1.2, 4.0))
    seen = view_homography(np.radians(yaw), np.radians(pitch), np.radians(roll), focal)
    stretch = float(np.exp(rng.normal(0, 0.1 if rng.random() < 0.75 else 0.3)))
    shear = float(rng.uniform(-0.4, 0.4)) if rng.random() < 0.15 else 0.0
    flat = np.array([[np.clip(stretch, 0.55, 1.7), shear, 0], [0, 1, 0], [0, 0, 1]])
    return seen @ flat


def _quad_cut(
    rng: np.random.Generator, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A quad about the word, drawn by a careless hand or a detector, made a rectangle.

    Returns:
        The homography, the rectangle's low and high corner, and the height of the word in it.
    """
    stretch = float(np.clip(np.exp(rng.normal(0, 0.12 if rng.random() < 0.75 else 0.35)), 0.5, 1.8))
    shear = float(rng.uniform(-0.45, 0.45)) * height if rng.random() < 0.2 else 0.0
    margins = _margins(rng) * height
    word = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    low = np.array([-width / 2 * stretch - margins[0], -height / 2 - margins[1]])
    high = np.array([width / 2 * stretch + margins[2], height / 2 + margins[3]])
    sloppiness = height * float(rng.choice([0.01, 0.03, 0.07], p=[0.3, 0.45, 0.25]))
    target = word * (stretch, 1.0) + np.clip(rng.normal(0, 1, (4, 2)), -2, 2) * sloppiness
    target[:2, 0] += shear / 2
    target[2:, 0] -= shear / 2
    low[0] -= abs(shear) / 2
    high[0] += abs(shear) / 2
    matrix = cv2.getPerspectiveTransform(word.astype(np.float32), target.astype(np.float32))
    return matrix, low, high, float(height)
