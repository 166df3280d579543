"""Decide what is written where: the lines of a block, its view, a free place in the image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from tcm_hf.data.synthetic.fonts import FontLibrary
from tcm_hf.data.synthetic.layout import TextBlock, TextLine, em_for_height, lay_out
from tcm_hf.data.synthetic.warps import ArcBend, Bend, BlockWarp, WaveBend, view_homography
from tcm_hf.data.synthetic.words import draw_line

SCRIPT_SHARES = {
    "latin": 0.82,
    "cyrillic": 0.04,
    "greek": 0.03,
    "chinese": 0.04,
    "japanese": 0.02,
    "korean": 0.02,
    "arabic": 0.02,
    "devanagari": 0.01,
}


@dataclass(frozen=True)
class SyntheticTextOptions:
    """What the generated scenes look like. Lengths are pixels of the generated image.

    Args:
        word_height_px: Smallest and largest height of a word as it is drawn.
        median_height_px: Half of the blocks have headlines lower than this (the words of ICDAR 2015 have a
            median of 24 at 1280x720; smaller lines below a headline pull ours there).
        median_words: Half of the images have fewer words than this.
        max_words: No image has many more words than this.
        empty_share: Share of images without any text.
        photo_share: Share of images on a photo crop, where photos were given.
        curved_share: Share of one-line blocks that are bent.
        board_share: Share of blocks with a sign board behind them.
        low_contrast: Share of barely readable colour pairs.
        tilt_deg: Standard deviation of the rotation of a whole scene.
        degradation: Strength of blur, noise, light and JPEG; 0 is none, 1 is usual.
        min_legible_height_px: Lower words are marked "do not care".
        script_shares: How often each script is drawn; scripts without a font are left out.
    """

    word_height_px: tuple[float, float] = (6.0, 120.0)
    median_height_px: float = 27.0
    median_words: float = 8.0
    max_words: int = 50
    empty_share: float = 0.03
    photo_share: float = 0.6
    curved_share: float = 0.15
    board_share: float = 0.5
    low_contrast: float = 0.15
    tilt_deg: float = 7.0
    degradation: float = 1.0
    min_legible_height_px: float = 7.0
    script_shares: dict[str, float] = field(default_factory=lambda: dict(SCRIPT_SHARES))

    def __post_init__(self) -> None:
        low, high = self.word_height_px
        if not 0 < low <= high:
            raise ValueError(
                f"`word_height_px` must be (low, high) with 0 < low <= high: got {self.word_height_px}."
            )
        for name in ("empty_share", "photo_share", "curved_share", "board_share", "low_contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must lie in 0..1: got {getattr(self, name)}.")
        unknown = set(self.script_shares) - set(SCRIPT_SHARES)
        if unknown:
            raise ValueError(f"`script_shares` knows {sorted(SCRIPT_SHARES)}: got {sorted(unknown)}.")


@dataclass(frozen=True)
class SceneView:
    """How the camera of one image looks at its walls.

    Args:
        yaw_deg: Turn about the vertical axis.
        pitch_deg: Turn about the horizontal axis.
        roll_deg: Turn in the picture.
        common: Share of blocks that lie exactly in this view; the others stray from it.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    common: float

    @classmethod
    def draw(cls, rng: np.random.Generator, tilt_deg: float) -> SceneView:
        """A random camera."""
        return cls(rng.normal(0, 18), rng.normal(0, 9), rng.normal(0, tilt_deg), float(rng.uniform(0.3, 1)))

    def homography(self, rng: np.random.Generator, focal_px: float) -> np.ndarray:
        """The view of one block: the scene's own, or one that strays from it."""
        yaw, pitch, roll = self.yaw_deg, self.pitch_deg, self.roll_deg
        if rng.random() > self.common:
            yaw, pitch = yaw + rng.normal(0, 22), pitch + rng.normal(0, 12)
            roll += rng.normal(0, 10) if rng.random() < 0.85 else rng.uniform(-90, 90)
        yaw, pitch, roll = np.clip(yaw, -58, 58), np.clip(pitch, -40, 40), np.clip(roll, -90, 90)
        return view_homography(np.radians(yaw), np.radians(pitch), np.radians(roll), focal_px)


