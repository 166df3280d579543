"""Time to make the target maps of 640x640 with 20 polygons for each detector, against plain loops.

python benchmarks/targets.py
"""

import argparse

import cv2
import numpy as np
from baselines import plain_dbnet_targets, plain_fcenet_targets, plain_pan_targets
from harness import machine, medians_ms, print_table, timing_inputs

from tcm_hf.data.targets_dbnet import dbnet_targets
from tcm_hf.data.targets_fcenet import fcenet_targets
from tcm_hf.data.targets_pan import pan_targets

SIZE_HW = (640, 640)
DETECTORS = {
    "DBNet": (plain_dbnet_targets, dbnet_targets),
    "PAN": (plain_pan_targets, pan_targets),
    "FCENet": (plain_fcenet_targets, fcenet_targets),
}


def reference_polygons() -> tuple[list[np.ndarray], str]:
    """The reference polygons where they are at hand, or else such ones; and which they are."""
    reference = timing_inputs()
    if reference is not None:
        ends = np.cumsum(reference["polys_len"])
        return np.split(reference["polys_xy"], ends[:-1]), "the reference polygons"
    rng = np.random.default_rng(0)
    polygons = []
    for index in range(20):
        center = (80 + 160 * (index % 4), 64 + 128 * (index // 4))
        box = cv2.boxPoints((center, (rng.uniform(60, 140), rng.uniform(15, 50)), rng.uniform(-25, 25)))
        polygons.append(box.astype(np.float64))
    return polygons, "generated polygons"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of each (%(default)s)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    polygons, origin = reference_polygons()
    ignore = [False] * len(polygons)
    rows = []
    for detector, (plain, ours) in DETECTORS.items():
        times = medians_ms(
            {
                "plain": lambda plain=plain: plain(polygons, SIZE_HW),
                "ours": lambda ours=ours: ours(polygons, ignore, SIZE_HW),
            },
            repeats,
        )
        rows.append((detector, times["plain"], times["ours"], times["plain"] / times["ours"]))
    print(f"Targets of 20 texts on 640x640 ({origin}), one thread; {machine()}\n")
    print_table(("detector", "plain loop, ms", "ours, ms", "times faster"), rows)


if __name__ == "__main__":
    main()
