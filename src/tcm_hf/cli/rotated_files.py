"""Results of rotated detectors in files: DOTA's Task1 files, or records of `tcm-hf detect --task rotated`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_files import ImageResult, image_name, read_image_results, require_scores

if TYPE_CHECKING:
    import numpy as np

ABOUT_RESULTS = """\
              a folder of DOTA's result files (Task1_ship.txt, a line is image score x1 y1 ... x4 y4), or the
              .json files, or one .jsonl or .json file, of tcm-hf detect --task rotated
"""


class RotatedResult(NamedTuple):
    """What was found in an image."""

    polygons_xy: np.ndarray
    """(N, 4, 2) float64 pixels."""
    scores: np.ndarray
    """(N,) float64."""
    class_names: list[str]


class RotatedResults(NamedTuple):
    """What was found in images, and what was looked for."""

    by_image: dict[str, RotatedResult]
    """By image name, which is one word."""
    class_names: list[str]
    """All classes that something was found of or that were looked for, as words."""


def photo_name(name: str) -> str:
    """What an image is called here, wherever its name comes from; Task1 files know names of one word only."""
    from tcm_hf.data.dota import image_code

    return image_code(image_name(Path(f"{name}.txt")))


def by_photo_name(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What belongs to images, by `photo_name`.

    Raises:
        CommandError: two images have the same.
    """
    found: dict[str, Any] = {}
    for name, value in named:
        if photo_name(name) in found:
            raise CommandError(f"two images are called {photo_name(name)}, one of them {name}: rename one")
        found[photo_name(name)] = value
    return found


def read_rotated_results(path: Path) -> RotatedResults:
    """The results in a folder or a file.

    Raises:
        CommandError: there is no result, a file cannot be read, or an image has two.
        ValueError: a Task1 file is damaged.
    """
    from tcm_hf.data.dota import class_prompt

    if path.is_dir() and any(path.glob("Task1_*.txt")):
        return _read_task1(path)
    known: set[str] = set()

    def of_record(record: Mapping[str, Any]) -> ImageResult:
        result = _of_record(record)
        known.update(map(class_prompt, [*result.texts, *record.get("params", {}).get("classes", [])]))
        return result

    results = read_image_results(path, _refuse_line, of_record)
    require_scores(results, "this")
    by_image = by_photo_name((name, _with_arrays(found)) for name, found in results.items())
    return RotatedResults(by_image, sorted(known))


def _read_task1(folder: Path) -> RotatedResults:
    import numpy as np

    from tcm_hf.data.dota import class_prompt, read_task1

    names = [class_prompt(path.stem.removeprefix("Task1_")) for path in sorted(folder.glob("Task1_*.txt"))]
    by_image = by_photo_name(
        (
            image,
            RotatedResult(
                np.concatenate([found.polygons_xy for found in classes.values()]),
                np.concatenate([found.scores for found in classes.values()]),
                [name for name, found in classes.items() for _ in found.scores],
            ),
        )
        for image, classes in read_task1(folder, names).items()
    )
    return RotatedResults(by_image, sorted(names))


def _with_arrays(found: ImageResult) -> RotatedResult:
    import numpy as np

    from tcm_hf.data.dota import class_prompt

    polygons = np.array(found.polygons, dtype=np.float64).reshape(-1, 4, 2)
    names = [class_prompt(str(text)) for text in found.texts]
    return RotatedResult(polygons, np.array(found.scores, dtype=np.float64), names)


def _of_record(record: Mapping[str, Any]) -> ImageResult:
    instances = record["instances"]
    if any(len(instance["polygon"]) != 4 for instance in instances):
        raise TypeError("rotated objects have polygons of four points")
    return ImageResult(
        [instance["polygon"] for instance in instances],
        [instance.get("score") for instance in instances],
        [instance["label"] for instance in instances],
    )


def _refuse_line(line: str) -> tuple[list[float], float | None, str | None]:
    raise CommandError("expected files named Task1_<class>.txt, or .json files of tcm-hf detect")