def drawable_scripts(fonts: FontLibrary, shares: dict[str, float]) -> list[str]:
    """The wanted scripts that a font is there for.

    Raises:
        ValueError: If there is none.
    """
    scripts = [script for script in fonts.scripts if shares.get(script, 0) > 0]
    if not scripts:
        wanted = sorted(script for script, share in shares.items() if share > 0)
        raise ValueError(
            f"No font covers the wanted scripts {wanted}: the fonts cover {list(fonts.scripts)}. "
            "Change `script_shares` or install fonts for them."
        )
    return scripts


def draw_script(rng: np.random.Generator, fonts: FontLibrary, shares: dict[str, float]) -> str:
    """A script that a font is there for."""
    scripts = drawable_scripts(fonts, shares)
    weights = np.array([shares[script] for script in scripts])
    return scripts[int(rng.choice(len(scripts), p=weights / weights.sum()))]


def draw_block(
    rng: np.random.Generator,
    fonts: FontLibrary,
    options: SyntheticTextOptions,
    size_hw: tuple[int, int],
    board: bool,
) -> TextBlock | None:
    """A random block of one to seven lines that fits into the image."""
    script = draw_script(rng, fonts, options.script_shares)
    low, high = options.word_height_px
    height = float(np.clip(options.median_height_px * np.exp(rng.normal(0, 0.65)), low, high))
    lines = _draw_lines(rng, fonts, script, height, low)
    if not lines:
        return None
    alignment = float(rng.choice([0.0, 0.5, 1.0], p=[0.45, 0.45, 0.1]))
    leading = float(rng.uniform(0.12, 0.7))
    # Room for a board's rim or for an outline and a shadow.
    padding = float(rng.uniform(0.15, 0.9)) if board else 0.2
    block = None
    for _ in range(2):
        padding_px = 3 + round(padding * lines[0].em_px)
        block = lay_out(lines, alignment, leading, padding_px)
        if block is None:
            return None
        excess = max(block.ink.shape[0] / (0.75 * size_hw[0]), block.ink.shape[1] / (0.85 * size_hw[1]))
        if excess <= 1:
            return block
        lines = [_scaled(line, 0.97 / excess) for line in lines]
    return None


def _scaled(line: TextLine, factor: float) -> TextLine:
    return replace(
        line,
        em_px=max(5, int(line.em_px * factor)),
        tracking_px=int(line.tracking_px * factor),
        gap_px=max(2, int(line.gap_px * factor)),
    )


def _draw_lines(
    rng: np.random.Generator, fonts: FontLibrary, script: str, height_px: float, low_px: float
) -> list[TextLine]:
    """The lines of a single word, a single line, a sign with a headline, or a paragraph."""
    kind = rng.random()
    if kind < 0.3:
        word_counts, heights = [1], [height_px]
    elif kind < 0.6:
        word_counts, heights = [int(rng.integers(2, 5))], [height_px]
    elif kind < 0.85:
        count = int(rng.integers(1, 5))
        below = max(low_px, height_px * float(rng.uniform(0.35, 0.9)))
        word_counts = [int(rng.integers(1, 4)), *(int(n) for n in rng.integers(1, 5, count))]
        heights = [height_px, *[below] * count]
    else:
        count = int(rng.integers(2, 8))
        height_px = max(low_px, height_px * 0.65)
        word_counts, heights = [int(n) for n in rng.integers(1, 6, count)], [height_px] * count
    face = fonts.draw(script, rng)
    one_face = rng.random() < 0.6
    tracking = float(rng.uniform(0.05, 0.5)) if rng.random() < 0.12 else 0.0
    gap = float(rng.uniform(0.28, 0.6))
    lines: list[TextLine] = []
    for word_count, line_height in zip(word_counts, heights, strict=True):
        if lines and not one_face and line_height != heights[0]:
            face = fonts.draw(script, rng)
            one_face = True
        words = tuple(word for word in draw_line(script, rng, word_count) if face.covers(word))
        if words:
            em_px = em_for_height(face, line_height)
            spacing = round(tracking * em_px)
            gap_px = max(2, round(gap * em_px) + 2 * spacing)
            lines.append(TextLine(words, script, face, em_px, spacing, gap_px))
    return lines


