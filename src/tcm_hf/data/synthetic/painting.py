"""Colour a flat block of text: boards behind it, fills, outlines, shadows, glow, embossing."""

from __future__ import annotations

import cv2
import numpy as np

from tcm_hf.data.synthetic.layout import TextBlock
from tcm_hf.data.synthetic.textures import cloud, random_color

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class Canvas:
    """A transparent picture that layers are laid over: premultiplied RGB and alpha, float32 0..1.

    Args:
        size_hw: Height and width, pixels.
    """

    def __init__(self, size_hw: tuple[int, int]) -> None:
        self.rgba = np.zeros((*size_hw, 4), dtype=np.float32)

    def lay(self, mask: np.ndarray, color: np.ndarray) -> None:
        """Lay a colour over the picture.

        Args:
            mask: Opacity (H, W) float32, 0..1.
            color: RGB 0..255: (3,) or (H, W, 3).
        """
        self.rgba *= 1 - mask[..., None]
        self.rgba[..., :3] += mask[..., None] * (np.asarray(color, dtype=np.float32) / 255)
        self.rgba[..., 3] += mask


def contrasting_color(rng: np.random.Generator, behind: np.ndarray, low_contrast: float) -> np.ndarray:
    """A colour that can be told from the one behind it.

    Args:
        rng: Source of randomness.
        behind: RGB 0..255, (3,).
        low_contrast: Share of draws that are only just readable.
    """
    level = float(behind @ LUMINANCE)
    wanted = float(rng.uniform(22, 50) if rng.random() < low_contrast else rng.uniform(60, 190))
    for _ in range(8):
        if rng.random() < 0.3:
            color = np.full(3, rng.choice([rng.uniform(0, 40), rng.uniform(215, 255)]), np.float32)
        else:
            color = random_color(rng, float(rng.beta(1.2, 1.2)))
        if abs(float(color @ LUMINANCE) - level) >= wanted * 0.8:
            break
    # Move along the line away from (or towards) the background until the luminance differs as wanted.
    difference = float(color @ LUMINANCE) - level
    sign = 1.0 if (difference >= 0 and level + wanted <= 255) or level - wanted < 0 else -1.0
    if wanted <= 50 or abs(difference) < wanted * 0.8:
        color = np.clip(color + (level + sign * wanted - float(color @ LUMINANCE)), 0, 255)
    return color.astype(np.float32)


def paint_block(
    rng: np.random.Generator,
    block: TextBlock,
    behind: np.ndarray,
    board: bool,
    low_contrast: float,
) -> np.ndarray:
    """Colour a block.

    Args:
        rng: Source of randomness.
        block: The block; its padding has room for the board.
        behind: Mean RGB 0..255 of the image where the block will lie.
        board: Whether a sign board or sticker lies behind the words.
        low_contrast: Share of barely readable colour pairs.

    Returns:
        (H, W, 4) float32, premultiplied RGBA in 0..1.
    """
    canvas = Canvas(block.ink.shape)
    if board:
        behind = _lay_board(rng, canvas, block, behind, low_contrast)
    color = contrasting_color(rng, behind, low_contrast)
    ink = block.ink.astype(np.float32) / 255
    _lay_effect(rng, canvas, ink, color, block.em_px, has_board=board)
    opacity = float(rng.uniform(0.55, 0.9)) if rng.random() < 0.1 else 1.0
    canvas.lay(ink * opacity, _fill(rng, color, block))
    if rng.random() < 0.3:
        # Photos behind the text are rarely as sharp as fresh letters.
        return cv2.GaussianBlur(canvas.rgba, (0, 0), max(0.4, block.em_px * float(rng.uniform(0.01, 0.07))))
    return canvas.rgba


def _fill(rng: np.random.Generator, color: np.ndarray, block: TextBlock) -> np.ndarray:
    """The colour of the letters: flat most often, else a vertical blend, one colour a line, or worn paint."""
    draw = rng.random()
    height, width = block.ink.shape
    if draw < 0.72:
        return color
    if draw < 0.82:
        share = np.linspace(0.65, 1.2, height, dtype=np.float32)[:, None, None]
        return np.clip(np.broadcast_to(color * share, (height, width, 3)), 0, 255)
    if draw < 0.92:
        tops = sorted({word.box_xyxy[1] for word in block.words})
        picture = np.broadcast_to(color, (height, width, 3)).copy()
        for top in tops[1:]:
            shift = rng.normal(0, 25, 3).astype(np.float32)
            picture[int(top) :] = np.clip(color + shift, 0, 255)
        return picture
    worn = 0.7 + 0.6 * cloud(rng, (height, width), 10, 3)[..., None]
    return np.clip(color * worn, 0, 255)


