"""Draw a warped block into the image and say where its words came to lie."""

from __future__ import annotations

import cv2
import numpy as np

from tcm_hf.data.records import TextInstance
from tcm_hf.data.synthetic.layout import PlacedWord, TextBlock
from tcm_hf.data.synthetic.warps import BlockWarp

# Annotators leave a little air around a word: a share of its height, and at least this many pixels.
MARGIN_SHARE, MARGIN_PX = 0.04, 0.5


def annotate_word(word: PlacedWord, warp: BlockWarp) -> tuple[TextInstance, float]:
    """The annotation of a word of a warped block.

    Args:
        word: The word in its block.
        warp: Where the block goes.

    Returns:
        The instance (a quad, or 2n points along a bend: top edge left to right, bottom edge right to left,
        clockwise on screen) and the word's height in the image, pixels.
    """
    left, top, right, bottom = word.box_xyxy
    height, width = bottom - top, right - left
    points_per_edge = 2 if warp.bend is None else int(np.clip(round(width / max(height, 1)) + 2, 3, 8))
    tight = warp.box_polygon(word.box_xyxy, 2)
    height_px = 0.5 * (np.hypot(*(tight[3] - tight[0])) + np.hypot(*(tight[2] - tight[1])))
    margin = max(MARGIN_PX, MARGIN_SHARE * height)
    polygon = warp.box_polygon(
        (left - margin, top - margin, right + margin, bottom + margin), points_per_edge
    )
    return TextInstance(polygon.astype(np.float32), word.text, False, word.script), float(height_px)


def blend_layers(image: np.ndarray, layers: np.ndarray, warp: BlockWarp, shaded: bool) -> None:
    """Lay a painted block over the image, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        layers: The block, (h, w, 4) float32, premultiplied RGBA in 0..1.
        warp: Where it goes.
        shaded: Whether the block takes the slow changes of light of what lies behind it.
    """
    window = warp.window(image.shape[:2])
    region = image[window]
    rgba = warp.render(layers, (window[1].start, window[0].start), region.shape[:2])
    if shaded:
        rgba[..., :3] *= _shading(region)[..., None]
    blended = region * (1 - rgba[..., 3:]) + 255 * rgba[..., :3]
    image[window] = np.clip(blended + 0.5, 0, 255).astype(np.uint8)


def blend_ink(ink: np.ndarray, block: TextBlock, warp: BlockWarp) -> None:
    """Add a block's glyph coverage to the image's (H, W) uint8, in place."""
    window = warp.window(ink.shape)
    drawn = warp.render(block.ink, (window[1].start, window[0].start), ink[window].shape)
    np.maximum(ink[window], drawn, out=ink[window])


def _shading(region: np.ndarray) -> np.ndarray:
    """The slow changes of light over a region, at most 1, (h, w) float32."""
    grey = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    small = cv2.resize(grey, (max(1, width // 16), max(1, height // 16)), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip((smooth + 40) / (float(smooth.mean()) + 40), 0.6, 1.0)
