"""Time to decode a probability map of 736x1280 with 30 texts: `decode_dbnet` against the plain loop.

python benchmarks/decode_dbnet.py
"""

import argparse
from functools import partial

import cv2
import numpy as np
from baselines import plain_decode
from harness import machine, medians_ms, print_table, timing_inputs

from tcm_hf.processing.decode_dbnet import decode_dbnet

# The settings of the published configurations.
SETTINGS: dict[str, dict] = {
    "default, quad": {
        "binarize_threshold": 0.3,
        "score_threshold": 0.3,
        "unclip_ratio": 1.5,
        "polygon_mode": "quad",
        "min_side_px": 5,
        "arc_length_ratio": 0.01,
    },
    "TD500, quad": {
        "binarize_threshold": 0.08,
        "score_threshold": 0.17,
        "unclip_ratio": 1.9,
        "polygon_mode": "quad",
        "min_side_px": 3,
        "arc_length_ratio": None,
    },
    "IC15, quad": {
        "binarize_threshold": 0.28,
        "score_threshold": 0.2,
        "unclip_ratio": 1.6,
        "polygon_mode": "quad",
        "min_side_px": 2,
        "arc_length_ratio": 0.001,
    },
    "CTW1500, polygon": {
        "binarize_threshold": 0.08,
        "score_threshold": 0.3,
        "unclip_ratio": 2.0,
        "polygon_mode": "polygon",
        "min_side_px": 0,
        "arc_length_ratio": 0.0001,
    },
    "Total-Text, polygon": {
        "binarize_threshold": 0.347,
        "score_threshold": 0.3,
        "unclip_ratio": 1.95,
        "polygon_mode": "polygon",
        "min_side_px": 0,
        "arc_length_ratio": 0.004,
    },
}


def probability_map() -> tuple[np.ndarray, str]:
    """The reference map where it is at hand, or else one like it; and which it is."""
    reference = timing_inputs()
    if reference is not None:
        return reference["prob_u8"].astype(np.float32) / 255, "the reference map"
    rng = np.random.default_rng(0)
    canvas = np.zeros((736, 1280), np.float32)
    for index in range(30):
        column, row = index % 6, index // 6
        center = (110 + 210 * column, 80 + 145 * row)
        size = (rng.uniform(60, 160), rng.uniform(12, 36))
        box = cv2.boxPoints((center, size, rng.uniform(-30, 30)))
        cv2.fillPoly(canvas, [box.astype(np.int32)], rng.uniform(0.6, 0.95))
    noise = rng.normal(0, 0.03, canvas.shape).astype(np.float32)
    return np.clip(cv2.GaussianBlur(canvas, (7, 7), 0) + noise * (canvas > 0), 0, 1), "a generated map"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100, help="timed runs of each (%(default)s)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    values, origin = probability_map()
    rows = []
    for name, settings in SETTINGS.items():
        times = medians_ms(
            {
                "plain": partial(plain_decode, values, **settings),
                "ours": partial(decode_dbnet, values, **settings),
            },
            repeats,
        )
        found, plain = len(decode_dbnet(values, **settings)[0]), len(plain_decode(values, **settings))
        rows.append((name, found, plain, times["plain"], times["ours"], times["plain"] / times["ours"]))
    print(f"Decoding 736x1280 ({origin}), one thread; {machine()}\n")
    print_table(
        ("settings", "texts", "texts, plain", "plain loop, ms", "decode_dbnet, ms", "times faster"), rows
    )


if __name__ == "__main__":
    main()
