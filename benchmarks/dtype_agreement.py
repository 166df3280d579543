"""How far results with dtype="auto" (bfloat16 on CPUs that have it) are from those in float32.

    python benchmarks/dtype_agreement.py
    python benchmarks/dtype_agreement.py --data ../shared/data/ic15-train:901-1000 --batch-size 4

Texts of one photo are matched by their nearest corners. A text has moved as far as that of its corners that
moved most, in pixels of the photo; lost and new are texts without a partner within 20 pixels, as a rule those
whose score lies at the threshold. Further rows compare photos alone
with the same photos in a batch, and, as a yardstick, float32 with float32 on photos one grey level brighter.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from harness import REPOSITORY, machine, print_table
from PIL import Image
from transformers import pipeline

from tcm_hf import default_checkpoint
from tcm_hf.training.corpus_spec import CorpusSpec

FAR_PX = 20


class Agreement(NamedTuple):
    """What became of the texts of some photos."""

    moved_px: np.ndarray
    score_changes: np.ndarray
    lost: int
    new: int


def compare(expected: Sequence[list[dict[str, Any]]], found: Sequence[list[dict[str, Any]]]) -> Agreement:
    """Match the texts of each photo, nearest first."""
    moved, changes, lost, new = [], [], 0, 0
    for theirs, ours in zip(expected, found, strict=True):
        ways = sorted(
            (way, i, j)
            for i, one in enumerate(theirs)
            for j, other in enumerate(ours)
            if (way := corner_way_px(one["polygon"], other["polygon"])) < FAR_PX
        )
        partners: dict[int, int] = {}
        for way, i, j in ways:
            if i not in partners and j not in partners.values():
                partners[i] = j
                moved.append(way)
                changes.append(abs(theirs[i]["score"] - ours[j]["score"]))
        lost += len(theirs) - len(partners)
        new += len(ours) - len(partners)
    return Agreement(np.array(moved), np.array(changes), lost, new)


def corner_way_px(first: list, second: list) -> float:
    """Largest way of a corner, whichever corner is named first; infinite for other numbers of corners."""
    if len(first) != len(second):
        return float("inf")
    corners, others = np.array(first), np.array(second)
    ways = [
        np.linalg.norm(corners - np.roll(others, turn, axis=0), axis=1).max() for turn in range(len(others))
    ]
    return float(min(ways))


def row(name: str, agreement: Agreement) -> tuple[object, ...]:
    moved = agreement.moved_px
    return (
        name,
        len(moved) + agreement.lost,
        *(f"{np.mean(moved <= limit):.1%}" for limit in (0.01, 1, 2)),
        f"{moved.max():.1f}",
        f"{agreement.score_changes.max():.4f}",
        agreement.lost,
        agreement.new,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="*", default=[], help="photos as FOLDER or FOLDER:FIRST-LAST")
    parser.add_argument("--model", default=str(default_checkpoint()), help="detector (the shipped one)")
    parser.add_argument("--batch-size", type=int, default=4, help="of the last rows (%(default)s)")
    arguments = parser.parse_args()
    examples = sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))
    sources = {"examples": [np.asarray(Image.open(file).convert("RGB")) for file in examples]}
    for data in arguments.data:
        sources[data] = [record.load_image() for record in CorpusSpec.parse(data).records()]
    exact, auto = (
        pipeline("text-detection", model=arguments.model, device="cpu", dtype=dtype)
        for dtype in ("float32", "auto")
    )
    rows = []
    for name, photos in sources.items():
        expected, found = exact(photos), auto(photos)
        rows.append(row(f"{name}, float32 and auto", compare(expected, found)))
        brighter = [np.minimum(photo, 254) + np.uint8(1) for photo in photos]
        rows.append(row(f"{name}, float32: one grey level brighter", compare(expected, exact(brighter))))
        batched = {pipe.dtype: pipe(photos, batch_size=arguments.batch_size) for pipe in (exact, auto)}
        for pipe, alone in ((exact, expected), (auto, found)):
            dtype = str(pipe.dtype).removeprefix("torch.")
            title = f"{name}, {dtype}: alone and {arguments.batch_size} at once"
            rows.append(row(title, compare(alone, batched[pipe.dtype])))
    print(f"{arguments.model.rsplit('/', 1)[-1]}, float32 and {auto.dtype}; {machine()}\n")
    columns = ("photos", "texts", "not moved", "≤ 1 px", "≤ 2 px", "most, px", "scores ≤", "lost", "new")
    print_table(columns, rows)


if __name__ == "__main__":
    main()
