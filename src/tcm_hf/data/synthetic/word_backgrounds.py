"""What lies behind a single word: flat, blended and worn boards, textures, and pieces of photos."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
from tcm_hf.data.synthetic.textures import cloud, gradient, random_color, random_texture

_PATCH_HW = (128, 400)
_POOL_SIZE = 700
_NOISE_HW = (192, 640)


class WordBackgrounds:
    """Draws backgrounds of any small size.

    Photos and textures come from two pools of patches, each patch made when it is first asked for and fixed
    by its number, so that a picture depends on its own random numbers only.

    Args:
        photos: Text-free crops of photos; None makes textures only.
    """

    def __init__(self, photos: PhotoBackgrounds | None = None) -> None:
        self.photos = photos
        self._patches: dict[tuple[bool, int], np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        """The pools are not sent to other processes: they make their own."""
        return {**self.__dict__, "_patches": {}}

    def draw(self, rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
        """A background, (H, W, 3) uint8 RGB."""
        draw = rng.random()
        if draw < 0.30:
            image = np.empty((*size_hw, 3), np.uint8)
            image[:] = board_color(rng)
            return image
        if draw < 0.42:
            return gradient(rng, size_hw)
        if draw < 0.62:
            return _worn_board(rng, size_hw)
        photo = self.photos is not None and draw < 0.90
        return _piece(rng, self._patch(photo, int(rng.integers(_POOL_SIZE))), size_hw)

    def _patch(self, photo: bool, number: int) -> np.ndarray:
        if (photo, number) not in self._patches:
            self._patches[photo, number] = self._make_patch(photo, number)
        return self._patches[photo, number]

    def _make_patch(self, photo: bool, number: int) -> np.ndarray:
        rng = np.random.default_rng([number, int(photo)])
        if photo and self.photos is not None:
            patch = self.photos.draw(rng, _PATCH_HW)
            if patch is not None:
                return patch
        return random_texture(rng, _PATCH_HW)


def board_color(rng: np.random.Generator) -> np.ndarray:
    """The colour of a sign: white, black, grey, or a plain strong colour, (3,) float32 0..255."""
    draw = rng.random()
    if draw < 0.25:
        return np.full(3, rng.uniform(215, 255), np.float32)
    if draw < 0.40:
        return np.full(3, rng.uniform(0, 45), np.float32)
    if draw < 0.70:
        return random_color(rng, float(rng.uniform(0.5, 1.0)))
    return random_color(rng)


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Normal noise of deviation 1, (H, W) float32: a fixed tile that is cut and scaled for each picture."""
    return np.random.default_rng(7).standard_normal(_NOISE_HW, dtype=np.float32)


def noise_piece(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A random piece of the noise tile, repeated where it is too small."""
    tile = noise_tile()
    height, width = size_hw
    if height > tile.shape[0] // 2 or width > tile.shape[1] // 2:
        tile = np.tile(tile, (height // 64 + 1, width // 64 + 1))
    y = int(rng.integers(tile.shape[0] - height))
    x = int(rng.integers(tile.shape[1] - width))
    return tile[y : y + height, x : x + width]


def _worn_board(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """One colour with slow blotches and grain."""
    amount = float(rng.uniform(0.05, 0.5))
    octaves = int(rng.integers(1, 4))
    shade = 1 - amount / 2 + amount * cloud(rng, size_hw, int(rng.integers(2, 9)), octaves)
    if rng.random() < 0.5:
        shade = shade + noise_piece(rng, size_hw) * float(rng.uniform(0.01, 0.08))
    color = board_color(rng)
    return np.clip(shade[..., None] * color, 0, 255).astype(np.uint8)


def _piece(rng: np.random.Generator, patch: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """A random piece of a patch, at a random scale, mirrored at random."""
    patch_h, patch_w = patch.shape[:2]
    largest = min(patch_h / size_hw[0], patch_w / size_hw[1])
    scale = min(largest, float(rng.uniform(0.35, 1.3)))
    height = max(2, min(patch_h, int(size_hw[0] * scale)))
    width = max(2, min(patch_w, int(size_hw[1] * scale)))
    y, x = int(rng.integers(patch_h - height + 1)), int(rng.integers(patch_w - width + 1))
    piece = cv2.resize(patch[y : y + height, x : x + width], size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(piece[:, ::-1]) if rng.random() < 0.5 else piece
