"""Colour a word in its crop: fills, shadows, outlines, relief, over a background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tcm_hf.data.synthetic.painting import LUMINANCE, contrasting_color, translation_matrix
from tcm_hf.data.synthetic.textures import cloud, random_color
from tcm_hf.data.synthetic.word_fonts import EM_PX
from tcm_hf.data.synthetic.word_lettering import Setting
from tcm_hf.data.synthetic.word_views import WordView

# Least difference of the letters' mean from what is around them, grey levels of 255.
_LEAST_CONTRAST = 24.0


@dataclass(frozen=True)
class Layer:
    """A coverage map of the canvas and its colour.

    Args:
        mask: (H, W) uint8.
        color: RGB 0..255, (3,) float32.
        opacity: 0..1.
    """

    mask: np.ndarray
    color: np.ndarray
    opacity: float = 1.0


def paint_word(
    rng: np.random.Generator, setting: Setting, view: WordView, background: np.ndarray, low_contrast: float
) -> tuple[np.ndarray, float]:
    """Paint a word over its background.

    Args:
        rng: Source of randomness.
        setting: The word on its canvas.
        view: Where the canvas goes; the background has its size.
        background: (H, W, 3) uint8 RGB.
        low_contrast: Share of barely readable colour pairs.

    Returns:
        The crop, (H, W, 3) uint8 RGB, and the contrast of the letters with what is around them, 0..255.
    """
    behind = background[::3, ::3].reshape(-1, 3).mean(0, dtype=np.float32)
    color = contrasting_color(rng, behind, low_contrast)
    layers = _effect(rng, setting.ink, color, behind)
    if setting.others is not None:
        other = color if rng.random() < 0.7 else contrasting_color(rng, behind, 0.2)
        layers = [Layer(setting.others, other), *layers][-3:]
    maps = cv2.merge([*(layer.mask for layer in layers), setting.ink])
    seen = view.warp.render(maps, (0, 0), view.size_hw).reshape(*view.size_hw, -1)
    image = background.astype(np.float32)
    for number, layer in enumerate(layers):
        _lay(image, seen[..., number], layer.color, layer.opacity)
    ink = seen[..., -1]
    opacity = float(rng.uniform(0.5, 0.95)) if rng.random() < 0.12 else 1.0
    around = _mean_outside(image, ink)
    fill = _fill(rng, color, view.size_hw)
    _lay(image, ink, fill, opacity)
    contrast = _contrast(image, ink, around)
    # On a busy photo letters need more to stand out.
    if contrast < _LEAST_CONTRAST + 0.7 * float(background[::3, ::3].std(axis=(0, 1)).max()):
        _lay(image, ink, np.full(3, 250.0 if around @ LUMINANCE < 128 else 5.0, np.float32), 0.8)
        contrast = _contrast(image, ink, around)
    return np.clip(image, 0, 255).astype(np.uint8), contrast


def _lay(image: np.ndarray, mask: np.ndarray, color: np.ndarray, opacity: float) -> None:
    """Lay a colour, (3,) or (H, W, 3), over a float image in place."""
    cover = (mask.astype(np.float32) * np.float32(opacity / 255))[..., None]
    image += (color - image) * cover


def _mean_outside(image: np.ndarray, ink: np.ndarray) -> np.ndarray:
    outside = (255 - ink).astype(np.float32).ravel()
    return outside @ image.reshape(-1, 3) / max(float(outside.sum()), 1.0)


def _contrast(image: np.ndarray, ink: np.ndarray, around: np.ndarray) -> float:
    inside = ink.astype(np.float32).ravel()
    mean = inside @ image.reshape(-1, 3) / max(float(inside.sum()), 1.0)
    return float(np.abs(mean - around).max())


# --- fills ---


def _fill(rng: np.random.Generator, color: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The colour of the letters: flat mostly, else blended, changing along the word, or worn."""
    draw = rng.random()
    height, width = size_hw
    if draw < 0.74:
        return color
    if draw < 0.82:
        ends = rng.uniform(0.6, 1.3, 2)
        share = np.linspace(ends[0], ends[1], height, dtype=np.float32)[:, None, None]
        return np.clip(color * share, 0, 255) + np.zeros((1, width, 1), np.float32)
    if draw < 0.87:
        second = np.clip(color + rng.normal(0, 45, 3), 0, 255).astype(np.float32)
        share = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
        return color + (second - color) * share + np.zeros((height, 1, 1), np.float32)
    if draw < 0.91:
        count = int(rng.integers(2, 9))
        shades = np.clip(color + rng.normal(0, 40, (count, 3)), 0, 255).astype(np.float32)
        columns = shades[np.arange(width) * count // width]
        return np.broadcast_to(columns[None], (height, width, 3))
    worn = 0.65 + 0.7 * cloud(rng, size_hw, int(rng.integers(4, 14)), 2)
    return np.clip(color * worn[..., None], 0, 255)


# --- effects: layers below the letters ---


def _effect(rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray) -> list[Layer]:
    draw = rng.random()
    for end, effect in _EFFECTS:
        if draw < end:
            return effect(rng, ink, color, behind)
    return []


def _counter(rng: np.random.Generator, color: np.ndarray) -> np.ndarray:
    """Dark for light letters and light for dark ones, or any other colour far from theirs."""
    level = float(color @ LUMINANCE)
    if rng.random() < 0.65:
        return np.full(3, 245.0 if level < 128 else 10.0, np.float32)
    other = random_color(rng)
    if abs(float(other @ LUMINANCE) - level) > 60:
        return other
    return np.full(3, 255.0 if level < 128 else 0.0, np.float32)


def _shifted(ink: np.ndarray, x: float, y: float) -> np.ndarray:
    return cv2.warpAffine(ink, translation_matrix(x, y), ink.shape[::-1])


def _shadow(rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray) -> list[Layer]:
    reach = EM_PX * float(rng.uniform(0.03, 0.1))
    angle = float(rng.choice([0.25, 0.75, rng.random() * 2])) * np.pi
    shadow = _shifted(ink, reach * np.cos(angle), reach * np.sin(angle))
    if rng.random() < 0.6:
        shadow = cv2.GaussianBlur(shadow, (0, 0), reach * float(rng.uniform(0.3, 0.8)))
    shade = _counter(rng, color) if rng.random() < 0.4 else np.zeros(3, np.float32)
    return [Layer(shadow, shade, float(rng.uniform(0.35, 0.95)))]


def _outline(rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray) -> list[Layer]:
    reach = max(1, round(EM_PX * float(rng.uniform(0.02, 0.08))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    layers = [Layer(cv2.dilate(ink, disc), _counter(rng, color))]
    if rng.random() < 0.25:
        wider = cv2.dilate(layers[0].mask, disc)
        layers.insert(0, Layer(wider, color))
    return layers


def _extrusion(
    rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray
) -> list[Layer]:
    """A solid side below and beside the letters."""
    steps = int(rng.integers(2, 7))
    x, y = float(rng.choice([-1, 1])), float(rng.choice([-0.6, 0.6, 1]))
    side = ink.copy()
    for step in range(1, steps + 1):
        np.maximum(side, _shifted(ink, x * step, y * step), out=side)
    shade = color * float(rng.uniform(0.2, 0.65)) if rng.random() < 0.6 else _counter(rng, color)
    return [Layer(side, shade)]


def _glow(rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray) -> list[Layer]:
    sigma = EM_PX * float(rng.uniform(0.05, 0.14))
    halo = cv2.convertScaleAbs(cv2.GaussianBlur(ink, (0, 0), sigma), alpha=1.4)
    shade = _counter(rng, color) if rng.random() < 0.5 else np.clip(color * 0.8, 0, 255)
    return [Layer(halo, shade, 0.75)]


def _relief(rng: np.random.Generator, ink: np.ndarray, color: np.ndarray, behind: np.ndarray) -> list[Layer]:
    """Cut or raised letters: a light edge and a dark one."""
    shift = float(rng.uniform(1, 3))
    sign = float(rng.choice([-1, 1]))
    return [
        Layer(_shifted(ink, side * sign * shift, side * sign * shift), np.full(3, shade, np.float32), 0.8)
        for side, shade in ((-1, 245.0), (1, 10.0))
    ]


_EFFECTS: tuple[tuple[float, Callable[..., list[Layer]]], ...] = (
    (0.12, _shadow),
    (0.22, _outline),
    (0.26, _extrusion),
    (0.295, _glow),
    (0.335, _relief),
)
