"""Challenges of ICDAR 2019 with JSON: ArT and LSVT (one file a corpus), ReCTS (one a photo)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes, images_by_stem, read_json, text_instance
from tcm_hf.data.corpora.label_files import LabelFiles, Part
from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.corpora.problems import FileError, Problems, collected
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, flag_of

__all__ = ["ART", "LSVT", "RECTS", "load_rrc_json", "read_rects_labels"]

_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:gt|res|ts|tr)_\d+"\s*:\s*\[')
_IMAGE_FOLDERS = (
    "{}_images",
    "{}_images/{}_images",
    "{}_full_images_*",
    "{}_weak_images_*",
    "imgs",
    "images",
    "",
)


def load_rrc_json(
    path: Path | str,
    images: Iterable[Path] | None = None,
    level: Literal["word", "line"] = "word",
    problems: Problems | None = None,
) -> PackedRecords:
    """Read a label file of ArT or LSVT: texts by image name.

    `{"gt_0": [{"transcription": …, "points": [[x, y], …], "illegibility": false, "language": …}, …], …}`
    with any number of points; `language` is ArT's only. What is illegible is do-not-care.

    The weak labels of LSVT are texts without points, of which no record can be made: such images are left out
    and noted as one problem.

    Args:
        path: the file.
        images: folders that hold the images; None: the file's own.
        level: what one text is: ArT has words (Latin) and lines (Chinese), LSVT lines.
        problems: what is broken is added to this list and left out; None: it is an error.

    Raises:
        ValueError: the file is no such JSON, or a text is broken and `problems` is None.
    """
    path = Path(path)
    folders = [path.parent] if images is None else list(images)
    by_stem = images_by_stem(folders)
    records = PackedRecords(path.parent, level)
    without_points = 0
    with collected(problems) as noted:
        for name, entries in _dict_of(path).items():
            with noted.row(path, what=name):
                if not isinstance(entries, list):
                    raise ValueError(f"expected a list of texts, got {type(entries).__name__}")
                if entries and all(isinstance(entry, dict) and "points" not in entry for entry in entries):
                    without_points += 1
                    continue
                expected = (folders or [path.parent])[0] / f"{name}.jpg"
                records.append(by_stem.get(name, expected), _texts(path, name, entries, noted))
        if without_points:
            noted.add(path, None, f"{without_points} images have texts without points: no use to a detector")
    return records


def read_rects_labels(path: Path | str, problems: Problems | None = None) -> list[TextInstance]:
    """Read a label file of ReCTS: its `lines`, `{"points": [8 numbers], "transcription": …, "ignore": 0}`.

    The `chars` are not read. What is ignored (1), or "###", is do-not-care.

    Raises:
        ValueError: the file is no such JSON, or a line is broken and `problems` is None.
    """
    path = Path(path)
    with collected(problems) as noted:
        lines = _dict_of(path).get("lines")
        if not isinstance(lines, list):
            raise FileError(path, None, "expected an object with the list lines")
        return _texts(path, "lines", lines, noted)


def _texts(path: Path, name: str, entries: list[Any], problems: Problems) -> list[TextInstance]:
    instances = []
    for number, entry in enumerate(entries, start=1):
        with problems.row(path, what=f"text {number} of {name}"):
            entry = as_object(entry)
            text = entry.get("transcription")
            flags = (entry.get("illegibility"), entry.get("ignore"))
            ignore = any(map(flag_of, flags)) or str(text).strip() == DO_NOT_CARE
            instances.append(text_instance(entry["points"], text or None, ignore, entry.get("language")))
    return instances


def _dict_of(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict):
        reason = f"expected an object of texts by image name, got {type(document).__name__}"
        raise FileError(path, None, reason)
    return document


@dataclass(frozen=True)
class _LabelJSON:
    """One label file a part: the parts of a corpus by the names of their files."""

    files: dict[str, tuple[str, str]]
    """By the name of a part: its file, and how the names of its image folders begin."""
    is_own: Callable[[bytes], bool]
    """Whether a label file that is given by itself is of this corpus, by how it begins."""
    level: Literal["word", "line"]

    def recognises(self, source: Path) -> bool:
        if source.is_file():
            head = first_bytes(source, 1 << 14)
            return bool(_HEAD.match(head)) and self.is_own(head)
        return bool(self._found(source))

    def splits(self, source: Path) -> list[str]:
        return [] if source.is_file() else list(self._found(source))

    def load(self, source: Path, split: str | None, problems: Problems) -> PackedRecords:
        if source.is_file():
            return load_rrc_json(source, _image_folders(source.parent, "*"), self.level, problems)
        found = self._found(source)
        if split not in found:
            names = ", ".join(name for name, _ in self.files.values())
            raise ValueError(f"Expected one of the label files {names} in {source}: found none.")
        folders = _image_folders(source, self.files[split][1])
        return load_rrc_json(found[split], folders, self.level, problems)

    def _found(self, folder: Path) -> dict[str, Path]:
        return {
            split: path
            for split, (name, _) in self.files.items()
            for path in (folder / "annotations" / name, folder / name)
            if path.is_file() and _HEAD.match(first_bytes(path, 256))
        }


def _image_folders(folder: Path, prefix: str) -> list[Path]:
    patterns = dict.fromkeys(pattern.replace("{}", prefix) for pattern in _IMAGE_FOLDERS)
    found = [
        path for pattern in patterns if pattern for path in sorted(folder.glob(pattern)) if path.is_dir()
    ]
    return [*found, folder]


_ART = _LabelJSON({"train": ("train_labels.json", "train")}, lambda head: b'"language"' in head, "word")
_LSVT = _LabelJSON(
    # Not train_weak_labels.json: its texts have no outlines.
    {"train": ("train_full_labels.json", "train")},
    lambda head: b'"language"' not in head,
    "line",
)
_RECTS = LabelFiles(
    parts=(Part("train", ("img", "imgs"), ("gt_unicode", "gt", "annotations")),),
    patterns=("*.json",),
    fits=lambda path: (
        (head := first_bytes(path)).lstrip().startswith(b"{")
        and re.search(rb'"(?:chars|lines)"\s*:\s*\[', head) is not None
        and b'"ignore"' in head
    ),
    read=read_rects_labels,
    stem=str,
    level="line",
)

ART = Corpus(
    name="art",
    title="ICDAR 2019 Arbitrary-Shaped Text",
    kind="photos",
    layout="train_labels.json (texts by image name: transcription, points, language, illegibility) beside "
    "train_images/gt_0.jpg",
    homepage="https://rrc.cvc.uab.es/?ch=14",
    recognises=_ART.recognises,
    load=_ART.load,
    splits=_ART.splits,
)
LSVT = Corpus(
    name="lsvt",
    title="ICDAR 2019 Large-scale Street View Text",
    kind="photos",
    layout="train_full_labels.json (texts by image name: transcription, points, illegibility) beside "
    "train_full_images_0/ and train_full_images_1/; train_weak_labels.json has no outlines and is not read",
    homepage="https://rrc.cvc.uab.es/?ch=16",
    recognises=_LSVT.recognises,
    load=_LSVT.load,
    splits=_LSVT.splits,
    level="line",
)
RECTS = _RECTS.corpus(
    name="rects",
    title="ICDAR 2019 Reading Chinese Text on Signboards",
    layout="train_ReCTS_000001.json (chars and lines: points, transcription, ignore) in gt/ or gt_unicode/ "
    "beside img/",
    homepage="https://rrc.cvc.uab.es/?ch=12",
)
