"""DOTA's files: annotations (`labelTxt`) in and out, results of task 1 (oriented boxes) out and in.

Source: Xia et al., "DOTA: A Large-scale Dataset for Object Detection in Aerial Images", arXiv 1711.10398, and
its development kit's formats.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcm_hf.data.corpora.files import IMAGE_SUFFIXES, lines_of
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.rotated_records import RotatedRecord

_LONGEST_NAME = 255  # bytes, of nearly all file systems
_HEADERS = ("imagesource:", "gsd:", "acquisition dates:")


class Task1Detection(NamedTuple):
    """Detections of one class in one image."""

    polygons_xy: np.ndarray
    """(N, 4, 2) float64 pixels."""
    scores: np.ndarray
    """(N,) float64."""


def class_prompt(name: str) -> str:
    """DOTA's name of a class as words: `"storage-tank"` -> `"storage tank"`."""
    return name.replace("-", " ")


def class_code(name: str) -> str:
    """Words as DOTA writes a class: `"storage tank"` -> `"storage-tank"`."""
    return name.replace(" ", "-")


def image_code(name: str) -> str:
    """Name of an image as a line of a result file has it, one word: `"my photo"` -> `"my_photo"`."""
    return "_".join(name.split())


def task1_names(class_names: Iterable[str]) -> dict[str, str]:
    """The result file of every class: `"storage tank"` -> `"Task1_storage-tank.txt"`.

    Args:
        class_names: the classes.

    Returns:
        File names by class name.

    Raises:
        ValueError: a name cannot be part of a file name, or two classes would have the same file.
    """
    files: dict[str, str] = {}
    for name in class_names:
        file = f"Task1_{class_code(name)}.txt"
        if any(character in "/\\\0" for character in name) or not _can_be_name(file):
            raise ValueError(
                f"Each class needs a file of its own, and {file!r} cannot be one: rename the class {name!r}."
            )
        if file in files.values():
            raise ValueError(
                f"Each class needs a file of its own: {file!r} is that of two classes, rename one."
            )
        files[name] = file
    return files


