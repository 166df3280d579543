"""Photos made to look like taken by night: a stand-in where there is no corpus of night pictures.

It darkens and lights a day's photo; it does not know which signs shine by themselves, has no headlights and
no rain. Scores on such pictures say how a model bears little light and noise, not how it does by night.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tcm_hf.data.records import TextRecord, row_from_record

SETTINGS_NAME = "night.json"
_GAMMA = 2.2
_LAMPS_RGB = np.array([[1.0, 0.72, 0.38], [1.0, 0.85, 0.62], [0.85, 0.95, 1.0]])  # sodium, warm, cold
_SKY_RGB = np.array([0.62, 0.78, 1.0])


def night_photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo as a camera could have taken it by lamplight.

    In linear light: a bluish rest of light (2 to 8 % of the day's) and one to three pools of lamplight; the
    camera makes up for a part of it, and with it amplifies the noise of photons and of the sensor; a short
    blur of the long exposure; JPEG.

    Args:
        image: (H, W, 3), uint8, RGB.
        rng: Decides all of it.

    Returns:
        The same shape and type; nothing has moved, so polygons stay.
    """
    height, width = image.shape[:2]
    linear = (image.astype(np.float32) / 255) ** _GAMMA
    sky = (rng.uniform(0.02, 0.08) * _SKY_RGB).astype(np.float32)
    light: np.ndarray = np.broadcast_to(sky, (height, width, 3))
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, width / max(height, width)), rng.uniform(0, height / max(height, width))
        reach = rng.uniform(0.12, 0.45)
        pool = rng.uniform(0.1, 0.5) / (1 + ((columns - x) ** 2 + (rows - y) ** 2) / reach**2) ** 2
        light = light + pool[..., None] * _LAMPS_RGB[rng.integers(len(_LAMPS_RGB))].astype(np.float32)
    dark = linear * light
    blur_px = float(rng.uniform(0.3, 1.2))
    dark = cv2.GaussianBlur(dark, (0, 0), blur_px)
    # Of the mean brightness that a day's photo has, a camera reaches a part; more photons, less noise.
    gain = rng.uniform(0.04, 0.12) / max(float(dark.mean()), 1e-4)
    photons = rng.uniform(150, 900)
    signal = dark * gain
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    signal = signal + noise * np.sqrt(signal / photons + rng.uniform(0.004, 0.015) ** 2, dtype=np.float32)
    picture = (255 * np.clip(signal, 0, 1) ** (1 / _GAMMA)).round().astype(np.uint8)
    quality = int(rng.integers(60, 92))
    _, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[:, :, ::-1])


def write_night(records: Sequence[TextRecord], folder: Path, seed: int = 0) -> Path:
    """Make night pictures of photos, with their annotations in metadata.jsonl.

    The randomness of a picture comes from `seed` and the photo's name alone. A folder that was made of the
    same photos stays as it is.

    Args:
        records: The photos.
        folder: For the pictures.
        seed: Another seed, another night.

    Returns:
        The folder, a corpus.

    Raises:
        ValueError: If the folder holds night pictures of other photos.
    """
    settings = {"seed": seed, "photos": [record.name for record in records]}
    done = folder / SETTINGS_NAME
    if done.is_file():
        if json.loads(done.read_text(encoding="utf-8")) != settings:
            raise ValueError(
                f"{folder} holds night pictures of other photos: delete it, or take another --output."
            )
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for record in records:
        digest = hashlib.sha256(f"{seed}/{record.name}".encode()).digest()
        picture = night_photo(record.load_image(), np.random.default_rng(list(digest)))
        # PNG: the picture was compressed once, as photos are.
        file_name = f"{Path(record.name).stem}.png"
        _, encoded = cv2.imencode(".png", picture[:, :, ::-1])
        (folder / file_name).write_bytes(encoded.tobytes())
        rows.append(row_from_record(record, file_name, picture.shape[:2]))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    done.write_text(json.dumps(settings) + "\n", encoding="utf-8")
    return folder
