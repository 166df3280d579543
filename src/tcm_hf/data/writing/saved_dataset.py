"""Photos as a Hugging Face dataset on disk (`datasets.load_from_disk`), with the pictures in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.data.records import TextRecord, row_from_record
from tcm_hf.data.writing.output import Picture, Report, encoded, written

__all__ = ["write_dataset"]


def write_dataset(records: Iterable[TextRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write photos as `save_to_disk` does: image, polygons, texts, ignore, languages, level, width, height.

    Args:
        records: The photos.
        folder: The folder.
        copy_images: Means nothing: the pictures are in the dataset.

    Raises:
        ImportError: `datasets` is not installed.
    """
    try:
        from datasets import Dataset, Features, Image, Sequence, Value
        from datasets.arrow_writer import ArrowWriter
    except ImportError as error:
        raise ImportError("Writing a dataset needs the package datasets: `pip install datasets`.") from error
    text, point = Value("string"), Sequence(Value("float32"))
    features = Features(
        {
            "image": Image(),
            "width": Value("int32"),
            "height": Value("int32"),
            "polygons": Sequence(Sequence(point)),
            "texts": Sequence(text),
            "ignore": Sequence(Value("bool")),
            "languages": Sequence(text),
            "level": text,
        }
    )
    with written(folder) as output:
        # Written row by row: the pictures of a large corpus do not fit into memory.
        rows = output.path_of("rows") / "all.arrow"
        rows.parent.mkdir()
        with ArrowWriter(features=features, path=str(rows)) as writer:
            for record in records:
                writer.write(_row(record, output.add(record)))
            writer.finalize()
        Dataset.from_file(str(rows)).save_to_disk(str(output.folder))
        shutil.rmtree(rows.parent)
    return output.report


def _row(record: TextRecord, picture: Picture) -> dict[str, Any]:
    row = row_from_record(record, picture.name, picture.size_hw)
    del row["file_name"]
    languages = [instance.language for instance in record.instances]
    image = {"path": picture.name, "bytes": encoded(record)}
    return {"level": record.level, **row, "languages": languages, "image": image}
