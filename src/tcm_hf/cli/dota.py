"""`tcm-hf dota`: the work around DOTA's large images: split them in tiles, merge what was found in tiles."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import count_int, positive_int, probability
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.generating import in_processes, keep_settings
from tcm_hf.cli.rotated_files import ABOUT_RESULTS, read_rotated_results
from tcm_hf.results.atomic import whole_file

SPLIT = """\
Cut images in square tiles with the objects that are mostly inside: OUTPUT/images/P0001__1024__824___0.png and
OUTPUT/labelTxt/P0001__1024__824___0.txt are the tile of 1024 pixels at x 824, y 0. FOLDER holds images and
labelTxt; without labelTxt (DOTA's test set) only images are cut. Several sizes of tiles are several scales.
tcm-hf train rotated cuts large images by itself: this is for other programs.
"""
MERGE = f"""\
Bring what was found in tiles back to whole images, each object once, and write DOTA's submission for task 1:
OUTPUT/Task1_ship.txt, ... Images whose names do not end in __1024__824___0 are taken as whole images.

RESULTS
{ABOUT_RESULTS}"""

_SETTINGS_FILE = "split.json"
_TILE_NAME = re.compile(r"(?P<image>.+)__\d+__(?P<x>\d+)___(?P<y>\d+)")


def add_parser(subparsers: Any) -> None:
    """Add the verb `dota` with its kinds `split` and `merge` to the command line."""
    verb = subparsers.add_parser("dota", help="split DOTA's images, merge results into a submission")
    kinds = verb.add_subparsers(dest="kind", required=True, metavar="KIND")
    raw = argparse.RawDescriptionHelpFormatter
    split = kinds.add_parser("split", help="cut images in tiles", description=SPLIT, formatter_class=raw)
    split.add_argument("folder", type=Path, metavar="FOLDER")
    split.add_argument("--output", type=Path, required=True, metavar="DIR")
    split.add_argument(
        "--tile",
        type=positive_int,
        nargs="+",
        default=[1024],
        metavar="PX",
        help="side of the tiles (default: 1024)",
    )
    split.add_argument(
        "--overlap", type=count_int, default=200, metavar="PX", help="of neighbours (default: %(default)s)"
    )
    split.add_argument(
        "--min-visible",
        type=probability,
        default=0.7,
        metavar="SHARE",
        help="part of an object's box that must be in the tile (default: %(default)s)",
    )
    split.add_argument("--skip-empty", action="store_true", help="leave out tiles without objects")
    split.add_argument("--workers", type=positive_int, default=1, help="processes (default: %(default)s)")
    merge = kinds.add_parser(
        "merge", help="results of tiles to Task1 files", description=MERGE, formatter_class=raw
    )
    merge.add_argument("results", type=Path, metavar="RESULTS")
    merge.add_argument("--output", type=Path, required=True, metavar="DIR")
    merge.add_argument(
        "--nms-threshold",
        type=probability,
        default=0.1,
        metavar="IOU",
        help="objects of a class that overlap more are one (default: %(default)s)",
    )
    merge.add_argument(
        "--classes", nargs="+", metavar="NAME", help="which get a file (default: all that were found)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        0.

    Raises:
        CommandError: for files that are missing or cannot be read, or options that do not fit.
    """
    try:
        return _split(args) if args.kind == "split" else _merge(args)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _split(args: argparse.Namespace) -> int:
    from tcm_hf.data.dota import load_dota
    from tcm_hf.data.rotated_corpora import label_folder

    if args.overlap >= min(args.tile):
        raise CommandError(f"--overlap must be less than --tile {min(args.tile)}: got {args.overlap}")
    images = args.folder / "images"
    labels = label_folder(args.folder)
    _check_output(args.output, args.folder, lambda path: (args.output / _SETTINGS_FILE).is_file())
    records = load_dota(images if images.is_dir() else args.folder, labels)
    options = {"tiles_px": args.tile, "overlap_px": args.overlap, "min_visible": args.min_visible}
    settings = {**options, "images": str(args.folder.resolve()), "skip_empty": args.skip_empty}
    keep_settings(args.output, settings, _SETTINGS_FILE)
    work = partial(_write_tiles, records, args.output, labels is not None, args.skip_empty, options)
    count = sum(in_processes(work, range(len(records)), args.workers, "image"))
    print(f"{len(records)} images, {count} tiles", file=sys.stderr)
    print(args.output)
    return 0


def _write_tiles(
    records: list, output: Path, with_labels: bool, skip_empty: bool, options: dict[str, Any], index: int
) -> int:
    """The tiles of an image, all from one reading; returns their number."""
    from dataclasses import replace

    from PIL import Image

    from tcm_hf.data.dota import write_dota_labels
    from tcm_hf.data.rotated_records import split_record

    pixels = records[index].load_image()
    whole = replace(records[index], image=pixels)
    count = 0
    for tile_px in options["tiles_px"]:
        for tile in split_record(
            whole,
            pixels.shape[:2],
            tile_px=tile_px,
            overlap_px=options["overlap_px"],
            min_visible=options["min_visible"],
        ):
            if skip_empty and not tile.class_names:
                continue
            with whole_file(output / "images" / f"{tile.name}.png") as temporary:
                Image.fromarray(tile.load_image()).save(temporary)
            if with_labels:
                with whole_file(output / "labelTxt" / f"{tile.name}.txt") as temporary:
                    write_dota_labels(temporary, tile)
            count += 1
    return count


def _merge(args: argparse.Namespace) -> int:
    import numpy as np

    from tcm_hf.data.dota import class_prompt, task1_names, write_task1
    from tcm_hf.processing.decode_rotated import RotatedObjects, merge_tile_objects
    from tcm_hf.processing.rotated_boxes import polygons_to_boxes

    results, known = read_rotated_results(args.results)
    class_names = list(dict.fromkeys(map(class_prompt, args.classes or known)))
    if unknown := [name for name in class_names if name not in known]:
        raise CommandError(f"--classes: {args.results} knows no {', '.join(unknown)}, it has {known}")
    files = task1_names(class_names).values()
    _check_output(args.output, args.results, lambda path: path.name in files)
    tiles: dict[str, list[tuple[RotatedObjects, tuple[int, int]]]] = {}
    for name, found in results.items():
        match = _TILE_NAME.fullmatch(name)
        image, origin = (match["image"], (int(match["x"]), int(match["y"]))) if match else (name, (0, 0))
        kept = np.array([name in class_names for name in found.class_names], dtype=bool)
        labels = [class_names.index(name) for name in found.class_names if name in class_names]
        objects = RotatedObjects(
            polygons_to_boxes(found.polygons_xy[kept]).astype(np.float32),
            found.scores[kept].astype(np.float32),
            np.array(labels, dtype=np.int64),
        )
        tiles.setdefault(image, []).append((objects, origin))
    merged = {}
    for image, parts in tiles.items():
        objects, origins = zip(*parts, strict=True)
        whole = merge_tile_objects(objects, origins, args.nms_threshold)
        merged[image] = (whole.polygons_xy, whole.scores, whole.labels)
    write_task1(args.output, merged, class_names)
    print(f"{len(results)} results, {len(merged)} images", file=sys.stderr)
    print(args.output)
    return 0


def _check_output(output: Path, source: Path, is_own: Callable[[Path], bool]) -> None:
    """Keep what is written apart from everything else.

    Args:
        output: `--output`.
        source: What is read.
        is_own: Whether a file or folder in the output may stay there.

    Raises:
        CommandError: If the output is where the source is, or holds other files.
    """
    if output.resolve() in (source.resolve(), source.resolve().parent):
        raise CommandError(f"--output must be another folder than that of {source}: got {output}")
    foreign = [path.name for path in sorted(output.glob("*")) if not is_own(path)]
    if foreign:
        raise CommandError(
            f"--output {output} holds other files ({', '.join(foreign[:3])}): give an empty folder"
        )
