"""Small landscape photos with a bright bar each, which is said to read "bar"."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def write_bar_photos(folder: Path, count: int = 4) -> Path:
    """`img_1.png`, `img_2.png`, … with their metadata.jsonl; gives the folder back."""
    folder.mkdir()
    rows = []
    for number in range(1, count + 1):
        image = np.full((70, 110, 3), 40, np.uint8)
        x0, y0 = 10 + 5 * number, 20
        image[y0 : y0 + 25, x0 : x0 + 60] = 220
        Image.fromarray(image).save(folder / f"img_{number}.png")
        polygon = [[x0, y0], [x0 + 60, y0], [x0 + 60, y0 + 25], [x0, y0 + 25]]
        rows.append(
            {"file_name": f"img_{number}.png", "polygons": [polygon], "texts": ["bar"], "ignore": [False]}
        )
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
