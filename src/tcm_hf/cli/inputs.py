"""From the words on the command line to a list of image files."""

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from tcm_hf.cli.errors import CommandError

# What a folder or a glob gives; a file named outright is read whatever its suffix.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".ppm", ".pgm", ".avif")
)

# A file in a folder of drawings that `detect --draw` made. A search does not go into such a folder.
DRAWINGS_MARKER = ".tcm-hf-drawings"


@dataclass(frozen=True)
class ImageInput:
    """An image file and the name of its results.

    Attributes:
        path: The file as the user would type it.
        name: Where the results go, below the output folder and without a suffix ("trip/img_1"); unique in a
            run.
    """

    path: Path
    name: PurePosixPath


def expand_inputs(
    words: Sequence[str], stdin: Iterable[str], exclude: Iterable[Path] = ()
) -> list[ImageInput]:
    """List the images that the words mean, each once, in the words' order; folders and globs are sorted.

    Args:
        words: Files, folders (searched to the bottom), globs (`**` too) or "-" for one of these a line on
            `stdin`. Folders and globs leave out the drawings of earlier runs unless the word itself names
            their folder.
        stdin: Lines; read only where a word is "-".
        exclude: Folders whose images are not taken: the drawings go there now.

    Raises:
        CommandError: For a word that means no image. A line of `stdin` that means none is kept instead: it
            fails like a broken image when its turn comes, and the others go on.
    """
    excluded = [folder.resolve() for folder in exclude]
    found: list[tuple[Path, PurePosixPath]] = []
    for word in words:
        if word != "-":
            found += _expand_word(word)
            continue
        for line in map(str.strip, stdin):
            if line:
                found += _expand_line(line)
    unique: dict[Path, tuple[Path, PurePosixPath]] = {}
    for path, relative in found:
        resolved = path.resolve()
        if not any(resolved.is_relative_to(folder) for folder in excluded):
            unique.setdefault(resolved, (path, relative))
    if not unique:
        raise CommandError(f"no image in {' '.join(words)}")
    return _named(unique.values())


def _expand_line(line: str) -> list[tuple[Path, PurePosixPath]]:
    try:
        return _expand_word(line)
    except CommandError:
        return [(Path(line), _relative_name(Path(line)))]


def _expand_word(word: str) -> list[tuple[Path, PurePosixPath]]:
    path = Path(word)
    if path.is_dir():
        images = _without_drawings(path, _images_below(path))
        if not images:
            raise CommandError(f"no image in the folder {word}")
        return [(image, PurePosixPath(image.relative_to(path).as_posix())) for image in images]
    if path.exists():
        return [(path, _relative_name(path))]
    if not glob.has_magic(word):
        raise CommandError(f"no such file or folder: {word}")
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
    images = _without_drawings(fixed, [match for match in _matches(word) if _is_image(match)])
    if not images:
        raise CommandError(f"no image matches {word}")
    return [(image, PurePosixPath(image.relative_to(fixed).as_posix())) for image in images]


def _matches(pattern: str) -> list[Path]:
    # `Path.glob` takes no absolute patterns.
    return sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207


def _images_below(folder: Path) -> list[Path]:
    """Image files of a folder and its sub-folders, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if _is_image(path) and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _without_drawings(base: Path, images: list[Path]) -> list[Path]:
    """The images that lie in no folder of drawings below `base`; `base` itself may be one."""
    below = {
        folder
        for image in images
        for folder in image.parents
        if folder != base and folder.is_relative_to(base)
    }
    drawings = {folder for folder in below if (folder / DRAWINGS_MARKER).exists()}
    return [image for image in images if drawings.isdisjoint(image.parents)]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _relative_name(path: Path) -> PurePosixPath:
    return PurePosixPath(path.name)


def _named(images: Iterable[tuple[Path, PurePosixPath]]) -> list[ImageInput]:
    """Name each result by its image without suffix; with it, and then a number, where names would meet."""
    images = list(images)
    stems = Counter(str(relative.with_suffix("")) for _, relative in images)
    used: set[str] = set()
    inputs = []
    for path, relative in images:
        stem = str(relative.with_suffix(""))
        base = stem if stems[stem] == 1 else str(relative)
        name, number = base, 2
        while name in used:
            name, number = f"{base}-{number}", number + 1
        used.add(name)
        inputs.append(ImageInput(path, PurePosixPath(name)))
    return inputs
