"""Drawn photos with bars as texts: what the detectors of this folder are trained on."""

import numpy as np

from tcm_hf.data.records import TextInstance, TextRecord

SIZE_HW = (64, 96)


def bar_record(seed: int, bars: int = 2, size_hw=(120, 200)) -> TextRecord:
    """A dark noisy photo with bright striped bars; each bar is a text."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 60, (*size_hw, 3)).astype(np.uint8)
    instances = []
    for bar in range(bars):
        x0, y0 = int(generator.integers(5, 100)), 10 + bar * 50
        x1, y1 = x0 + int(generator.integers(50, 90)), y0 + 30
        image[y0:y1, x0:x1] = 230
        image[y0 + 8 : y1 - 8, x0 + 4 : x1 - 4 : 6] = 20
        instances.append(TextInstance(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), "bar"))
    return TextRecord(image, instances, name=f"bar_{seed}")
