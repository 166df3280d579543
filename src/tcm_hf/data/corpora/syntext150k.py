"""SynthText150k, the curved generated text of ABCNet: COCO's JSON with Bezier curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import first_bytes, last_bytes, read_json, text_instance
from tcm_hf.data.corpora.image_places import ImagePlaces
from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.corpora.problems import Problems, collected
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.records import DO_NOT_CARE, TextInstance, flag_of
from tcm_hf.processing.bezier_curves import bezier_outlines

__all__ = ["SYNTHTEXT_150K", "load_bezier_json"]

ALPHABETS = {
    96: "".join(map(chr, range(32, 127))),
    37: "abcdefghijklmnopqrstuvwxyz0123456789",
}
"""Characters by the number that fills a text up; the number before that is a character that is not known."""

_POINTS_PER_CURVE = 8
_END_BYTES = 1 << 16
_IMAGE_FOLDERS = ("images", "images/*", "emcs_imgs", "syntext_word_eng", "train_images", "")


def load_bezier_json(
    path: Path, image_folders: tuple[str, ...] = _IMAGE_FOLDERS, problems: Problems | None = None
) -> PackedRecords:
    """Read a file of AdelaiDet (ABCNet): `images`, and `annotations` with `bezier_pts` and `rec`.

    `bezier_pts` are 16 numbers, four control points along the top of the word from left to right, four along
    its foot back; they become a polygon of 16 points. `rec` are character numbers, filled up: of 96 signs
    (0..94 printable ASCII from the space, 95 unknown, 96 filling) or 37 (0..25 a-z, 26..35 digits, 36
    unknown, 37 filling), told by the filling. A text with a sign that is not known, or of another alphabet,
    has no transcription; `iscrowd` 1 is do-not-care.

    Args:
        path: the file.
        image_folders: where images are looked for, relative to the file's folder or the one above.
        problems: broken entries are added to this list and left out; None: they are an error.

    Raises:
        ValueError: the file is no such JSON, or an entry is broken and `problems` is None.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in ("images", "annotations")
    ):
        raise ValueError(f"{path}: expected an object with the lists images and annotations")
    with collected(problems) as noted:
        texts = _texts(path, document, noted)
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        places = ImagePlaces(root, image_folders, document["images"])
        records = PackedRecords(root)
        for number, image in enumerate(document["images"], start=1):
            with noted.row(path, what=f"image {number}"):
                image_path, size_hw = places.of(image)
                records.append(image_path, texts.get(image["id"], []), size_hw)
    return records


def _texts(path: Path, document: dict[str, Any], problems: Problems) -> dict[Any, list[TextInstance]]:
    """The texts of each image, by its id."""
    texts: dict[Any, list[TextInstance]] = {
        image["id"]: []
        for image in document["images"]
        if isinstance(image, dict) and isinstance(image.get("id"), int | str)
    }
    alphabet = _alphabet(document["annotations"])
    for number, entry in enumerate(document["annotations"], start=1):
        with problems.row(path, what=f"annotation {number}"):
            entry = as_object(entry)
            if entry["image_id"] not in texts:
                raise ValueError(f"there is no image with the id {entry['image_id']}")
            texts[entry["image_id"]].append(_instance(entry, alphabet))
    return texts


def _instance(entry: dict[str, Any], alphabet: str) -> TextInstance:
    controls = np.asarray(entry["bezier_pts"], dtype=np.float64)
    if controls.shape != (16,) or not np.isfinite(controls).all():
        raise ValueError(f"expected 16 numbers in bezier_pts, got {str(entry['bezier_pts'])[:60]}")
    outline = bezier_outlines(controls.reshape(1, 8, 2), _POINTS_PER_CURVE)[0]
    ignore = flag_of(entry.get("iscrowd"))
    text = _text(entry.get("rec") or [], alphabet)
    return text_instance(outline, text or (DO_NOT_CARE if ignore else None), ignore)


def _text(numbers: list[int], alphabet: str) -> str | None:
    """The characters before the filling; None where one of them is not known."""
    filling = len(alphabet) + 1
    written = [number for number in map(int, numbers) if number != filling]
    if not alphabet or not all(0 <= number < len(alphabet) for number in written):
        return None
    return "".join(alphabet[number] for number in written)


def _alphabet(annotations: list[Any]) -> str:
    """The characters of a file, by how most of its texts are filled up; none where it is another alphabet."""
    texts = (entry.get("rec") for entry in annotations if isinstance(entry, dict))
    fillings = Counter(text[-1] for text in texts if isinstance(text, list) and _ends_with_a_number(text))
    return ALPHABETS.get(max(fillings, key=fillings.__getitem__, default=0), "")


def _ends_with_a_number(text: list[Any]) -> bool:
    return bool(text) and isinstance(text[-1], int)


def _is_bezier_json(path: Path) -> bool:
    ends = first_bytes(path, _END_BYTES) + last_bytes(path, _END_BYTES)
    return path.suffix == ".json" and b'"bezier_pts"' in ends


def _json_of(folder: Path) -> Path | None:
    """The label file of a folder; of several the one with most characters."""
    paths = [
        path
        for place in (folder / "annotations", folder)
        if place.is_dir()
        for path in sorted(place.glob("*.json"))
        if _is_bezier_json(path)
    ]
    return min(paths, key=lambda path: "37" in path.stem, default=None)


def _parts(source: Path) -> Iterator[tuple[str, Path]]:
    """Name (none where it is the folder or the file itself) and label file of the parts."""
    if source.is_file():
        if _is_bezier_json(source):
            yield "", source
        return
    own = _json_of(source)
    if own is not None:
        yield "", own
        return
    for name in ("syntext1", "syntext2"):
        path = _json_of(source / name)
        if path is not None:
            yield name, path


def _load(source: Path, split: str | None, problems: Problems) -> PackedRecords:
    for name, path in _parts(source):
        if name == (split or ""):
            return load_bezier_json(path, problems=problems)
    raise ValueError(f"Expected a JSON file with bezier_pts in {source} or its annotations: found none.")


SYNTHTEXT_150K = Corpus(
    name="syntext150k",
    title="SynthText150k (curved, of ABCNet); other files of AdelaiDet with Bezier curves",
    kind="photos",
    layout="syntext1/annotations/*.json (images, annotations: bezier_pts, rec) beside syntext1/images/, "
    "syntext2/ the same",
    homepage="https://github.com/aim-uofa/AdelaiDet/tree/master/datasets",
    recognises=lambda path: any(True for _ in _parts(path)),
    load=_load,
    splits=lambda path: [name for name, _ in _parts(path) if name],
)