def draw_warp(
    rng: np.random.Generator, block: TextBlock, view: SceneView, curved_share: float, size_hw: tuple[int, int]
) -> BlockWarp:
    """How a block is bent and seen, its centre at the image's origin."""
    height, width = block.ink.shape
    one_line = len({word.box_xyxy[3] for word in block.words}) == 1 or height < 2.2 * block.em_px
    bend: Bend | None = None
    if one_line and width > 2.5 * height and rng.random() < curved_share:
        bend = _draw_bend(rng, width, height)
    focal_px = max(1.1 * max(size_hw), 1.6 * max(width, height))
    homography = view.homography(rng, focal_px)
    stretch = np.diag([float(np.clip(rng.normal(0.93, 0.12), 0.65, 1.35)), 1.0, 1.0])
    return BlockWarp((width, height), bend, homography @ stretch)


def _draw_bend(rng: np.random.Generator, width: int, height: int) -> Bend:
    if rng.random() < 0.75:
        turn = np.radians(float(rng.uniform(30, 200)))
        radius = max(width / turn, 1.3 * height)
        return ArcBend(radius if rng.random() < 0.7 else -radius)
    length = width * float(rng.uniform(0.6, 1.6))
    amplitude = min(0.5 * height, 0.1 * length) * float(rng.uniform(0.4, 1.2))
    return WaveBend(amplitude, length, float(rng.uniform(0, 2 * np.pi)))


class Occupancy:
    """Which parts of the image hold text already, at a quarter of the resolution.

    Args:
        image: The background, (H, W, 3) uint8; smooth places are preferred.
    """

    cell_px = 4

    def __init__(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        self.size_hw = (height, width)
        small = (max(1, width // self.cell_px), max(1, height // self.cell_px))
        grey = cv2.cvtColor(cv2.resize(image, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        self._taken = np.zeros((small[1], small[0]), dtype=np.uint8)
        self._sum, self._square_sum = cv2.integral2(grey)

    def find_place(self, rng: np.random.Generator, warp: BlockWarp, tries: int = 16) -> BlockWarp | None:
        """Move a block to a free place in the image, the smoothest of a few; None when there is none."""
        outline = warp.outline()
        low = 2 - outline.min(0)
        high = np.array(self.size_hw[::-1]) - 2 - outline.max(0)
        if (high <= low).any():
            return None
        best, best_roughness, found = None, np.inf, 0
        wanted = int(rng.integers(1, 4))
        for _ in range(tries):
            shift = rng.uniform(low, high)
            moved = outline + shift
            if self._is_taken(moved):
                continue
            roughness = self._roughness(moved)
            if roughness < best_roughness:
                best, best_roughness = shift, roughness
            found += 1
            if found == wanted:
                break
        if best is None:
            return None
        chosen = warp.moved(*best)
        self._take(chosen.outline())
        return chosen

    def _mask(self, outline: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]]:
        cells = outline / self.cell_px
        low = np.maximum(np.floor(cells.min(0)).astype(int) - 1, 0)
        high = np.ceil(cells.max(0)).astype(int) + 2
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        mask = np.zeros(self._taken[window].shape, dtype=np.uint8)
        points = np.round(cells - low).astype(np.int32)
        cv2.fillPoly(mask, [points], 1)
        cv2.polylines(mask, [points], True, 1, 1)
        return mask, window

    def _is_taken(self, outline: np.ndarray) -> bool:
        mask, window = self._mask(outline)
        return bool((mask & self._taken[window]).any())

    def _take(self, outline: np.ndarray) -> None:
        mask, window = self._mask(outline)
        self._taken[window] |= mask

    def _roughness(self, outline: np.ndarray) -> float:
        """The standard deviation of the grey levels in the bounding box."""
        rows, columns = self._taken.shape
        cells = (outline / self.cell_px).astype(int)
        low = np.clip(cells.min(0), 0, (columns - 1, rows - 1))
        high = np.clip(cells.max(0) + 1, low + 1, (columns, rows))
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        count = (right - left) * (bottom - top)

        def box(table: np.ndarray) -> float:
            return (
                float(table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left])
                / count
            )

        return float(np.sqrt(max(0.0, box(self._square_sum) - box(self._sum) ** 2)))
