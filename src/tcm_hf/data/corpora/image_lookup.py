"""Finds the pictures of an export: tools write names down as they knew them, not as the pictures lie now."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tcm_hf.data.corpora.files import IMAGE_SUFFIXES
from tcm_hf.data.image_files import lies_there

__all__ = ["ImageIndex", "file_name"]

_LONGEST = 255  # name of a file, of nearly all file systems
_LONGEST_PATH = 3000  # below a folder

_UPLOAD_PREFIX = re.compile(r"(?:\d+-)?[0-9a-f]{8}-(?=.)")
_UNSAFE = re.compile(r"[^\w.-]")


class ImageIndex:
    r"""The pictures below a folder, by the names that tools give them.

    A name may be relative, absolute, of another machine (`C:\photos\a.jpg`), an address
    (`https://…/a.jpg?x=1`, `s3://bucket/a.jpg`), or what Label Studio makes of an upload
    (`/data/upload/1/0a1b2c3d-a.jpg`, `/data/local-files/?d=photos/a.jpg`). The folder is searched when a name
    is not there as it is written, once.

    Args:
        folder: Where the pictures are looked for, as a rule that of the annotations.
        above: Another folder that names may begin at.
    """

    def __init__(self, folder: Path | str, above: Path | None = None) -> None:
        self.folder = Path(folder)
        self._begins = [self.folder, self.folder / "images", *([above] if above else [])]

    def find(self, name: str) -> Path:
        """The picture of a name.

        The one that lies where the name says; else the one whose path ends most like it; else one that has
        the name without the prefix of an upload, or as an upload changes it; else one with another suffix.

        Returns:
            Its path, or where it should be, if there is none.

        Raises:
            ValueError: Several pictures fit equally well, or it can be no name.
        """
        wanted = _as_path(file_name(name))
        for place in (begin / wanted for begin in self._begins):
            if lies_there(place):
                return place
        expected = self.folder / wanted
        # Elsewhere eight such characters belong to the name: another picture has the rest of it.
        is_upload = "upload" in wanted.parts[:-1]
        base = _UPLOAD_PREFIX.sub("", wanted.name, count=1) if is_upload else wanted.name
        for key in (wanted.name.lower(), base.lower(), _safe(base), PurePosixPath(base).stem.lower()):
            found = self._by_key.get(key, [])
            # Where its folder is there, a picture of the same name in another one is another picture.
            if wanted.parent.name and ".." not in name and expected.parent.is_dir():
                found = [place for place in found if place.parent == expected.parent]
            if found:
                return _most_alike(name, wanted, found)
        return expected

    @cached_property
    def _by_key(self) -> dict[str, list[Path]]:
        """Pictures by name, by what an upload makes of it, and by stem."""
        found: dict[str, dict[Path, None]] = defaultdict(dict)
        seen: set[str] = set()
        for root, folders, files in os.walk(self.folder, followlinks=True):
            if os.path.realpath(root) in seen:  # a link that leads back
                folders.clear()
                continue
            seen.add(os.path.realpath(root))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in sorted(files):
                path = Path(root, file)
                if path.suffix.lower() in IMAGE_SUFFIXES and not file.startswith("."):
                    for key in (file.lower(), _safe(file), path.stem.lower()):
                        found[key][path] = None
        return {key: list(paths) for key, paths in found.items()}


def file_name(name: Any) -> str:
    """What an export says to be the name of a picture.

    Raises:
        ValueError: It can be none.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"expected the name of a picture, got {name!r}")
    # A letter of an address may be nine characters long.
    parts = [len(part.encode(errors="replace")) for part in re.split(r"[/\\]", unquote(name))]
    if max(parts) > _LONGEST or sum(parts) + len(parts) > _LONGEST_PATH:
        raise ValueError(f"expected the name of a picture, got {len(name)} characters: {name[:40]!r}")
    return name


def _as_path(name: str) -> PurePosixPath:
    """The part of a name that can be a path below the folder."""
    parts = urlsplit(name) if "://" in name or "?d=" in name else None
    if parts is not None:
        local = parse_qs(parts.query).get("d")
        name = local[0] if local else unquote(parts.path)
    elif name.startswith("/data/"):
        name = unquote(name)
    path = PurePosixPath(re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/")).lstrip("/"))
    return PurePosixPath(*(part for part in path.parts if part not in ("..", ".")))


def _safe(name: str) -> str:
    """A file name as uploads change it: spaces become underscores, other signs are dropped."""
    return _UNSAFE.sub("", name.strip().replace(" ", "_")).lower()


def _most_alike(name: str, wanted: PurePosixPath, places: list[Path]) -> Path:
    """The path whose folders, from the last on, are most like those of the name."""
    if len(places) == 1:
        return places[0]
    scores = [_common_tail(wanted.parent.parts, place.parent.parts) for place in places]
    best = [place for place, score in zip(places, scores, strict=True) if score == max(scores)]
    if len(best) > 1:
        raise ValueError(
            f"{len(best)} pictures could be {name!r}: {best[0]} and {best[1]}. Keep one, or rename them"
        )
    return best[0]


def _common_tail(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one.lower() != other.lower():
            break
        count += 1
    return count
