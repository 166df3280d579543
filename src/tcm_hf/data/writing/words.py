"""Crops of words: LMDB, a metadata.jsonl, and the label files of PaddleOCR and MMOCR.

Words without a transcription ("", "###") are left out and counted: readers take them for broken rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tcm_hf.data.records import DO_NOT_CARE
from tcm_hf.data.words import WordRecord, write_lmdb
from tcm_hf.data.writing.output import Output, Report, one_line, written

__all__ = ["write_mmocr_words", "write_paddleocr_words", "write_word_lmdb", "write_words"]


def write_word_lmdb(records: Iterable[WordRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write words as an LMDB of the STR benchmarks; it holds its pictures, `copy_images` means nothing."""
    with written(folder) as output:
        count = write_lmdb(output.path_of("words"), _legible(records, output))
        for file in output.path_of("words").iterdir():
            file.replace(output.folder / file.name)
        output.path_of("words").rmdir()
    return Report(count, count, output.report.lost)


def write_words(records: Iterable[WordRecord], folder: Path | str, *, copy_images: bool = True) -> Report:
    """Write words with a metadata.jsonl (file_name and text a line) beside them."""

    def line(path: str, text: str) -> str:
        return json.dumps({"file_name": path, "text": text}, ensure_ascii=False)

    return _write_lines(records, folder, copy_images, "", "metadata.jsonl", line, _legible)


def write_paddleocr_words(
    records: Iterable[WordRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write words as rec_gt.txt (path, tab, text a line) above crop_img/."""

    def line(path: str, text: str) -> str:
        return f"{path}\t{text}"

    return _write_lines(records, folder, copy_images, "crop_img", "rec_gt.txt", line, _for_paddleocr)


def write_mmocr_words(
    records: Iterable[WordRecord], folder: Path | str, *, copy_images: bool = True
) -> Report:
    """Write words as textrecog_train.json above crops/."""
    metainfo = {"dataset_type": "TextRecogDataset", "task_name": "textrecog"}
    with written(folder, copy_images=copy_images) as output:
        entries: list[dict[str, Any]] = []
        for record in _legible(records, output):
            path = output.picture(record, "crops").path
            entries.append({"img_path": path, "instances": [{"text": record.text}]})
        document = {"metainfo": metainfo, "data_list": entries}
        output.text("textrecog_train.json", f"{json.dumps(document, ensure_ascii=False)}\n")
    return output.report


def _write_lines(
    records: Iterable[WordRecord],
    folder: Path | str,
    copy_images: bool,
    below: str,
    name: str,
    line: Callable[[str, str], str],
    kept: Callable[[Iterable[WordRecord], Output], Iterable[WordRecord]],
) -> Report:
    """Write pictures below a folder and a file `name` with a line each, made of its path and its text."""
    with written(folder, copy_images=copy_images) as output:
        lines = [
            f"{line(output.picture(record, below).path, record.text)}\n" for record in kept(records, output)
        ]
        output.text(name, "".join(lines))
    return output.report


def _legible(records: Iterable[WordRecord], output: Output, *marks: str) -> Iterator[WordRecord]:
    """The words with a transcription; those without one, or with one of the marks, are counted as lost."""
    for record in records:
        if record.text.strip() in ("", DO_NOT_CARE, *marks):
            output.report.lost["words without a transcription (left out)"] += 1
        else:
            yield record


def _for_paddleocr(records: Iterable[WordRecord], output: Output) -> Iterator[WordRecord]:
    """The words on one line each; "*" is no transcription there."""
    for record in _legible(records, output, "*"):
        text = one_line(record.text)
        if text != record.text:
            output.report.lost["line breaks in words (written as spaces)"] += 1
        yield replace(record, text=text)
