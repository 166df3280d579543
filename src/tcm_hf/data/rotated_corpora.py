"""Folders of photos with rotated objects: DOTA's layout, or a metadata.jsonl; no pixel is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.files import check_outline, json_of, lines_of
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.dota import load_dota, read_dota_labels
from tcm_hf.data.records import flag_of
from tcm_hf.data.rotated_records import RotatedRecord, split_record
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, polygons_to_boxes

__all__ = [
    "label_folder",
    "load_rotated_corpus",
    "load_rotated_labels",
    "load_rotated_metadata",
    "tiled_records",
]

_LABEL_FOLDERS = ("labelTxt", "annfiles", "labelTxt-*", "labels")
"""Beside `images`: DOTA's own name, MMRotate's, DOTA's by version, and a plain one."""


def load_rotated_corpus(folder: Path | str, problems: Problems | None = None) -> list[RotatedRecord]:
    """Read the annotations of a folder.

    Args:
        folder: holds `images` and `labelTxt` (or `annfiles`) with one file an image, see `load_dota`; or
            `metadata.jsonl`, see `load_rotated_metadata`.
        problems: broken rows are added and left out; None: they are an error.

    Returns:
        One record an image.

    Raises:
        ValueError: it holds neither, or (where `problems` is None) an annotation is missing or damaged.
    """
    folder = Path(folder)
    if (folder / "metadata.jsonl").is_file():
        return load_rotated_metadata(folder, problems)
    labels = label_folder(folder)
    if labels is None or not (folder / "images").is_dir():
        raise ValueError(
            f"Expected the folders images and labelTxt, or metadata.jsonl, in {folder}: found neither."
        )
    return load_dota(folder / "images", labels, problems)


def load_rotated_labels(folder: Path | str) -> list[RotatedRecord]:
    """Annotations alone: of a folder as of `load_rotated_corpus`, or of a folder of DOTA's label files.

    Args:
        folder: see above; the images need not be there.

    Returns:
        One record an image; those of label files have an image without pixels.

    Raises:
        ValueError: an annotation is damaged.
    """
    if (Path(folder) / "metadata.jsonl").is_file():
        return load_rotated_metadata(folder)
    paths = sorted((label_folder(folder) or Path(folder)).glob("*.txt"))
    nothing = np.zeros((0, 0, 3), np.uint8)
    return [RotatedRecord(nothing, *read_dota_labels(path), name=path.stem) for path in paths]


def label_folder(folder: Path | str) -> Path | None:
    """Where DOTA's annotations lie in a folder; None where there are none.

    The files of oriented boxes may lie one folder deeper, as in the downloads: `labelTxt-v1.0/labelTxt`,
    `labelTxt-v1.5/DOTA-v1.5_train`.
    """
    for name in _LABEL_FOLDERS:
        for path in sorted(Path(folder).glob(name)):
            for place in (path, *sorted(path.glob("labelTxt")), *sorted(path.glob("DOTA-v*"))):
                if place.is_dir() and not place.name.endswith("_hbb") and any(place.glob("*.txt")):
                    return place
            if path.is_dir() and not any(inner.is_dir() for inner in path.iterdir()):
                return path
    return None


def load_rotated_metadata(folder: Path | str, problems: Problems | None = None) -> list[RotatedRecord]:
    """Read a folder of images with a `metadata.jsonl` ("imagefolder").

    A line is `{"file_name": …, "polygons": [[[x, y], …], …], "classes": [str, …], "ignore": [bool, …]}`;
    `ignore` may be left out. Polygons of other than four points are replaced by the smallest boxes around
    them.

    Args:
        folder: holds `metadata.jsonl`; file names are relative to it.
        problems: broken rows are added and left out; None: they are an error.

    Returns:
        One record a line, in file order.

    Raises:
        ValueError: there is no such file or (where `problems` is None) a line is not such a row; the message
            has file, line and reason.
    """
    path = Path(folder) / "metadata.jsonl"
    if not path.is_file():
        raise ValueError(f"Expected the annotations in {path}: no such file. Give the folder that holds it.")
    records = []
    with collected(problems) as noted:
        for number, line in lines_of(path):
            with noted.row(path, number, "not an annotation"):
                records.append(_record_of(json_of(line), Path(folder)))
    return records


def tiled_records(
    records: Sequence[RotatedRecord], tile_px: int = 1024, overlap_px: int = 200
) -> list[RotatedRecord]:
    """Large images as their tiles, see `split_record`; images no larger than a tile stay as they are.

    Args:
        records: of whole images; their sizes are read from the files' headers.
        tile_px: side of a tile.
        overlap_px: overlap of neighbours.
    """
    tiles = []
    for record in records:
        size_hw = record.size_hw()
        if max(size_hw) <= tile_px:
            tiles.append(record)
        else:
            tiles += split_record(record, size_hw, tile_px=tile_px, overlap_px=overlap_px)
    return tiles


def _record_of(row: Any, folder: Path) -> RotatedRecord:
    polygons, classes = row["polygons"], row["classes"]
    ignore = [flag_of(flag) for flag in row.get("ignore") or [False] * len(polygons)]
    corners = [_corners(np.asarray(polygon, dtype=np.float64)) for polygon in polygons]
    record = RotatedRecord(
        folder / row["file_name"], np.array(corners), list(classes), np.array(ignore, bool)
    )
    check_outline(record.polygons_xy)
    return record


def _corners(polygon: np.ndarray) -> np.ndarray:
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
        raise ValueError(f"expected 3 points (x, y) or more a polygon, got shape {polygon.shape}")
    return polygon if len(polygon) == 4 else boxes_to_polygons(polygons_to_boxes(polygon[None]))[0]
