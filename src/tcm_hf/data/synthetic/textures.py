"""Procedural textures without any text in them: walls, bricks, tiles, wood, shutters, foliage, facades.

Every texture is a function `(rng, size_hw) -> (H, W, 3) uint8 RGB`.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Texture = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def random_color(rng: np.random.Generator, saturation: float | None = None) -> np.ndarray:
    """An RGB colour (3,) float32, 0..255; greyish colours are the most frequent, as on streets."""
    hue = rng.random() * 180
    if saturation is None:
        saturation = float(rng.beta(1.1, 2.2))
    value = float(rng.beta(1.6, 1.4))
    pixel = np.array([[[hue, 255 * saturation, 255 * (0.06 + 0.94 * value)]]], dtype=np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def cloud(
    rng: np.random.Generator, size_hw: tuple[int, int], coarsest: int = 4, octaves: int = 4
) -> np.ndarray:
    """Smooth random noise of several octaves, (H, W) float32 in 0..1.

    Args:
        rng: Source of randomness.
        size_hw: Height and width, pixels.
        coarsest: Cells along the long side in the coarsest octave.
        octaves: How many doublings of detail are summed, each with half the weight.
    """
    height, width = size_hw
    cell = max(height, width) / coarsest
    # Built at a quarter of the size while the detail allows it: resizing is most of the cost.
    shrink = 4 if cell / 2 ** (octaves - 1) > 12 else 1
    small = (max(2, height // shrink), max(2, width // shrink))
    total = np.zeros(small, dtype=np.float32)
    for octave in range(octaves):
        rows = max(2, round(height / cell * 2**octave) + 1)
        columns = max(2, round(width / cell * 2**octave) + 1)
        grid = rng.random((rows, columns), dtype=np.float32)
        total += cv2.resize(grid, small[::-1], interpolation=cv2.INTER_CUBIC) * 0.5**octave
    low, high = float(total.min()), float(total.max())
    total = (total - low) / max(high - low, 1e-6)
    return total if shrink == 1 else cv2.resize(total, (width, height), interpolation=cv2.INTER_LINEAR)


def _to_image(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def _flat(color: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(_to_image(color), (*size_hw, 3)).copy()


def _speckled(rng: np.random.Generator, image: np.ndarray, strength: float) -> np.ndarray:
    """The image with grey noise of the given standard deviation, one noise tile repeated."""
    height, width = image.shape[:2]
    tile = rng.standard_normal((128, 128), dtype=np.float32) * strength
    grain = np.tile(tile, (height // 128 + 1, width // 128 + 1))[:height, :width]
    return cv2.add(image, cv2.merge([grain] * 3), dtype=cv2.CV_8U)


def gradient(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A linear blend between two colours in a random direction."""
    height, width = size_hw
    angle = rng.random() * 2 * np.pi
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    share = np.clip((x + y) * 0.5 + 0.5, 0, 1)
    first, second = random_color(rng), random_color(rng)
    return cv2.merge([_to_image(first[c] + (second[c] - first[c]) * share) for c in range(3)])


