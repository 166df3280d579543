"""Photos of Hugging Face `datasets`: of an object in memory, streamed, or saved with `save_to_disk`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.data.corpora.corpus import Corpus
from tcm_hf.data.corpora.files import json_of
from tcm_hf.data.corpora.metadata import photo_record
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.corpora.tool_values import as_object
from tcm_hf.data.dataset_words import dataset_words
from tcm_hf.data.lazy_sequence import LazySequence
from tcm_hf.data.records import TextRecord
from tcm_hf.data.some_records import SomeRecords

__all__ = ["DATASETS", "DatasetPhotos", "StreamedPhotos", "records_of_dataset"]

_IMAGE = "image"
_ANNOTATIONS = ("polygons", "objects")
_SPLIT = re.compile(r"\w[\w.-]*")


def records_of_dataset(
    dataset: Any, split: str | None = None, problems: Problems | None = None
) -> Sequence[Any] | StreamedPhotos:
    """The records of a dataset that the library `datasets` has loaded.

    Args:
        dataset: Has a column `image`. Photos have `polygons` (a list of [[x, y], …] a photo), and may have
            `texts`, `ignore` and `languages` with one entry a polygon; or `objects` with `bbox` ([x, y,
            width, height]). Pictures of words have `text` instead. One that is streamed
            (`load_dataset(…, streaming=True)`) is photos.
        split: Which part, where the dataset has several.
        problems: Broken rows are added to this list and left out, those of a stream as they are met; None: a
            broken row is a ValueError when it is read.

    Returns:
        A sequence of records, or an iterable of them for a dataset that is streamed. Pictures stay encoded.

    Raises:
        ValueError: It is no dataset, its columns are others, or it has parts and none of them is chosen.
    """
    if isinstance(dataset, dict):
        if split not in dataset:
            raise ValueError(
                f"Expected one part of a dataset: got the parts {', '.join(dataset)}. Give one of them."
            )
        dataset, split = dataset[split], None
    if split is not None:
        raise ValueError(f"The dataset has no part {split!r}: it has one part only, leave the name out.")
    columns = getattr(dataset, "column_names", None)
    if not hasattr(dataset, "__len__"):
        if not isinstance(dataset, Iterable):
            raise ValueError(f"Expected a path or a dataset: got {type(dataset).__name__}.")
        return StreamedPhotos(dataset, problems)
    if columns is not None and not any(name in columns for name in _ANNOTATIONS):
        return dataset_words(dataset)
    records = DatasetPhotos(dataset)
    if problems is None:
        return records
    return SomeRecords(records, _sound_rows(records.dataset, problems, Path("dataset")))


class DatasetPhotos(LazySequence[TextRecord]):
    """The photos of a `datasets.Dataset`, read one by one; a broken row is a ValueError when it is read.

    Args:
        dataset: See `records_of_dataset`.

    Raises:
        ValueError: The columns are others.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = _encoded(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def _item(self, place: int) -> TextRecord:
        return _record(self.dataset[place], place)


class StreamedPhotos(Iterable[TextRecord]):
    """The photos of a dataset that is streamed, from its first to its last, as often as asked.

    Args:
        dataset: See `records_of_dataset`.
        problems: See `records_of_dataset`.

    Raises:
        ValueError: The columns are others.
    """

    def __init__(self, dataset: Any, problems: Problems | None = None) -> None:
        self.dataset = _encoded(dataset)
        self.problems = problems

    def __iter__(self) -> Iterator[TextRecord]:
        for place, row in enumerate(self.dataset):
            if self.problems is None:
                yield _record(row, place)
                continue
            records = []
            with self.problems.row("dataset", what=f"row {place + 1}"):
                records.append(_record(row, place))
            yield from records


def _encoded(dataset: Any) -> Any:
    """The dataset with pictures that are not decoded: whoever wants the pixels does it."""
    columns = getattr(dataset, "column_names", None)
    if columns is None:  # streamed, and nothing of it was read yet
        return dataset
    if _IMAGE not in columns or not any(name in columns for name in _ANNOTATIONS):
        raise ValueError(
            f"Expected the columns image and polygons (or objects): got {', '.join(columns)}. Rename them "
            "with `dataset.rename_column`; words are not read from a stream."
        )
    features = getattr(dataset, "features", None) or {}
    if type(features.get(_IMAGE)).__name__ == "Image":
        return dataset.cast_column(_IMAGE, type(features[_IMAGE])(decode=False))
    return dataset


def _sound_rows(dataset: Any, problems: Problems, path: Path) -> list[int]:
    """The places of the rows whose annotations can be read; no picture is touched."""
    places = []
    for place, row in enumerate(dataset.remove_columns(_IMAGE)):
        with problems.row(path, what=f"row {place + 1}"):
            photo_record({**row, "file_name": ""}, Path())
            places.append(place)
    return places


def _record(row: dict[str, Any], place: int) -> TextRecord:
    image, name = as_object(row, "a row of columns")[_IMAGE], ""
    if isinstance(image, dict):  # encoded: its bytes, or where they lie
        path = image.get("path") or ""
        name = Path(path).name
        image = image.get("bytes") or (_bytes_or_path(path) if path else None)
    if image is None:
        raise ValueError(f"Row {place + 1} of the dataset has no picture.")
    name = name or f"{place + 1:09d}.png"
    try:
        record = photo_record({**row, "file_name": name}, Path())
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Row {place + 1} of the dataset is no annotated photo: {error}.") from error
    record.image = image
    return record


def _bytes_or_path(place: str) -> bytes | Path:
    """A file, or the bytes behind an address (`hf://…`), where a stream's pictures lie."""
    if "://" not in place:
        return Path(place)
    import fsspec

    with fsspec.open(place, "rb") as stream:
        return stream.read()


def load_saved_dataset(source: Path, split: str | None, problems: Problems) -> SomeRecords[TextRecord]:
    """Read the photos of a folder that `save_to_disk` wrote."""
    path = source / (split or "")
    try:
        from datasets import load_from_disk
    except ImportError as error:
        raise ImportError(f"{path} needs the package datasets: `pip install datasets`.") from error
    records = DatasetPhotos(load_from_disk(str(path)))
    return SomeRecords(records, _sound_rows(records.dataset, problems, path))


def _parts(source: Path) -> list[str]:
    splits = _named_in(source / "dataset_dict.json", "splits")
    # A name is part of paths, here and where the parts are written to: "../x" is none.
    sound = isinstance(splits, list) and all(
        isinstance(name, str) and _SPLIT.fullmatch(name) for name in splits
    )
    return splits if sound else []


def _recognises(source: Path) -> bool:
    parts = _parts(source) or [""]
    return all(_has_photos(source / part) for part in parts)


def _has_photos(folder: Path) -> bool:
    features = _named_in(folder / "dataset_info.json", "features")
    return isinstance(features, dict) and _IMAGE in features and any(map(features.__contains__, _ANNOTATIONS))


def _named_in(path: Path, name: str) -> Any:
    """A value of a file of `datasets`; None where there is none."""
    try:
        return json_of(path.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError):
        return None


DATASETS = Corpus(
    name="datasets",
    title="Hugging Face datasets, saved with save_to_disk",
    kind="photos",
    layout="dataset_info.json and *.arrow (columns image, polygons, texts, ignore), or dataset_dict.json",
    homepage="https://huggingface.co/docs/datasets",
    recognises=_recognises,
    load=load_saved_dataset,
    splits=_parts,
)
