"""Generate pictures of single words, as a text detector would have cut them out."""

from __future__ import annotations

import cv2
import numpy as np

from tcm_hf.data.synthetic.backgrounds import PhotoBackgrounds
from tcm_hf.data.synthetic.fonts import FontLibrary
from tcm_hf.data.synthetic.word_backgrounds import WordBackgrounds
from tcm_hf.data.synthetic.word_degradations import degrade_word
from tcm_hf.data.synthetic.word_fonts import EM_PX, WordFace, WordFonts
from tcm_hf.data.synthetic.word_lettering import (
    Lettering,
    LetterStyle,
    Setting,
    on_canvas,
    random_style,
    set_word,
    thickened,
)
from tcm_hf.data.synthetic.word_painting import paint_word
from tcm_hf.data.synthetic.word_texts import WordTexts
from tcm_hf.data.synthetic.word_views import WordView, draw_view
from tcm_hf.data.words import WordRecord

MIN_HEIGHT_PX, MAX_HEIGHT_PX = 24, 64
_MEDIAN_LETTER_PX = 25.0
_RENDER_PX = 40.0


class SyntheticWordGenerator:
    """Makes pictures of words. The same (seed, index) gives the same picture in any process.

    Args:
        texts: What the words say; None takes the built-in words over digits, Latin letters and ASCII marks.
        fonts: The fonts; None finds those of the system.
        photos: Photos for the backgrounds; None makes every background procedurally.
        strength: How badly they are photographed: 0 not at all, 1 the usual mixture.
        low_contrast: Share of colour pairs that are only just readable.

    Raises:
        ValueError: If no font has a glyph for some character of the charset.
    """

    def __init__(
        self,
        texts: WordTexts | None = None,
        fonts: FontLibrary | None = None,
        photos: PhotoBackgrounds | None = None,
        strength: float = 1.0,
        low_contrast: float = 0.1,
    ) -> None:
        self.texts = texts or WordTexts()
        self.fonts = WordFonts(fonts or FontLibrary.from_folders(), self.texts.charset)
        self.backgrounds = WordBackgrounds(photos)
        self.strength = strength
        self.low_contrast = low_contrast

    def __call__(self, seed: int, index: int) -> WordRecord:
        """One word.

        Args:
            seed: The data set's seed, >= 0.
            index: The word's number in it, >= 0.

        Returns:
            A record with an RGB array of 24 to 64 rows, named "word_<index>".
        """
        rng = np.random.default_rng([seed, index])
        text, setting = self._set(rng)
        letter_px = float(np.clip(_MEDIAN_LETTER_PX * np.exp(rng.normal(0, 0.5)), 8.0, 56.0))
        # Drawn larger where it is small, then reduced as a sensor does.
        over = max(1.0, min(2.5, _RENDER_PX / letter_px))
        view = draw_view(rng, setting, letter_px * over, int(MAX_HEIGHT_PX * over))
        background = self.backgrounds.draw(rng, view.size_hw)
        _draw_lines(rng, background, share=0.16, thickest=0.12)
        image, contrast = paint_word(rng, setting, view, background, self.low_contrast)
        _draw_lines(rng, image, share=0.03, thickest=0.04)
        image = self._photographed(rng, image, view, over, contrast)
        return WordRecord(image, text, f"word_{index:07d}")

    def _set(self, rng: np.random.Generator) -> tuple[str, Setting]:
        """A text and its letters on a canvas; what a face cannot write is drawn anew."""
        while True:
            text = self.texts.draw(rng)
            face = self.fonts.draw(rng, text)
            if face is None:
                continue
            style = random_style(rng)
            label = text
            small_capitals = len(text) > 2 and text.isalpha() and rng.random() < 0.04
            if face.caps_only or small_capitals:
                label = text.upper()
                if not face.can_write(label) or not set(label) <= set(self.texts.charset):
                    continue
                if small_capitals:
                    text, style = label, LetterStyle(small_share=float(rng.uniform(0.68, 0.88)))
            lettering = set_word(rng, face.face.at_size(EM_PX), text, style)
            if lettering is None:
                continue
            if rng.random() < 0.1:
                lettering = thickened(rng, lettering)
            height = lettering.ink.shape[0]
            neighbours = self._neighbours(rng, face)
            gap = round(EM_PX * float(rng.uniform(0.22, 0.5)))
            return label, on_canvas(lettering, neighbours, gap, max(24, int(0.9 * height)))

    def _neighbours(self, rng: np.random.Generator, face: WordFace) -> dict[str, Lettering]:
        """Now and then words beside, above and below; their edges peek into the crop."""
        found: dict[str, Lettering] = {}
        if rng.random() > 0.3:
            return found
        font = face.face.at_size(EM_PX)
        for side in ("left", "right", "above", "below"):
            text = self.texts.draw(rng)[:9] if rng.random() < 0.4 else ""
            if text and face.can_write(text):
                lettering = set_word(rng, font, text, LetterStyle())
                if lettering is not None:
                    found[side] = lettering
        return found

    def _photographed(
        self, rng: np.random.Generator, image: np.ndarray, view: WordView, over: float, contrast: float
    ) -> np.ndarray:
        height, width = image.shape[:2]
        if over > 1:
            height, width = max(4, round(height / over)), max(4, round(width / over))
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        # A scanned poster or a screen, or a photo in the street.
        strength = self.strength * (0.3 if rng.random() < 0.45 else 1.0)
        image = degrade_word(rng, image, view.letter_px / over, contrast, strength)
        if height >= MIN_HEIGHT_PX and rng.random() < 0.8:
            return image
        enlarged = int(rng.integers(max(MIN_HEIGHT_PX, min(height, 47)), 49 if height < 48 else 65))
        method = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
        wide = max(4, round(width * enlarged / height))
        return cv2.resize(image, (wide, enlarged), interpolation=method)


def _draw_lines(rng: np.random.Generator, image: np.ndarray, share: float, thickest: float) -> None:
    """Edges of boards, frames, wires: one to three straight lines up to a share of the height, in place."""
    if rng.random() > share:
        return
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        color = random_line_color(rng)
        thickness = max(1, int(height * float(rng.uniform(0.01, thickest))))
        if rng.random() < 0.5:  # along an edge
            at = float(rng.choice([rng.uniform(0, 0.12), rng.uniform(0.88, 1)])) * height
            ends = (0, int(at)), (width, int(at + rng.uniform(-0.1, 0.1) * height))
        else:
            corners = rng.random((2, 2)) * (width, height)
            middle = corners.mean(0)
            reach = (corners[1] - middle) * 3
            ends = tuple((middle - reach).astype(int).tolist()), tuple((middle + reach).astype(int).tolist())
        cv2.line(image, *ends, color, thickness, cv2.LINE_AA)


def random_line_color(rng: np.random.Generator) -> list[int]:
    """Grey most often."""
    if rng.random() < 0.6:
        return [int(rng.integers(256))] * 3
    return [int(value) for value in rng.integers(0, 256, 3)]