def plaster(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A wall: one colour, blotches, fine grain."""
    color = random_color(rng)
    contrast = float(rng.uniform(0.05, 0.5))
    shade = 1 + contrast * (cloud(rng, size_hw, int(rng.integers(2, 12)), int(rng.integers(2, 6))) - 0.5)
    image = cv2.merge([_to_image(color[c] * shade) for c in range(3)])
    return _speckled(rng, image, float(rng.uniform(0, 9)))


def clouds(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Two colours mixed by noise: sky, blurred surroundings, stains."""
    share = cloud(rng, size_hw, int(rng.integers(2, 8)), int(rng.integers(1, 6)))
    first, second = random_color(rng), random_color(rng)
    return cv2.merge([_to_image(first[c] + (second[c] - first[c]) * share) for c in range(3)])


def bricks(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Courses of bricks with mortar between them."""
    height, width = size_hw
    brick_h = int(rng.integers(7, max(9, height // 8)))
    brick_w = int(brick_h * rng.uniform(1.6, 3.5))
    joint = max(1, int(brick_h * rng.uniform(0.06, 0.2)))
    color, mortar = random_color(rng), random_color(rng, 0.08)
    image = _flat(mortar, size_hw)
    spread = float(rng.uniform(3, 25))
    for row, top in enumerate(range(0, height, brick_h)):
        shift = (row % 2) * brick_w // 2
        for left in range(-shift, width, brick_w):
            shade = _to_image(color + spread * rng.standard_normal(dtype=np.float32)).tolist()
            cv2.rectangle(image, (left, top), (left + brick_w - joint, top + brick_h - joint), shade, -1)
    return _speckled(rng, image, float(rng.uniform(2, 10)))


def tiles(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A regular grid of panels or tiles."""
    height, width = size_hw
    image = plaster(rng, size_hw)
    step_y, step_x = (int(rng.integers(12, max(14, height // 3))) for _ in range(2))
    if rng.random() < 0.5:
        step_x = step_y
    line = _to_image(random_color(rng, 0.1)).tolist()
    thickness = int(rng.integers(1, 4))
    offset_y, offset_x = int(rng.integers(step_y)), int(rng.integers(step_x))
    for y in range(offset_y, height, step_y):
        cv2.line(image, (0, y), (width, y), line, thickness)
    for x in range(offset_x, width, step_x):
        cv2.line(image, (x, 0), (x, height), line, thickness)
    return image


def wood(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Planks with a grain along them."""
    height, width = size_hw
    rough = rng.random((height, max(2, width // 60)), dtype=np.float32)
    grain = cv2.GaussianBlur(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC), (1, 5), 1.2)
    color = random_color(rng, float(rng.uniform(0.2, 0.7)))
    shade = 0.75 + 0.5 * grain
    image = cv2.merge([_to_image(color[c] * shade) for c in range(3)])
    plank = int(rng.integers(20, max(22, height // 2)))
    for y in range(int(rng.integers(plank)), height, plank):
        cv2.line(image, (0, y), (width, y), _to_image(color * 0.3).tolist(), int(rng.integers(1, 4)))
    return image if rng.random() < 0.5 else _fitted(np.rot90(image), size_hw)


def stripes(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Bars: shutters, blinds, awnings, corrugated metal."""
    height, width = size_hw
    period = float(rng.uniform(4, 70))
    angle = float(rng.choice([0, np.pi / 2, rng.random() * np.pi]))
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    x = np.arange(width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    wave = np.sin((x + y) * np.float32(2 * np.pi / period))
    sharp = float(rng.choice([1, 3, 20]))
    share = np.clip(wave * sharp, -1, 1) * 0.5 + 0.5
    first = random_color(rng)
    second = random_color(rng) if rng.random() < 0.4 else first * float(rng.uniform(0.5, 0.9))
    image = cv2.merge([_to_image(first[c] + (second[c] - first[c]) * share) for c in range(3)])
    return _speckled(rng, image, float(rng.uniform(0, 5)))


def foliage(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Leaves: hundreds of small ellipses of one hue, dark behind, light in front."""
    height, width = size_hw
    hue = float(rng.uniform(25, 75))
    image = _flat(np.array([20.0, 35.0, 15.0]) * rng.uniform(0.3, 1.5), size_hw)
    leaf = float(rng.uniform(3, 16))
    count = min(900, int(1.6 * height * width / (leaf * leaf * 3)))
    places = rng.random((count, 5), dtype=np.float32)
    hsv = np.stack(
        [
            hue + 14 * (places[:, 2] - 0.5),
            90 + 120 * places[:, 3],
            np.linspace(30, 210, count) * (0.6 + 0.4 * places[:, 4]),
        ],
        axis=-1,
    )
    colors = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0].tolist()
    for (px, py, a, b, angle), color in zip(places.tolist(), colors, strict=True):
        axes = (max(1, int(leaf * (0.6 + a))), max(1, int(leaf * (0.2 + 0.4 * b))))
        cv2.ellipse(image, (int(px * width), int(py * height)), axes, angle * 360, 0, 360, color, -1)
    return image


def collage(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Random polygons, discs and bars over a blend: clutter without meaning."""
    height, width = size_hw
    image = clouds(rng, size_hw)
    for _ in range(int(rng.integers(5, 40))):
        color = _to_image(random_color(rng)).tolist()
        center = rng.random(2) * (width, height)
        radius = float(rng.uniform(0.01, 0.25)) * min(height, width)
        kind = int(rng.integers(3))
        if kind == 0:
            corners = center + rng.standard_normal((int(rng.integers(3, 7)), 2)) * radius
            cv2.fillPoly(image, [corners.astype(np.int32)], color, cv2.LINE_AA)
        elif kind == 1:
            thickness = -1 if rng.random() < 0.5 else int(rng.integers(1, 8))
            cv2.circle(image, center.astype(int).tolist(), max(1, int(radius)), color, thickness, cv2.LINE_AA)
        else:
            end = center + rng.standard_normal(2) * radius * 4
            thickness = int(rng.integers(1, 12))
            ends = center.astype(int).tolist(), end.astype(int).tolist()
            cv2.line(image, *ends, color, thickness, cv2.LINE_AA)
    return image


def shelves(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Rows of coloured boxes and bottles, as in a shop."""
    height, width = size_hw
    image = _flat(random_color(rng, 0.15) * 0.5, size_hw)
    row_h = int(rng.integers(24, max(26, height // 3)))
    for bottom in range(row_h, height + row_h, row_h):
        x = 0
        item_w = int(rng.integers(6, max(8, row_h)))
        color = random_color(rng, float(rng.uniform(0.3, 0.9)))
        while x < width:
            if rng.random() < 0.2:
                color = random_color(rng, float(rng.uniform(0.3, 0.9)))
                item_w = int(rng.integers(6, max(8, row_h)))
            top = bottom - int(row_h * rng.uniform(0.55, 0.85))
            cv2.rectangle(image, (x, top), (x + item_w - 2, bottom - 3), _to_image(color).tolist(), -1)
            band = top + (bottom - top) // 3
            label = _to_image(255 - color).tolist()
            cv2.rectangle(image, (x, band), (x + item_w - 2, band + row_h // 6), label, -1)
            x += item_w
        board = _to_image(random_color(rng, 0.1)).tolist()
        cv2.rectangle(image, (0, bottom - 3), (width, bottom), board, -1)
    return image


def facade(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A house front: wall, rows of windows with frames and reflections, a ground floor, a strip of street."""
    height, width = size_hw
    image = SURFACES[int(rng.integers(len(SURFACES)))](rng, size_hw)
    glass, frame = random_color(rng, 0.3) * 0.6, _to_image(random_color(rng, 0.1)).tolist()
    columns, rows = int(rng.integers(2, 9)), int(rng.integers(1, 5))
    cell_w, cell_h = width / columns, height * 0.6 / rows
    window_w, window_h = cell_w * rng.uniform(0.35, 0.8), cell_h * rng.uniform(0.4, 0.8)
    bars_x, bars_y = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    for row in range(rows):
        for column in range(columns):
            left = int((column + 0.5) * cell_w - window_w / 2)
            top = int((row + 0.5) * cell_h - window_h / 2)
            right, bottom = int(left + window_w), int(top + window_h)
            shade = _to_image(glass * rng.uniform(0.6, 1.5)).tolist()
            cv2.rectangle(image, (left, top), (right, bottom), shade, -1)
            for bar in range(bars_x + 1):
                x = left + (right - left) * bar // bars_x
                cv2.line(image, (x, top), (x, bottom), frame, max(1, int(cell_w * 0.02)))
            for bar in range(bars_y + 1):
                y = top + (bottom - top) * bar // bars_y
                cv2.line(image, (left, y), (right, y), frame, max(1, int(cell_w * 0.02)))
    ground = int(height * rng.uniform(0.6, 0.75))
    _ground_floor(rng, image, ground)
    street = int(height * rng.uniform(0.88, 1.0))
    if street < height - 4:
        image[street:] = plaster(rng, (height - street, width))
    return image


def _ground_floor(rng: np.random.Generator, image: np.ndarray, top: int) -> None:
    width = image.shape[1]
    x = 0
    while x < width:
        shop_w = int(width * rng.uniform(0.2, 0.6))
        region = image[top:, x : x + shop_w]
        if region.shape[1] > 8 and region.shape[0] > 8:
            texture = SHOP_FRONTS[int(rng.integers(len(SHOP_FRONTS)))]
            region[:] = texture(rng, region.shape[:2])
            fascia = max(2, int(region.shape[0] * rng.uniform(0.1, 0.3)))
            region[:fascia] = _flat(random_color(rng), (fascia, region.shape[1]))
        x += shop_w


def _fitted(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(image), size_hw[::-1], interpolation=cv2.INTER_LINEAR)


SURFACES: tuple[Texture, ...] = (plaster, plaster, gradient, bricks, tiles, wood)
SHOP_FRONTS: tuple[Texture, ...] = (plaster, gradient, stripes, tiles, shelves, wood, clouds)
TEXTURES: tuple[Texture, ...] = (
    *(facade, facade, facade),
    *(plaster, gradient, clouds, bricks, tiles, wood, stripes, foliage, collage, shelves),
)


def random_texture(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """One of all textures, (H, W, 3) uint8 RGB."""
    return TEXTURES[int(rng.integers(len(TEXTURES)))](rng, size_hw)
