"""Things that a careless detector takes for text: bars, fences, arrows, dots, wires, empty sign boards."""

from __future__ import annotations

import cv2
import numpy as np

from tcm_hf.data.synthetic.textures import random_color


def add_distractors(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw none to five of them into the image, in place.

    Args:
        rng: Source of randomness.
        image: (H, W, 3) uint8 RGB.
    """
    for _ in range(int(rng.integers(0, 6))):
        DISTRACTORS[int(rng.integers(len(DISTRACTORS)))](rng, image)


def _place(
    rng: np.random.Generator, image: np.ndarray, share: tuple[float, float]
) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    box_h = max(6, int(height * rng.uniform(*share)))
    box_w = max(6, int(width * rng.uniform(*share)))
    return int(rng.integers(-box_w // 3, width)), int(rng.integers(-box_h // 3, height)), box_w, box_h


def _color(rng: np.random.Generator) -> list[int]:
    return random_color(rng).astype(int).tolist()


def _bars(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, box_w, box_h = _place(rng, image, (0.02, 0.3))
    color, x = _color(rng), left
    regular = rng.random() < 0.6
    step, thickness = int(rng.integers(2, 14)), int(rng.integers(1, 6))
    upright = rng.random() < 0.6
    while x < left + box_w:
        y = top + x - left
        ends = ((x, top), (x, top + box_h)) if upright else ((left, y), (left + box_h, y))
        cv2.line(image, *ends, color, thickness)
        x += step + thickness if regular else int(rng.integers(2, 14)) + thickness


def _fence(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, box_w, box_h = _place(rng, image, (0.1, 0.6))
    color, step = _color(rng), int(rng.integers(6, 36))
    thickness = int(rng.integers(1, 3))
    slope = int(rng.choice([0, box_h // 2, box_h]))
    for x in range(left, left + box_w, step):
        cv2.line(image, (x, top), (x + slope, top + box_h), color, thickness, cv2.LINE_AA)
        if slope:
            cv2.line(image, (x + slope, top), (x, top + box_h), color, thickness, cv2.LINE_AA)
    for y in range(top, top + box_h, step) if not slope else ():
        cv2.line(image, (left, y), (left + box_w, y), color, thickness)


def _arrow(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, box_w, box_h = _place(rng, image, (0.03, 0.15))
    size = min(box_w, box_h)
    if rng.random() < 0.5:
        cv2.rectangle(image, (left, top), (left + size, top + size), _color(rng), -1)
    center = np.array([left, top]) + size / 2
    angle = float(rng.choice([0, 90, 180, 270, 45])) * np.pi / 180
    reach = np.array([np.cos(angle), np.sin(angle)]) * size * 0.38
    start, end = (center - reach).astype(int).tolist(), (center + reach).astype(int).tolist()
    cv2.arrowedLine(image, start, end, _color(rng), max(2, size // 9), cv2.LINE_AA, 0, 0.4)


def _roundel(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, box_w, box_h = _place(rng, image, (0.02, 0.15))
    radius = max(3, min(box_w, box_h) // 2)
    cv2.circle(image, (left, top), radius, _color(rng), -1, cv2.LINE_AA)
    cv2.circle(image, (left, top), int(radius * 0.8), _color(rng), max(1, radius // 6), cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.line(
            image, (left - radius // 2, top), (left + radius // 2, top), _color(rng), max(1, radius // 4)
        )


def _dots(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, _, _ = _place(rng, image, (0.05, 0.2))
    step, radius = int(rng.integers(5, 24)), int(rng.integers(1, 6))
    rows, columns = int(rng.integers(1, 8)), int(rng.integers(3, 20))
    color = _color(rng)
    for row in range(rows):
        for column in range(columns):
            cv2.circle(image, (left + column * step, top + row * step), radius, color, -1, cv2.LINE_AA)


def _wires(rng: np.random.Generator, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    color, thickness = _color(rng), int(rng.integers(1, 4))
    for _ in range(int(rng.integers(1, 6))):
        x = np.linspace(-10, width + 10, 24)
        sag = rng.uniform(0, 0.0006) * (x - width / 2) ** 2
        y = rng.random() * height + rng.uniform(-0.3, 0.3) * x + sag
        cv2.polylines(image, [np.stack([x, y], -1).astype(np.int32)], False, color, thickness, cv2.LINE_AA)


def _lamps(rng: np.random.Generator, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 12))):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(2, 30)), int(rng.integers(2, 12)))
        cv2.ellipse(image, center, axes, int(rng.integers(180)), 0, 360, _color(rng), -1, cv2.LINE_AA)


def _frames(rng: np.random.Generator, image: np.ndarray) -> None:
    left, top, box_w, box_h = _place(rng, image, (0.03, 0.3))
    for _ in range(int(rng.integers(1, 5))):
        cv2.rectangle(image, (left, top), (left + box_w, top + box_h), _color(rng), int(rng.integers(1, 5)))
        left, box_w = left + box_w + int(rng.integers(2, 20)), max(4, int(box_w * rng.uniform(0.6, 1.2)))


def _empty_board(rng: np.random.Generator, image: np.ndarray) -> None:
    """A sign without words: a plain or framed board, turned a little, with a pictogram or nothing on it."""
    left, top, box_w, box_h = _place(rng, image, (0.04, 0.25))
    center = (left + box_w / 2, top + box_h / 2)
    angle = float(rng.normal(0, 9))
    corners = cv2.boxPoints((center, (box_w, box_h), angle)).astype(np.int32)
    cv2.fillConvexPoly(image, corners, _color(rng), cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.polylines(image, [corners], True, _color(rng), int(rng.integers(1, 5)), cv2.LINE_AA)
    if rng.random() < 0.6:
        size = 0.35 * min(box_w, box_h)
        points = _pictogram(rng) * size + center
        cv2.fillPoly(image, [points.astype(np.int32)], _color(rng), cv2.LINE_AA)


def _pictogram(rng: np.random.Generator) -> np.ndarray:
    """A star, a regular polygon or a blob of random radii, points (N, 2) within the unit circle."""
    count = int(rng.integers(3, 13))
    angles = np.arange(2 * count) * np.pi / count
    inner = float(rng.uniform(0.3, 1.0))
    radii = np.where(np.arange(2 * count) % 2 == 0, 1.0, inner)
    if rng.random() < 0.4:
        radii = rng.uniform(0.3, 1.0, 2 * count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1) * radii[:, None]


DISTRACTORS = (
    _bars,
    _bars,
    _fence,
    _arrow,
    _roundel,
    _dots,
    _wires,
    _lamps,
    _frames,
    _empty_board,
    _empty_board,
)