def _can_be_name(file: str) -> bool:
    try:
        return len(file.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # half a character
        return False


def read_dota_labels(
    path: Path | str, problems: Problems | None = None
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """One annotation file: `x1 y1 x2 y2 x3 y3 x4 y4 category difficult` a line, after optional headers.

    Args:
        path: the file.
        problems: broken lines are added and left out; None: they are an error.

    Returns:
        Polygons (N, 4, 2), class names as words, difficult (N,) bool (False where the file has no flag).

    Raises:
        ValueError: the file does not exist, or (where `problems` is None) a line is not such a line; the
            message has file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"Expected annotations in {path}: no such file.")
    objects = []
    with collected(problems) as noted:
        for number, line in lines_of(path):
            if not line.lower().startswith(_HEADERS):
                with noted.row(path, number):
                    objects.append(_object_of(line))
    polygons, names, difficult = zip(*objects, strict=True) if objects else ((), (), ())
    return np.array(polygons).reshape(-1, 4, 2), list(names), np.array(difficult, dtype=bool)


def _object_of(line: str) -> tuple[np.ndarray, str, bool]:
    """Corners (4, 2), name of the class as words, and the flag of an annotated object."""
    values = line.split()
    try:
        corners = np.array(values[:8], dtype=np.float64)
        if len(values) not in (9, 10) or not np.isfinite(corners).all():
            raise ValueError
        flag = int(values[9]) if len(values) == 10 else 0
    except ValueError:
        raise ValueError(
            f"expected eight coordinates, a class and at most a flag, got {line.strip()[:80]!r}"
        ) from None
    return corners.reshape(4, 2), class_prompt(values[8]), flag > 0


def load_dota(
    images_dir: Path | str, labels_dir: Path | str | None = None, problems: Problems | None = None
) -> list[RotatedRecord]:
    """Read a folder of images with one annotation file an image; no pixel is read.

    Args:
        images_dir: holds the images, for example `P0001.png`, or folders of them, as the parts of DOTA's
            download.
        labels_dir: holds `P0001.txt` an image; None for images without annotations (DOTA's test set).
        problems: broken lines, and images without a file of annotations, are added and left out; None: they
            are an error.

    Returns:
        One record an image, by name.

    Raises:
        ValueError: there are no images, or (where `problems` is None) an annotation file is missing or
            damaged.
    """
    images = _images_in(Path(images_dir))
    if not images:
        raise ValueError(f"Expected images in {images_dir}: there are none.")
    records = []
    with collected(problems) as noted:
        for image in images:
            if labels_dir is None:
                records.append(RotatedRecord(image, np.zeros((0, 4, 2)), []))
                continue
            labels = Path(labels_dir) / f"{image.stem}.txt"
            with noted.row(labels):
                records.append(RotatedRecord(image, *read_dota_labels(labels, noted)))
    return records


def _images_in(folder: Path) -> list[Path]:
    for pattern in ("*", "*/*", "*/*/*"):  # as part1/images/P0001.png
        found = [path for path in folder.glob(pattern) if path.suffix.lower() in IMAGE_SUFFIXES]
        if found:
            return sorted(found, key=lambda path: path.name)
    return []


def write_dota_labels(path: Path | str, record: RotatedRecord) -> None:
    """Writes an annotation file that `read_dota_labels` reads back, coordinates to a tenth of a pixel."""
    lines = [
        f"{_coordinates(polygon, 1)} {class_code(name)} {int(flag)}"
        for polygon, name, flag in zip(record.polygons_xy, record.class_names, record.difficult, strict=True)
    ]
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_task1(
    folder: Path | str,
    detections: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    class_names: Sequence[str],
) -> list[Path]:
    """Writes what DOTA's server takes: `Task1_<class>.txt` with `image score x1 y1 … x4 y4` a line.

    Args:
        folder: where to; made if there is none.
        detections: by image name: polygons (N, 4, 2), scores (N,), labels (N,).
        class_names: names of the labels. Each gets a file, if an empty one.

    Returns:
        The files.

    Raises:
        ValueError: a class cannot have a file, see `task1_names`.
    """
    folder = Path(folder)
    paths = [folder / file for file in task1_names(class_names).values()]
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[list[str]] = [[] for _ in class_names]
    for image, (polygons, scores, labels) in detections.items():
        for polygon, score, label in zip(polygons, scores, labels, strict=True):
            lines[int(label)].append(f"{image} {score:.6f} {_coordinates(polygon, 2)}\n")
    for path, rows in zip(paths, lines, strict=True):
        path.write_text("".join(rows), encoding="utf-8")
    return paths


def read_task1(folder: Path | str, class_names: Iterable[str]) -> dict[str, dict[str, Task1Detection]]:
    """Reads the files of `write_task1`, or another program's.

    Args:
        folder: holds `Task1_<class>.txt`.
        class_names: the classes to read; a class without a file has no detections.

    Returns:
        By image name, then by class name.

    Raises:
        ValueError: no class has a file or can have one, or a line is damaged; the message has file and line.
    """
    files = {name: Path(folder) / file for name, file in task1_names(class_names).items()}
    if not any(path.is_file() for path in files.values()):
        raise ValueError(f"Expected results such as {next(iter(files.values()), folder)}: there are none.")
    rows: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, path in files.items():
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            image, *values = line.split()
            try:
                numbers = np.array(values, dtype=np.float64)
                if numbers.shape != (9,) or not np.isfinite(numbers).all():
                    raise ValueError
            except ValueError:
                raise ValueError(
                    f"{path}, line {number}: expected an image, a score and eight coordinates, got "
                    f"{line.strip()[:80]!r}."
                ) from None
            rows.setdefault(image, {}).setdefault(name, []).append(numbers)
    return {
        image: {
            name: Task1Detection(np.array(found)[:, 1:].reshape(-1, 4, 2), np.array(found)[:, 0])
            for name, found in classes.items()
        }
        for image, classes in rows.items()
    }


def _coordinates(polygon: np.ndarray, digits: int) -> str:
    return " ".join(f"{float(value):.{digits}f}" for value in np.asarray(polygon).reshape(-1))


__all__ = [
    "Task1Detection",
    "class_code",
    "class_prompt",
    "image_code",
    "load_dota",
    "read_dota_labels",
    "read_task1",
    "task1_names",
    "write_dota_labels",
    "write_task1",
]
