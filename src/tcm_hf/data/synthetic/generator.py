"""Generate one annotated scene: background, distractors, text, camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds, procedural_background
from tcm_hf.data.synthetic.composition import (
    Occupancy,
    SceneView,
    SyntheticTextOptions,
    draw_block,
    draw_warp,
    drawable_scripts,
)
from tcm_hf.data.synthetic.degradations import Damage, degrade
from tcm_hf.data.synthetic.distractors import add_distractors
from tcm_hf.data.synthetic.fonts import FontLibrary
from tcm_hf.data.synthetic.layout import TextBlock
from tcm_hf.data.synthetic.painting import paint_block
from tcm_hf.data.synthetic.placing import annotate_word, blend_ink, blend_layers
from tcm_hf.data.synthetic.warps import BlockWarp


class SyntheticTextGenerator:
    """Makes scenes with exact word polygons. The same (seed, index) gives the same scene in any process.

    Straight words get a quad, bent words a polygon of 2n points: the top edge left to right, then the bottom
    edge right to left, clockwise on screen.

    Args:
        size_hw: Height and width of the images, pixels.
        fonts: The fonts; None finds those of the system (Pillow's own face when there are none).
        backgrounds: Photos to take text-free crops from; None makes every background procedurally.
        options: What the scenes look like.

    Raises:
        ValueError: If the images are too small, or no font covers a wanted script.
    """

    def __init__(
        self,
        size_hw: tuple[int, int] = (640, 640),
        fonts: FontLibrary | None = None,
        backgrounds: PhotoBackgrounds | None = None,
        options: SyntheticTextOptions | None = None,
    ) -> None:
        if min(size_hw) < 64:
            raise ValueError(f"`size_hw` must be at least 64 pixels on both sides: got {size_hw}.")
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))
        self.fonts = fonts if fonts is not None else FontLibrary.from_folders()
        self.backgrounds = backgrounds
        self.options = options or SyntheticTextOptions()
        drawable_scripts(self.fonts, self.options.script_shares)  # raises now, not in the first scene

    @classmethod
    def from_folders(
        cls,
        size_hw: tuple[int, int],
        fonts: Sequence[Path | str] | None = None,
        backgrounds: Sequence[Path | str] = (),
        backgrounds_first: int | None = None,
        options: SyntheticTextOptions | None = None,
    ) -> SyntheticTextGenerator:
        """Find fonts and photos in folders.

        Args:
            size_hw: Height and width of the images, pixels.
            fonts: Folders of fonts; None means the system's.
            backgrounds: Folders of annotated photos (`metadata.jsonl`).
            backgrounds_first: Use only the first so many photos of each folder.
            options: What the scenes look like.
        """
        photos = PhotoBackgrounds.from_folders(backgrounds, backgrounds_first) if backgrounds else None
        return cls(size_hw, FontLibrary.from_folders(fonts), photos, options)

    def __call__(self, seed: int, index: int) -> TextRecord:
        """One scene.

        Args:
            seed: The data set's seed, >= 0.
            index: The scene's number in it, >= 0.

        Returns:
            A record with an RGB array, word level, named "synth_<index>".
        """
        rng = np.random.default_rng([seed, index])
        image = self._background(rng)
        add_distractors(rng, image)
        ink = np.zeros(self.size_hw, dtype=np.uint8)
        words: list[tuple[TextInstance, float]] = []
        if rng.random() >= self.options.empty_share:
            words = self._write(rng, image, ink)
        image, damage = degrade(rng, image, self.options.degradation)
        for instance, height_px in words:
            instance.ignore = not self._legible(instance, height_px, image, ink, damage)
        return TextRecord(image, [instance for instance, _ in words], "word", f"synth_{index:06d}")

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        if self.backgrounds is not None and rng.random() < self.options.photo_share:
            crop = self.backgrounds.draw(rng, self.size_hw)
            if crop is not None:
                return crop
        return procedural_background(rng, self.size_hw)

    def _write(
        self, rng: np.random.Generator, image: np.ndarray, ink: np.ndarray
    ) -> list[tuple[TextInstance, float]]:
        """Draw blocks into the image until it has its words; returns them with their heights in pixels."""
        options = self.options
        drawn = options.median_words * float(np.exp(rng.normal(0, 0.8)))
        count = min(options.max_words, max(1, round(drawn)))
        view = SceneView.draw(rng, options.tilt_deg)
        occupancy = Occupancy(image)
        words: list[tuple[TextInstance, float]] = []
        misses = 0
        while len(words) < count and misses < 6:
            board = bool(rng.random() < options.board_share)
            block = draw_block(rng, self.fonts, options, self.size_hw, board)
            placed = None
            if block is not None:
                warp = draw_warp(rng, block, view, options.curved_share, self.size_hw)
                placed = occupancy.find_place(rng, warp)
            if block is None or placed is None:
                misses += 1
                continue
            self._draw(rng, image, ink, block, placed, board and placed.bend is None)
            words += [annotate_word(word, placed) for word in block.words]
        return words

    def _draw(
        self,
        rng: np.random.Generator,
        image: np.ndarray,
        ink: np.ndarray,
        block: TextBlock,
        warp: BlockWarp,
        board: bool,
    ) -> None:
        """Paint a block to suit what lies behind it, and draw it into the image and the ink map."""
        region = image[warp.window(self.size_hw)]
        behind = np.median(region[::3, ::3].reshape(-1, 3), axis=0).astype(np.float32)
        layers = paint_block(rng, block, behind, board, self.options.low_contrast)
        blend_layers(image, layers, warp, shaded=bool(rng.random() < 0.5))
        blend_ink(ink, block, warp)

    def _legible(
        self, instance: TextInstance, height_px: float, image: np.ndarray, ink: np.ndarray, damage: Damage
    ) -> bool:
        """Whether a reader could still read the word: high enough, sharp enough, told from what is behind."""
        if height_px < self.options.min_legible_height_px or damage.blur_px > 0.23 * height_px:
            return False
        left, top = np.floor(instance.polygon_xy.min(0)).astype(int)
        right, bottom = np.ceil(instance.polygon_xy.max(0)).astype(int)
        window = (slice(max(top, 0), bottom), slice(max(left, 0), right))
        letters = ink[window]
        inside, outside = letters > 150, letters < 30
        if inside.sum() < 4 or outside.sum() < 4:
            return bool(inside.sum() >= 4)
        pixels = image[window]
        contrast = np.abs(pixels[inside].mean(0) - pixels[outside].mean(0)).max()
        return bool(contrast > max(9.0, 0.6 * damage.noise_levels))
