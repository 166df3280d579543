"""A folder of annotated photos, and models of milliseconds a step."""

import json

import cv2
import numpy as np
import pytest

from small_parts import SMALL_PARTS

HEAD = {"head_type": "dbnet", "neck_channels": 16}


@pytest.fixture
def corpus(tmp_path):
    """Writes a folder of `count` landscape photos with a bar each, img_1.png, img_2.png, …"""

    def make(name="photos", count=5):
        folder = tmp_path / name
        folder.mkdir()
        rows = []
        for number in range(1, count + 1):
            image = np.full((70, 110, 3), 40, np.uint8)
            image[20:45, 10 + number : 70 + number] = 220
            cv2.imwrite(str(folder / f"img_{number}.png"), image)
            polygon = [[10 + number, 20], [70 + number, 20], [70 + number, 45], [10 + number, 45]]
            rows.append({"file_name": f"img_{number}.png", "polygons": [polygon], "ignore": [False]})
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return make


@pytest.fixture
def small_methods():
    """Baseline and TCM on the smallest trunk."""
    from tcm_hf.experiments.methods import Method

    alone = {
        "method": "baseline",
        "image_tower_config": SMALL_PARTS["image_tower_config"],
        "head_config": HEAD,
    }
    return (
        Method("baseline", "alone", alone),
        Method("tcm", "TCM", {"method": "tcm", **SMALL_PARTS, "head_config": HEAD}),
    )


@pytest.fixture
def quick_budget(tmp_path):
    from tcm_hf.experiments.budget import Budget

    return Budget(
        steps=2,
        batch_size=2,
        crop=64,
        size=(64, 128),
        calibration_images=2,
        decodings=2,
        workers=0,
        cpu=True,
        cache=tmp_path / "cache",
        save_steps=1,
    )
