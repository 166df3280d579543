"""Where the images lie that a large JSON file names: told by some of them, as one folder has them all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.image_lookup import file_name
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.image_files import lies_there
from tcm_hf.data.records import size_hw_of

__all__ = ["ImagePlaces"]

_ASKED = 200  # images that are looked for, spread evenly: of a part of a corpus many are not there


class ImagePlaces:
    """Images by the entries of a file, `{"file_name": ..., "width": ..., "height": ...}`.

    Args:
        root: Where the corpus lies.
        folders: Where its images may lie below, glob patterns; "" is the root itself. The first counts that
            has most of the images, by their names or by the last parts of these; where none has any, the
            first.
        entries: The entries of the images; broken ones are passed over here.
    """

    def __init__(self, root: Path, folders: Iterable[str], entries: Iterable[Any]) -> None:
        patterns = list(folders)
        self.folder, self._last_part_only = root / patterns[0], False
        names = [entry["file_name"] for entry in entries if _has_name(entry)]
        names = names[:: max(1, len(names) // _ASKED)]
        most = 0
        for pattern in patterns:
            for folder in sorted(root.glob(pattern)) if pattern else [root]:
                for last_part_only in (False, True):
                    places = (folder / (Path(name).name if last_part_only else name) for name in names)
                    found = sum(map(lies_there, places))
                    if found > most:
                        most, self.folder, self._last_part_only = found, folder, last_part_only

    def of(self, entry: Any) -> tuple[Path, tuple[int, int] | None]:
        """The path of an image, and height and width as the entry tells them.

        Raises:
            ValueError: It is no such entry.
        """
        entry = as_object(entry)
        name = file_name(entry["file_name"])
        return self.folder / (Path(name).name if self._last_part_only else name), size_hw_of(entry)


def _has_name(entry: Any) -> bool:
    try:
        return isinstance(entry, dict) and bool(file_name(entry.get("file_name")))
    except ValueError:
        return False
