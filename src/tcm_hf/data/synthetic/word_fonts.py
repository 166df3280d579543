"""Which installed faces can draw which characters of a charset so that a reader can tell them apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tcm_hf.data.synthetic.fonts import SIGN_FAMILIES, FontFace, FontLibrary

EM_PX = 56
"""Em size at which letters are drawn; the crop scales them down (or, seldom, up)."""
_PROBE_EM_PX = 24
# Not a character of Unicode: what a face draws for it, it draws for all that it lacks.
_NO_CHARACTER = "\U0010ffff"
# Small letters with an ascender or a descender, and such without.
_TALL_AND_LOW = ("hn", "da", "bo", "pc", "qe", "ku", "gs")
# Faces whose Latin letters are another script's, boxed, on writing lines, or beyond reading.
NOT_WORD_FAMILIES = re.compile(
    r"abecedario|nushu|klingon|futhark|ecolier|wookianos|ptolemy|alfa-beta|elleboli|dhurjati|ocrb[ex]$"
    r"|ferritecore|breip|fraktur|isabella",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class WordFace:
    """A face, and what it can write.

    Args:
        face: The face.
        characters: The characters of the charset that it has a visible glyph for.
        caps_only: Its small letters are capitals: what it writes reads as upper case.
    """

    face: FontFace
    characters: frozenset[str]
    caps_only: bool

    def can_write(self, text: str) -> bool:
        """Whether it has a glyph for every character."""
        return self.characters.issuperset(text)


class WordFonts:
    """Draws a face for a word, by family first, so that forty weights count no more than one.

    Args:
        library: The fonts of the machine.
        charset: The characters that words are made of.
        sign_share: Share of draws from plain sans-serif families, the letters of most signs.

    Raises:
        ValueError: If a character of the charset has no glyph in any font.
    """

    def __init__(self, library: FontLibrary, charset: str, sign_share: float = 0.4) -> None:
        self.sign_share = sign_share
        known: dict[FontFace, WordFace | None] = {}
        self._families: list[list[WordFace]] = []
        for script in library.scripts:
            for family in library.families(script):
                new = [face for face in family if face not in known]
                known.update({face: probe_face(face, charset) for face in new})
                usable = [found for face in new if (found := known[face]) is not None]
                if usable:
                    self._families.append(usable)
        self._sign_families = [
            family for family in self._families if SIGN_FAMILIES.match(family[0].face.family)
        ]
        lacking = set(charset).difference(*(word_face.characters for word_face in self.faces))
        if lacking:
            raise ValueError(
                f"No font has a glyph for {''.join(sorted(lacking))!r}. Install fonts for the script, give "
                "their folders, or leave these characters out of the charset."
            )

    @property
    def faces(self) -> list[WordFace]:
        """All usable faces."""
        return [face for family in self._families for face in family]

    def draw(self, rng: np.random.Generator, text: str) -> WordFace | None:
        """A random face that can write the text; None when no face has all its characters."""
        for _ in range(12):
            families = self._families
            if self._sign_families and rng.random() < self.sign_share:
                families = self._sign_families
            family = families[int(rng.integers(len(families)))]
            face = family[int(rng.integers(len(family)))]
            if face.can_write(text):
                return face
        able = [face for face in self.faces if face.can_write(text)]
        return able[int(rng.integers(len(able)))] if able else None


def probe_face(face: FontFace, charset: str) -> WordFace | None:
    """Find out what a face can write by drawing every character; None when it is not for words."""
    if NOT_WORD_FAMILIES.search(face.path.stem if face.path else ""):
        return None
    try:
        font = face.at_size(_PROBE_EM_PX)
        nothing = font.getbbox(_NO_CHARACTER), draw_glyphs(font, _NO_CHARACTER)[0]
        characters = frozenset(character for character in charset if _has_glyph(font, character, nothing))
        caps_only = _is_caps_only(font, characters)
        if caps_only:  # a small letter comes out as a capital, which must be in the charset to be the label
            characters = frozenset(c for c in characters if set(c.upper()) <= set(charset))
        return WordFace(face, characters, caps_only) if characters else None
    except OSError:  # FreeType cannot draw this face
        return None


def _has_glyph(
    font: ImageFont.FreeTypeFont, character: str, nothing: tuple[tuple[float, ...], np.ndarray]
) -> bool:
    """Whether a character leaves ink that is not the one of characters that are not there."""
    box = font.getbbox(character)
    if box[2] <= box[0] or box[3] <= box[1]:
        return False
    return box != nothing[0] or not np.array_equal(draw_glyphs(font, character)[0], nothing[1])


def draw_glyphs(font: ImageFont.FreeTypeFont, text: str) -> tuple[np.ndarray, tuple[int, int]]:
    """Draw a text with its origin on the baseline.

    Args:
        font: The face at its size.
        text: One line.

    Returns:
        The coverage (H, W) uint8, cut to the ink's box (without pixels if there is no ink), and the (x, y)
        of its corner relative to the origin, y down.
    """
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text, anchor="ls"))
    if right <= left or bottom <= top:
        return np.zeros((0, 0), np.uint8), (0, 0)
    # A pixel of room: the boxes of hinted glyphs are now and then too tight.
    picture = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, font=font, fill=255, anchor="ls")
    ink = np.asarray(picture)
    x, y, width, height = cv2.boundingRect(ink)
    if not width or not height:
        return np.zeros((0, 0), np.uint8), (0, 0)
    return ink[y : y + height, x : x + width], (left - 1 + x, top - 1 + y)


def _is_caps_only(font: ImageFont.FreeTypeFont, characters: frozenset[str]) -> bool:
    """Whether no small letter is higher than the others: then they are capitals, small ones or not."""
    if not characters.issuperset("".join(_TALL_AND_LOW)):
        return False
    heights = [[_height(font, letter) for letter in letters] for letters in _TALL_AND_LOW]
    return bool(np.median([tall / max(low, 1) for tall, low in heights]) < 1.12)


def _height(font: ImageFont.FreeTypeFont, character: str) -> float:
    _, top, _, bottom = font.getbbox(character)
    return bottom - top
