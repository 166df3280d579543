"""Time to decode the maps of 30 texts on 736x1280: the decoders of the package against plain loops.

python benchmarks/decode.py

DBNet reads the map that the published program was timed on, or one like it. PAN and FCENet read what their
networks would have to say of the texts on that map, plus noise: the targets of the 30 outlines.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from baselines import plain_decode_dbnet, plain_decode_fcenet, plain_decode_pan
from harness import machine, medians_ms, print_table, timing_inputs

from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.processing.decode_dbnet import decode_dbnet
from tcm_hf.processing.decode_fcenet import decode_fcenet
from tcm_hf.processing.decode_pan import decode_pan

SIZE_HW = (736, 1280)
NOISE = 0.2  # of logits and embeddings; contours get a tenth of it, in cells


def dbnet_settings(
    binarize: float, score: float, unclip: float, mode: str, min_side: float, arc_length: float | None
) -> dict[str, Any]:
    return {
        "binarize_threshold": binarize,
        "score_threshold": score,
        "unclip_ratio": unclip,
        "polygon_mode": mode,
        "min_side_px": min_side,
        "arc_length_ratio": arc_length,
    }


# The settings of the published configurations.
DBNET = {
    "default, quad": dbnet_settings(0.3, 0.3, 1.5, "quad", 5, 0.01),
    "TD500, quad": dbnet_settings(0.08, 0.17, 1.9, "quad", 3, None),
    "IC15, quad": dbnet_settings(0.28, 0.2, 1.6, "quad", 2, 0.001),
    "CTW1500, polygon": dbnet_settings(0.08, 0.3, 2.0, "polygon", 0, 0.0001),
    "Total-Text, polygon": dbnet_settings(0.347, 0.3, 1.95, "polygon", 0, 0.004),
}
PAN = {
    f"{name}, {mode}": {"score_threshold": 0.85, "embedding_distance": 0.85, "polygon_mode": mode}
    for name, mode in (("IC15", "quad"), ("CTW1500", "polygon"))
}
FCENET = {
    f"{name}, {mode}": {"score_threshold": 0.3, "polygon_mode": mode}
    for name, mode in (("IC15", "quad"), ("IC15", "polygon"))
}


def probability_map() -> tuple[np.ndarray, str]:
    """The reference map where it is at hand, or else one like it; and which it is."""
    reference = timing_inputs()
    if reference is not None:
        return reference["prob_u8"].astype(np.float32) / 255, "the reference map"
    rng = np.random.default_rng(0)
    canvas = np.zeros(SIZE_HW, np.float32)
    for index in range(30):
        column, row = index % 6, index // 6
        center = (110 + 210 * column, 80 + 145 * row)
        size = (rng.uniform(60, 160), rng.uniform(12, 36))
        box = cv2.boxPoints((center, size, rng.uniform(-30, 30)))
        cv2.fillPoly(canvas, [box.astype(np.int32)], rng.uniform(0.6, 0.95))
    noise = rng.normal(0, 0.03, canvas.shape).astype(np.float32)
    return np.clip(cv2.GaussianBlur(canvas, (7, 7), 0) + noise * (canvas > 0), 0, 1), "a generated map"


def pan_maps(polygons_xy: Sequence[np.ndarray], size_hw: tuple[int, int]) -> list[np.ndarray]:
    """Text logits, kernel logits and embeddings of a PAN that is right about these texts, at stride 4."""
    targets = pan_targets(polygons_xy, [False] * len(polygons_xy), size_hw)
    numbers, kernels = (targets[key][2::4, 2::4].astype(int) for key in ("instance_map", "kernel_map"))
    rng = np.random.default_rng(0)
    vectors = 3 * rng.standard_normal((len(polygons_xy) + 1, 4))
    maps = (_logits(numbers > 0), _logits(kernels > 0), np.moveaxis(vectors[numbers], -1, 0))
    return [(values + rng.normal(0, NOISE, values.shape)).astype(np.float32) for values in maps]


def fcenet_maps(polygons_xy: Sequence[np.ndarray], size_hw: tuple[int, int]) -> list[list[np.ndarray]]:
    """Region logits, centre logits and coefficients of an FCENet that is right about these texts."""
    targets = fcenet_targets(polygons_xy, [False] * len(polygons_xy), size_hw)
    rng = np.random.default_rng(0)
    found: list[list[np.ndarray]] = [[], [], []]
    for stride in (8, 16, 32):
        region, center, _, *coefficients = targets[f"contour_maps_{stride}"]
        for values, level in (
            (np.stack([-_logits(region), _logits(region)]) / 2, found[0]),
            (np.stack([-_logits(center), _logits(center)]) / 2, found[1]),
        ):
            level.append((values + rng.normal(0, NOISE, values.shape)).astype(np.float32))
        series = np.stack(coefficients)
        found[2].append((series + rng.normal(0, NOISE / 10, series.shape)).astype(np.float32))
    return found


def _logits(mask: np.ndarray) -> np.ndarray:
    return np.where(mask > 0, 5.0, -5.0)


def cases(values: np.ndarray) -> Iterator[tuple[str, str, Callable, Callable]]:
    """(detector, settings, the package's decoder, the plain loop), ready to be called."""
    for name, settings in DBNET.items():
        ours, plain = partial(decode_dbnet, values), partial(plain_decode_dbnet, values)
        yield "DBNet", name, partial(ours, **settings), partial(plain, **settings)
    texts = [polygon + 0.5 for polygon in decode_dbnet(values, **DBNET["IC15, quad"])[0]]
    maps = pan_maps(texts, values.shape)
    for name, settings in PAN.items():
        ours, plain = partial(decode_pan, *maps), partial(plain_decode_pan, *maps)
        yield "PAN", name, partial(ours, **settings), partial(plain, **settings)
    levels = fcenet_maps(texts, values.shape)
    for name, settings in FCENET.items():
        ours, plain = partial(decode_fcenet, *levels), partial(plain_decode_fcenet, *levels)
        yield "FCENet", name, partial(ours, **settings), partial(plain, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of each (%(default)s)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    values, origin = probability_map()
    rows = []
    for detector, name, ours, plain in cases(values):
        times = medians_ms({"plain": plain, "ours": ours}, repeats)
        counts = len(ours()[0]), len(plain())
        rows.append((detector, name, *counts, times["plain"], times["ours"], times["plain"] / times["ours"]))
    print(f"Decoding 736x1280 ({origin}), one thread; {machine()}\n")
    print_table(
        ("detector", "settings", "texts", "texts, plain", "plain loop, ms", "ours, ms", "times faster"), rows
    )


if __name__ == "__main__":
    main()
