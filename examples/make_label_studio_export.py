"""Make what Label Studio gives when the labelling is done: photos and an export, here of generated pictures.

    python examples/make_label_studio_export.py shop-export --photos 60

A stand-in for your own data in docs/guides/your-own-photos.md. The export is of the kind "JSON" of the
template "Optical Character Recognition": rectangles (some are turned) and polygons in per cent, a label and a
text for each. As in real life one task was skipped, and somebody has drawn an ellipse around a word.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tcm_hf.data.records import TextInstance
from tcm_hf.data.synthetic.composition import SyntheticTextOptions
from tcm_hf.data.synthetic.generator import SyntheticTextGenerator

OPTIONS = SyntheticTextOptions(
    word_height_px=(14.0, 90.0),
    median_words=6.0,
    low_contrast=0.35,
    tilt_deg=60.0,
    script_shares={"latin": 1.0},
)
SIZE_HW = (480, 640)
ELLIPSE, SKIPPED = 4, 7  # numbers of the task with an ellipse, and of the skipped one


def region(name: str, instance: TextInstance) -> Iterator[dict[str, Any]]:
    """The entries of one text: its outline, its label, what it reads; they have one id."""
    height, width = SIZE_HW
    common = {"id": name, "to_name": "image", "original_width": width, "original_height": height}
    shape, outline = outline_of(instance.polygon_xy)
    label = "Ignore" if instance.ignore else "Text"
    yield {**common, "from_name": "bbox", "type": shape, "value": outline}
    yield {**common, "from_name": "label", "type": "labels", "value": {**outline, "labels": [label]}}
    if instance.text:
        text = {**outline, "text": [instance.text]}
        yield {**common, "from_name": "transcription", "type": "textarea", "value": text}


def outline_of(polygon_xy: np.ndarray) -> tuple[str, dict[str, Any]]:
    """A rectangle, turned about its top left corner, where the outline is nearly one; else a polygon."""
    height, width = SIZE_HW
    if len(polygon_xy) == 4:
        top, side = polygon_xy[1] - polygon_xy[0], polygon_xy[3] - polygon_xy[0]
        long, high = np.linalg.norm(top), np.linalg.norm(side)
        off = np.abs(polygon_xy[2] - polygon_xy[1] - side).max()
        if abs(top @ side) < 0.05 * long * high and off < 2:
            left, above = polygon_xy[0]
            values = {"x": left / width, "y": above / height, "width": long / width, "height": high / height}
            turn = math.degrees(math.atan2(top[1], top[0]))
            return "rectangle", {name: 100 * float(value) for name, value in values.items()} | {
                "rotation": turn
            }
    points = [[100 * float(x) / width, 100 * float(y) / height] for x, y in polygon_xy]
    return "polygon", {"points": points, "closed": True}


def ellipse(name: str) -> Iterator[dict[str, Any]]:
    """What is no outline of a text."""
    common = {"id": name, "to_name": "image", "original_width": SIZE_HW[1], "original_height": SIZE_HW[0]}
    outline = {"x": 50.0, "y": 50.0, "radiusX": 8.0, "radiusY": 3.0, "rotation": 0}
    yield {**common, "from_name": "ellipse", "type": "ellipse", "value": outline}
    yield {**common, "from_name": "label", "type": "labels", "value": {**outline, "labels": ["Text"]}}


def main(argv: Sequence[str] | None = None) -> Path:
    """Write photos/ and export.json; returns the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, metavar="FOLDER")
    parser.add_argument("--photos", type=int, default=60, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    args = parser.parse_args(argv)
    generator = SyntheticTextGenerator.from_folders(SIZE_HW, options=OPTIONS)
    photos = args.output / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    tasks = []
    for number in range(1, args.photos + 1):
        record = generator(args.seed, number)
        name = f"shop_{number:04}.jpg"
        Image.fromarray(record.load_image()).save(photos / name, quality=92)
        result = [
            entry
            for place, instance in enumerate(record.instances)
            for entry in region(f"{number}-{place}", instance)
        ]
        if number == ELLIPSE:
            result += ellipse(f"{number}-{len(result)}")
        # Label Studio puts eight digits of its own before the name of an upload.
        data = {"ocr": f"/data/upload/1/{number * 2654435761 % 2**32:08x}-{name}"}
        annotation = {"id": number, "was_cancelled": number == SKIPPED, "result": result}
        tasks.append({"id": number, "data": data, "annotations": [annotation]})
    (args.output / "export.json").write_text(json.dumps(tasks, indent=1) + "\n", encoding="utf-8")
    print(f"{len(tasks)} tasks in {args.output / 'export.json'}, their photos in {photos}")
    return args.output


if __name__ == "__main__":
    main()
