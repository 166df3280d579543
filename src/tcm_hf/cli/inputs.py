"""From the words on the command line to a list of images: files, and pages of PDF files."""

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.pdf_pages import PDF_SUFFIX, is_pdf, page_count
from tcm_hf.processing.image_suffixes import IMAGE_SUFFIXES

# A file in a folder of drawings that `detect --draw` made. A search does not go into such a folder.
DRAWINGS_MARKER = ".tcm-hf-drawings"


@dataclass(frozen=True)
class ImageInput:
    """An image file or a page of a PDF, and the name of its results.

    Attributes:
        path: The file as the user would type it.
        name: Where the results go, below the output folder and without a suffix ("trip/img_1",
            "scan-p03"); unique in a run.
        page: The page of a PDF, from 1; `None` for a photo, and for a PDF that has no such pages or cannot
            be opened: its turn to fail comes like that of a broken photo.
        page_label: How `name` ends where there is a page ("-p03").
    """

    path: Path
    name: PurePosixPath
    page: int | None = None
    page_label: str = ""

    @property
    def document_name(self) -> PurePosixPath:
        """`name` without the page: where the results of all pages go."""
        return PurePosixPath(str(self.name).removesuffix(self.page_label))


def expand_inputs(
    words: Sequence[str],
    stdin: Iterable[str],
    exclude: Iterable[Path] = (),
    pages: Sequence[range] | None = None,
) -> list[ImageInput]:
    """List the images that the words mean, each once, in the words' order; folders and globs are sorted.

    Args:
        words: Files, folders (searched to the bottom), globs (`**` too) or "-" for one of these a line on
            `stdin`. Folders and globs leave out the drawings of earlier runs unless the word itself names
            their folder.
        stdin: Lines; read only where a word is "-".
        exclude: Folders whose images are not taken: the drawings go there now.
        pages: The pages of each PDF that are taken, from 1; `None` takes all.

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
    return _named(unique.values(), pages)


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
    return [(image, _below(image.relative_to(fixed))) for image in images]


def _below(relative: Path) -> PurePosixPath:
    """A name that goes no way up: a pattern such as `photos/*/../../*.jpg` must not lead results out."""
    return PurePosixPath(*(part for part in relative.parts if part != ".."))


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
    """Whether a folder or a glob gives this file; one that is named outright is read whatever its suffix."""
    return path.suffix.lower() in (*IMAGE_SUFFIXES, PDF_SUFFIX) and path.is_file()


def _relative_name(path: Path) -> PurePosixPath:
    return PurePosixPath(path.name)


def _named(files: Iterable[tuple[Path, PurePosixPath]], pages: Sequence[range] | None) -> list[ImageInput]:
    """Name each result by its file without suffix; with it, and then a number, where names would meet."""
    files = list(files)
    stems = Counter(str(relative.with_suffix("")) for _, relative in files)
    used: set[str] = set()
    inputs = []
    for path, relative in files:
        stem = str(relative.with_suffix(""))
        pages_and_labels = _pages_of(path, pages)
        base = name = stem if stems[stem] == 1 else str(relative)
        number = 1
        # The file's own name too: a searchable PDF holds all pages.
        while used & (names := {name, *(f"{name}{label}" for _, label in pages_and_labels)}):
            number += 1
            name = f"{base}-{number}"
        used |= names
        inputs += [
            ImageInput(path, PurePosixPath(f"{name}{label}"), page, label) for page, label in pages_and_labels
        ]
    return inputs


def _pages_of(path: Path, wanted: Sequence[range] | None) -> list[tuple[int | None, str]]:
    """The pages of a file with their labels, of equal length so that names sort; a photo is one without."""
    whole: list[tuple[int | None, str]] = [(None, "")]
    if not is_pdf(path):
        return whole
    try:
        count = page_count(path)
    except (OSError, ValueError):
        return whole
    numbers = [page for page in range(1, count + 1) if wanted is None or any(page in part for part in wanted)]
    return [(page, f"-p{page:0{len(str(count))}d}") for page in numbers] or whole
