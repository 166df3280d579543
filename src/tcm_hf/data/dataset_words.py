"""The words of a Hugging Face dataset, read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.data.lazy_sequence import LazySequence
from tcm_hf.data.records import DO_NOT_CARE
from tcm_hf.data.words import WordRecord, words_with_texts

__all__ = ["TEXT_COLUMNS", "DatasetWords", "dataset_words", "saved_words"]

TEXT_COLUMNS = ("text", "label", "transcription", "word", "ground_truth")
"""What a column of texts may be called."""


class DatasetWords(LazySequence[WordRecord]):
    """The words of a `datasets.Dataset` (or anything with rows and `column_names`), read one by one.

    Args:
        dataset: Has a column of images and one of texts. Images stay encoded until they are asked for.
        image_column: Its name; None: the first column of the type Image, else "image".
        text_column: Its name; None: "text", "label", "transcription", "word" or "ground_truth".

    Raises:
        ValueError: There is no such column, or the dataset is split and the part was not chosen.
    """

    def __init__(self, dataset: Any, image_column: str | None = None, text_column: str | None = None) -> None:
        if isinstance(dataset, dict):
            raise ValueError(
                f"Expected one part of a dataset: got a dict of {', '.join(map(repr, dataset))}. Give one of "
                "these."
            )
        columns = getattr(dataset, "column_names", None)
        if not isinstance(columns, list):
            raise ValueError(
                "Expected a path or a datasets.Dataset with columns of images and texts: got "
                f"{type(dataset).__name__}."
            )
        images = [name for name in columns if _is_image_column(dataset, name)] or ["image"]
        self.image_column = _column(columns, (image_column,) if image_column else images, "images")
        self.text_column = _column(columns, (text_column,) if text_column else TEXT_COLUMNS, "texts")
        if _is_image_column(dataset, self.image_column):
            dataset = dataset.cast_column(self.image_column, _datasets().Image(decode=False))
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def _item(self, place: int) -> WordRecord:
        """One word.

        Raises:
            ValueError: The row has no text or no image.
        """
        row = self.dataset[place]
        image, text = row[self.image_column], row[self.text_column]
        name = ""
        if isinstance(image, dict):  # encoded: its bytes, or where they lie
            name = Path(image.get("path") or "").name
            image = image.get("bytes") or Path(image["path"])
        if not isinstance(text, str) or image is None:
            raise ValueError(
                f"Row {place} of the dataset: expected an image in {self.image_column!r} and a text in "
                f"{self.text_column!r}, got {type(image).__name__} and {text!r}. Filter such rows out."
            )
        return WordRecord(image, text, name or f"{place + 1:09d}")

    def have_texts(self) -> Iterator[bool]:
        """Of each word whether it has a transcription; no image is read."""
        rows = self.dataset
        if hasattr(rows, "select_columns"):
            rows = rows.select_columns([self.text_column])
        return (row[self.text_column] not in (None, "", DO_NOT_CARE) for row in rows)


def dataset_words(dataset: Any) -> Sequence[WordRecord]:
    """The words of a dataset, but for those without a transcription.

    Raises:
        ValueError: See `DatasetWords`.
    """
    words = DatasetWords(dataset)
    return words_with_texts(words, words.have_texts())


def saved_words(folder: Path) -> Sequence[WordRecord]:
    """The words of a folder written by `datasets.Dataset.save_to_disk`, see `dataset_words`.

    Raises:
        ValueError: It has no columns of images and texts.
        ImportError: datasets is not installed.
    """
    return dataset_words(_datasets().load_from_disk(str(folder)))


def _is_image_column(dataset: Any, name: str) -> bool:
    return type((getattr(dataset, "features", None) or {}).get(name)).__name__ == "Image"


def _column(columns: Sequence[str], wanted: Sequence[str], what: str) -> str:
    for name in wanted:
        if name in columns:
            return name
    raise ValueError(
        f"Expected a column of {what} ({', '.join(wanted)}): got the columns {', '.join(columns)}. Rename "
        "one, or give its name to `DatasetWords`."
    )


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            "Reading a Hugging Face dataset needs the package datasets: `pip install datasets`."
        ) from error
    return datasets