def _lay_effect(
    rng: np.random.Generator, canvas: Canvas, ink: np.ndarray, color: np.ndarray, em_px: int, has_board: bool
) -> None:
    draw = rng.random()
    reach = max(1, round(em_px * float(rng.uniform(0.03, 0.09))))
    dark = float(color @ LUMINANCE) < 128
    counter = np.full(3, 245.0 if dark else 10.0, np.float32)
    if draw < 0.6:
        return
    if draw < 0.75:
        angle = float(rng.choice([0.25, 0.75])) * np.pi
        shift = translation_matrix(reach * np.cos(angle), reach * np.sin(angle))
        shadow = cv2.warpAffine(ink, shift, ink.shape[::-1])
        if rng.random() < 0.6:
            shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.6, reach * 0.7))
        canvas.lay(shadow * float(rng.uniform(0.4, 0.95)), np.zeros(3) if not dark or has_board else counter)
    elif draw < 0.87:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        outline = counter if rng.random() < 0.6 else random_color(rng)
        canvas.lay(cv2.dilate(ink, disc), outline)
    elif draw < 0.92:
        glow = np.clip(cv2.GaussianBlur(ink, (0, 0), max(1.0, 2.0 * reach)) * 1.4, 0, 1)
        canvas.lay(glow * 0.7, counter if dark else color * 0.8)
    else:
        for side, shade in ((-1, 250.0), (1, 5.0)):
            edge = cv2.warpAffine(ink, translation_matrix(side, side), ink.shape[::-1])
            canvas.lay(edge * 0.7, np.full(3, shade))


def translation_matrix(x: float, y: float) -> np.ndarray:
    """(2, 3) affine that moves by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y]], dtype=np.float32)


def _lay_board(
    rng: np.random.Generator, canvas: Canvas, block: TextBlock, behind: np.ndarray, low_contrast: float
) -> np.ndarray:
    """A rectangle, rounded or not, with or without a border; returns its colour."""
    height, width = block.ink.shape
    color = random_color(rng) if rng.random() < 0.75 else contrasting_color(rng, behind, low_contrast)
    if rng.random() < 0.3:
        color = np.full(3, float(rng.choice([rng.uniform(225, 255), rng.uniform(0, 35)])), np.float32)
    shape = np.zeros((height, width), dtype=np.uint8)
    radius = int(min(height, width) * float(rng.uniform(0, 0.3))) if rng.random() < 0.4 else 0
    _fill_rounded(shape, (1, 1, width - 2, height - 2), radius)
    board = np.broadcast_to(color, (height, width, 3))
    texture = rng.random()
    if texture < 0.4:
        amount = float(rng.uniform(0.05, 0.35))
        board = np.clip(board * (1 + amount * (cloud(rng, (height, width), 3, 3)[..., None] - 0.5)), 0, 255)
    elif texture < 0.55:
        blend = np.linspace(0.7, 1.15, height, dtype=np.float32)[:, None, None]
        board = np.clip(board * blend, 0, 255)
    canvas.lay(shape.astype(np.float32) / 255 * (1.0 if rng.random() < 0.85 else 0.8), board)
    if rng.random() < 0.4:
        rim = np.zeros_like(shape)
        inset = 1 + int(rng.integers(0, max(2, block.em_px // 8)))
        thickness = max(1, int(block.em_px * float(rng.uniform(0.02, 0.08))))
        cv2.rectangle(rim, (inset, inset), (width - 1 - inset, height - 1 - inset), 255, thickness)
        canvas.lay(cv2.bitwise_and(rim, shape).astype(np.float32) / 255, contrasting_color(rng, color, 0.2))
    return color


def _fill_rounded(mask: np.ndarray, box_xyxy: tuple[int, int, int, int], radius: int) -> None:
    left, top, right, bottom = box_xyxy
    if radius < 2:
        cv2.rectangle(mask, (left, top), (right, bottom), 255, -1)
        return
    cv2.rectangle(mask, (left + radius, top), (right - radius, bottom), 255, -1)
    cv2.rectangle(mask, (left, top + radius), (right, bottom - radius), 255, -1)
    for x in (left + radius, right - radius):
        for y in (top + radius, bottom - radius):
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
